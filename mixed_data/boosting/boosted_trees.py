"""Gradient-boosted trees on the table and on columns that come as they are: the trees of a stack."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from mixed_data.boosting.tree_features import make_boosting, make_features
from mixed_data.preprocessing import TabularPreprocessor
from mixed_data.schema import Schema


class BoostedTrees(RegressorMixin, BaseEstimator):
    """The mean of several fits of gradient-boosted trees, which differ in their seeds.

    Args:
        schema: roles of the columns.
        tabular: unfitted; its settings are used, see `make_features`.
        extra: names of numeric columns that the trees see as they are, such as another model's prediction.
        num_fits: how many.
        random_state: seed of the first, the others follow.

    Attributes:
        features_: the fitted transformer of the table. The fits differ only in how training rows were encoded.
        trees_: the fitted `HistGradientBoostingRegressor` of each fit.
    """

    def __init__(
        self,
        schema: Schema,
        tabular: TabularPreprocessor,
        *,
        extra: Sequence[str] = (),
        num_fits: int = 5,
        random_state: int = 0,
    ) -> None:
        self.schema = schema
        self.tabular = tabular
        self.extra = extra
        self.num_fits = num_fits
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> BoostedTrees:
        """Learn from training rows.

        Args:
            X: the rows, with the extra columns.
            y: target ``(n,)``.
        """
        extra = X[list(self.extra)].to_numpy("float64")
        self.trees_ = []
        # Trees on small tables gain nothing from threads, which on a busy machine wait for each other.
        with threadpool_limits(1, user_api="openmp"):
            for seed in range(self.random_state, self.random_state + self.num_fits):
                self.features_ = make_features(self.schema, self.tabular, seed)
                features = np.column_stack([extra, self.features_.fit_transform(X, y)])
                self.trees_.append(make_boosting(seed).fit(features, y))
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Predict rows, float64 ``(n,)``; each by itself."""
        check_is_fitted(self)
        features = np.column_stack([X[list(self.extra)].to_numpy("float64"), self.features_.transform(X)])
        with threadpool_limits(1, user_api="openmp"):
            return np.mean([trees.predict(features) for trees in self.trees_], axis=0)
