"""Gradient-boosted trees on the table: what a network has to beat, and what a stack combines with one."""

from mixed_data.boosting.boosted_trees import BoostedTrees
from mixed_data.boosting.level_means import LevelMeans
from mixed_data.boosting.level_text import CodeOrder
from mixed_data.boosting.tree_features import make_boosting, make_features

__all__ = ["BoostedTrees", "CodeOrder", "LevelMeans", "make_boosting", "make_features"]
