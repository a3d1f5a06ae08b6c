"""What a network has to beat before anyone should use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline

from mixed_data.preprocessing import MixedDataPreprocessor, TabularPreprocessor, TargetTransformer
from mixed_data.schema import Schema


def make_baselines(schema: Schema, options: Mapping[str, Any]) -> dict[str, BaseEstimator]:
    """Return unfitted scikit-learn regressors over a DataFrame, by name.

    - ``median``: the median of the training targets for every row.
    - ``ridge``: ridge regression on the same tabular features and the same transformed target as the networks, its
      strength chosen by leave-one-out on the training rows. Without tabular columns there is none.

    Args:
        schema: roles of the columns.
        options: arguments of the networks' `MixedDataRegressor`; of these, ``preprocessor`` and ``target_transform``
            count.
    """
    baselines: dict[str, BaseEstimator] = {"median": DummyRegressor(strategy="median")}
    if schema.features:
        preprocessor = options.get("preprocessor") or MixedDataPreprocessor(schema)
        shared = TabularPreprocessor().get_params().keys() & preprocessor.get_params(deep=False).keys()
        tabular = TabularPreprocessor(**{**{name: getattr(preprocessor, name) for name in shared}, "schema": schema})
        ridge = make_pipeline(tabular, RidgeCV(alphas=(0.1, 1.0, 10.0, 100.0)))
        transformer = TargetTransformer(options.get("target_transform", "auto"))
        baselines["ridge"] = TransformedTargetRegressor(ridge, transformer=transformer)
    return baselines
