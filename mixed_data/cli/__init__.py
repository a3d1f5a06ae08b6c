"""The command line: ``python -m mixed_data train | compare | audit | evaluate | info | predict | …``.

Exit code 0: done; 1: something in the data or the environment is wrong (one paragraph on stderr, ``--debug`` for the
traceback); 2: the command was typed wrongly; 3: ``audit --strict`` found something that flatters scores; 130 and
143: stopped by Ctrl-C, or by SIGTERM.
"""

from __future__ import annotations

import argparse
import io
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from mixed_data import __version__
from mixed_data.cli.command_output import (
    STANDARD,
    Mistyped,
    Parser,
    Results,
    add_output_arguments,
    output_as_asked,
    print_document,
)
from mixed_data.cli.option_values import UsageError
from mixed_data.cli.process_start import Terminated, stop_on_signal
from mixed_data.cli.terminal_bars import bars_for_loops

_Command = tuple[Callable[[argparse.Namespace], Results | None], Callable[[argparse.ArgumentParser], None]]
"""What runs a command and returns what it found, and what adds its options to a parser."""

_EXTRAS = {"dask": "dask", "distributed": "dask", "jax": "jax", "mlflow": "mlflow"}
"""Missing module -> the extra that brings it, where that is not told by the command."""

INTERRUPTED_EXIT_CODE, TERMINATED_EXIT_CODE = 130, 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console that knows no "²" is no reason to stop at the end of a run
    parser = make_parser(arguments[0] if arguments and arguments[0] in COMMANDS else None)
    if "_ARGCOMPLETE" in os.environ:  # the shell asks what may follow
        _complete(parser)
    try:
        options = parser.parse_args(arguments)
    except Mistyped as error:
        if "--json" in arguments:
            print_document({"error": error.text, "exit_code": error.code})
        raise
    options.command = shlex.join(["python", "-m", "mixed_data", *arguments])
    with output_as_asked(options):
        exit_code, results = _run(options, parser, arguments[0])
        if options.json:
            print_document(results)
    return exit_code


def _complete(parser: argparse.ArgumentParser) -> None:
    try:
        import argcomplete
    except ImportError:  # the extra "completion" was removed after the shell had been set up
        raise SystemExit(1) from None
    argcomplete.autocomplete(parser)


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser, name: str) -> tuple[int, Results]:
    """Run a command; return its exit code, and what it found or what was wrong."""
    try:
        with stop_on_signal(), bars_for_loops(), _as_it_began(options, parser, name) as began:
            if began.json and str(getattr(began, "out", "")) == STANDARD:
                raise UsageError("--json and --out - both write to standard output; give one of them")
            results = began.run(began) or {}
            return getattr(began, "exit_code", 0), results
    except (ValueError, OSError, ImportError) as error:
        if options.debug:
            raise
        if isinstance(error, ModuleNotFoundError):
            extra = _EXTRAS.get(str(error.name), "serve" if name == "serve" else "train")
            return _say(1, f"error: {name} needs {error.name}; type: pip install 'mixed_data[{extra}]'", error)
        return _say(2 if isinstance(error, UsageError) else 1, f"error: {error}", error)
    except KeyboardInterrupt as error:
        exit_code = TERMINATED_EXIT_CODE if isinstance(error, Terminated) else INTERRUPTED_EXIT_CODE
        return _say(exit_code, "stopped; what was finished is kept, and nothing is half-written", error)


def _say(exit_code: int, text: str, error: BaseException) -> tuple[int, Results]:
    """Print what went wrong, with what was noted of it."""
    text = "\n".join([text, *getattr(error, "__notes__", [])])
    print(text, file=sys.stderr)
    return exit_code, {"error": text.removeprefix("error: "), "exit_code": exit_code}


def _as_it_began(
    options: argparse.Namespace, parser: argparse.ArgumentParser, name: str
) -> AbstractContextManager[argparse.Namespace]:
    if not getattr(options, "resume", None):
        return nullcontext(options)
    from mixed_data.cli.resumed_options import as_it_began

    return as_it_began(options, parser, name)


def make_parser(named: str | None = None) -> argparse.ArgumentParser:
    """Build the parser; imports neither Keras nor pandas, so that ``--help`` and completion are quick.

    Args:
        named: the only command whose options are needed, so that no other one is imported; None for all.
    """
    common = Parser(add_help=False)
    add_output_arguments(common)
    parser = Parser(prog="python -m mixed_data", description="Predict a number from a table plus pictures.")
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
            function, add_arguments = find()
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


def _find_explain() -> _Command:
    from mixed_data.cli.explain_command import add_explain_arguments, explain

    return explain, add_explain_arguments


def _find_info() -> _Command:
    from mixed_data.cli.info_command import add_info_arguments, info

    return info, add_info_arguments


def _find_serve() -> _Command:
    from mixed_data.cli.serve_command import add_serve_arguments, serve

    return serve, add_serve_arguments


def _find_export() -> _Command:
    from mixed_data.cli.export_command import add_export_arguments, export

    return export, add_export_arguments


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
    "info": (
        _find_info,
        "Say what a bundle is: its columns, scores, versions, size, and how it was made.",
        "python -m mixed_data info runs/my-run/bundle",
    ),
    "predict": (
        _find_predict,
        "Predict rows: one line per input row, in order, with prediction, interval, images_used and warnings.",
        "python -m mixed_data predict runs/my-run/bundle --data new.csv --out predictions.csv",
    ),
    "explain": (
        _find_explain,
        "Say why rows are predicted as they are: what each column and photo did, and a picture per row.",
        "python -m mixed_data explain runs/my-run/bundle --data new.csv --rows 3,17 --out reasons",
    ),
    "export": (
        _find_export,
        "Write a bundle as one ONNX file, SavedModel, LiteRT file or MLflow model, with what it reads beside it.",
        "python -m mixed_data export runs/my-run/bundle --format onnx --out exported",
    ),
    "serve": (
        _find_serve,
        "Answer requests over HTTP: predictions, reasons, a page for people; loopback only unless there is a key.",
        "python -m mixed_data serve runs/my-run/bundle --port 8000",
    ),
    "download": (
        _find_download,
        "Download a data set, verified.",
        "python -m mixed_data download houses",
    ),
}
