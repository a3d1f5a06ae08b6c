"""Predict a number from a table plus pictures.

The names below are imported when they are first used, so that ``import mixed_data`` and
``import mixed_data.preprocessing`` start neither Keras nor pandas. Everything else stands in its room:
``mixed_data.preprocessing``, ``mixed_data.fusion``, ``mixed_data.readers`` and so on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixed_data.estimator import MixedDataRegressor, load
    from mixed_data.schema import Schema

__version__ = "0.2.0"
__all__ = ["MixedDataRegressor", "Schema", "load"]


def __getattr__(name: str) -> Any:
    """Import one of the names in ``__all__`` when it is first asked for."""
    if name == "Schema":
        from mixed_data import schema

        return schema.Schema
    if name in __all__:
        from mixed_data import estimator

        return getattr(estimator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
