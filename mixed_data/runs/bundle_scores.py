"""The scores of a bundle on rows with a known target; of a cross-validated run, by models that have not seen them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import count, repeat
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple

import numpy as np
import pandas as pd

from mixed_data.files.progress import track
from mixed_data.metrics import regression_metrics_of_parts
from mixed_data.readers.table import CheckedParts, open_checked_rows
from mixed_data.runtime import Predictor
from mixed_data.schema import Schema
from mixed_data.schema.bad_rows import CheckedRows

logger = logging.getLogger(__name__)

FOLD_COLUMN = "fold"
_NUM_SCORED_AT_ONCE = 2**16
_NUM_ROWS_AT_ONCE, _NUM_WITH_PHOTOS = 1024, 16  # Divisors of the rows of a part of a file.

Predict = Callable[[pd.DataFrame], pd.DataFrame]
PredictedPart = tuple[CheckedRows, pd.DataFrame]
"""Rows of a file, and one line for each of them as from `mixed_data.schema.bad_rows.CheckedRows.complete`."""


class PredictedLines(NamedTuple):
    """The rows of a file or folder, predicted.

    Attributes:
        num_rows: of all.
        num_skipped: how many of them are left out.
        lines: the lines of the result, in order, in parts; with the ids of the rows, if they have some.
    """

    num_rows: int
    num_skipped: int
    lines: Iterator[pd.DataFrame]


@dataclass
class RowWarnings:
    """How many of the rows have warnings, and the first of these.

    Attributes:
        num_rows: that were counted.
        num_doubtful: how many of them have warnings.
        first: of the first row that has some.
    """

    num_rows: int = 0
    num_doubtful: int = 0
    first: str = ""

    def add(self, rows: pd.DataFrame) -> None:
        """Count the lines of the next rows."""
        found = rows.loc[rows["warnings"] != "", "warnings"]
        self.num_rows += len(rows)
        self.num_doubtful += len(found)
        if len(found) and not self.first:
            self.first = found.iloc[0]


@contextmanager
def open_lines(predictor: Predictor, data: Path, *, coverage: float | None, **how: Any) -> Iterator[PredictedLines]:
    """Check the rows of a file or folder, and predict them while their lines are read.

    Args:
        predictor: computes the rows.
        data: as in `mixed_data.readers.table.open_checked_rows`.
        coverage: of the intervals; None for no intervals.
        **how: further arguments of `open_checked_rows`.

    Raises:
        ValueError: the rows do not fit the schema.
    """
    with open_checked_rows(data, predictor.schema, **how) as found:
        parts = predict_in_parts(predictor, found, coverage)
        lines = (name_lines(checked, rows, predictor.schema) for checked, rows in parts)
        yield PredictedLines(found.num_rows, found.num_skipped, lines)


def evaluate_bundle(path: Path, data: Path, **how: Any) -> tuple[dict[str, float], RowWarnings]:
    """Score a bundle on a table that has the target; the arguments are those of `open_scored_rows`.

    Returns:
        `mixed_data.metrics.regression_metrics` of the rows that are not skipped, and the warnings of all.

    Raises:
        BundleError: the bundle cannot be used.
        ValueError: the table does not fit the schema.
    """
    warnings = RowWarnings()
    with open_scored_rows(path, data, **how) as (target, parts), TemporaryFile() as file:
        for checked, rows in parts:
            warnings.add(rows)
            pairs = [checked.usable[target], rows.loc[~checked.is_skipped, "prediction"]]
            np.column_stack(pairs).astype(np.float64).tofile(file)
        return regression_metrics_of_parts(_PairsInFile(file)), warnings


class _PairsInFile:
    """Targets and predictions that lie in a file, two float64 per row; memory holds 65,536 rows at a time."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        self._file.seek(0)
        while (numbers := np.fromfile(self._file, count=2 * _NUM_SCORED_AT_ONCE)).size:
            yield numbers[::2], numbers[1::2]


@contextmanager
def open_scored_rows(
    path: Path, data: Path, *, root: Path | None = None, decimal: str | None = None, on_bad_row: str = "error"
) -> Iterator[tuple[str, Iterator[PredictedPart]]]:
    """Predict the rows of a table that has the target by models that have not seen them, in parts.

    A bundle of a cross-validated run was fitted on all rows, so that a score on them would flatter. When the table has
    the column "fold" of such a run's ``held_out.csv``, each row goes to the model of its fold, which has not seen it.

    Args:
        path: of the bundle.
        data: CSV or Parquet file.
        root: folder that relative photo paths start from; the file's own by default.
        decimal: the decimal sign of its numbers, where neither it nor the bundle tells.
        on_bad_row: "error", "skip" or "mask", see `mixed_data.schema.bad_rows.BAD_ROW_POLICIES`.

    Returns:
        the name of the target, and the rows in order with their predictions, see `predict_in_parts`.

    Raises:
        BundleError: the bundle cannot be used.
        ValueError: the table does not fit the schema.
    """
    predictor = Predictor(path)
    schema, folds = predictor.schema, path / "folds"
    how: dict[str, Any] = {"root": root, "decimal": decimal, "on_bad_row": on_bad_row}
    with open_checked_rows(data, schema, needs_target=True, **how) as found:
        predict = None
        if folds.is_dir() and FOLD_COLUMN in found.columns:
            predict = _predict_by_fold(folds)
        elif folds.is_dir():
            logger.warning(
                "This bundle was fitted on all rows of its run: on any of them, these scores flatter. The run's "
                "held_out.csv, with its column %r, is scored by models that have not seen its rows.",
                FOLD_COLUMN,
            )
        yield str(schema.target), predict_in_parts(predictor, found, predict=predict)


def predict_in_parts(
    predictor: Predictor, found: CheckedParts, coverage: float | None = None, *, predict: Predict | None = None
) -> Iterator[PredictedPart]:
    """Predict the rows of a file, and say how far this has come; see `mixed_data.files.progress`.

    Args:
        predictor: computes each row by itself, so that the parts do not show.
        found: the rows, which fit the schema.
        coverage: of the intervals; None for no intervals.
        predict: computes the rows in place of the predictor, which only says how the lines look.

    Returns:
        each part of the rows, and a line for each of them.
    """
    steps = track(count(), "predicting", -(-found.num_rows // _num_at_once(predictor)))
    for checked in found.parts:
        yield checked, predict_part(predictor, checked, coverage, predict=predict, steps=steps)
    next(steps)  # says that the last one is done


def predict_part(
    predictor: Predictor,
    checked: CheckedRows,
    coverage: float | None,
    *,
    predict: Predict | None = None,
    steps: Iterable[object] = repeat(None),
) -> pd.DataFrame:
    """Predict a part of the rows of a file.

    Args:
        predictor: as in `predict_in_parts`, and so is all but these:
        checked: the part.
        coverage: of the intervals.
        predict: in place of the predictor.
        steps: of which one is taken before each few rows.

    Returns:
        a line for each row, see `CheckedRows.complete`.
    """
    predict = predict or partial(predictor.predict_rows, coverage=coverage)
    num_at_once, lines = _num_at_once(predictor), []
    for start, _ in zip(range(0, len(checked.table), num_at_once), steps, strict=False):
        here = slice(start, start + num_at_once)
        usable = checked.table[here][~checked.is_skipped[here]]
        if len(usable):
            lines.append(predict(usable))
    if not lines:  # all are skipped; a row predicted for nothing tells which columns there are
        lines = [predictor.predict_rows(checked.table[:1], coverage)[:0]]
    return checked.complete(pd.concat(lines))


def name_lines(checked: CheckedRows, rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Put the ids of rows, if they have some, before what was predicted for them."""
    if schema.id in checked.table:
        # An id column that is called like a column of the result is "id" there, as in the predictions of a run.
        rows.insert(0, "id" if schema.id in rows else str(schema.id), checked.table[schema.id])
    return rows


def _num_at_once(predictor: Predictor) -> int:
    return _NUM_WITH_PHOTOS if predictor.views else _NUM_ROWS_AT_ONCE


def _predict_by_fold(folds: Path) -> Predict:
    @cache
    def load(fold: str) -> Predictor:
        folder = folds / fold
        if not fold.isdecimal() or not folder.is_dir():
            raise ValueError(f"column {FOLD_COLUMN!r} says fold {fold[:40]!r}, but there is no {folder}")
        return Predictor(folder)

    def predict(table: pd.DataFrame) -> pd.DataFrame:
        parts = [load(fold).predict_rows(rows) for fold, rows in table.groupby(table[FOLD_COLUMN].astype(str))]
        return pd.concat(parts).loc[table.index]

    return predict
