"""Gradient-boosted trees on the table: what a network has to beat, and what a stack combines with one."""

from mixed_data.boosting.encoding import LevelMeans
from mixed_data.boosting.features import make_boosting, make_features
from mixed_data.boosting.levels import CodeOrder
from mixed_data.boosting.regressor import BoostedTrees

__all__ = ["BoostedTrees", "CodeOrder", "LevelMeans", "make_boosting", "make_features"]
