"""Predictions from a bundle with NumPy, pandas, Pillow and onnxruntime only: no Keras, TensorFlow or scikit-learn."""

from mixed_data.runtime.predictor import Predictor

__all__ = ["Predictor"]
