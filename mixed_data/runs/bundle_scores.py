"""The scores of a bundle on rows with a known target; of a cross-validated run, by models that have not seen them."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from mixed_data.files.progress import track
from mixed_data.metrics import regression_metrics
from mixed_data.readers.table import read_checked_rows
from mixed_data.runtime import Predictor

logger = logging.getLogger(__name__)

FOLD_COLUMN = "fold"
_NUM_ROWS_AT_ONCE = 16


def evaluate_bundle(
    path: Path, data: Path, *, root: Path | None = None, decimal: str | None = None, on_bad_row: str = "error"
) -> tuple[dict[str, float], pd.DataFrame]:
    """Score a bundle on a table that has the target.

    A bundle of a cross-validated run was fitted on all rows, so that a score on them would flatter. When the table has
    the column "fold" of such a run's ``held_out.csv``, each row goes to the model of its fold, which has not seen it.

    Args:
        path: of the bundle.
        data: CSV or Parquet file.
        root: folder that relative photo paths start from; the file's own by default.
        decimal: the decimal sign of its numbers, where neither it nor the bundle tells.
        on_bad_row: "error", "skip" or "mask", see `mixed_data.schema.bad_rows.BAD_ROW_POLICIES`.

    Returns:
        `regression_metrics` of the rows that are not skipped, and per row ``prediction``, ``images_used`` and
        ``warnings``; see `mixed_data.schema.bad_rows.CheckedRows.complete` for a skipped row.

    Raises:
        BundleError: the bundle cannot be used.
        ValueError: the table does not fit the schema.
    """
    predictor = Predictor(path)
    schema = predictor.schema
    checked = read_checked_rows(data, schema, root=root, needs_target=True, decimal=decimal, on_bad_row=on_bad_row)
    table, folds = checked.usable, path / "folds"
    if folds.is_dir() and FOLD_COLUMN in table:
        rows = _predict_by_fold(folds, table)
    else:
        if folds.is_dir():
            logger.warning(
                "This bundle was fitted on all rows of its run: on any of them, these scores flatter. The run's "
                "held_out.csv, with its column %r, is scored by models that have not seen its rows.",
                FOLD_COLUMN,
            )
        rows = predict_in_parts(predictor, table)
    return regression_metrics(table[schema.target], rows["prediction"]), checked.complete(rows)


def predict_in_parts(predictor: Predictor, table: pd.DataFrame, coverage: float | None = None) -> pd.DataFrame:
    """Predict rows as `Predictor.predict_rows` does, and say how far this has come; see `mixed_data.files.progress`.

    Args:
        predictor: computes each row by itself, so that the parts do not show.
        table: the rows, which fit the schema.
        coverage: of the intervals; None for no intervals.
    """
    starts = range(0, max(len(table), 1), _NUM_ROWS_AT_ONCE)
    parts = [
        predictor.predict_rows(table.iloc[start : start + _NUM_ROWS_AT_ONCE], coverage)
        for start in track(starts, "predicting", len(starts))
    ]
    return pd.concat(parts)


def _predict_by_fold(folds: Path, table: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for fold, rows in table.groupby(table[FOLD_COLUMN].astype(str)):
        folder = folds / str(fold)
        if not str(fold).isdecimal() or not folder.is_dir():
            raise ValueError(f"column {FOLD_COLUMN!r} says fold {str(fold)[:40]!r}, but there is no {folder}")
        parts.append(predict_in_parts(Predictor(folder), rows))
    return pd.concat(parts).loc[table.index]
