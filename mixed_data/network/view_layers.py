"""What makes several photos of one row a set of views: which view it is, and whether it is there."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Shape = tuple[int | None, ...]

PHOTO_VECTOR = "photo_vector"
"""Name of the layer that ends what an image branch from pixels does to one photo by itself: ``(n · V, F)``. Saved, the
network is cut there, so that a photo is read once for all that is asked about its row."""


@keras.saving.register_keras_serializable(package="mixed_data")
class ViewEmbedding(keras.layers.Layer):
    """Tells a shared network which view it looks at, by one learned scale and shift per view.

    The convolutions are shared over the views, because an edge is an edge in every room; but white tiles mean one
    thing in a kitchen and another in front of the house. ``output = input * scale[view] + shift[view]`` (feature-wise
    linear modulation). The scales start as random numbers of standard deviation 1, so that from the first step each
    view uses its own mix of the shared features; started all alike, the views learn to differ too slowly.

    Shape:
        Input and output ``(n, V, f)``, or ``(n, K, V, f)`` with an axis of members, each with weights of its own.

    Reference:
        Perez et al. 2018, FiLM: Visual Reasoning with a General Conditioning Layer, arXiv:1709.07871.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Make ``scale``, random, and ``shift``, zero; both ``([K,] V, f)``."""
        shape = tuple(input_shape[1:])
        initializer = keras.initializers.RandomNormal(stddev=1.0)
        self.scale = self.add_weight(name="scale", shape=shape, initializer=initializer)
        self.shift = self.add_weight(name="shift", shape=shape, initializer="zeros")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Scale and shift the features of each view."""
        inputs, scale, shift = (ops.cast(value, self.compute_dtype) for value in (inputs, self.scale, self.shift))
        return inputs * scale + shift

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the input."""
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="mixed_data")
class OrMissing(keras.layers.Layer):
    """Puts a learned vector in the place of what was made of a row's photos, or of its table, when there is none.

    Shape:
        Inputs ``[vector (n, f), mask (n, V)]``, or with an axis of members ``[(n, K, f), (n, K, V)]``; the mask is
        bool, True = the photo (or the table, ``V = 1``) is there. Output as the vector.
    """

    def build(self, input_shape: list[Shape]) -> None:
        """Make the vector ``missing`` ``([K,] f)`` that stands for "nothing at all"."""
        self.missing = self.add_weight(name="missing", shape=tuple(input_shape[0][1:]), initializer="zeros")

    def call(self, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        """Choose per row."""
        vector, mask = inputs
        is_any = ops.any(ops.cast(mask, "bool"), axis=-1, keepdims=True)
        vector, missing = (ops.cast(value, self.compute_dtype) for value in (vector, self.missing))
        return ops.where(is_any, vector, missing)

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """Return the vector's shape."""
        return tuple(input_shape[0])


@keras.saving.register_keras_serializable(package="mixed_data")
class MaskedMean(OrMissing):
    """Mean over the views that are there; a learned vector for a row that has none.

    A photo that is missing or unreadable never enters the mean, whatever its pixels hold.

    Shape:
        Inputs ``[features (n, V, f), mask (n, V)]`` with mask bool (True = the photo is there), output ``(n, f)``; or
        all with an axis of members after ``n``.

    Example:
        >>> pooled = MaskedMean()([np.array([[[1.0], [5.0]]]), np.array([[True, False]])])
        >>> float(pooled[0, 0])
        1.0
    """

    def build(self, input_shape: list[Shape]) -> None:
        """Make the vector ``missing`` ``([K,] f)``."""
        super().build([self.compute_output_shape(input_shape), input_shape[1]])

    def call(self, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        """Average the present views."""
        features, mask = inputs
        features = ops.cast(features, self.compute_dtype)
        present = ops.expand_dims(ops.cast(mask, "bool"), -1)
        total = ops.sum(ops.where(present, features, ops.zeros_like(features)), axis=-2)
        count = ops.sum(ops.cast(present, features.dtype), axis=-2)
        return super().call([total / ops.maximum(count, ops.ones_like(count)), mask])

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """``(n, [K,] f)``."""
        features = input_shape[0]
        return (*features[:-2], features[-1])
