"""Gradient-boosted trees on the table: what a network has to beat, and what a stack combines with one."""

from __future__ import annotations

from dataclasses import replace

from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import FeatureUnion, make_union

from mixed_data.boosting.encoding import LevelMeans
from mixed_data.boosting.levels import CodeOrder
from mixed_data.preprocessing import TabularPreprocessor
from mixed_data.schema import Schema

__all__ = ["CodeOrder", "LevelMeans", "make_boosting", "make_features"]


def make_features(schema: Schema, tabular: TabularPreprocessor, random_state: int = 0) -> FeatureUnion:
    """Return an unfitted transformer from a table to numbers that trees read well.

    Trees need many splits to read one-hot levels, so that categories and codes become mean targets instead, and codes
    also places in their order.

    Args:
        schema: roles of the columns.
        tabular: its settings are used for the numeric columns, and its ``code_prefixes``.
        random_state: of the folds in which training rows get their means.
    """
    numeric = TabularPreprocessor(**tabular.get_params())
    numeric.set_params(schema=replace(schema, categorical=(), codes=()))
    parts: list[BaseEstimator] = [numeric] if schema.numeric else []
    if schema.categorical or schema.codes:
        means = LevelMeans(schema, code_prefixes=tabular.code_prefixes, random_state=random_state)
        parts.append(means.set_params(numeric=TabularPreprocessor(**numeric.get_params()) if schema.numeric else None))
    if schema.codes:
        parts.append(CodeOrder(schema))
    return make_union(*parts)


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
