"""Small made-up ONNX networks that read photos of 16 x 16 pixels, and what they should see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

SIDE, PATCH, WIDTH = 16, 4, 5
NUM_PATCHES = (SIDE // PATCH) ** 2
SETTINGS: dict[str, Any] = {"scaling": "unit", "size": (SIDE, SIDE), "flip_average": False, "name": "eye.onnx"}

_generator = np.random.default_rng(0)
KERNEL = _generator.normal(size=(WIDTH, 3, PATCH, PATCH)).astype("float32")
PREFIX = _generator.normal(size=(1, 6, WIDTH)).astype("float32")


def make_onnx(
    kind: str = "map",
    *,
    num_prefix: int = 0,
    shape: Sequence[int | str] = ("n", 3, SIDE, SIDE),
    inputs: Sequence[str] = ("photos",),
    outputs: Sequence[str] = ("seen",),
    tensor_type: int = TensorProto.FLOAT,
    tensors: Sequence[Any] = (),
) -> bytes:
    """Return a network: a convolution over patches, and of it "map", "channels_last", "tokens" or "vector"."""
    nodes = []
    photos = inputs[0]
    if shape[-1] == 3 and kind != "pixels":
        nodes.append(helper.make_node("Transpose", [photos], ["first"], perm=[0, 3, 1, 2]))
        photos = "first"
    last = "map"
    if kind == "pixels":
        last = photos
    else:
        nodes.append(helper.make_node("Conv", [photos, "kernel"], ["map"], strides=[PATCH, PATCH]))
    if kind == "channels_last":
        nodes.append(helper.make_node("Transpose", ["map"], ["last"], perm=[0, 2, 3, 1]))
        last = "last"
    if kind == "vector":
        nodes += [helper.make_node("GlobalMaxPool", ["map"], ["pool"]), helper.make_node("Flatten", ["pool"], ["flat"])]
        last = "flat"
    if kind == "tokens":
        nodes += [
            helper.make_node("Reshape", ["map", "grid"], ["flat"]),
            helper.make_node("Transpose", ["flat"], ["patches"], perm=[0, 2, 1]),
            helper.make_node("Shape", ["map"], ["batch"], start=0, end=1),
            helper.make_node("Concat", ["batch", "prefix_shape"], ["prefixes"], axis=0),
            helper.make_node("Expand", ["prefix", "prefixes"], ["expanded"]),
            helper.make_node("Concat", ["expanded", "patches"], ["tokens"], axis=1),
        ]
        last = "tokens" if num_prefix else "patches"
    if kind == "batch_last":
        nodes.append(helper.make_node("Transpose", ["map"], ["last"], perm=[1, 0, 2, 3]))
        last = "last"
    if kind == "nan":
        nodes.append(helper.make_node("Log", ["map"], ["last"]))
        last = "last"
    for output in outputs:
        scale = "one" if output in ("seen", "last_hidden_state") else "two"
        nodes.append(helper.make_node("Mul", [last, scale], [output]))
    constants = {
        "kernel": KERNEL - (kind == "nan"),
        "grid": np.array([0, WIDTH, -1]),
        "prefix": PREFIX[:, :num_prefix],
        "prefix_shape": np.array([num_prefix, WIDTH]),
        "one": np.float32(1),
        "two": np.float32(2),
    }
    given = {tensor.name for tensor in tensors}
    constants = {name: value for name, value in constants.items() if name not in given}
    graph = helper.make_graph(
        nodes,
        "eye",
        [helper.make_tensor_value_info(name, tensor_type, shape) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [*(numpy_helper.from_array(value, name) for name, value in constants.items()), *tensors],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


def see(pixels: np.ndarray) -> np.ndarray:
    """Compute the map of scaled photos ``(n, H, W, 3)`` by hand, ``(n, patches, WIDTH)``."""
    num_photos, height, width, _ = pixels.shape
    grid = pixels.reshape(num_photos, height // PATCH, PATCH, width // PATCH, PATCH, 3)
    seen = np.einsum("nyixjc,kcij->nyxk", grid, KERNEL)
    return seen.reshape(num_photos, -1, WIDTH)


def draw_pixels(num_photos: int = 16, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (num_photos, side, side, 3), dtype="uint8")
