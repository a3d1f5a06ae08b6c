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
from collections.abc import Callable, Sequence

from mixed_data import __version__
from mixed_data.cli.option_lists import UsageError
from mixed_data.cli.process_start import Terminated, stop_on_signal

_Command = tuple[Callable[[argparse.Namespace], None], Callable[[argparse.ArgumentParser], None]]
"""What runs a command, and what adds its options to a parser."""

INTERRUPTED_EXIT_CODE, TERMINATED_EXIT_CODE = 130, 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console that knows no "²" is no reason to stop at the end of a run
    named = arguments[0] if arguments and arguments[0] in COMMANDS else None
    parser = make_parser(named)
    options = parser.parse_args(arguments)
    options.command = shlex.join(["python", "-m", "mixed_data", *arguments])
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(message)s")
    # It counts, and 0 of 500 rows is worth a line too.
    logging.getLogger("mixed_data.schema.bad_rows").setLevel(logging.INFO)
    try:
        with stop_on_signal():
            if getattr(options, "resume", None):
                from mixed_data.cli.resumed_options import as_it_began

                with as_it_began(options, parser, arguments[0]) as began:
                    began.run(began)
            else:
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


def make_parser(named: str | None = None) -> argparse.ArgumentParser:
    """Build the parser; imports neither Keras nor TensorFlow, so that ``--help`` is quick.

    Args:
        named: the only command whose options are needed, so that no other one is imported; None for all.
    """
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    common.add_argument("--verbose", action="store_true", help="log what is learned, dropped and merged")
    parser = argparse.ArgumentParser(
        prog="python -m mixed_data", description="Predict a number from a table plus pictures."
    )
    parser.add_argument("--version", action="version", version=f"mixed_data {__version__}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, (find, text, example) in COMMANDS.items():
        command = subparsers.add_parser(
            name,
            parents=[common],
            help=text,
            description=text,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if named in (None, name):
            try:
                function, add_arguments = find()
            except ModuleNotFoundError as error:
                if named:
                    parser.exit(1, f"error: {name} needs {error.name}; type: pip install 'mixed_data[train]'\n")
                continue
            add_arguments(command)
            command.set_defaults(run=function)
    return parser


# Each command is imported when it is typed: a machine that predicts has no library that trains.


def _find_train() -> _Command:
    from mixed_data.cli.train_command import add_train_arguments, train

    return train, add_train_arguments


def _find_compare() -> _Command:
    from mixed_data.cli.compare_command import add_compare_arguments, compare

    return compare, add_compare_arguments


def _find_audit() -> _Command:
    from mixed_data.cli.audit_command import add_audit_arguments, audit

    return audit, add_audit_arguments


def _find_evaluate() -> _Command:
    from mixed_data.cli.bundle_commands import add_evaluate_arguments, evaluate

    return evaluate, add_evaluate_arguments


def _find_predict() -> _Command:
    from mixed_data.cli.bundle_commands import add_predict_arguments, predict

    return predict, add_predict_arguments


def _find_download() -> _Command:
    from mixed_data.cli.download_command import add_download_arguments, download

    return download, add_download_arguments


COMMANDS: dict[str, tuple[Callable[[], _Command], str, str]] = {
    "train": (
        _find_train,
        "Train and compare models, score them on held-out rows, and save the network of --fusion as a bundle.",
        "python train.py --dataset table --data listings.csv --target price --images front,kitchen",
    ),
    "compare": (
        _find_compare,
        "Say whether the photos help, which fusion does, and whether the network is worth it, each with an interval.",
        "python -m mixed_data compare --dataset table --data listings.csv --target price --images front,kitchen",
    ),
    "audit": (
        _find_audit,
        "Look for what silently ruins a study: repeated rows, shared photos, contradictions, outliers, leaks.",
        "python -m mixed_data audit --dataset table --data listings.csv --target price --images front,kitchen",
    ),
    "evaluate": (
        _find_evaluate,
        "Score a bundle on rows with a known target.",
        "python -m mixed_data evaluate runs/my-run/bundle --data runs/my-run/held_out.csv",
    ),
    "predict": (
        _find_predict,
        "Predict rows: one line per input row, in order, with prediction, interval, images_used and warnings.",
        "python -m mixed_data predict runs/my-run/bundle --data new.csv --out predictions.csv",
    ),
    "download": (
        _find_download,
        "Download a data set, verified.",
        "python -m mixed_data download houses",
    ),
}
