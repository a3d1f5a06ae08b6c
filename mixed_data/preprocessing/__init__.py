"""From tables and photos to arrays, learned on training rows only; no TensorFlow or Keras is imported."""

from mixed_data.preprocessing.images import ImagePreprocessor
from mixed_data.preprocessing.lost_photos import MissingPhotosError, PhotoWarning
from mixed_data.preprocessing.mixed_preprocessor import SUITED_PREPROCESSING, Inputs, MixedDataPreprocessor
from mixed_data.preprocessing.tabular_features import TabularPreprocessor
from mixed_data.preprocessing.target_transformer import TargetTransformer

__all__ = [
    "SUITED_PREPROCESSING",
    "ImagePreprocessor",
    "Inputs",
    "MissingPhotosError",
    "MixedDataPreprocessor",
    "PhotoWarning",
    "TabularPreprocessor",
    "TargetTransformer",
]
