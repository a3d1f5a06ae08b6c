"""Low-rank bilinear fusion: products of features of different branches, at a price that can be paid."""

from __future__ import annotations

import math
import operator
from functools import reduce
from typing import Any

import keras
from keras import ops

from mixed_data.fusion.base_fusion import Fusion
from mixed_data.members import Shape


@keras.saving.register_keras_serializable(package="mixed_data")
class LowRankBilinear(Fusion):
    """Merges inputs a, b into the sum over r of s_r * (A_r [a, 1]) * (B_r [b, 1]), plus a bias.

    Every product of a feature of a with a feature of b may count, and because a 1 is appended to each input, every
    feature alone as well: "a large kitchen in an expensive zipcode" without a hidden layer to find it. All d1 * d2
    products with a weight each would be far too many; matrices of rank ``rank`` hold them down to rank * (d1 + d2 + 2)
    weights per feature of the result. N inputs multiply N factors.

    At the start every factor has mean square 1 when its input has, half of it from the input and half from the
    appended 1, and s_r = 1 / sqrt(rank). So the result has mean square 1 too, whatever the rank and the number of
    inputs (smaller factors would make it vanish with each further input, larger ones explode), and for two inputs the
    constant, each input alone and their product begin with equal shares.

    Its weak side: the product of two large numbers is a very large one, so outliers count squared. Give inputs of
    about unit scale, or ``normalize=True``. It has the most weights of all fusions here: for two inputs twice those
    of `GatedUnit`.

    Args:
        rank: number of products summed up per feature of the result.
        units: width of the result. Inputs are not projected beside that: the factors do it. ``None`` takes the width
            of the inputs, which must then be equal.
        normalize: put every branch on one scale first, see ``Fusion``.
        members: networks at once, see ``Fusion``.
        **kwargs: ``name``, ``dtype``, ``trainable``: as for every Keras layer.

    Returns:
        Called on tensors ``(n, ..., d1), (n, ..., d2), ...``: one tensor ``(n, ..., units)``.

    Raises:
        ValueError: if ``rank`` is below 1; else as ``Fusion``.

    Example:
        >>> import numpy as np
        >>> from mixed_data.fusion import LowRankBilinear
        >>> tuple(LowRankBilinear(units=8)([np.zeros((2, 4)), np.ones((2, 3))]).shape)
        (2, 8)

    Reference:
        Liu et al. (2018), Efficient Low-rank Multimodal Fusion with Modality-Specific Factors, arXiv:1806.00064.
    """

    projects = False

    def __init__(
        self,
        *,
        rank: int = 4,
        units: int | None = None,
        normalize: bool = False,
        members: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units=units, normalize=normalize, members=members, **kwargs)
        if rank < 1:
            raise ValueError(f"LowRankBilinear: rank must be at least 1, got {rank}")
        self.rank = rank

    def merged_width(self, widths: list[int]) -> int:
        """Return ``units``, or the equal width of the inputs."""
        return self.units or super().merged_width(widths)

    def build_merge(self, shapes: list[Shape], widths: list[int]) -> None:
        """Make ``rank`` factors per input as one dense layer, whose bias is what meets the appended 1."""
        units = self.merged_width(widths)
        self.factors = [
            self.make_dense(
                self.rank * units,
                shape,
                kernel_initializer=keras.initializers.VarianceScaling(0.5, mode="fan_in", distribution="normal"),
                bias_initializer=keras.initializers.RandomNormal(stddev=math.sqrt(0.5)),
                name=f"factors_{position}",
            )
            for position, shape in enumerate(shapes)
        ]
        self.scale = self.add_weight(
            name="scale",
            shape=self.weight_shape(self.rank),
            initializer=keras.initializers.Constant(1 / math.sqrt(self.rank)),
        )
        self.bias = self.add_weight(name="bias", shape=self.weight_shape(units), initializer="zeros")

    def merge(self, inputs: list[Any]) -> Any:
        """Multiplies the factors of all inputs, and sums over the rank."""
        factors = (factor(branch) for factor, branch in zip(self.factors, inputs, strict=True))
        products = ops.split(reduce(operator.mul, factors), self.rank, axis=-1)
        scales = ops.unstack(ops.convert_to_tensor(self.scale), num=self.rank, axis=-1)
        scaled = (self.align(scale, product) * product for scale, product in zip(scales, products, strict=True))
        return reduce(operator.add, scaled) + self.align(self.bias, products[0])

    def get_config(self) -> dict[str, Any]:
        """Return everything needed to make this layer again."""
        return {**super().get_config(), "rank": self.rank}
