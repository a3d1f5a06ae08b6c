"""Networks as ONNX files: what reads one photo, and what predicts a row from the vectors of its photos."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from mixed_data.network.fused_network import inner_network, make_predictor
from mixed_data.network.view_layers import PHOTO_VECTOR
from mixed_data.preprocessing.onnx_backbone import MAP_ENDING

OPSET = 18
"""Version of ONNX' operators; onnxruntime 1.14 and newer know it."""

PREDICTION, VECTORS = "prediction", "vectors"
"""Names of the outputs of a predictor, and of what reads photos."""

_BATCH = "n"


def split_predictor(model: keras.Model) -> tuple[keras.Model | None, keras.Model]:
    """Cut a predictor that reads pixels where what is done to each photo by itself ends.

    So a photo is read once, however often its row is predicted with it and without it, and a photo that is missing is
    not read at all.

    Args:
        model: from `mixed_data.network.fused_network.make_predictor`, or a clone. The results share its weights, and it
            cannot be saved any more: Keras counts the calls of its layers.

    Returns:
        A model from uint8 ``(n, H, W, 3)``, RGB, to float32 ``(n, F)``, or None where no pixels are read; and the
        predictor of rows whose images are float32 ``(n, V, F)``.

    Raises:
        ValueError: the image branch has no layer named `PHOTO_VECTOR`.
    """
    images = model.input.get("images")
    if images is None or len(images.shape) != 5:
        return None, model
    network = inner_network(model)
    found = {layer.name: layer for layer in network.layers}
    if PHOTO_VECTOR not in found:
        raise ValueError(f"an image branch that reads pixels needs a layer named {PHOTO_VECTOR!r}; it has {[*found]}")
    vector = found[PHOTO_VECTOR].output
    photos, of_rows = (_next_operation(network, tensor).output for tensor in (network.input["images"], vector))
    encoder = keras.Model(photos, vector, name="photo_encoder")
    tensors = {**network.input, "images": of_rows}
    inner = keras.Model(list(tensors.values()), network.output)
    inputs = {name: keras.Input(one.shape[1:], dtype=one.dtype, name=name) for name, one in tensors.items()}
    return encoder, make_predictor(keras.Model(inputs, inner(list(inputs.values())), name=network.name))


def export_predictor(model: keras.Model, file: Path) -> None:
    """Write a predictor as ONNX: inputs by their names, output `PREDICTION`, float32 ``(n, members)``.

    Args:
        model: from `mixed_data.network.fused_network.make_predictor` or `split_predictor`.
        file: to write.

    Raises:
        ValueError: Keras runs on another backend than TensorFlow.
    """
    names = list(model.input)
    _export(
        lambda *row: model(dict(zip(names, row, strict=True)), training=False), model.input.items(), [PREDICTION], file
    )


def export_photo_reader(model: keras.Model, file: Path) -> None:
    """Write what turns photos, uint8 ``(n, H, W, 3)``, into vectors as ONNX; output `VECTORS`, float32 ``(n, D)``.

    The maps whose means over the photo a vector consists of are outputs too, each float32 ``(n, h, w, C)`` and named
    like its layer, see `mixed_data.network.pretrained_backbones.pool_maps`. Who does not ask for them pays nothing.

    Args:
        model: such as `split_predictor` or `mixed_data.network.pretrained_backbones.build_backbone` makes.
        file: to write.

    Raises:
        ValueError: Keras runs on another backend than TensorFlow.
    """
    maps = [layer for layer in model.layers if layer.name.endswith(MAP_ENDING)]
    outputs = keras.Model(model.input, [model.output, *(layer.output for layer in maps)]) if maps else model
    names = [VECTORS, *(layer.name for layer in maps)]
    _export(lambda photos: outputs(photos, training=False), [("photos", model.input)], names, file)


def _export(function: Any, inputs: Iterable[tuple[str, keras.KerasTensor]], outputs: list[str], file: Path) -> None:
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"ONNX files are written by TensorFlow only, and Keras runs on {keras.backend.backend()!r} here; start "
            "Python with KERAS_BACKEND=tensorflow, load the model there, and save it"
        )
    import tensorflow
    import tf2onnx

    signature = [tensorflow.TensorSpec(tensor.shape, tensor.dtype, name=name) for name, tensor in inputs]
    with _quiet("tf2onnx"):
        traced = tensorflow.function(function)
        captures = traced.get_concrete_function(*signature).graph.captures
        proto, _ = tf2onnx.convert.from_function(traced, input_signature=signature, opset=OPSET)
    _make_constant(
        proto.graph,
        {inner.name: outer.numpy() for outer, inner in captures if outer.dtype != tensorflow.resource},
    )
    _put_in_order(proto.graph, outputs)
    file.write_bytes(proto.SerializeToString(deterministic=True))


def _make_constant(graph: Any, values: Mapping[str, Any]) -> None:
    """Turn inputs that nobody is to give, such as the mean of a `keras.layers.Normalization`, into weights."""
    from onnx import numpy_helper

    kept = [value for value in graph.input if value.name not in values]
    given = [value.name for value in graph.input if value.name in values]
    graph.initializer.extend(numpy_helper.from_array(values[name], name) for name in given)
    del graph.input[:]
    graph.input.extend(kept)


def _put_in_order(graph: Any, outputs: list[str]) -> None:
    """Order and name nodes and weights by what they compute, so that the same network gives the same file.

    tf2onnx writes them in an order, and under names, that differ from run to run. A digest stands for what a node makes
    of what; nodes with the same digest are the same.
    """
    del graph.value_info[:]
    graph.name = graph.doc_string = ""
    place = {value.name: (0, value.name) for value in graph.input} | {"": (0, "")}
    for tensor in graph.initializer:
        name, tensor.name = tensor.name, ""
        place[name] = (0, _digest(tensor))
        tensor.name = name
    for node in graph.node:
        node.name = node.doc_string = ""
        node.attribute.sort(key=lambda attribute: attribute.name)
        read = [place[name] for name in node.input]
        digest = _digest(*node.attribute, text=f"{node.op_type} {[digest for _, digest in read]}")
        depth = 1 + max((depth for depth, _ in read), default=0)
        place |= {name: (depth, f"{digest} {number}") for number, name in enumerate(node.output)}
    graph.initializer.sort(key=lambda tensor: place[tensor.name])
    graph.node.sort(key=lambda node: place[node.output[0]])
    names = {value.name: value.name for value in graph.input} | {"": ""}
    names |= {value.name: name for value, name in zip(graph.output, outputs, strict=True)}
    for number, tensor in enumerate(graph.initializer):
        names[tensor.name] = f"weight_{number}"
        tensor.name = names[tensor.name]
    for number, node in enumerate(graph.node):
        node.output[:] = [names.setdefault(name, f"value_{number}_{place}") for place, name in enumerate(node.output)]
    for node in graph.node:
        node.input[:] = [names[name] for name in node.input]
    for value, name in zip(graph.output, outputs, strict=True):
        value.name = name
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = _BATCH


def _digest(*messages: Any, text: str = "") -> str:
    content = b"".join(message.SerializeToString(deterministic=True) for message in messages)
    return hashlib.sha256(text.encode() + content).hexdigest()


def _next_operation(network: keras.Model, tensor: keras.KerasTensor) -> keras.Operation:
    """Return the one operation that reads a tensor and nothing else."""
    (found,) = (one for one in network.operations if getattr(one, "input", None) is tensor and one.output is not tensor)
    return found


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
