"""One ONNX file from pixels and encoded columns to a prediction in target units; no Keras is needed to write it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mixed_data.bundle.bundle_folder import NETWORK_FILE
from mixed_data.export.exported_arrays import OTHER_FORMAT, PREDICTION, ExportedArrays, PredictArrays, find_ends
from mixed_data.preprocessing.onnx_backbone import OnnxBackbone
from mixed_data.preprocessing.onnx_session import OnnxSession
from mixed_data.preprocessing.target_scale import TargetScale
from mixed_data.runtime import Predictor

ONNX_FILE = "model.onnx"
_DOMAIN = ("", "ai.onnx")


def write_onnx(predictor: Predictor, bundle: Path, arrays: ExportedArrays, folder: Path) -> PredictArrays:
    """Write the network of a bundle with what reads its photos and the target's inverse as one file.

    Args:
        predictor: of the bundle.
        bundle: its folder.
        arrays: its inputs and its output.
        folder: to write `ONNX_FILE` in.

    Returns:
        What predicts by that file, with onnxruntime.

    Raises:
        ValueError: a backbone is an ONNX file of somebody else, which reads pixels in a way of its own.
    """
    import onnx

    network = onnx.load_from_string((bundle / NETWORK_FILE).read_bytes())
    (opset,) = (one.version for one in network.opset_import if one.domain in _DOMAIN)
    photo_readers = [_read_photo_reader(reader, opset) for reader in predictor.model.readers_]
    model = predictor.model
    content = _join(network, photo_readers, model.num_features, arrays, model.target_transformer_)
    (folder / ONNX_FILE).write_bytes(content)
    session = OnnxSession(content, name=ONNX_FILE, num_threads=1)
    return lambda inputs: session.run([PREDICTION], inputs)[0]


def _read_photo_reader(reader: OnnxBackbone, opset: int) -> Any:
    """Return a network from uint8 ``(n, H, W, 3)`` to float32 ``(n, D)``, of a version of ONNX' operators."""
    import onnx

    network = onnx.load_from_string(reader.content)
    (photos,) = network.graph.input
    shape = photos.type.tensor_type.shape.dim
    is_ours = photos.type.tensor_type.elem_type == onnx.TensorProto.UINT8 and shape[3].dim_value == 3
    versions = [one.version for one in network.opset_import if one.domain in _DOMAIN]
    if not is_ours or shape[0].dim_value or reader.settings["flip_average"] or versions != [opset]:
        raise ValueError(
            f"a backbone of this bundle is an ONNX file with pixels scaled or laid out in its own way "
            f"({reader.settings['scaling']!r}), which --format onnx cannot join; {OTHER_FORMAT}"
        )
    return network


def _join(
    network: Any, photo_readers: Sequence[Any], num_features: int, arrays: ExportedArrays, target: TargetScale
) -> bytes:
    """Return a file that reads all photos, then the rows, and brings the mean of the members back to target units."""
    from onnx import checker, compose, helper

    graph = _Graph()
    shapes = {one["name"]: one["shape"] for one in arrays.inputs}
    network = compose.add_prefix(network, "row_")
    for name in (name for name in shapes if name != "images"):
        graph.add("Identity", [name], f"row_{name}")
    if photo_readers:
        vectors = []
        for number, reader in enumerate(photo_readers):
            reader = compose.add_prefix(reader, f"photos_{number}_")
            graph.add("Reshape", ["images", graph.constant([-1, *shapes["images"][2:]])], reader.graph.input[0].name)
            graph.put(reader.graph)
            vectors.append(reader.graph.output[0].name)
        graph.add("Concat", vectors, "vectors", axis=1)
        graph.add("Reshape", ["vectors", graph.constant([-1, shapes["images"][1], num_features])], "of_rows")
        graph.add("Unsqueeze", ["image_mask", graph.constant([2])], "is_there")
        graph.add("Where", ["is_there", "of_rows", graph.constant(np.float32(0))], "row_images")
    graph.put(network.graph)
    low, high, spread, mean = (
        graph.constant(np.float32(value)) for value in (*find_ends(target), target.std_, target.mean_)
    )
    graph.add("ReduceMean", [network.graph.output[0].name, graph.constant([1])], "mean", keepdims=0)
    graph.add("Clip", ["mean", low, high], "clipped")
    graph.add("Mul", ["clipped", spread], "scaled")
    if target.log_:
        graph.add("Exp", ["scaled"], "factor")
        graph.add("Mul", ["factor", graph.constant(np.float32(np.exp(target.mean_)))], PREDICTION)
    else:
        graph.add("Add", ["scaled", mean], PREDICTION)
    inputs, output = [_describe(one) for one in arrays.inputs], _describe(arrays.output)
    whole = helper.make_graph(graph.nodes, "mixed_data", inputs, [output], graph.weights)
    model = helper.make_model(whole, opset_imports=network.opset_import, ir_version=network.ir_version)
    model.producer_name = "mixed_data"
    helper.set_model_props(model, {"inputs": json.dumps(arrays.inputs), "outputs": json.dumps([arrays.output])})
    checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


class _Graph:
    """Nodes, in the order in which they are computed, and weights."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))

    def put(self, graph: Any) -> None:
        """Add all of another graph."""
        self.nodes += graph.node
        self.weights += graph.initializer

    def constant(self, value: Any) -> str:
        """Add a constant and return its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name


def _describe(one: dict[str, Any]) -> Any:
    from onnx import TensorProto, helper

    kind = {"float32": TensorProto.FLOAT, "bool": TensorProto.BOOL, "uint8": TensorProto.UINT8}[one["dtype"]]
    return helper.make_tensor_value_info(one["name"], kind, one["shape"])
