"""How a table becomes numbers that trees read well, and which trees."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import FeatureUnion, make_union

from mixed_data.boosting.level_means import LevelMeans
from mixed_data.boosting.level_text import CodeOrder
from mixed_data.files.checked_json import OBJECT, check_fields, optional
from mixed_data.preprocessing import TabularPreprocessor
from mixed_data.schema import Schema

_PARTS = ("tabularpreprocessor", "levelmeans", "codeorder")


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
    has_numbers = bool(schema.numeric or schema.dates)
    parts: list[BaseEstimator] = [numeric] if has_numbers else []
    if schema.categorical or schema.codes:
        means = LevelMeans(schema, code_prefixes=tabular.code_prefixes, random_state=random_state)
        parts.append(means.set_params(numeric=TabularPreprocessor(**numeric.get_params()) if has_numbers else None))
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


def state_of_features(features: FeatureUnion) -> dict[str, Any]:
    """Return what a fitted transformer of `make_features` learned, as a JSON-able dict."""
    return dict.fromkeys(_PARTS) | {name: part.get_state() for name, part in features.transformer_list}


def read_features(state: Any, schema: Schema, tabular: TabularPreprocessor) -> tuple[FeatureUnion, int]:
    """Rebuild the fitted transformer of `state_of_features`; nothing in the state is executed.

    Returns:
        the transformer, and the number of features that come out.

    Raises:
        ValueError: the state does not belong to such features.
    """
    state = check_fields(state, "features", dict.fromkeys(_PARTS, optional(OBJECT)))
    features = make_features(schema, tabular)
    names = [name for name, _ in features.transformer_list]
    if names != [name for name in _PARTS if state[name] is not None]:
        raise ValueError(f"features: expected the parts {names}, got {[name for name in _PARTS if state[name]]}")
    for index, (name, part) in enumerate(features.transformer_list):
        restore = TabularPreprocessor.from_state if name == "tabularpreprocessor" else part.restore
        features.transformer_list[index] = (name, restore(state[name]))
    empty = pd.DataFrame({name: pd.Series([None], dtype=object) for name in schema.features})
    return features, features.transform(empty).shape[1]
