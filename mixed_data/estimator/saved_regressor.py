"""Saving and loading, which all regressors of this project do alike."""

from __future__ import annotations

import os
from typing import ClassVar, Self

import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from mixed_data.bundle import load_bundle, save_bundle
from mixed_data.estimator.settings import read_target
from mixed_data.prediction.predicted_rows import RowRegressor


class SavedRegressor(RowRegressor):
    """A regressor that is kept as a bundle. Its part of one is what its ``write_parts`` and ``read_parts`` say.

    Attributes:
        kind: its name in `mixed_data.estimator.KINDS` and in bundles.
    """

    kind: ClassVar[str]

    def score(self, X: pd.DataFrame, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return R² of the predictions; the cells of ``y`` mean what they mean in `fit`, also as text."""
        check_is_fitted(self)
        return super().score(X, read_target(self.preprocessor_.schema_, X, y), sample_weight)

    def save(self, path: str | os.PathLike[str], *, metrics: dict[str, float] | None = None) -> None:
        """Write this fitted regressor as a bundle; see `mixed_data.bundle.save_bundle`."""
        save_bundle(self, path, metrics=metrics)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a bundle of this kind; `mixed_data.load` reads one of any kind. See `mixed_data.bundle.load_bundle`."""
        return load_bundle(path, {cls.kind: cls})
