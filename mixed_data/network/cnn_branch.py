"""The image branch from scratch: one small convolutional network shared by all views."""

from __future__ import annotations

from keras import KerasTensor, layers, ops

from mixed_data.members import MemberDense
from mixed_data.network.photo_augmentation import MirrorAndShift
from mixed_data.network.view_layers import PHOTO_VECTOR, MaskedMean, ViewEmbedding

_CONVOLUTIONS = ((32, 4), (64, 2), (64, 2))
"""Filters of each, and the side of the patches that it reads, none of which overlap. Kernels of 3 x 3 pixels with a
stride of 2, which overlap, make a training take a quarter more and predict the sample no better."""
_LAYOUT = "channels_last"  # Photos are (H, W, 3), whatever `keras.config.image_data_format()` says.


def cnn(
    images: KerasTensor, image_mask: KerasTensor, *, units: int, dropout: float, pooled: bool = True
) -> KerasTensor:
    """Turn the photos of a row into one vector per row.

    Every photo is cut into patches of 4 x 4 pixels and goes through the same convolutions, then a dense layer over what
    is left of its grid (4 x 4 for 64 pixels: where in the picture something is, is kept), which its view's embedding
    modulates. The vectors of the views that are there are averaged. Nothing normalises over a batch, so that the result
    for a row depends on that row alone, and batches of any size will do. Photos are mirrored and shifted in training
    only. All members share the convolutions; what comes after is each member's own.

    Args:
        images: uint8 ``(n, 1, V, H, W, 3)``, RGB.
        image_mask: bool ``(n, K, V)``, True where the photo is there; ``K`` members.
        units: width of the result.
        dropout: share of features dropped in training, before the dense layer.
        pooled: whether to average over the views.

    Returns:
        float32 ``(n, K, units)``, or ``(n, K, V, units)`` if not pooled.

    Reference:
        Patches: Liu et al. 2022, A ConvNet for the 2020s, arXiv:2201.03545.
    """
    _, _, num_views, height, width, channels = images.shape
    photos = ops.reshape(images, (-1, height, width, channels))
    photos = MirrorAndShift(name="cnn_augmentation")(photos)
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="cnn_rescale")(photos)
    for index, (filters, side) in enumerate(_CONVOLUTIONS):
        convolution = layers.Conv2D(
            filters, side, side, "same", data_format=_LAYOUT, activation="relu", name=f"cnn_conv{index}"
        )
        x = convolution(x)
    x = layers.Flatten(data_format=_LAYOUT, name=PHOTO_VECTOR)(x)
    x = ops.reshape(x, (-1, 1, num_views, x.shape[-1]))
    x = layers.Dropout(dropout, name="cnn_dropout")(ops.repeat(x, image_mask.shape[1], axis=1))
    x = MemberDense(4 * units, name="cnn_hidden")(x)
    x = layers.Activation("relu", name="cnn_relu")(ViewEmbedding(name="view_embedding")(x))
    x = MemberDense(units, activation="silu", name="cnn_output")(x)
    return MaskedMean(name="masked_mean")([x, image_mask]) if pooled else x
