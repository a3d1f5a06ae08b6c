"""Fitted trees as a few arrays: all that a prediction needs, and nothing that could be executed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from mixed_data.files.checked_arrays import ArrayKind, read_arrays, write_arrays

_LARGEST = np.finfo("float64").max
_MOST_TREES, _DEEPEST = 2**14, 64  # own ones: 800, of 8 leaves
_KINDS = {
    "baselines": ArrayKind("float64", 1),
    "roots": ArrayKind("int32", 1),
    "feature": ArrayKind("int32", 1),
    "threshold": ArrayKind("float64", 1),
    "missing_left": ArrayKind("bool", 1),
    "left": ArrayKind("int32", 1),
    "right": ArrayKind("int32", 1),
    "value": ArrayKind("float64", 1),
}


@dataclass(frozen=True)
class GrownTrees:
    """The mean of several fits of gradient-boosted trees; the nodes of all trees of all fits in one row.

    Attributes:
        baselines: float64 ``(fits,)``, what each fit starts from.
        roots: int32 ``(trees,)``, position of the first node of each tree.
        feature: int32 ``(nodes,)``, that a node asks for.
        threshold: float64 ``(nodes,)``; rows of at most so much go left.
        missing_left: bool ``(nodes,)``, whether rows without the feature (NaN) go left.
        left: int32 ``(nodes,)``, position of the left child; of a leaf its own.
        right: likewise.
        value: float64 ``(nodes,)``, what a leaf adds.
    """

    baselines: np.ndarray
    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, fits: Sequence[Any]) -> GrownTrees:
        """Take over fitted `HistGradientBoostingRegressor` without categorical splits, which are never made here."""
        trees = [tree.nodes for fit in fits for (tree,) in fit._predictors]
        roots = np.cumsum([0, *(len(tree) for tree in trees[:-1])])
        nodes = np.concatenate(trees)
        starts = np.repeat(roots, [len(tree) for tree in trees])
        own, is_leaf = np.arange(len(nodes)), nodes["is_leaf"] == 1
        arrays = {
            "baselines": np.array([fit._baseline_prediction.item() for fit in fits]),
            "roots": roots,
            "feature": np.where(is_leaf, 0, nodes["feature_idx"]),
            # A split of the rows with the feature from those without has its threshold at infinity.
            "threshold": np.where(is_leaf, 0.0, np.clip(nodes["num_threshold"], -_LARGEST, _LARGEST)),
            "missing_left": nodes["missing_go_to_left"] == 1,
            "left": np.where(is_leaf, own, starts + nodes["left"]),
            "right": np.where(is_leaf, own, starts + nodes["right"]),
            "value": nodes["value"],
        }
        return cls(**{name: array.astype(_KINDS[name].dtype) for name, array in arrays.items()})

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predict rows, each by itself.

        Args:
            features: float64 ``(n, d)``; NaN is missing, infinite is not allowed.

        Returns:
            float64 ``(n,)``.
        """
        place = np.broadcast_to(self.roots, (len(features), len(self.roots)))
        rows = np.arange(len(features))[:, None]
        while True:
            asked = features[rows, self.feature[place]]
            goes_left = np.where(np.isnan(asked), self.missing_left[place], asked <= self.threshold[place])
            below = np.where(goes_left, self.left[place], self.right[place])
            if np.array_equal(below, place):
                return (self.baselines.sum() + self.value[place].sum(axis=1)) / len(self.baselines)
            place = below

    def write(self, file: Path) -> None:
        """Write the arrays."""
        write_arrays(file, {field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def read(cls, file: Path, width: int) -> GrownTrees:
        """Read what `write` wrote, and check what `predict` follows without looking.

        Args:
            file: to read.
            width: number of features.

        Raises:
            ValueError: it holds something else.
        """
        trees = cls(**read_arrays(file, _KINDS))
        own = np.arange(len(trees.left))
        if len({len(getattr(trees, name)) for name in list(_KINDS)[2:]}) > 1 or not len(trees.baselines):
            raise ValueError(f"{file.name}: expected arrays of one length, and at least one fit")
        for children in (trees.left, trees.right):
            if np.any((children < own) | (children >= len(own))) or np.any((trees.left == own) != (children == own)):
                raise ValueError(f"{file.name}: a node points outside the trees, or back")
        if not 0 < len(trees.roots) <= _MOST_TREES or np.any((trees.roots < 0) | (trees.roots >= len(own))):
            raise ValueError(f"{file.name}: expected 1 to {_MOST_TREES:,} trees, each of which begins at a node")
        level = trees.roots
        for _ in range(_DEEPEST):
            level = level[trees.left[level] != level]
            level = np.unique([trees.left[level], trees.right[level]])
        if len(level):
            raise ValueError(f"{file.name}: a tree is deeper than {_DEEPEST} nodes")
        if np.any((trees.feature < 0) | (trees.feature >= width)):
            raise ValueError(f"{file.name}: a node asks for a feature that is none of {width}")
        return trees
