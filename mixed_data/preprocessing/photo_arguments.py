"""Checks of what tells how photos are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixed_data.preprocessing.photo_decoding import RESIZE_POLICIES

if TYPE_CHECKING:
    from mixed_data.preprocessing.photo_reader import PhotoReader


def check_reading(reader: PhotoReader) -> None:
    """Check the parameters of a reader.

    Raises:
        ValueError: one is out of range; all that are wrong are named.
    """
    problems = []
    if isinstance(reader.columns, str) or not all(isinstance(column, str) for column in reader.columns):
        problems.append(f"columns must be a list of column names, got {reader.columns!r}")
    elif len(set(reader.columns)) < len(reader.columns):
        problems.append(f"columns must not repeat, got {list(reader.columns)}")
    sides = height_and_width(reader.size)
    if len(sides) != 2 or not all(_is_positive_integer(side) for side in sides):
        problems.append(f"size must be a positive integer or (height, width), got {reader.size!r}")
    if reader.resize not in RESIZE_POLICIES:
        problems.append(f"resize must be one of {', '.join(RESIZE_POLICIES)}, got {reader.resize!r}")
    if not isinstance(reader.montage, bool | np.bool_):
        problems.append(f"montage must be True or False, got {reader.montage!r}")
    if not _is_positive_integer(reader.max_pixels):
        problems.append(f"max_pixels must be a positive integer, got {reader.max_pixels!r}")
    if problems:
        raise ValueError("; ".join(problems))


def check_image_columns(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Check that a table has each image column once.

    Raises:
        ValueError: it has not, or it is no table of pandas.
    """
    if not isinstance(table, pd.DataFrame):
        raise ValueError(f"expected a pandas DataFrame, got {type(table).__name__}")
    present = list(table.columns)
    missing = [column for column in columns if column not in present]
    if missing:
        raise ValueError(f"the table lacks image column(s) {missing}; it has {present}")
    repeated = [column for column in columns if present.count(column) > 1]
    if repeated:
        raise ValueError(f"the table has several columns named {repeated}; rename or drop one")


def height_and_width(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return both, also of a square that is given by one number."""
    return size if isinstance(size, tuple) else (size, size)


def _is_positive_integer(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value > 0)
