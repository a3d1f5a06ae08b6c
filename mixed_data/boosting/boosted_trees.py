"""Gradient-boosted trees on the table and on columns that come as they are: the trees of a stack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mixed_data.boosting.grown_trees import GrownTrees
from mixed_data.boosting.tree_features import TreeFeatures
from mixed_data.files.checked_json import read_json, write_json
from mixed_data.files.learned import Learned
from mixed_data.preprocessing.table_encoder import TableEncoder
from mixed_data.schema import Schema

_FEATURES_FILE, _TREES_FILE = "features.json", "trees.npz"
_NUM_ROWS_AT_ONCE = 1024  # which take 40 MB on the way through 1,200 trees


class BoostedTrees(Learned):
    """The mean of several fits of gradient-boosted trees, which differ in their seeds.

    Args:
        schema: roles of the columns.
        tabular: its settings are used, see `TreeFeatures`.
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
        tabular: TableEncoder,
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
        from threadpoolctl import threadpool_limits

        from mixed_data.boosting.unfitted_boosting import make_boosting

        extra = X[list(self.extra)].to_numpy("float64")
        fits = []
        # Trees on small tables gain nothing from threads, which on a busy machine wait for each other.
        with threadpool_limits(1, user_api="openmp"):
            for seed in range(self.random_state, self.random_state + self.num_fits):
                self.features_ = TreeFeatures(self.schema, self.tabular, seed)
                features = np.column_stack([extra, self.features_.fit_transform(X, y)])
                fits.append(make_boosting(seed).fit(features, y))
        self.trees_ = GrownTrees.of(fits)
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Predict rows, float64 ``(n,)``; each by itself."""
        self.check_fitted()
        features = np.column_stack([X[list(self.extra)].to_numpy("float64"), self.features_.transform(X)])
        parts = [features[start : start + _NUM_ROWS_AT_ONCE] for start in range(0, len(features), _NUM_ROWS_AT_ONCE)]
        return np.concatenate([np.zeros(0), *map(self.trees_.predict, parts)])

    def write(self, folder: Path) -> None:
        """Write what was learned: how the table is read as JSON, the trees as arrays."""
        self.check_fitted()
        write_json(folder / _FEATURES_FILE, self.features_.get_state())
        self.trees_.write(folder / _TREES_FILE)

    def restore(self, folder: Path) -> BoostedTrees:
        """Make this, with the settings of the one that wrote the folder, a fitted one.

        Raises:
            ValueError: a file holds something else.
        """
        self.features_, width = TreeFeatures(self.schema, self.tabular).restore(read_json(folder / _FEATURES_FILE))
        self.trees_ = GrownTrees.read(folder / _TREES_FILE, width + len(self.extra))
        return self
