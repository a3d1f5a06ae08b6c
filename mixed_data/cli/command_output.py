"""Where goes what a command prints: ``--quiet``, ``--verbose`` and ``--json``, the same for every command.

A command prints for people as ever, and returns what it found as a dict. With ``--json``, that is the one thing on
standard output. On an error it is ``{"error": text, "exit_code": number}`` there, and the text on standard error too.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NoReturn, TextIO

Results = Mapping[str, Any]
"""What a command found, by name: numbers, texts, paths, lists and dicts of these."""

STANDARD = "-"
"""In place of a file: standard input or output."""

_results: ContextVar[TextIO | None] = ContextVar("results", default=None)
_shows_bars: ContextVar[bool] = ContextVar("shows_bars", default=True)


class Mistyped(SystemExit):
    """A command line that `argparse` refuses; its exit code is 2.

    Args:
        text: what is wrong.
    """

    def __init__(self, text: str) -> None:
        super().__init__(2)
        self.text = text


class Parser(argparse.ArgumentParser):
    """A parser whose refusal can be caught with its text."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong, and end.

        Raises:
            Mistyped: always.
        """
        self.print_usage(sys.stderr)
        print(f"{self.prog}: error: {message}", file=sys.stderr)
        raise Mistyped(message)


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command has."""
    output = parser.add_argument_group("output")
    output.add_argument("--debug", action="store_true", help="show the traceback of an error")
    loudness = output.add_mutually_exclusive_group()
    loudness.add_argument("--verbose", action="store_true", help="log what is learned, dropped and merged")
    loudness.add_argument("--quiet", action="store_true", help="print errors only")
    output.add_argument(
        "--json", action="store_true", help="print one JSON document on standard output, and all else on standard error"
    )


@contextlib.contextmanager
def output_as_asked(options: argparse.Namespace) -> Iterator[None]:
    """Send what is printed, logged and warned of where the options want it."""
    level = logging.ERROR if options.quiet else logging.INFO if options.verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s")
    # The second one counts, and 0 of 500 rows is worth a line too.
    levels = {"mixed_data": level, "mixed_data.schema.bad_rows": level if options.quiet else logging.INFO}
    before = {name: logging.getLogger(name).level for name in levels}
    _set_levels(levels)
    gives_results = options.json or str(getattr(options, "out", "")) == STANDARD
    results = _results.set(sys.stdout)
    bars = _shows_bars.set(not (options.quiet or options.json))
    with contextlib.ExitStack() as stack:
        if options.quiet:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        elif gives_results:
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        try:
            yield
        finally:
            _set_levels(before)
            _shows_bars.reset(bars)
            _results.reset(results)


def _set_levels(levels: Mapping[str, int]) -> None:
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def standard_output() -> TextIO:
    """Return the stream for results, wherever what is printed for people goes."""
    return _results.get() or sys.stdout


def shows_bars() -> bool:
    """Tell whether bars are wanted, where there is a terminal."""
    return _shows_bars.get()


def print_document(results: Results) -> None:
    """Print results as one JSON document: UTF-8, null for what is no finite number."""
    from mixed_data.files.checked_json import make_plain

    print(json.dumps(make_plain(results), indent=2, ensure_ascii=False, default=str), file=standard_output())
