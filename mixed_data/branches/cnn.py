"""The image branch from scratch: one small convolutional network shared by all views."""

from __future__ import annotations

from keras import KerasTensor, layers, ops

from mixed_data.branches.augmentation import MirrorAndShift
from mixed_data.branches.views import MaskedMean, ViewEmbedding

CONVOLUTIONS = ((32, 4, 4), (64, 3, 2), (64, 3, 2))
"""Filters, kernel side and stride of each."""


def cnn(images: KerasTensor, image_mask: KerasTensor, *, units: int, dropout: float) -> KerasTensor:
    """Turn the photos of a row into one vector per row.

    Every photo is cut into patches of 4 x 4 pixels and goes through the same convolutions, then a dense layer over what
    is left of its grid (4 x 4 for 64 pixels: where in the picture something is, is kept), which its view's embedding
    modulates. The vectors of the views that are there are averaged. Nothing normalises over a batch, so that the result
    for a row depends on that row alone, and batches of any size will do. Photos are mirrored and shifted in training
    only.

    Args:
        images: uint8 ``(n, V, H, W, 3)``, RGB.
        image_mask: bool ``(n, V)``, True where the photo is there.
        units: width of the result.
        dropout: share of features dropped in training, before the dense layer.

    Returns:
        float32 ``(n, units)``.

    Reference:
        Patches: Liu et al. 2022, A ConvNet for the 2020s, arXiv:2201.03545.
    """
    _, num_views, height, width, channels = images.shape
    photos = ops.reshape(images, (-1, height, width, channels))
    photos = MirrorAndShift(name="cnn_augmentation")(photos)
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="cnn_rescale")(photos)
    for index, (filters, side, stride) in enumerate(CONVOLUTIONS):
        x = layers.Conv2D(filters, side, stride, "same", activation="relu", name=f"cnn_conv{index}")(x)
    x = layers.Dropout(dropout, name="cnn_dropout")(layers.Flatten(name="cnn_flatten")(x))
    x = layers.Dense(4 * units, name="cnn_hidden")(x)
    x = ops.reshape(x, (-1, num_views, 4 * units))
    x = layers.Activation("relu", name="cnn_relu")(ViewEmbedding(name="view_embedding")(x))
    x = layers.Dense(units, activation="silu", name="cnn_output")(x)
    return MaskedMean(name="masked_mean")([x, image_mask])
