"""Keras layers that merge the branches of a model into one.

To add a fusion: one file with a subclass of ``Fusion``, one line in ``FUSIONS``, one row in ``ORACLES`` of
``tests/fusion_helpers.py``; see CONTRIBUTING.md.
"""

from __future__ import annotations

from mixed_data.fusion.attention import AttentionPooling
from mixed_data.fusion.base_fusion import Fusion
from mixed_data.fusion.concat import Concat
from mixed_data.fusion.film import Film
from mixed_data.fusion.gated import GatedUnit
from mixed_data.fusion.late import LateFusion
from mixed_data.fusion.learned_weights import WeightedFusion
from mixed_data.fusion.low_rank_bilinear import LowRankBilinear
from mixed_data.fusion.weighted_product import WeightedProduct
from mixed_data.fusion.weighted_sum import WeightedSum

FUSIONS: dict[str, type[Fusion]] = {
    "concat": Concat,
    "weighted_sum": WeightedSum,
    "weighted_product": WeightedProduct,
    "gated": GatedUnit,
    "film": Film,
    "low_rank_bilinear": LowRankBilinear,
    "attention": AttentionPooling,
    "late": LateFusion,
}
"""Name -> layer."""

__all__ = [
    "FUSIONS",
    "AttentionPooling",
    "Concat",
    "Film",
    "Fusion",
    "GatedUnit",
    "LateFusion",
    "LowRankBilinear",
    "WeightedFusion",
    "WeightedProduct",
    "WeightedSum",
]
