"""The image branch over a pretrained backbone: what a frozen network saw in each photo, and a small network behind."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from mixed_data.kernels.view_components import learn_components
from mixed_data.members import MemberDense
from mixed_data.network.view_layers import OrMissing, Shape, ViewEmbedding

_HIDDEN_UNITS = 256
INPUT_DROPOUT = 0.1
_NUM_ROWS_AT_ONCE = 256  # whose vectors are in memory


def pretrained(
    images: KerasTensor,
    image_mask: KerasTensor,
    *,
    units: int,
    dropout: float,
    pooled: bool = True,
    input_dropout: float | None = None,
) -> KerasTensor:
    """Turn what a backbone saw in the photos of a row into one vector per row.

    A wide hidden layer over the components of all views side by side, then a dense layer. The width helps: of 428
    houses, 256 units learn more than 64 with any dropout that was tried.

    Args:
        images: float32 ``(n, K, V, P)``, the `PrincipalComponents` of each view.
        image_mask: bool ``(n, K, V)``, True where the photo is there; ``K`` members.
        units: width of the result.
        dropout: share of hidden units dropped in training.
        pooled: False gives a vector per view instead, from a hidden layer that the views share.
        input_dropout: share of components dropped in training, which weakens the first ones most; None means 0.1.

    Returns:
        float32 ``(n, K, units)``, or ``(n, K, V, units)`` if not pooled.
    """
    x = ops.where(ops.expand_dims(image_mask, -1), images, 0.0)
    x = layers.Dropout(INPUT_DROPOUT if input_dropout is None else input_dropout, name="pretrained_input_dropout")(x)
    if pooled:
        _, num_members, num_views, width = images.shape
        x = ops.reshape(x, (-1, num_members, num_views * width))
        x = ops.concatenate([x, ops.cast(image_mask, x.dtype)], axis=-1)
    x = MemberDense(_HIDDEN_UNITS, name="pretrained_hidden")(x)
    if not pooled:
        x = ViewEmbedding(name="view_embedding")(x)
    x = layers.Activation("silu", name="pretrained_silu")(x)
    x = layers.Dropout(dropout, name="pretrained_dropout")(x)
    x = MemberDense(units, activation="silu", name="pretrained_output")(x)
    return OrMissing(name="or_missing")([x, image_mask]) if pooled else x


def patches(
    images: KerasTensor, image_mask: KerasTensor, *, units: int, dropout: float, pooled: bool = True
) -> KerasTensor:
    """Turn what `build_patch_backbone` learned to see into one vector per row: `pretrained`, without input dropout."""
    return pretrained(images, image_mask, units=units, dropout=dropout, pooled=pooled, input_dropout=0.0)


def split_evenly(num_rows: int) -> Iterator[slice]:
    """Yield parts of rows that are projected together; each by itself has the same bits as among the others."""
    num_parts = math.ceil(num_rows / _NUM_ROWS_AT_ONCE)
    for part in range(num_parts):
        yield slice(num_rows * part // num_parts, num_rows * (part + 1) // num_parts)


@keras.saving.register_keras_serializable(package="mixed_data")
class PrincipalComponents(keras.layers.Layer):
    """Reduces each view's vector to the directions in which the training photos of that view differ most.

    The blocks of a vector (the backbone's layers) are first brought to one scale, so that a layer with larger numbers
    does not win by them. The components keep their own variances, unwhitened, so that the first count most; all are
    divided by one number that makes their mean square 1.

    Args:
        num_components: ``P``, at most.
        blocks: sizes of the parts that a vector consists of; None for one part.
        **kwargs: as for every Keras layer.

    Shape:
        Inputs ``[vectors (n, V, D), mask (n, V)]``, output float32 ``(n, V, P)``, zero where the mask is False.
    """

    def __init__(self, num_components: int, blocks: Sequence[int] | None = None, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.num_components = num_components
        self.blocks = None if blocks is None else list(blocks)

    def build(self, input_shape: list[Shape]) -> None:
        """Make ``mean`` ``(V, D)`` and ``kernel`` ``(V, D, P)``, both zero until `adapt`."""
        _, num_views, width = input_shape[0]
        shape = (num_views, width, self.num_components)
        self.mean = self.add_weight(name="mean", shape=shape[:2], initializer="zeros", trainable=False)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="zeros", trainable=False)

    def adapt(self, vectors: np.ndarray, mask: np.ndarray) -> None:
        """Learn the directions from training rows.

        Args:
            vectors: float ``(n, V, D)``; may be on disk.
            mask: bool ``(n, V)``.
        """
        if not self.built:
            self.build([vectors.shape, mask.shape])
        blocks = self.blocks or [vectors.shape[-1]]
        mean, kernel = learn_components(vectors, mask, self.num_components, blocks)
        self.mean.assign(mean)
        self.kernel.assign(kernel)
        square = np.mean(self.project(vectors, mask)[mask] ** 2) if mask.any() else 0.0
        if square > 0:
            self.kernel.assign(kernel / np.sqrt(square))

    def project(self, vectors: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Project arrays, as the layer does with tensors.

        Args:
            vectors: float ``(n, V, D)``; may be on disk.
            mask: bool ``(n, V)``.

        Returns:
            float32 ``(n, V, P)``.
        """
        mean, kernel = (ops.convert_to_numpy(weight) for weight in (self.mean, self.kernel))
        components = np.zeros((*mask.shape, self.num_components), dtype="float32")
        for rows in split_evenly(len(mask)):
            some, there, found = vectors[rows], mask[rows], components[rows]
            for view in range(mask.shape[1]):
                present = there[:, view]
                found[present, view] = (some[present, view] - mean[view]) @ kernel[view]
        return components

    def call(self, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        """Project the present views."""
        vectors, mask = inputs
        centred = ops.where(ops.expand_dims(mask, -1), ops.cast(vectors, self.compute_dtype) - self.mean, 0.0)
        return ops.einsum("nvd,vdp->nvp", centred, self.kernel)

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """``(n, V, P)``."""
        return (*input_shape[0][:2], self.num_components)

    def get_config(self) -> dict[str, Any]:
        """Everything needed to make this layer again."""
        return {**super().get_config(), "num_components": self.num_components, "blocks": self.blocks}
