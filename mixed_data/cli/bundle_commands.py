"""The commands that use a bundle: `evaluate` and `predict`. No Keras is needed."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixed_data.cli.command_output import STANDARD, Results, print_document, standard_output
from mixed_data.cli.option_lists import COVERAGE_OPTION, DASK_OPTION, DECIMAL_OPTION
from mixed_data.cli.option_values import BAD_ROW_NAMES, UsageError, read_out_file

if TYPE_CHECKING:
    from mixed_data.files.whole_files import Append
    from mixed_data.runs.bundle_scores import PredictedLines, RowWarnings
    from mixed_data.runtime import Predictor

_PARQUET_SUFFIXES = (".parquet", ".pq")


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `evaluate`."""
    add_bundle_arguments(parser)
    parser.add_argument(
        "--out",
        type=read_out_file,
        metavar="FILE",
        help="also write the metrics to this JSON file; -: to standard output",
    )


def add_predict_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `predict`."""
    add_bundle_arguments(parser)
    parser.add_argument(
        "--out",
        type=read_out_file,
        required=True,
        metavar="FILE",
        help="file to write, one line per input row, in order: Parquet where it ends with .parquet, else CSV; -: CSV "
        "to standard output",
    )
    parser.add_argument("--coverage", **COVERAGE_OPTION)
    parser.add_argument("--dask", **DASK_OPTION)


def add_bundle_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bundle and the options that say which rows it is to read."""
    parser.add_argument("bundle", type=Path, help="folder written by train")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="FILE",
        help="CSV or Parquet file, or a folder of Parquet files; -: from standard input",
    )
    parser.add_argument(
        "--root",
        type=Path,
        help="folder that relative photo paths start from; default: the file's own, or the working directory for -",
    )
    parser.add_argument("--decimal", **DECIMAL_OPTION)
    parser.add_argument(
        "--on-bad-row",
        choices=BAD_ROW_NAMES,
        default="error",
        help="a row with a cell that cannot be used is an error, gets no prediction (skip), or is predicted with that "
        "cell missing (mask); default: %(default)s",
    )


def evaluate(options: argparse.Namespace) -> Results:
    """Score a bundle on rows with a known target."""
    _check_files(options)
    from mixed_data.files.checked_json import make_plain, write_json
    from mixed_data.runs.bundle_scores import evaluate_bundle

    with open_data(options) as how:
        metrics, warnings = evaluate_bundle(options.bundle, **how)
    for name, value in metrics.items():
        print(f"{name:<14}{f'{value:,.4f}' if name != 'n' else f'{value:.0f}':>20}")
    _print_warnings(warnings)
    if options.out == Path(STANDARD):
        print_document(metrics)
    elif options.out:
        write_json(options.out, make_plain(metrics))
        print(f"metrics in {options.out}")
    return {"metrics": metrics, "num_warnings": warnings.num_doubtful, "out": options.out}


def predict(options: argparse.Namespace) -> Results:
    """Predict rows into a file, one line per input row, in order."""
    _check_files(options)
    from mixed_data.runs.bundle_scores import RowWarnings
    from mixed_data.runtime import Predictor

    predictor = Predictor(options.bundle)
    coverage = options.coverage if predictor.has_intervals else None
    warnings = RowWarnings()
    with _open_lines(options, predictor, coverage) as found, _open_rows(options.out) as append:
        for rows in found.lines:
            warnings.add(rows)
            append(rows)
    _print_warnings(warnings)
    num_predictions, num_skipped = found.num_rows - found.num_skipped, found.num_skipped
    without = f", and {num_skipped} skipped rows without one" if num_skipped else ""
    where = "on standard output" if options.out == Path(STANDARD) else f"in {options.out}"
    print(f"{num_predictions} predictions {where}{without}")
    return {
        "num_predictions": num_predictions,
        "num_skipped": num_skipped,
        "num_warnings": warnings.num_doubtful,
        "coverage": coverage,
        "out": options.out,
    }


def _check_files(options: argparse.Namespace) -> None:
    """Refuse to write the results over the table that they are made from, and Parquet where it cannot be written."""
    out, is_standard = options.out, STANDARD in map(str, (options.out, options.data))
    if getattr(options, "dask", None) and options.data == Path(STANDARD):
        raise UsageError("--data - is standard input, which the workers of --dask cannot read; give a Parquet file")
    if out and options.data.is_dir() and out.absolute().parent == options.data.absolute():
        raise UsageError(f"--out {out} would stand among the files of --data {options.data}; write it elsewhere")
    if out and not is_standard and out.exists() and options.data.exists() and out.samefile(options.data):
        raise UsageError(f"--out {out} is the table itself (--data), which would be lost; write another file")
    if out and out.suffix.lower() in _PARQUET_SUFFIXES:
        if options.run is evaluate:
            raise UsageError(f"--out {out}: metrics are written as JSON; give a name that says so")
        from mixed_data.files.whole_files import check_parquet

        check_parquet(out)


@contextmanager
def open_data(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield how the reader is to read the table; standard input becomes a file for that time."""
    how = {name: getattr(options, name) for name in ("data", "root", "decimal", "on_bad_row")}
    if options.data != Path(STANDARD):
        yield how
        return
    with tempfile.TemporaryDirectory(prefix="mixed_data-") as folder:
        file = Path(folder) / "standard input"
        with file.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        yield {**how, "data": file, "root": options.root or Path.cwd()}


@contextmanager
def _open_lines(options: argparse.Namespace, predictor: Predictor, coverage: float | None) -> Iterator[PredictedLines]:
    """Yield what is predicted for the rows, here or on a Dask cluster."""
    from mixed_data.runs.bundle_scores import open_lines

    with open_data(options) as how:
        if options.dask is None:
            with open_lines(predictor, coverage=coverage, **how) as found:
                yield found
            return
        from mixed_data.runs.dask_predictions import open_lines_on_dask

        with open_lines_on_dask(options.dask, options.bundle, predictor, coverage=coverage, **how) as found:
            yield found


@contextmanager
def _open_rows(out: Path) -> Iterator[Append]:
    """Yield what writes the next lines of the result, in the form that its name says."""
    from mixed_data.files.whole_files import append_csv_lines, open_csv, open_parquet

    if out == Path(STANDARD):
        yield append_csv_lines(standard_output())
        return
    with (open_parquet if out.suffix.lower() in _PARQUET_SUFFIXES else open_csv)(out) as append:
        yield append


def _print_warnings(warnings: RowWarnings) -> None:
    if warnings.num_doubtful:
        print(f"{warnings.num_doubtful} of {warnings.num_rows} rows have warnings, the first: {warnings.first}")
