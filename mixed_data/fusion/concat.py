"""Concatenation: keep everything, and let the head weigh it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from mixed_data.fusion.base_fusion import Fusion


@keras.saving.register_keras_serializable(package="mixed_data")
class Concat(Fusion):
    """Puts the features of all inputs side by side.

    The safe default: nothing is lost, widths may differ, and the layer after it learns a weight for every
    feature of every branch. What it cannot do is say how much each branch counts. With ``normalize=True`` no
    branch drowns the others by its scale alone.

    Args:
        units: project every input to this many features first. ``None`` merges the inputs as they are.
        normalize: put every branch on one scale first, see ``Fusion``.
        members: networks at once, see ``Fusion``.
        **kwargs: ``name``, ``dtype``, ``trainable``: as for every Keras layer.

    Returns:
        Called on tensors ``(n, ..., d1), (n, ..., d2), ...``: one tensor ``(n, ..., d1 + d2 + ...)``.

    Example:
        >>> import numpy as np
        >>> from mixed_data.fusion import Concat
        >>> tuple(Concat()([np.zeros((2, 4)), np.ones((2, 3))]).shape)
        (2, 7)

    Reference:
        Early, late and joint fusion compared: Baltrušaitis, Ahuja and Morency (2019),
        doi:10.1109/TPAMI.2018.2798607.
    """

    def merge(self, inputs: list[Any]) -> Any:
        """Concatenates on the last axis."""
        return ops.concatenate(inputs, axis=-1)

    def compute_mask(self, inputs: Sequence[Any], mask: Any = None) -> Any:
        """Return the Keras mask of the result: None if no input has one, else where any input is there.

        An input without one is there everywhere, as in `keras.layers.Concatenate`.
        """
        return keras.layers.Concatenate(name="mask").compute_mask(inputs, mask)

    def merged_width(self, widths: list[int]) -> int:
        """Return the sum of the widths, which need not be equal."""
        return sum(widths)
