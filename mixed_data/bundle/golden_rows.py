"""Golden rows: made-up rows whose predictions are kept in the bundle, and predicted again when it is loaded."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from mixed_data.files.checked_json import NUMBER, OBJECTS, TEXT, Kind, check_fields, optional, read_json, write_json
from mixed_data.preprocessing.date_column import DateColumn
from mixed_data.preprocessing.numeric_column import NumericColumn
from mixed_data.preprocessing.row_reader import RowReader
from mixed_data.schema import Schema
from mixed_data.schema.photo_paths import split_paths

_TOLERANCE = 1e-3
"""Largest relative difference of a golden prediction; another processor's arithmetic stays far below it."""

_ROWS_FILE = "golden.json"
_NUM_FULL_ROWS = 3
_MOST_ROWS = 16
_LARGEST = np.finfo("float64").max
_PHOTO_SIDE = 96
_CELL = Kind("a text, a number or null", lambda value: TEXT.accepts(value) or optional(NUMBER).accepts(value))


def write_golden_rows(preprocessor: RowReader, folder: Path) -> pd.DataFrame:
    """Make up rows that use every column and view, and one row in which everything is missing."""
    folder.mkdir()
    schema = preprocessor.schema
    columns = {column.name: column for column in preprocessor.tabular_.columns_}
    generator = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for position in range(_NUM_FULL_ROWS):
        row: dict[str, Any] = {}
        for index, name in enumerate(schema.features):
            column = columns.get(name)  # None: dropped as constant or empty, any cell will do
            if isinstance(column, NumericColumn):
                step = ((position + index) % _NUM_FULL_ROWS - 1) * (column.scale or 0.0)
                with np.errstate(over="ignore"):
                    cell = column.median + step if column.log_above is None else column.median * np.exp(step)
                row[name] = float(np.clip(cell, -_LARGEST, _LARGEST))
            elif isinstance(column, DateColumn):
                ages = column.parts[0]
                day = column.latest - ages.median - ((position + index) % _NUM_FULL_ROWS - 1) * (ages.scale or 0.0)
                row[name] = str(np.datetime64(int(day), "D"))
            elif column is not None:
                levels = [*column.groups[0].kept, *column.groups[0].rare]
                row[name] = levels[(position * len(levels)) // _NUM_FULL_ROWS] if levels else None
        for name, count in zip(schema.images, preprocessor.images_.num_photos_, strict=True):
            row[name] = ";".join([f"{position}.jpg"] * count)  # one photo for all, since a backbone takes its time
        if schema.images:
            _draw_clouds(generator).save(folder / f"{position}.jpg", quality=90)
        rows.append(row)
    rows.append({})
    write_json(folder / _ROWS_FILE, rows)
    return read_golden_rows(folder, schema)


def read_golden_rows(folder: Path, schema: Schema) -> pd.DataFrame:
    """Read the rows that `write_golden_rows` made up.

    Raises:
        ValueError: there are none or too many, a cell is neither a text nor a number, or a photo is not a file of the
            folder.
    """
    rows = read_json(folder / _ROWS_FILE)
    if not OBJECTS.accepts(rows) or not 1 <= len(rows) <= _MOST_ROWS:
        raise ValueError(f"{_ROWS_FILE}: expected a list of 1 to {_MOST_ROWS} objects, got {reprlib.repr(rows)}")
    names = [*schema.features, *schema.images]
    for row in rows:
        check_fields(row, _ROWS_FILE, {name: _CELL for name in names if name in row})
    # JSON, since any text may be a column's name in a DataFrame, but not in a CSV file.
    table = pd.DataFrame(rows, columns=names)
    for name in schema.images:
        table[name] = [";".join(_find_photos(folder, cell)) for cell in table[name]]
    return table


def _find_photos(folder: Path, cell: object) -> list[str]:
    photos = split_paths(cell)
    for photo in photos:
        if photo in {"", ".", ".."} or {"/", "\\", ":", "\0"} & set(photo):
            raise ValueError(f"{_ROWS_FILE}: {photo[:80]!r} is no name of a file beside it")
        try:
            with Image.open(folder / photo, formats=["JPEG"]) as image:  # reads the header only
                size = image.size
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(f"{_ROWS_FILE}: {photo[:80]!r} is no JPEG file beside it: {error}") from error
        if size != (_PHOTO_SIDE, _PHOTO_SIDE):
            raise ValueError(f"{photo[:80]}: expected a photo of {_PHOTO_SIDE} x {_PHOTO_SIDE} pixels, got {size}")
    return [str(folder / photo) for photo in photos]


def _draw_clouds(generator: np.random.Generator) -> Image.Image:
    coarse = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((_PHOTO_SIDE,) * 2, Image.Resampling.BICUBIC)


def compare_golden(expected: list[float], predicted: np.ndarray) -> str:
    """Say what is wrong with the predictions of the golden rows, nothing if they are as they were at saving."""
    if predicted.shape != (len(expected),):
        return f"{len(expected)} golden predictions for {len(predicted)} golden rows"
    target = np.array(expected, dtype="float64")
    with np.errstate(over="ignore"):  # infinity is a large difference too
        scale = max(1e-12, float(np.max(np.abs(target))))
        worst = float(np.max(np.abs(predicted - target))) / scale
    if worst <= _TOLERANCE:
        return ""
    return (
        f"the golden rows are predicted differently here (by {worst:.2%} of the largest, allowed are "
        f"{_TOLERANCE:.1%}): expected {expected}, got {predicted.tolist()}. Compare the library versions in "
        "manifest.json with yours."
    )
