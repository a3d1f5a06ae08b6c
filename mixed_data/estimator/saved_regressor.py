"""Saving and loading, which all regressors of this project do alike."""

from __future__ import annotations

import os
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from mixed_data.bundle import load_bundle, save_bundle
from mixed_data.estimator.settings import read_target
from mixed_data.prediction.predicted_rows import RowRegressor
from mixed_data.preprocessing import MixedDataPreprocessor, TargetTransformer
from mixed_data.preprocessing.lost_photos import without_photo_warnings
from mixed_data.runtime.saved_models import SAVED_MODELS
from mixed_data.schema import Schema

LARGEST_DIFFERENCE = 1e-5
"""Between a prediction by the runtime and by this regressor, relative."""


class SavedRegressor(RegressorMixin, RowRegressor):
    """A regressor that is kept as a bundle. Its part of one is what its ``write_parts`` and ``read_parts`` say.

    Attributes:
        kind: its name in `mixed_data.estimator.KINDS` and in bundles.
    """

    kind: ClassVar[str]
    schema: Schema | None
    preprocessor: MixedDataPreprocessor | None
    preprocessor_: MixedDataPreprocessor
    target_transformer_: TargetTransformer

    def check_fitted(self) -> None:
        """Check that `fit` has run.

        Raises:
            NotFittedError: it has not.
        """
        check_is_fitted(self)

    def set_params(self, **params: Any) -> Self:
        """Set parameters; those after ``preprocessor__`` also where the preprocessor is None, as the default one's."""
        nested = {name: value for name, value in params.items() if name.startswith("preprocessor__")}
        super().set_params(**{name: value for name, value in params.items() if name not in nested})
        if nested and self.preprocessor is None:
            self.preprocessor = self._make_preprocessor(self.schema or Schema())
        return super().set_params(**nested)

    @abstractmethod
    def _make_preprocessor(self, schema: Schema) -> MixedDataPreprocessor:
        """Return the unfitted preprocessor for a schema."""

    def score(self, X: pd.DataFrame, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return R² of the predictions; the cells of ``y`` mean what they mean in `fit`, also as text."""
        check_is_fitted(self)
        return super().score(X, read_target(self.preprocessor_.schema_, X, y), sample_weight)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        metrics: dict[str, float] | None = None,
        comparables: pd.DataFrame | None = None,
    ) -> None:
        """Write this fitted regressor as a bundle; see `mixed_data.bundle.save_bundle`."""
        save_bundle(self, path, metrics=metrics, comparables=comparables)

    def check_saved(self, folder: Path, golden: pd.DataFrame, predictions: np.ndarray) -> None:
        """Check that the runtime predicts the golden rows from a folder as this regressor does; see `Bundled`.

        Raises:
            ValueError: a prediction differs by more than `LARGEST_DIFFERENCE`.
        """
        with without_photo_warnings():
            found = load_bundle(folder, SAVED_MODELS).predict(golden)
        difference = float(np.max(np.abs(predictions - found) / np.abs(predictions)))
        if not difference <= LARGEST_DIFFERENCE:
            raise ValueError(
                f"the saved model predicts the golden rows differently, by {difference:.1e} of their values: expected "
                f"{predictions.tolist()}, got {found.tolist()}; please report this with the versions of your libraries"
            )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a bundle of this kind; `mixed_data.load` reads one of any kind. See `mixed_data.bundle.load_bundle`."""
        return load_bundle(path, {cls.kind: cls})
