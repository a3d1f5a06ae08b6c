"""The command line: ``python -m mixed_data train | compare | audit | evaluate | predict | download``.

Exit code 0: done; 1: something in the data or the environment is wrong (one paragraph on stderr, ``--debug`` for the
traceback); 2: the command was typed wrongly; 3: ``audit --strict`` found something that flatters scores; 130 and
143: stopped by Ctrl-C, or by SIGTERM.
"""

from __future__ import annotations

import argparse
import io
import logging
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mixed_data import __version__
from mixed_data.cli import audit_command, commands, compare_command
from mixed_data.cli.option_lists import (
    DATASET_OPTIONS,
    NETWORK_OPTIONS,
    PREPROCESSING_OPTIONS,
    UsageError,
)
from mixed_data.cli.process_start import Terminated, stop_on_signal
from mixed_data.cli.resumed_options import as_it_began
from mixed_data.schema.bad_rows import BAD_ROW_POLICIES

INTERRUPTED_EXIT_CODE, TERMINATED_EXIT_CODE = 130, 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console that knows no "²" is no reason to stop at the end of a run
    parser = make_parser()
    options = parser.parse_args(arguments)
    options.command = shlex.join(["python", "-m", "mixed_data", *arguments])
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(message)s")
    logging.getLogger("mixed_data.schema.bad_rows").setLevel(
        logging.INFO
    )  # it counts, and 0 of 500 rows is worth a line too
    try:
        with stop_on_signal(), as_it_began(options, parser) as options:
            options.run(options)
    except (ValueError, OSError, ImportError) as error:
        if options.debug:
            raise
        _print_error(f"error: {error}", error)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt as error:
        _print_error("stopped; what was finished is kept, and nothing is half-written", error)
        return TERMINATED_EXIT_CODE if isinstance(error, Terminated) else INTERRUPTED_EXIT_CODE
    return 0


def _print_error(text: str, error: BaseException) -> None:
    print("\n".join([text, *getattr(error, "__notes__", [])]), file=sys.stderr)


def make_parser() -> argparse.ArgumentParser:
    """Build the parser; imports neither Keras nor TensorFlow, so that ``--help`` is quick."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    common.add_argument("--verbose", action="store_true", help="log what is learned, dropped and merged")
    parser = argparse.ArgumentParser(
        prog="python -m mixed_data", description="Predict a number from a table plus pictures."
    )
    parser.add_argument("--version", action="version", version=f"mixed_data {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, (function, add_arguments, text, example) in COMMANDS.items():
        command = commands.add_parser(
            name,
            parents=[common],
            help=text,
            description=text,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_arguments(command)
        command.set_defaults(run=function)
    return parser


def _add_data_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data")
    data.add_argument("--dataset", choices=DATASET_OPTIONS, default="sample", help="default: %(default)s")
    data.add_argument("--root", type=Path, help="folder of the data set, or that relative photo paths start from")
    data.add_argument("--data", type=Path, help="table: a CSV or Parquet file")
    data.add_argument("--schema", type=Path, help="table: JSON file with the role of each column")
    data.add_argument("--target", metavar="COL", help="table: column to predict")
    data.add_argument("--images", metavar="COL[,COL…]", help="table: columns with photo paths")
    data.add_argument("--id", metavar="COL", help="table: what a person calls a row; never a feature")
    data.add_argument("--group", metavar="COL", help="table: rows of one group stay on one side of a split")
    data.add_argument(
        "--on-bad-row",
        choices=BAD_ROW_POLICIES,
        help="table: a row with a cell that cannot be used is an error, left out (skip), or used with that cell "
        "missing (mask); default: error",
    )
    data.add_argument("--rows", type=int, help="sample: number of houses")
    data.add_argument("--seed", type=int, help="sample: seed of the generated houses")
    data.add_argument("--photo-signal", type=float, help="sample: strength of what only the photos show; 0 for none")


def _add_train_arguments(parser: argparse.ArgumentParser) -> None:
    _add_data_arguments(parser)
    study = parser.add_argument_group("study")
    study.add_argument(
        "--preset",
        choices=("best",),
        help="best: the most accurate, a stack of a network on pretrained vision and gradient boosting (needs "
        "--image-weights, or a network connection once)",
    )
    study.add_argument(
        "--fusion",
        default="weighted_sum",
        help="of the network that becomes the bundle; default: %(default)s",
    )
    study.add_argument("--networks", metavar="NAME[,NAME…]", help="what to compare: table, image, fusions, best")
    study.add_argument("--folds", type=int, default=0, help="grouped K-fold over all rows; default: one hold-out split")
    study.add_argument(
        "--test-size", type=float, default=0.25, help="share held out without --folds; default: %(default)s"
    )
    study.add_argument("--random-state", type=int, default=0, help="seed of split and networks; default: %(default)s")
    study.add_argument(
        "--jobs",
        type=int,
        default=1,
        help="inner fits at the same time, of best and of intervals; default: %(default)s",
    )
    study.add_argument("--out", type=Path, help="folder for the results; default: runs/<time>-<dataset>")
    study.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="go on with a run that was stopped, as it began, to the same result; no other option applies",
    )
    _add_network_arguments(parser)


def _add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    _add_data_arguments(parser)
    study = parser.add_argument_group("study")
    study.add_argument(
        "--fusion", default="weighted_sum", help="of the network that the questions are about; default: %(default)s"
    )
    study.add_argument(
        "--networks",
        metavar="NAME[,NAME…]",
        help="restrict what is compared: table, image, fusions, and best, a stack with boosting; default: all",
    )
    study.add_argument(
        "--views",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="leave out each image column once; default: %(default)s",
    )
    study.add_argument("--repeats", type=int, default=3, help="of the whole cross-validation; default: %(default)s")
    study.add_argument("--folds", type=int, default=5, help="of each repeat, grouped; default: %(default)s")
    study.add_argument("--random-state", type=int, default=0, help="seed of splits and models; default: %(default)s")
    study.add_argument(
        "--jobs",
        type=int,
        default=1,
        help="fits at the same time; from 2 on each in a process of its own, whose memory is kept in bounds; "
        "default: %(default)s",
    )
    study.add_argument(
        "--out",
        type=Path,
        help="folder for the results; with the folder of a stopped comparison, it goes on from there; "
        "default: runs/<time>-<dataset>",
    )
    _add_network_arguments(parser)


def _add_audit_arguments(parser: argparse.ArgumentParser) -> None:
    _add_data_arguments(parser)
    look = parser.add_argument_group("audit")
    look.add_argument("--split", metavar="COL", help="table: column that says which part of a split a row is in")
    look.add_argument("--against", type=Path, metavar="FILE", help="table: other rows to compare, such as a test set")
    look.add_argument("--out", type=Path, metavar="FILE", help="also write every case to this JSON file")
    look.add_argument(
        "--strict",
        action="store_true",
        help=f"exit code {audit_command.STRICT_EXIT_CODE} where something makes scores look too good that the splits "
        "of train and compare do not take care of (marked *)",
    )


def _add_network_arguments(parser: argparse.ArgumentParser) -> None:
    network = parser.add_argument_group("network and preprocessing (same names as in Python)")
    for name, (kind, text) in {**NETWORK_OPTIONS, **PREPROCESSING_OPTIONS}.items():
        how: dict[str, Any] = {"action": argparse.BooleanOptionalAction} if kind is bool else {"type": kind}
        network.add_argument(f"--{name.replace('_', '-')}", help=text, **how)


def _add_bundle_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, help="folder written by train")
    parser.add_argument("--data", type=Path, required=True, help="CSV or Parquet file")
    parser.add_argument(
        "--root", type=Path, help="folder that relative photo paths start from; default: the file's own"
    )
    parser.add_argument(
        "--on-bad-row",
        choices=BAD_ROW_POLICIES,
        default="error",
        help="a row with a cell that cannot be used is an error, gets no prediction (skip), or is predicted with that "
        "cell missing (mask); default: %(default)s",
    )


def _add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    _add_bundle_arguments(parser)
    parser.add_argument("--out", type=Path, help="also write the metrics to this JSON file")


def _add_predict_arguments(parser: argparse.ArgumentParser) -> None:
    _add_bundle_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write, one line per input row, in order")
    parser.add_argument(
        "--coverage",
        type=float,
        default=0.9,
        help="share of the true values that lie between lower and upper, where the bundle knows; default: %(default)s",
    )


def _add_download_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", choices=("houses",))
    parser.add_argument(
        "--root", type=Path, default=Path("datasets/houses"), help="folder to put it in; default: %(default)s"
    )


COMMANDS: dict[str, tuple[Any, Any, str, str]] = {
    "train": (
        commands.train,
        _add_train_arguments,
        "Train and compare models, score them on held-out rows, and save the network of --fusion as a bundle.",
        "python train.py --dataset table --data listings.csv --target price --images front,kitchen",
    ),
    "compare": (
        compare_command.compare,
        _add_compare_arguments,
        "Say whether the photos help, which fusion does, and whether the network is worth it, each with an interval.",
        "python -m mixed_data compare --dataset table --data listings.csv --target price --images front,kitchen",
    ),
    "audit": (
        audit_command.audit,
        _add_audit_arguments,
        "Look for what silently ruins a study: repeated rows, shared photos, contradictions, outliers, leaks.",
        "python -m mixed_data audit --dataset table --data listings.csv --target price --images front,kitchen",
    ),
    "evaluate": (
        commands.evaluate,
        _add_evaluate_arguments,
        "Score a bundle on rows with a known target.",
        "python -m mixed_data evaluate runs/my-run/bundle --data runs/my-run/held_out.csv",
    ),
    "predict": (
        commands.predict,
        _add_predict_arguments,
        "Predict rows: one line per input row, in order, with prediction, interval, images_used and warnings.",
        "python -m mixed_data predict runs/my-run/bundle --data new.csv --out predictions.csv",
    ),
    "download": (
        commands.download,
        _add_download_arguments,
        "Download a data set, verified.",
        "python -m mixed_data download houses",
    ),
}
