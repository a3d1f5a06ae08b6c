"""Boosted trees for a table in scikit-learn's own words: a transformer and a regressor for a pipeline."""

from __future__ import annotations

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.utils.validation import check_is_fitted

from mixed_data.boosting.tree_features import TreeFeatures
from mixed_data.preprocessing.table_encoder import TableEncoder
from mixed_data.schema import Schema


# `TreeFeatures` comes first: its `fit_transform` is not `fit` and `transform`, as that of the mixin is.
class _TreeFeatureTransformer(TreeFeatures, TransformerMixin, BaseEstimator):
    def check_fitted(self) -> None:
        check_is_fitted(self)


def make_features(schema: Schema, tabular: TableEncoder, random_state: int = 0) -> TreeFeatures:
    """Return an unfitted transformer from a table to numbers that trees read well; arguments as `TreeFeatures`."""
    return _TreeFeatureTransformer(schema, tabular, random_state)


def make_boosting(random_state: int = 0) -> HistGradientBoostingRegressor:
    """Return unfitted gradient-boosted trees for few rows: small and many.

    The absolute error does not chase a price with a zero too many. All trees are grown, because of few rows none can be
    spared to tell when to stop.
    """
    return HistGradientBoostingRegressor(
        loss="absolute_error",
        max_iter=400,
        learning_rate=0.04,
        max_leaf_nodes=8,
        min_samples_leaf=8,
        l2_regularization=3.0,
        max_features=0.6,
        early_stopping=False,
        random_state=random_state,
    )
