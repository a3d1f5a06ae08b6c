"""A Keras model file of the user's as what reads photos."""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers, ops

from mixed_data.network.checked_keras_files import read_keras
from mixed_data.network.pretrained_backbones import (
    BLOCKS,
    KerasBackbone,
    find_middle_layer,
    pool_maps,
    see_both_ways,
)
from mixed_data.preprocessing.pixel_conventions import PIXEL_SCALINGS, count_prefix_tokens

_REMEDY = "save keras.Model(model.inputs, model.outputs), not compiled, as a .keras file, or export it to ONNX"


def read_keras_file(file: Path, *, scaling: str, flip_average: bool) -> KerasBackbone:
    """Read a model and make a backbone of it.

    What its output holds decides what is kept of a photo: of a map, the mean of that layer and of the last one of twice
    its resolution, if there is one (as of `build_backbone`); of tokens, the class token, if there is one, and the mean
    of the patches (as of `mixed_data.preprocessing.onnx_backbone.OnnxBackbone`); a vector is kept as it is.

    Args:
        file: a functional model from float32 ``(n, H, W, 3)``, RGB, with fixed height and width, to one output.
        scaling: a name in `PIXEL_SCALINGS`.
        flip_average: whether a vector is the mean of the photo's and its mirror image's.

    Raises:
        ValueError: it holds something else, or layers other than those of `keras.applications`.
    """
    if scaling not in PIXEL_SCALINGS:
        raise ValueError(f"{file.name}: expected a scaling of {', '.join(PIXEL_SCALINGS)}, got {scaling!r:.80}")
    try:
        network = read_keras(file)
    except ValueError as error:
        raise ValueError(f"{error}; {_REMEDY}") from error
    if not all(isinstance(part, keras.KerasTensor) for part in (network.input, network.output)):
        raise ValueError(f"{file.name}: expected one input, the photos, and one output; {_REMEDY}")
    shape = network.input_shape
    if len(shape) != 4 or shape[3] != 3 or network.input.dtype != "float32":
        raise ValueError(
            f"{file.name}: expected photos as float32 (n, height, width, 3), got {network.input.dtype} {shape}"
        )
    size = shape[1:3]
    photos = keras.Input((*size, 3), dtype="uint8", name="photos")
    pixels = ops.cast(photos, "float32")
    if scaling != "raw":
        mean, deviation = PIXEL_SCALINGS[scaling]
        pixels = layers.Normalization(mean=mean, variance=[value**2 for value in deviation])(pixels)
    vectors = _read_layers(network, pixels, size, flip_average=flip_average, name=file.name)
    vector = ops.concatenate(vectors, axis=-1) if len(vectors) > 1 else vectors[0]
    return KerasBackbone(keras.Model(photos, vector, name="file_backbone"))


def _read_layers(
    network: keras.Model, pixels: keras.KerasTensor, size: tuple[int, int], *, flip_average: bool, name: str
) -> list[keras.KerasTensor]:
    """Return the parts of a vector."""
    output = network.output
    if len(output.shape) == 4:
        middle = find_middle_layer(network)
        outputs = [output] if middle is None else [middle.output, output]
        maps = keras.Model(network.input, outputs, name="network")
        return pool_maps(maps, pixels, BLOCKS[2 - len(outputs) : 2], flip_average=flip_average)
    (seen,) = see_both_ways(keras.Model(network.input, [output], name="network"), pixels, flip_average=flip_average)
    if len(output.shape) == 2:
        return [layers.Identity(name="vector")(seen)]
    if len(output.shape) != 3:
        raise ValueError(f"{name}: expected an output of 2, 3 or 4 axes, got {network.output_shape}; {_REMEDY}")
    try:
        number = count_prefix_tokens(output.shape[1], size)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    patches = layers.Identity(name="patches")(ops.mean(layers.Cropping1D((number, 0))(seen), axis=1))
    if not number:
        return [patches]
    first = layers.Cropping1D((0, output.shape[1] - 1))(seen)
    return [layers.Flatten(name="class_token")(first), patches]
