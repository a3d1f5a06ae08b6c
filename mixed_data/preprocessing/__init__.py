"""From tables and photos to arrays, learned on training rows only; no TensorFlow or Keras is imported.

The names below are imported when they are first used: a saved model needs those only that do without scikit-learn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixed_data.preprocessing.lost_photos import MissingPhotosError, PhotoWarning
    from mixed_data.preprocessing.row_reader import SUITED_PREPROCESSING, Inputs
    from mixed_data.preprocessing.transformers import (
        ImagePreprocessor,
        MixedDataPreprocessor,
        TabularPreprocessor,
        TargetTransformer,
    )


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


def __getattr__(name: str) -> Any:
    """Import one of the names in ``__all__`` when it is first asked for."""
    if name in ("MissingPhotosError", "PhotoWarning"):
        from mixed_data.preprocessing import lost_photos

        return getattr(lost_photos, name)
    if name in ("SUITED_PREPROCESSING", "Inputs"):
        from mixed_data.preprocessing import row_reader

        return getattr(row_reader, name)
    if name in __all__:
        from mixed_data.preprocessing import transformers

        return getattr(transformers, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
