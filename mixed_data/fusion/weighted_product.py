"""The weighted product of two or more branches."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from mixed_data.fusion.learned_weights import WeightedFusion

# Without it softplus(-200) is 0 in float32, and the gradient of log(0) is not a number.
_FLOOR = 1e-6


@keras.saving.register_keras_serializable(package="mixed_data")
class WeightedProduct(WeightedFusion):
    """Merges inputs a, b into the weighted geometric mean p(a)^alpha * p(b)^(1 - alpha).

    A product lets one branch veto: where either is near zero the result is too, while a sum only averages.
    ``WeightedProduct(alpha=0.1)`` fixes the weights, ``WeightedProduct()`` learns them; N inputs give
    p(a)^w1 * p(b)^w2 * p(c)^w3 * ...

    Real powers need positive numbers, so every input first goes through p(x) = log(1 + exp(x)) + 0.000001
    (softplus with a floor): about x for large x, near 0 for negative x, rising everywhere. The product of x
    with itself is therefore p(x), not x. It is computed as exp(sum of w * log p), in float32 even under mixed
    precision; values and gradients are finite for inputs from -200 to 200 and beyond.

    The weights are exponents, not factors: in (c1 * a) * (c2 * b) only the product c1 * c2 would matter, and
    nothing could be learned about either. What learned ones mean, and how to ``measure`` them, is said in
    ``WeightedSum``; the spread is that of log p.

    Args:
        alpha: weight of the first of two inputs, or one weight per input, summing to 1. ``None`` starts all
            inputs with equal weights and learns.
        learnable: whether to train the weights, starting from ``alpha``. Default: only without ``alpha``.
        units: project every input to this many features first. ``None`` merges the inputs as they are, which
            must have equal widths.
        normalize: put every branch on one scale first (before p), see ``Fusion``.
        members: networks at once, see ``Fusion``; each learns weights of its own, a fixed alpha holds for all.
        **kwargs: ``name``, ``dtype``, ``trainable``: as for every Keras layer.

    Returns:
        Called on tensors ``(n, ..., d)``, all of one shape: one tensor ``(n, ..., d)``, positive.

    Raises:
        ValueError: as ``WeightedFusion``.

    Example:
        >>> import numpy as np
        >>> from mixed_data.fusion import WeightedProduct
        >>> merged = WeightedProduct(alpha=0.5)([np.array([[40.0]]), np.array([[90.0]])])
        >>> round(float(merged[0, 0]), 3)  # the square root of 40 * 90
        60.0

    Reference:
        Products of experts: Hinton (2002), doi:10.1162/089976602760128018. The logarithmic pool of opinions:
        Genest and Zidek (1986), doi:10.1214/ss/1177013825.
    """

    def terms(self, inputs: list[Any]) -> list[Any]:
        """Return the logarithms of the positive inputs."""
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        return [ops.log(ops.softplus(ops.cast(branch, dtype)) + _FLOOR) for branch in inputs]

    def merge(self, inputs: list[Any]) -> Any:
        """Multiplies the positive inputs, each to the power of its weight."""
        return ops.cast(ops.exp(super().merge(inputs)), self.compute_dtype)
