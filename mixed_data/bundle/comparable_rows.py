"""Training rows that a bundle carries on request, and which of them resemble a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from mixed_data.files.checked_json import (
    MOST_BYTES,
    NUMBER,
    NUMBERS,
    OBJECT,
    TEXT,
    Kind,
    check_state,
    optional,
    read_json,
    write_json,
)
from mixed_data.preprocessing.categorical_column import CategoricalColumn
from mixed_data.preprocessing.date_column import DateColumn
from mixed_data.preprocessing.feature_columns import FeatureColumn
from mixed_data.preprocessing.row_reader import RowReader
from mixed_data.schema.cell_values import canonical_text
from mixed_data.schema.pandas_frames import to_pandas
from mixed_data.schema.written_numbers import parse_numbers

COMPARABLES_FILE = "comparables.json"
NUM_COMPARABLES = 5

_FORMAT = "mixed_data.ComparableRows"
_VERSION = 1
_CELL = Kind("a text, a number or null", lambda value: TEXT.accepts(value) or optional(NUMBER).accepts(value))
_TEXTS_OR_NULLS = Kind(
    "texts or nulls", lambda value: isinstance(value, list) and all(map(optional(TEXT).accepts, value))
)
_CELLS = Kind(
    "a list of texts, numbers and nulls", lambda value: isinstance(value, list) and all(map(_CELL.accepts, value))
)
_FIELDS = {"ids": _TEXTS_OR_NULLS, "target": NUMBERS, "cells": OBJECT}


@dataclass(frozen=True)
class Comparable:
    """A training row that resembles a row.

    Attributes:
        id: what a person calls it; without a column for that, its place in the table, from 0.
        target: its true value, target units.
        similarity: 1 / (1 + distance), of 0 to 1; 1 where no cell that both have differs.
        cells: column -> its cell, a text, a number, or None where it is missing.
    """

    id: str | None
    target: float
    similarity: float
    cells: dict[str, str | float | None]


class ComparableRows:
    """Training rows, without their photos.

    The distance of two rows is the root of the mean, over the columns that the asked row has, of the squared distance
    in that column. In a number it is the difference as the preprocessing scales it: in interquartile ranges, of the
    logarithm where the column is skewed, with outliers drawn in to 3 from the median. In a date it is the same, of its
    parts.
    In a category it is 0 or 1, in a code the root of the share of its levels that differ: a zipcode of the same
    region is nearer. Ratios of columns are left out, since they say what the columns say.

    Photos do not count. Their vectors would make a bundle several times as large, and give away more of the pictures
    than whoever asks for similar rows may mean to; and a person can check columns that are alike, but no vectors.

    Args:
        preprocessor: of the bundle, whose scales are used.
        ids: what a person calls each row.
        target: float64 ``(n,)``, target units.
        cells: the columns of each row, as text, numbers or None.

    Raises:
        ValueError: there is no row or no column to compare, or a cell is none that its column can use.
    """

    def __init__(
        self, preprocessor: RowReader, ids: list[str | None], target: list[float], cells: pd.DataFrame
    ) -> None:
        self._encoder, self._schema = preprocessor.tabular_, preprocessor.schema_.without_images()
        self._ids, self._target, self._cells = ids, target, cells
        if not len(cells) or not self._encoder.columns_:
            raise ValueError("comparables need at least one row, and a column that the model reads")
        read, _ = self._encoder.read(cells)
        self._features = {column.name: _encode(column, read[column.name]) for column in self._encoder.columns_}

    def __len__(self) -> int:
        return len(self._ids)

    @classmethod
    def learn(cls, preprocessor: RowReader, table: pd.DataFrame) -> Self:
        """Take the columns and the target of training rows, as they are read there.

        Args:
            preprocessor: fitted.
            table: the training rows, with their target.

        Raises:
            ValueError: the table does not fit the schema, or that names no target.
        """
        schema, table = preprocessor.schema_.without_images(), to_pandas(table)
        if schema.target is None:
            raise ValueError("comparables are shown with their target, which the schema does not name: set its target")
        schema.validate(table, needs_target=True)
        read, _ = preprocessor.tabular_.read(table)
        cells = pd.DataFrame(
            {name: _write_cells(values, name in schema.dates) for name, values in read.items()}, dtype=object
        )
        target = parse_numbers(table[schema.target], schema.number_format(schema.target))[0]
        ids = canonical_text(table[schema.id]).tolist() if schema.id in table else [str(row) for row in table.index]
        return cls(preprocessor, ids, target.tolist(), cells)

    def write(self, file: Path) -> None:
        """Write the rows as JSON, column by column.

        Raises:
            ValueError: there are more of them than `read` reads.
        """
        cells = {name: self._cells[name].tolist() for name in self._cells}
        write_json(
            file, {"format": _FORMAT, "version": _VERSION, "ids": self._ids, "target": self._target, "cells": cells}
        )
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(
                f"{len(self):,} rows are too many to be kept as comparables: they take more than {MOST_BYTES:,} bytes; "
                "give fewer, such as a sample of them, or leave them out"
            )

    @classmethod
    def read(cls, file: Path, preprocessor: RowReader) -> Self:
        """Read what `write` wrote.

        Raises:
            ValueError: it holds something else, or rows of another table.
        """
        state = check_state(read_json(file), _FORMAT, _VERSION, _FIELDS)
        schema, cells, num_rows = preprocessor.schema_.without_images(), state["cells"], len(state["ids"])
        if sorted(cells) != sorted(schema.features) or not all(map(_CELLS.accepts, cells.values())):
            raise ValueError(f"expected a list of texts, numbers and nulls for each of {', '.join(schema.features)}")
        if {num_rows} != {len(state["target"]), *map(len, cells.values())}:
            raise ValueError("expected as many ids as targets and cells of each column")
        table = pd.DataFrame({name: cells[name] for name in schema.features}, dtype=object)
        schema.validate(table, needs_target=False)
        return cls(preprocessor, state["ids"], state["target"], table)

    def find(self, table: pd.DataFrame, count: int = NUM_COMPARABLES) -> list[list[Comparable]]:
        """Find the rows that resemble others most.

        Args:
            table: any rows that fit the schema. One with the id of a training row is not compared with that.
            count: how many to find for each row.

        Returns:
            per row its comparables, the most similar first; none for a row without a cell to compare.
        """
        read, num_rows = self._encoder.read(table)
        own = canonical_text(table[self._schema.id]).tolist() if self._schema.id in table else [None] * num_rows
        asked = {column.name: _encode(column, read[column.name]) for column in self._encoder.columns_}
        return [
            list(
                self._find(
                    {name: found[row] for name, found in asked.items() if not pd.isna(read[name][row])}, own[row], count
                )
            )
            for row in range(num_rows)
        ]

    def _find(self, asked: dict[str, np.ndarray], own: str | None, count: int) -> Iterator[Comparable]:
        if not asked:
            return
        squares = [((self._features[name] - found) ** 2).sum(axis=1) for name, found in asked.items()]
        distances = np.sqrt(np.mean(squares, axis=0, dtype="float64"))
        nearest = (row for row in np.argsort(distances, kind="stable") if own is None or self._ids[row] != own)
        for row, _ in zip(nearest, range(count), strict=False):
            cells: dict[str, Any] = self._cells.iloc[row].to_dict()
            yield Comparable(self._ids[row], self._target[row], float(1 / (1 + distances[row])), cells)


def describe_comparables(folder: Path) -> dict[str, str]:
    """Say for the manifest whether a bundle carries training rows, and what of them."""
    if not (folder / COMPARABLES_FILE).exists():
        return {}
    return {"holds": "training rows, with their ids, columns and target, without photos"}


def _encode(column: FeatureColumn, cells: Any) -> np.ndarray:
    """Encode cells so that the squared distance of two is that of their features, float32 ``(n, width)``."""
    if isinstance(column, CategoricalColumn):
        weight = 2 * sum(bool(group.labels) for group in column.groups)
    else:
        weight = len(column.parts) if isinstance(column, DateColumn) else 1
    return column.encode(cells) / np.float32(np.sqrt(weight))


def _write_cells(values: Any, are_dates: bool) -> list[str | float | None]:
    if are_dates:
        return [None if np.isnan(day) else str(np.datetime64(int(day), "D")) for day in values]
    return [None if pd.isna(value) else value if isinstance(value, str) else float(value) for value in values]
