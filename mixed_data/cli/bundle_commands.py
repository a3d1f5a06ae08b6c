"""The commands that use a bundle: `evaluate` and `predict`. No Keras is needed."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from mixed_data.cli.option_lists import DECIMAL_OPTION, UsageError
from mixed_data.files.whole_files import write_csv
from mixed_data.schema.bad_rows import BAD_ROW_POLICIES


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `evaluate`."""
    _add_bundle_arguments(parser)
    parser.add_argument("--out", type=Path, help="also write the metrics to this JSON file")


def add_predict_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `predict`."""
    _add_bundle_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write, one line per input row, in order")
    parser.add_argument(
        "--coverage",
        type=float,
        default=0.9,
        help="share of the true values that lie between lower and upper, where the bundle knows; default: %(default)s",
    )


def _add_bundle_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, help="folder written by train")
    parser.add_argument("--data", type=Path, required=True, help="CSV or Parquet file")
    parser.add_argument(
        "--root", type=Path, help="folder that relative photo paths start from; default: the file's own"
    )
    parser.add_argument("--decimal", **DECIMAL_OPTION)
    parser.add_argument(
        "--on-bad-row",
        choices=BAD_ROW_POLICIES,
        default="error",
        help="a row with a cell that cannot be used is an error, gets no prediction (skip), or is predicted with that "
        "cell missing (mask); default: %(default)s",
    )


def evaluate(options: argparse.Namespace) -> None:
    """Score a bundle on rows with a known target."""
    _keep_table(options)
    from mixed_data.files.checked_json import make_plain, write_json
    from mixed_data.runs.bundle_scores import evaluate_bundle

    how = {name: getattr(options, name) for name in ("root", "decimal", "on_bad_row")}
    metrics, rows = evaluate_bundle(options.bundle, options.data, **how)
    for name, value in metrics.items():
        print(f"{name:<14}{f'{value:,.4f}' if name != 'n' else f'{value:.0f}':>20}")
    _print_warnings(rows)
    if options.out:
        write_json(options.out, make_plain(metrics))
        print(f"metrics in {options.out}")


def predict(options: argparse.Namespace) -> None:
    """Predict rows into a CSV file, one line per input row, in order."""
    _keep_table(options)
    from mixed_data.readers.table import read_checked_rows
    from mixed_data.runtime import Predictor

    predictor = Predictor(options.bundle)
    schema = predictor.schema
    how = {name: getattr(options, name) for name in ("root", "decimal", "on_bad_row")}
    checked = read_checked_rows(options.data, schema, **how)
    coverage = options.coverage if predictor.has_intervals else None
    rows = checked.complete(predictor.predict_rows(checked.usable, coverage=coverage))
    if schema.id in checked.table.columns:
        # An id column that is called like a column of the result is "id" there, as in the predictions of a run.
        rows.insert(0, "id" if schema.id in rows else schema.id, checked.table[schema.id])
    write_csv(options.out, rows)
    _print_warnings(rows)
    num_skipped = int(checked.is_skipped.sum())
    without = f", and {num_skipped} skipped rows without one" if num_skipped else ""
    print(f"{len(rows) - num_skipped} predictions in {options.out}{without}")


def _keep_table(options: argparse.Namespace) -> None:
    """Refuse to write the results over the table that they are made from."""
    if options.out and options.out.exists() and options.data.exists() and options.out.samefile(options.data):
        raise UsageError(f"--out {options.out} is the table itself (--data), which would be lost; write another file")


def _print_warnings(rows: pd.DataFrame) -> None:
    doubtful = int((rows["warnings"] != "").sum())
    if doubtful:
        first = rows.loc[rows["warnings"] != "", "warnings"].iloc[0]
        print(f"{doubtful} of {len(rows)} rows have warnings, the first: {first}")
