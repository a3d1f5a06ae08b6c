"""Feature-wise linear modulation: the first branch tells how to read the second."""

from __future__ import annotations

from typing import Any

import keras

from mixed_data.fusion.base_fusion import Fusion
from mixed_data.members import Shape


@keras.saving.register_keras_serializable(package="mixed_data")
class Film(Fusion):
    """Merges inputs a, b into (1 + G a + g) * b + (H a + h): a scales and shifts each feature of b.

    For a table (a) that changes what the features of a photo (b) mean: a pool in Phoenix is not a pool in Seattle.
    All weights start at zero, so that the layer begins by passing b on and learns to depart from it.

    Its weak side: the order of the two matters, and the result stands or falls with b. A row without photos has only
    the shift to speak through, and until G and H have left zero, after the first step, the branch behind a gets no
    gradient through this layer. With a weak b, prefer `GatedUnit` or `Concat`.

    Args:
        units: project both inputs to this many features first. ``None`` takes them as they are; their widths may
            differ.
        normalize: put both branches on one scale first, see ``Fusion``.
        members: networks at once, see ``Fusion``.
        **kwargs: ``name``, ``dtype``, ``trainable``: as for every Keras layer.

    Returns:
        Called on tensors ``(n, ..., d1), (n, ..., d2)``: one tensor ``(n, ..., d2)``.

    Raises:
        ValueError: when built, if there are not exactly two inputs; else as ``Fusion``.

    Example:
        >>> import numpy as np
        >>> from mixed_data.fusion import Film
        >>> merged = Film()([np.array([[2.0, 7.0]]), np.array([[1.0, 5.0, 3.0]])])
        >>> [float(value) for value in merged[0]]  # untrained: the second input
        [1.0, 5.0, 3.0]

    Reference:
        Perez, Strub, de Vries, Dumoulin and Courville (2018), FiLM: Visual Reasoning with a General Conditioning
        Layer, arXiv:1709.07871. A table that conditions images: Pölsterl, Wolf and Wachinger (2021), DAFT,
        arXiv:2107.05990.
    """

    def merged_width(self, widths: list[int]) -> int:
        """Return the width of the second of exactly two inputs."""
        if len(widths) != 2:
            raise ValueError(
                f"Film merges exactly two inputs, the conditioning one first, got {len(widths)} inputs. "
                "Concatenate the others first"
            )
        return widths[1]

    def build_merge(self, shapes: list[Shape], widths: list[int]) -> None:
        """Make the two dense layers of the first input, at zero."""
        width = self.merged_width(widths)
        self.gamma = self.make_dense(width, shapes[0], kernel_initializer="zeros", name="gamma")
        self.beta = self.make_dense(width, shapes[0], kernel_initializer="zeros", name="beta")

    def merge(self, inputs: list[Any]) -> Any:
        """Scales and shifts the second input."""
        condition, features = inputs
        return (1 + self.gamma(condition)) * features + self.beta(condition)
