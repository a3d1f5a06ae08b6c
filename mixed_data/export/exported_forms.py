"""The formats, each with what it needs imported where it is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mixed_data.export.exported_arrays import ExportedArrays, PredictArrays
from mixed_data.export.exported_folder import Exported
from mixed_data.runtime import Predictor

PREPROCESSING_FILE = "preprocessing.json"

WriteNetwork = Callable[[Predictor, Path, ExportedArrays, Path], PredictArrays]


def export_onnx(predictor: Predictor, bundle: Path, folder: Path) -> Exported:
    """Write one ONNX file, for onnxruntime and whatever else reads ONNX."""
    from mixed_data.export.joined_onnx import write_onnx

    return _export_network(write_onnx, predictor, bundle, folder)


def export_saved_model(predictor: Predictor, bundle: Path, folder: Path) -> Exported:
    """Write a SavedModel, for TensorFlow Serving."""
    from mixed_data.export.tensorflow_graph import write_saved_model

    return _export_network(write_saved_model, predictor, bundle, folder)


def export_litert(predictor: Predictor, bundle: Path, folder: Path) -> Exported:
    """Write a LiteRT file, for phones and small computers."""
    from mixed_data.export.tensorflow_graph import write_litert

    return _export_network(write_litert, predictor, bundle, folder)


def export_mlflow(predictor: Predictor, bundle: Path, folder: Path) -> Exported:
    """Write an MLflow model, for `mlflow models serve` and Spark."""
    from mixed_data.export.mlflow_folder import describe_columns, describe_outputs, write_mlflow

    predict = write_mlflow(predictor, bundle, folder)
    return {"inputs": describe_columns(predictor), "outputs": describe_outputs(predictor)}, predict


def _export_network(write: WriteNetwork, predictor: Predictor, bundle: Path, folder: Path) -> Exported:
    """Write a network, and beside it the preprocessing that makes its inputs."""
    arrays = ExportedArrays.of(predictor, bundle)
    arrays.reader.save(folder / PREPROCESSING_FILE)
    predict = write(predictor, bundle, arrays, folder)
    return {"inputs": arrays.inputs, "outputs": [arrays.output]}, lambda table: predict(arrays.make(table))
