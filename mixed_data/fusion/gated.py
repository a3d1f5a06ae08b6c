"""The gated multimodal unit: each row decides, feature by feature, which branch to listen to."""

from __future__ import annotations

import operator
from functools import reduce
from typing import Any

import keras
from keras import ops

from mixed_data.fusion.base_fusion import Fusion
from mixed_data.members import Shape


@keras.saving.register_keras_serializable(package="mixed_data")
class GatedUnit(Fusion):
    """Merges inputs a, b into z * tanh(A a + c) + (1 - z) * tanh(B b + d), with the gate z = sigmoid(Z [a, b] + e).

    A weighted sum whose weights depend on the row and differ between features: a kitchen can count for a large house
    and not for a small one, and a row without photos can close the gate of the photos. Three or more inputs have a
    gate each, z1 * h1 + z2 * h2 + z3 * h3 with zi = sigmoid(Zi [all inputs] + ei), and these need not sum to 1.

    Its weak side: two matrices more than a weighted sum, which a few hundred rows may not pay for, and tanh bounds
    the result to [-1, 1] (for two inputs) and saturates when a branch's numbers are large; ``normalize=True`` helps.
    The biases are not in the paper; without them a gate could not be opened for all rows alike.

    Args:
        units: width of the result. Inputs are not projected beside that: the matrices A and B do it. ``None`` takes
            the width of the inputs, which must then be equal.
        normalize: put every branch on one scale first, see ``Fusion``.
        members: networks at once, see ``Fusion``.
        **kwargs: ``name``, ``dtype``, ``trainable``: as for every Keras layer.

    Returns:
        Called on tensors ``(n, ..., d1), (n, ..., d2), ...``: one tensor ``(n, ..., units)``.

    Example:
        >>> import numpy as np
        >>> from mixed_data.fusion import GatedUnit
        >>> tuple(GatedUnit(units=8)([np.zeros((2, 4)), np.ones((2, 3))]).shape)
        (2, 8)

    Reference:
        Arevalo, Solorio, Montes-y-Gómez and González (2017), Gated Multimodal Units for Information Fusion,
        arXiv:1702.01992.
    """

    projects = False

    def merged_width(self, widths: list[int]) -> int:
        """Return ``units``, or the equal width of the inputs."""
        return self.units or super().merged_width(widths)

    def build_merge(self, shapes: list[Shape], widths: list[int]) -> None:
        """Make a hidden layer per input, and one gate for two inputs or one per input."""
        units = self.merged_width(widths)
        together = (*shapes[0][:-1], sum(widths))
        num_gates = 1 if len(shapes) == 2 else len(shapes)
        self.hidden = [
            self.make_dense(units, shape, activation="tanh", name=f"hidden_{position}")
            for position, shape in enumerate(shapes)
        ]
        self.gates = [
            self.make_dense(units, together, activation="sigmoid", name=f"gate_{position}")
            for position in range(num_gates)
        ]

    def merge(self, inputs: list[Any]) -> Any:
        """Sum the hidden vectors, each times its gate."""
        together = ops.concatenate(inputs, axis=-1)
        gates = [gate(together) for gate in self.gates]
        if len(gates) == 1:
            gates.append(-(gates[0] - 1))  # Behind a transpose, the converter to LiteRT makes x - 1 of 1 - x.
        hidden = (layer(branch) for layer, branch in zip(self.hidden, inputs, strict=True))
        return reduce(operator.add, (gate * vector for gate, vector in zip(gates, hidden, strict=True)))
