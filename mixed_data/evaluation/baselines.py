"""What a network has to beat before anyone should use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import RidgeCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from mixed_data.boosting import make_boosting, make_features
from mixed_data.preprocessing import MixedDataPreprocessor, TabularPreprocessor, TargetTransformer
from mixed_data.schema import Schema

NUM_SIMILAR_ROWS = 5
"""That ``knn`` averages; there have to be as many to train on."""


def make_baselines(schema: Schema, options: Mapping[str, Any]) -> dict[str, BaseEstimator]:
    """Return unfitted scikit-learn regressors over a DataFrame, by name.

    - ``median``: the median of the training targets for every row.

    The others see the same tabular columns and the same transformed target as the networks, and without tabular
    columns there are none:

    - ``ridge``: ridge regression on the networks' features, its strength chosen by leave-one-out on the training rows.
    - ``knn``: the five most similar rows by the networks' features, the nearer the weightier: what an appraiser does
      with comparable sales.
    - ``boosting``: gradient-boosted trees, see `mixed_data.boosting`.

    Args:
        schema: roles of the columns.
        options: arguments of the networks' `MixedDataRegressor`; of these, ``preprocessor``, ``target_transform`` and
            ``random_state`` count.
    """
    baselines: dict[str, BaseEstimator] = {"median": DummyRegressor(strategy="median")}
    if not schema.features:
        return baselines
    preprocessor = options.get("preprocessor") or MixedDataPreprocessor(schema)
    shared = TabularPreprocessor().get_params().keys() & preprocessor.get_params(deep=False).keys()
    tabular = TabularPreprocessor(**{**{name: getattr(preprocessor, name) for name in shared}, "schema": schema})
    seed = options.get("random_state", 0)
    pipelines = {
        "ridge": make_pipeline(tabular, RidgeCV(alphas=(0.1, 1.0, 10.0, 100.0))),
        "knn": make_pipeline(tabular, KNeighborsRegressor(n_neighbors=NUM_SIMILAR_ROWS, weights="distance")),
        "boosting": make_pipeline(make_features(schema, tabular, seed), make_boosting(seed)),
    }
    for name, pipeline in pipelines.items():
        transformer = TargetTransformer(options.get("target_transform", "auto"))
        baselines[name] = TransformedTargetRegressor(pipeline, transformer=transformer)
    return baselines
