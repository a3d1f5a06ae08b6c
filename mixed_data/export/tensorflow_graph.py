"""A network as TensorFlow runs it: a SavedModel for TensorFlow Serving, and a LiteRT file for phones."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow
from keras import ops

from mixed_data.estimator import MixedDataRegressor
from mixed_data.export.exported_arrays import OTHER_FORMAT, PREDICTION, ExportedArrays, PredictArrays, find_ends
from mixed_data.network.pretrained_backbones import KerasBackbone
from mixed_data.runtime import Predictor

SAVED_MODEL_FOLDER = "saved_model"
LITERT_FILE = "model.tflite"

_VERSION = "1"
"""Folder of the first version of a model, where TensorFlow Serving looks for numbers."""

_SIGNATURE = "serving_default"


def write_saved_model(predictor: Predictor, bundle: Path, arrays: ExportedArrays, folder: Path) -> PredictArrays:
    """Write the network of a bundle as a SavedModel, in ``saved_model/1``.

    Args:
        predictor: of the bundle.
        bundle: its folder.
        arrays: its inputs and its output.
        folder: to write in.

    Returns:
        What predicts by what was written, with TensorFlow.

    Raises:
        ValueError: a backbone is an ONNX file, which TensorFlow cannot hold, or Keras runs on another backend.
    """
    place = folder / SAVED_MODEL_FOLDER / _VERSION
    function, kept = _trace(bundle, arrays)
    # By TensorFlow itself: `keras.Model.export` takes four times as long, for signatures that nobody asks for.
    tensorflow.saved_model.save(kept, str(place), signatures={_SIGNATURE: function})
    loaded = tensorflow.saved_model.load(str(place))

    def predict(inputs: dict[str, np.ndarray]) -> np.ndarray:
        tensors = {name: tensorflow.constant(array) for name, array in inputs.items()}
        return np.asarray(loaded.signatures[_SIGNATURE](**tensors)[PREDICTION])

    return predict


def write_litert(predictor: Predictor, bundle: Path, arrays: ExportedArrays, folder: Path) -> PredictArrays:
    """Write the network of a bundle as one LiteRT file, in float32, of LiteRT's own operators only.

    Arguments and errors are those of `write_saved_model`; what is returned predicts with LiteRT.
    """
    function, kept = _trace(bundle, arrays)
    converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([function], kept)
    converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS]
    content = converter.convert()
    (folder / LITERT_FILE).write_bytes(content)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s).*tf\.lite\.Interpreter is deprecated")
        interpreter = tensorflow.lite.Interpreter(model_content=content, num_threads=1)
    serve = interpreter.get_signature_runner(_SIGNATURE)
    return lambda inputs: serve(**inputs)[PREDICTION]


def _trace(bundle: Path, arrays: ExportedArrays) -> tuple[Any, Any]:
    """Return a bundle's network as a function of TensorFlow, and what holds its weights.

    Raises:
        ValueError: see `write_saved_model`.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"this format is written by TensorFlow only, and Keras runs on {keras.backend.backend()!r} here; start "
            "Python with KERAS_BACKEND=tensorflow"
        )
    model = _join(MixedDataRegressor.load(bundle), arrays)
    shapes = {one["name"]: tensorflow.TensorSpec([None, *one["shape"][1:]], one["dtype"]) for one in arrays.inputs}
    predict = tensorflow.function(lambda **inputs: model(inputs, training=False))
    kept = tensorflow.Module()
    kept.weights = [weight.value for weight in model.variables]
    return predict.get_concrete_function(**shapes), kept


def _join(regressor: Any, arrays: ExportedArrays) -> keras.Model:
    """Return a model from the inputs of `ExportedArrays` to a dict with the prediction."""
    inputs = {one["name"]: keras.Input(one["shape"][1:], dtype=one["dtype"], name=one["name"]) for one in arrays.inputs}
    row = dict(inputs)
    if regressor.embedder_ is not None:
        backbones = regressor.embedder_.backbones
        if not all(isinstance(one, KerasBackbone) for one in backbones):
            raise ValueError(f"a backbone of this bundle is an ONNX file, which TensorFlow cannot hold; {OTHER_FORMAT}")
        _, num_views, *size = inputs["images"].shape
        photos = ops.reshape(inputs["images"], (-1, *size))
        vectors = ops.concatenate([one.model(photos) for one in backbones], axis=-1)
        vectors = ops.reshape(vectors, (-1, num_views, vectors.shape[-1]))
        row["images"] = ops.where(ops.expand_dims(inputs["image_mask"], -1), vectors, 0.0)
    target = regressor.target_transformer_
    scaled = ops.clip(ops.mean(regressor.model_(row), axis=1), *find_ends(target)) * target.std_
    value = ops.exp(scaled) * float(np.exp(target.mean_)) if target.log_ else scaled + target.mean_
    return keras.Model(inputs, {PREDICTION: value})
