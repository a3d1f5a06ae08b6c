"""Late fusion: every branch predicts alone, and the predictions are averaged."""

from __future__ import annotations

from typing import Any

import keras

from mixed_data.fusion.weighted_sum import WeightedSum
from mixed_data.members import Shape


@keras.saving.register_keras_serializable(package="mixed_data")
class LateFusion(WeightedSum):
    """Averages a linear prediction of each input: alpha * (u · a + c) + (1 - alpha) * (v · b + d) for inputs a, b.

    The most modest way to merge, and the yardstick for the others: what they predict better than this comes from the
    branches acting together. It is hard to overfit with, and each branch's part can be read off.

    Its weak side is that the branches never meet: a kitchen cannot be worth more in a larger house. And u and alpha
    undo each other, so that the learned alpha itself says nothing; after ``measure`` the weights are the shares of the
    predictions' spread.

    The result is the prediction, with no head behind it; under mixed precision give ``dtype="float32"``.

    Args:
        alpha: as for ``WeightedSum``.
        learnable: as for ``WeightedSum``.
        units: project every input to this many features first; of no use here, where a linear layer follows.
        normalize: put every branch on one scale first, see ``Fusion``.
        members: networks at once, see ``Fusion``.
        **kwargs: ``name``, ``dtype``, ``trainable``: as for every Keras layer.

    Returns:
        Called on tensors ``(n, ..., d1), (n, ..., d2), ...``: one tensor ``(n, ..., 1)``.

    Raises:
        ValueError: as ``WeightedFusion``.

    Example:
        >>> import numpy as np
        >>> from mixed_data.fusion import LateFusion
        >>> tuple(LateFusion()([np.zeros((2, 4)), np.ones((2, 3))]).shape)
        (2, 1)

    Reference:
        Early, late and joint fusion compared: Baltrušaitis, Ahuja and Morency (2019),
        doi:10.1109/TPAMI.2018.2798607. Weighted averages of predictions: Breiman (1996), doi:10.1007/BF00117832.
    """

    predicts = True

    def merged_width(self, widths: list[int]) -> int:
        """Return 1, whatever the widths."""
        return 1

    def build_merge(self, shapes: list[Shape], widths: list[int]) -> None:
        """Make a linear prediction per input, and the weights."""
        super().build_merge(shapes, widths)
        self.predictions = [
            self.make_dense(1, shape, name=f"prediction_{position}") for position, shape in enumerate(shapes)
        ]

    def terms(self, inputs: list[Any]) -> list[Any]:
        """Return the predictions."""
        return [predict(branch) for predict, branch in zip(self.predictions, inputs, strict=True)]
