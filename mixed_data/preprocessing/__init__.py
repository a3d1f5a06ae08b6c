"""From tables and photos to arrays, learned on training rows only; no TensorFlow or Keras is imported."""

from mixed_data.preprocessing.images import ImagePreprocessor
from mixed_data.preprocessing.mixed import SUITED_PREPROCESSING, Inputs, MixedDataPreprocessor
from mixed_data.preprocessing.tabular import TabularPreprocessor
from mixed_data.preprocessing.target import TargetTransformer

__all__ = [
    "SUITED_PREPROCESSING",
    "ImagePreprocessor",
    "Inputs",
    "MixedDataPreprocessor",
    "TabularPreprocessor",
    "TargetTransformer",
]
