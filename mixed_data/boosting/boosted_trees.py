"""Gradient-boosted trees on the table and on columns that come as they are: the trees of a stack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from mixed_data.boosting.grown_trees import GrownTrees
from mixed_data.boosting.tree_features import make_boosting, make_features, read_features, state_of_features
from mixed_data.files.checked_json import read_json, write_json
from mixed_data.preprocessing import TabularPreprocessor
from mixed_data.schema import Schema

_FEATURES_FILE, _TREES_FILE = "features.json", "trees.npz"
_NUM_ROWS_AT_ONCE = 1024  # which take 40 MB on the way through 1,200 trees


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
        trees_: the fitted `GrownTrees`.
    """

    def __init__(
        self,
        schema: Schema,
        tabular: TabularPreprocessor,
        *,
        extra: Sequence[str] = (),
        num_fits: int = 3,
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
        fits = []
        # Trees on small tables gain nothing from threads, which on a busy machine wait for each other.
        with threadpool_limits(1, user_api="openmp"):
            for seed in range(self.random_state, self.random_state + self.num_fits):
                self.features_ = make_features(self.schema, self.tabular, seed)
                features = np.column_stack([extra, self.features_.fit_transform(X, y)])
                fits.append(make_boosting(seed).fit(features, y))
        self.trees_ = GrownTrees.of(fits)
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Predict rows, float64 ``(n,)``; each by itself."""
        check_is_fitted(self)
        features = np.column_stack([X[list(self.extra)].to_numpy("float64"), self.features_.transform(X)])
        parts = [features[start : start + _NUM_ROWS_AT_ONCE] for start in range(0, len(features), _NUM_ROWS_AT_ONCE)]
        return np.concatenate([np.zeros(0), *map(self.trees_.predict, parts)])

    def write(self, folder: Path) -> None:
        """Write what was learned: how the table is read as JSON, the trees as arrays."""
        check_is_fitted(self)
        write_json(folder / _FEATURES_FILE, state_of_features(self.features_))
        self.trees_.write(folder / _TREES_FILE)

    def restore(self, folder: Path) -> BoostedTrees:
        """Make this, with the settings of the one that wrote the folder, a fitted one.

        Raises:
            ValueError: a file holds something else.
        """
        self.features_, width = read_features(read_json(folder / _FEATURES_FILE), self.schema, self.tabular)
        self.trees_ = GrownTrees.read(folder / _TREES_FILE, width + len(self.extra))
        return self
