"""A backbone that is learned from the photos themselves, without their prices: whitened patches, pooled over a grid."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

_SIDE, _STRIDE, _NUM_FILTERS = 6, 2, 48
_NUM_PATCHES = 20_000
_LAYOUT = "channels_last"  # Photos are (H, W, 3), whatever `keras.config.image_data_format()` says.


@keras.saving.register_keras_serializable(package="mixed_data")
class MirroredGrid(keras.layers.Layer):
    """Says how much each filter and its opposite answer above a threshold, by the cells of a grid over the photo.

    A cell and the one that mirrors it are averaged, so that a photo and its mirror image are nearly alike; a square
    root tames large answers.

    Args:
        grid: cells per side, at most.
        threshold: that an answer must exceed, in standard deviations of a whitened filter.
        **kwargs: as for every Keras layer.

    Shape:
        Input ``(n, H, W, f)``, output ``(n, grid, grid / 2, 2 f)``, the left half of the mirrored grid.
    """

    def __init__(self, grid: int = 8, threshold: float = 0.25, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.grid, self.threshold = grid, threshold

    def call(self, answers: keras.KerasTensor) -> keras.KerasTensor:
        """Pool what exceeds the threshold."""
        x = ops.relu(ops.concatenate([answers, -answers], axis=-1) - self.threshold)
        cells = tuple(-(-side // self.grid) for side in x.shape[1:3])
        x = ops.average_pool(x, cells, cells, padding="same", data_format=_LAYOUT)  # JAX's takes strides only if given
        return ops.sqrt((x + ops.flip(x, axis=2))[:, :, : (x.shape[2] + 1) // 2] / 2)

    def get_config(self) -> dict[str, Any]:
        """Everything needed to make this layer again."""
        return {**super().get_config(), "grid": self.grid, "threshold": self.threshold}


def build_patch_backbone(photos: np.ndarray) -> keras.Model:
    """Learn from photos how their patches differ, and build a network that says where in a photo there is what.

    The filters of its one convolution are the principal components of 20,000 patches of 6 x 6 pixels, whitened. Each
    answers twice, to a patch and to its opposite, above a threshold; the answers are averaged over the cells of an 8 x
    8 grid, and of each cell with the one that mirrors it. No target is looked at, so that nothing of it can be learned
    by heart here, and nothing has to be trained: a photo is read once.

    Args:
        photos: uint8 ``(n, H, W, 3)``, RGB, the training rows' photos of all views; with none, every vector is alike.

    Returns:
        A frozen model from uint8 ``(n, H, W, 3)`` to float32 ``(n, D)``; D is 3,072 for photos of 64 pixels.

    Reference:
        Coates, Ng and Lee 2011, An Analysis of Single-Layer Networks in Unsupervised Feature Learning.
    """
    height, width = photos.shape[1:3]
    kernel, bias = _learn_filters(photos)
    convolution = layers.Conv2D(
        _NUM_FILTERS, _SIDE, _STRIDE, "same", data_format=_LAYOUT, dtype="float32", name="patch_filters"
    )
    pixels = keras.Input((height, width, 3), dtype="uint8", name="photos")
    x = convolution(layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32", name="patch_rescale")(pixels))
    x = layers.Flatten(data_format=_LAYOUT, name="patch_vector")(MirroredGrid(dtype="float32", name="patch_grid")(x))
    backbone = keras.Model(pixels, x, name="patch_backbone")
    convolution.set_weights([kernel, bias])
    backbone.trainable = False
    return backbone


def _learn_filters(photos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel ``(6, 6, 3, 48)`` and the bias ``(48,)`` that whiten patches; zeros without photos."""
    shape = (_SIDE, _SIDE, 3, _NUM_FILTERS)
    if not len(photos):
        return np.zeros(shape, dtype="float32"), np.zeros(_NUM_FILTERS, dtype="float32")
    generator = np.random.default_rng(0)
    padding = [max(0, _SIDE - side) for side in photos.shape[1:3]]
    photos = np.pad(photos, [(0, 0), (0, padding[0]), (0, padding[1]), (0, 0)], mode="edge") if any(padding) else photos
    corners = [generator.integers(side - _SIDE + 1, size=_NUM_PATCHES) for side in photos.shape[1:3]]
    chosen = zip(generator.integers(len(photos), size=_NUM_PATCHES), *corners, strict=True)
    patches = np.stack([photos[photo][y : y + _SIDE, x : x + _SIDE] for photo, y, x in chosen])
    flat = patches.reshape(_NUM_PATCHES, -1) / 127.5 - 1
    variances, directions = np.linalg.eigh(np.cov(flat.T))
    variances, directions = variances[::-1][:_NUM_FILTERS], directions[:, ::-1][:, :_NUM_FILTERS]
    # What hardly varies is noise of the camera: a fiftieth of the mean variance keeps it small.
    floor = max(0.02 * np.var(flat, axis=0).mean(), 1e-6)
    kernel = directions / np.sqrt(np.maximum(variances, 0) + floor)
    return kernel.reshape(shape).astype("float32"), (-flat.mean(axis=0) @ kernel).astype("float32")
