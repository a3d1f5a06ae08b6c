"""Training-only changes of photos that leave what they show alone."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mixed_data")
class MirrorAndShift(keras.layers.Layer):
    """Mirrors each photo with a chance of one half and shifts the batch by a few pixels, in training only.

    Mirroring is drawn per photo. The shift is drawn once per batch, which costs a tenth of an affine transform per
    photo and, over the steps of a training, shows every photo at every place; edge pixels are repeated. At
    inference the photos pass unchanged.

    Args:
        max_shift: largest shift in each direction, as a share of the side.
        seed: of the random draws.
        **kwargs: as for every Keras layer.

    Shape:
        ``(n, H, W, channels)`` of any dtype, unchanged.
    """

    def __init__(self, max_shift: float = 0.06, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= max_shift < 1:
            raise ValueError(f"max_shift: expected a share of the side, at least 0 and below 1, got {max_shift}")
        self.max_shift = max_shift
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, photos: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Change the photos if ``training``."""
        if not training:
            return photos
        coins = keras.random.uniform((ops.shape(photos)[0], 1, 1, 1), seed=self.seed_generator)
        photos = ops.where(coins < 0.5, ops.flip(photos, axis=2), photos)
        for axis in (1, 2):
            side = photos.shape[axis]
            most = int(self.max_shift * side)
            offset = keras.random.randint((), -most, most + 1, seed=self.seed_generator)
            photos = ops.take(photos, ops.clip(ops.arange(side, dtype=offset.dtype) + offset, 0, side - 1), axis=axis)
        return photos

    def compute_output_spec(self, photos: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Return the shape and dtype of the input."""
        return keras.KerasTensor(self.compute_output_shape(photos.shape), dtype=photos.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Everything needed to make this layer again."""
        return {**super().get_config(), "max_shift": self.max_shift, "seed": self.seed}
