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
        num_photos = ops.shape(photos)[0]
        is_mirrored = keras.random.uniform((num_photos, 1, 1, 1), seed=self.seed_generator)[:, 0, 0, 0] < 0.5
        mirrored = ops.flip(photos, axis=2)
        if keras.backend.backend() == "jax":  # which would send whole photos from device to device to pick some
            photos = ops.where(is_mirrored[:, None, None, None], mirrored, photos)
        else:  # One copy of whole photos. To choose pixel by pixel takes TensorFlow fifteen times as long.
            places = ops.arange(num_photos) + ops.where(is_mirrored, num_photos, 0)
            photos = ops.take(ops.concatenate([photos, mirrored]), places, axis=0)
        for axis in (1, 2):
            photos = self._shift(photos, axis)
        return photos

    def _shift(self, photos: keras.KerasTensor, axis: int) -> keras.KerasTensor:
        """Shift along an axis; a slice of the photo with longer edges is a fourth of the work of picking columns."""
        side = photos.shape[axis]
        most = int(self.max_shift * side)
        offset = keras.random.randint((), -most, most + 1, seed=self.seed_generator)
        if not most:
            return photos
        first, last = (ops.take(photos, [at] * most, axis=axis) for at in (0, side - 1))
        longer = ops.concatenate([first, photos, last], axis=axis)
        start = [most + offset if one == axis else 0 for one in range(4)]
        return ops.slice(longer, start, ops.shape(photos))

    def compute_output_spec(self, photos: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Return the shape and dtype of the input."""
        return keras.KerasTensor(self.compute_output_shape(photos.shape), dtype=photos.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Everything needed to make this layer again."""
        return {**super().get_config(), "max_shift": self.max_shift, "seed": self.seed}
