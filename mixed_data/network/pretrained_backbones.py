"""Networks with ImageNet weights from `keras.applications`, as functions from pixels to one vector per photo."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import keras
import numpy as np
from keras import layers, ops

from mixed_data.network.checked_keras_files import read_keras, write_keras
from mixed_data.preprocessing.onnx_backbone import MAP_ENDING
from mixed_data.preprocessing.photo_vectors import NUM_PHOTOS_PER_STEP

_LAYOUT = "channels_last"  # Photos are (H, W, 3), whatever `keras.config.image_data_format()` says.
BLOCKS = ("middle", "last", "class_token", "patches", "vector")
"""Names of the layers that give the parts of a vector, in order."""


def build_backbone(
    name: str, weights: str | os.PathLike[str] | None, size: tuple[int, int], *, flip_average: bool = True
) -> keras.Model:
    """Build a network that turns photos into vectors, with pretrained weights.

    A vector holds, for every channel, the mean over the photo of two layers: the last one, and the last one of twice
    its resolution, which knows more of materials and less of ImageNet's classes. Photo and mirror image are averaged,
    and large activations tamed by a signed square root. On the houses the middle layer is worth as much as the last,
    and both together more than either.

    Args:
        name: of a model in `keras.applications`, such as "MobileNetV2", "EfficientNetV2B0" or "ConvNeXtTiny".
        weights: "imagenet" lets Keras download them, once; the path of a ``.weights.h5`` file of the model without
            its top needs no network; None leaves random weights.
        size: height and width of the photos in pixels.
        flip_average: whether a vector is the mean of the photo's and its mirror image's.

    Returns:
        A frozen model from uint8 ``(n, H, W, 3)``, RGB, to float32 ``(n, D)``; D is 1,856 for MobileNetV2. The features
        of each of the two layers come from an `Identity` layer of its own, in `BLOCKS`.

    Raises:
        ValueError: there is no such model, or the weights cannot be had or do not fit.

    Reference:
        Sandler et al. 2018, MobileNetV2, arXiv:1801.04381. Signed square root: Perronnin, Sánchez and Mensink 2010,
        doi:10.1007/978-3-642-15561-1_11.
    """
    module, make = _find_application(name)
    application = _load(make, name, weights, size)
    middle = find_middle_layer(application)
    if middle is None:
        height, width = application.output.shape[1:3]
        raise ValueError(
            f"{application.name} has no layer of {2 * height} x {2 * width} for photos of {size[0]} x {size[1]} "
            "pixels; give sides that are multiples of 32"
        )
    two_layers = keras.Model(application.input, [middle.output, application.output], name=name)
    photos = keras.Input((*size, 3), dtype="uint8", name="photos")
    pixels = module.preprocess_input(ops.cast(photos, "float32"), data_format=_LAYOUT)
    vectors = pool_maps(two_layers, pixels, BLOCKS[:2], flip_average=flip_average)
    return keras.Model(photos, ops.concatenate(vectors, axis=-1), name=f"{name}_backbone")


def pool_maps(
    network: keras.Model, pixels: keras.KerasTensor, blocks: Sequence[str], *, flip_average: bool
) -> list[keras.KerasTensor]:
    """Return the signed root of the mean over the photo of each map that a network makes.

    Args:
        network: from ``(n, H, W, 3)`` to a list of maps ``(n, h, w, C)``; frozen here.
        pixels: as the network expects them.
        blocks: names of the layers that are to give them, one per map; the map's own has `MAP_ENDING` after it.
        flip_average: whether to average photo and mirror image.
    """
    vectors = []
    for block, maps in zip(blocks, see_both_ways(network, pixels, flip_average=flip_average), strict=True):
        mean = ops.mean(layers.Identity(name=f"{block}{MAP_ENDING}")(maps), axis=(1, 2))
        vectors.append(layers.Identity(name=block)(ops.sign(mean) * ops.sqrt(ops.abs(mean))))
    return vectors


def see_both_ways(network: keras.Model, pixels: keras.KerasTensor, *, flip_average: bool) -> list[keras.KerasTensor]:
    """Return what a network, frozen here, makes of photos, or the mean of that and what it makes of mirror images.

    Maps of mirror images are turned back first, so that a cell is the same place of the photo in both.
    """
    network.trainable = False
    straight = network(pixels)
    if not flip_average:
        return straight
    mirrored = network(ops.flip(pixels, axis=2))
    turned = [ops.flip(other, axis=2) if len(other.shape) == 4 else other for other in mirrored]
    return [(one + other) / 2 for one, other in zip(straight, turned, strict=True)]


@dataclass(frozen=True)
class KerasBackbone:
    """A Keras model as a `mixed_data.preprocessing.photo_vectors.Backbone`.

    Attributes:
        model: from uint8 ``(n, H, W, 3)``, RGB, to float32 ``(n, D)``, such as `build_backbone` makes; never changed.
    """

    model: keras.Model
    suffix: ClassVar[str] = ".keras"
    settings: ClassVar[dict[str, Any]] = {}

    @cached_property
    def digest(self) -> str:
        """Tells backbones apart by what they compute."""
        return digest_backbone(self.model)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the photos, in pixels."""
        return self.model.input.shape[1:3]

    @property
    def block_sizes(self) -> tuple[int, ...]:
        """How many of a vector's features come from each layer of the network that is read."""
        found = {layer.name: layer.output.shape[-1] for layer in self.model.layers if layer.name in BLOCKS}
        return tuple(found[name] for name in BLOCKS if name in found) or (self.model.output.shape[-1],)

    def compute(self, photos: np.ndarray) -> np.ndarray:
        """Turn photos into vectors.

        The network sees a fixed number of photos at once, since sums are added up in an order that may depend on it,
        and a photo's vector must not depend on what came with it.
        """
        vectors = np.empty((len(photos), self.model.output.shape[-1]), dtype="float32")
        for start in range(0, len(photos), NUM_PHOTOS_PER_STEP):
            part = photos[start : start + NUM_PHOTOS_PER_STEP]
            batch = np.zeros((NUM_PHOTOS_PER_STEP, *part.shape[1:]), dtype="uint8")
            batch[: len(part)] = part
            vectors[start : start + len(part)] = self.model.predict_on_batch(batch)[: len(part)]
        return vectors

    def write(self, file: Path) -> None:
        """Write the model."""
        write_keras(self.model, file)

    @classmethod
    def read(cls, file: Path) -> KerasBackbone:
        """Read what `write` wrote.

        Raises:
            ValueError: the file holds something else.
        """
        model = read_keras(file)
        shapes = (model.input_shape, model.output_shape)
        is_backbone = all(isinstance(shape, tuple) for shape in shapes) and list(map(len, shapes)) == [4, 2]
        backbone = cls(model)
        if not is_backbone or shapes[0][3] != 3 or sum(backbone.block_sizes) != shapes[1][1]:
            raise ValueError(f"{file.name} turns {shapes[0]} into {shapes[1]}; expected photos into vectors")
        return backbone


def digest_backbone(backbone: keras.Model) -> str:
    """Tell backbones apart by what they compute: their structure and every weight, as a SHA-256 in hexadecimal."""
    structure = _number_names(json.loads(backbone.to_json()), {})
    digest = hashlib.sha256(json.dumps(structure, sort_keys=True).encode())
    for weights in backbone.get_weights():
        digest.update(weights.tobytes())
    return digest.hexdigest()


def _number_names(config: Any, numbers: dict[str, int]) -> Any:
    """Replace the names of layers by numbers, and leave out what is trainable.

    Keras counts layers of the same kind through the whole process, so that a backbone built second has other names.
    """
    if isinstance(config, dict):
        if isinstance(config.get("name"), str):
            config["name"] = numbers.setdefault(config["name"], len(numbers))
        return {key: _number_names(value, numbers) for key, value in config.items() if key != "trainable"}
    if isinstance(config, list):
        if len(config) == 3 and isinstance(config[0], str) and config[0] in numbers:  # layer, call, which output
            return [numbers[config[0]], *config[1:]]
        return [_number_names(part, numbers) for part in config]
    return config


def _find_application(name: str) -> tuple[ModuleType, Any]:
    """Find a model in `keras.applications` and the module that knows how its pixels are scaled."""
    names = sorted(key for key, value in vars(keras.applications).items() if inspect.isfunction(value))
    for _, module in inspect.getmembers(keras.applications, inspect.ismodule):
        if name in names and hasattr(module, "preprocess_input") and hasattr(module, name):
            return module, getattr(module, name)
    raise ValueError(
        f"backbone: expected a .keras or .onnx file, or a model of keras.applications, one of {', '.join(names)}; got "
        f"{name!r}"
    )


def _load(make: Any, name: str, weights: str | os.PathLike[str] | None, size: tuple[int, int]) -> keras.Model:
    arguments = {"include_top": False, "input_shape": (*size, 3)}
    layout = keras.config.image_data_format()
    keras.config.set_image_data_format(_LAYOUT)  # The only way to tell `keras.applications`.
    try:
        if weights != "imagenet":
            application = make(weights=None, **arguments)
            if weights is not None:
                application.load_weights(os.fspath(weights))
            return application
        return make(weights="imagenet", **arguments)
    except Exception as error:  # a download, HDF5 or shapes may fail in any way, and Keras raises errors of all kinds
        raise ValueError(
            f"the weights '{weights}' of {name} for photos of {size[0]} x {size[1]} pixels cannot be had: "
            f"{error}. Without network, give image_weights the path of a .weights.h5 file of {name} without its top"
        ) from error
    finally:
        keras.config.set_image_data_format(layout)


def find_middle_layer(network: keras.Model) -> keras.Operation | None:
    """Return the last layer with twice the output's resolution; a sum is an operation, but no `keras.layers.Layer`."""
    height, width = network.output.shape[1:3]
    doubled = [
        layer
        for layer in network.operations
        if isinstance(layer.output, keras.KerasTensor) and layer.output.shape[1:3] == (2 * height, 2 * width)
    ]
    return doubled[-1] if doubled else None
