"""What reads tables and photos, as scikit-learn's transformers: for pipelines, `clone`, `GridSearchCV` and the rest.

All that is learned and done stands in `TableEncoder`, `PhotoReader`, `RowReader` and `TargetScale`, which do without
scikit-learn, as a saved model does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from mixed_data.preprocessing.photo_reader import Loaded, PhotoReader
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder
from mixed_data.preprocessing.row_reader import RowReader
from mixed_data.preprocessing.table_encoder import TableEncoder
from mixed_data.preprocessing.target_scale import TargetScale

# Each class has a `transform` of its own, since scikit-learn's `set_output` knows no inherited one.


class TabularPreprocessor(TransformerMixin, TableEncoder, BaseEstimator):  # noqa: D101 - below
    __doc__ = TableEncoder.__doc__

    def check_fitted(self) -> None:
        """Check that something was learned."""
        check_is_fitted(self)

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        """Encode each row by itself.

        Args:
            table: any rows, (n, columns).

        Returns:
            float32 (n, d), without units; no NaN. Columns as `get_feature_names_out` says.

        Raises:
            ValueError: a column is missing, or a numeric cell is present but not a number.
        """
        return super().transform(table)

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that missing numbers are welcome and that float32 comes out."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _check_numbers(self, table: Any, *, reset: bool) -> Any:
        if isinstance(table, pd.DataFrame):
            return validate_data(self, table, reset=reset, skip_check_array=True)
        return validate_data(self, table, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan")


class ImagePreprocessor(TransformerMixin, PhotoReader, BaseEstimator):  # noqa: D101 - below
    __doc__ = PhotoReader.__doc__

    def check_fitted(self) -> None:
        """Check that something was learned."""
        check_is_fitted(self)

    def transform(self, table: pd.DataFrame, embedder: PhotoEmbedder | None = None) -> Loaded:
        """Load the photos of every row; see `PhotoReader.transform`."""
        return super().transform(table, embedder)


# What comes out is a dict, which `set_output(transform="pandas")` must leave alone: no automatic wrapping.
class MixedDataPreprocessor(TransformerMixin, RowReader, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]  # noqa: D101
    __doc__ = RowReader.__doc__

    def check_fitted(self) -> None:
        """Check that something was learned."""
        check_is_fitted(self)


class TargetTransformer(TransformerMixin, TargetScale, BaseEstimator):  # noqa: D101 - below
    __doc__ = TargetScale.__doc__

    def check_fitted(self) -> None:
        """Check that something was learned."""
        check_is_fitted(self)

    def transform(self, y: ArrayLike) -> np.ndarray:
        """Standardise targets; see `TargetScale.transform`."""
        return super().transform(y)
