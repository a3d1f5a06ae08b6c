"""Gradient-boosted trees on the table: what a network has to beat, and what a stack combines with one.

To predict with fitted ones needs no scikit-learn; to grow some does, so that the last two names are imported when they
are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixed_data.boosting.boosted_trees import BoostedTrees
from mixed_data.boosting.level_means import LevelMeans
from mixed_data.boosting.level_text import CodeOrder
from mixed_data.boosting.tree_features import TreeFeatures

if TYPE_CHECKING:
    from mixed_data.boosting.unfitted_boosting import make_boosting, make_features

__all__ = ["BoostedTrees", "CodeOrder", "LevelMeans", "TreeFeatures", "make_boosting", "make_features"]


def __getattr__(name: str) -> Any:
    """Import `make_boosting` or `make_features`."""
    if name in __all__:
        from mixed_data.boosting import unfitted_boosting

        return getattr(unfitted_boosting, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
