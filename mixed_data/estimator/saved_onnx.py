"""The ONNX files of a network, also where Keras runs on another backend than TensorFlow, which alone can write them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras

from mixed_data.bundle.bundle_folder import NETWORK_FILE
from mixed_data.estimator.saved_backbones import write_photo_reader
from mixed_data.network.checked_keras_files import read_keras
from mixed_data.network.onnx_export import export_predictor, split_predictor

_PACKAGE = Path(__file__).parents[2]
_CONVERT = "import sys; from mixed_data.estimator.saved_onnx import convert; convert(*sys.argv[1:])"


def write_onnx(encoder: keras.Model | None, predictor: keras.Model, network: Path) -> list[dict[str, Any]]:
    """Write a network as ONNX, by a process of its own where Keras does not run on TensorFlow here.

    Args:
        encoder: what reads one photo, from `split_predictor`, or None.
        predictor: the other part of the network.
        network: file of the whole network, from `write_keras`; the ONNX files are written beside it.

    Returns:
        What the manifest says of the encoder, see `write_photo_reader`; nothing without one.

    Raises:
        RuntimeError: the other process failed.
    """
    if keras.backend.backend() != "tensorflow":
        return _write_elsewhere(network)
    export_predictor(predictor, network.with_name(NETWORK_FILE))
    return [] if encoder is None else [write_photo_reader(encoder, network.with_name("backbone_0.onnx"))]


def check_onnx_writer() -> None:
    """Check, before a long training, that its network can be written as ONNX.

    Raises:
        ModuleNotFoundError: a package that does it is missing.
    """
    for name in ("tensorflow", "tf2onnx"):
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"a bundle holds its network as ONNX, which {name} writes", name=name)


def convert(network: str) -> None:
    """Write the ONNX files of a file of a network, and say on standard output what `write_onnx` returns."""
    encoder, predictor = split_predictor(read_keras(Path(network)))
    sys.stdout.write(json.dumps(write_onnx(encoder, predictor, Path(network))))


def _write_elsewhere(network: Path) -> list[dict[str, Any]]:
    others = ("KERAS_DISTRIBUTION_", "XLA_FLAGS")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    path = os.pathsep.join(filter(None, [str(_PACKAGE), environment.get("PYTHONPATH")]))
    # This process holds the memory of the GPUs.
    environment |= {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": path}
    command = [sys.executable, "-c", _CONVERT, str(network)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"{network} cannot be written as ONNX by TensorFlow: {done.stderr.strip()[-2000:]}")
    return list(json.loads(done.stdout))
