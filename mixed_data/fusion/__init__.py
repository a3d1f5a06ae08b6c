"""Keras layers that merge the branches of a model into one.

To add a fusion: one file with a subclass of ``Fusion``, one line in ``FUSIONS``, one oracle row in
``tests/test_fusion.py``.
"""

from __future__ import annotations

from mixed_data.fusion.base import Fusion
from mixed_data.fusion.concat import Concat
from mixed_data.fusion.weighted import WeightedFusion
from mixed_data.fusion.weighted_product import WeightedProduct
from mixed_data.fusion.weighted_sum import WeightedSum

FUSIONS: dict[str, type[Fusion]] = {
    "concat": Concat,
    "weighted_sum": WeightedSum,
    "weighted_product": WeightedProduct,
}

__all__ = ["FUSIONS", "Concat", "Fusion", "WeightedFusion", "WeightedProduct", "WeightedSum"]
