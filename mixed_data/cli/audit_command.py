"""The command `audit`: what silently ruins a study, before it starts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mixed_data.cli.command_output import Results
from mixed_data.cli.option_checks import check_data_options
from mixed_data.cli.option_lists import add_data_arguments
from mixed_data.cli.option_values import UsageError, read_out_file
from mixed_data.cli.terminal_bars import show_status

if TYPE_CHECKING:
    from mixed_data.audit import Audit

_STRICT_EXIT_CODE = 3


def add_audit_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `audit`."""
    add_data_arguments(parser)
    look = parser.add_argument_group("audit")
    look.add_argument("--split", metavar="COL", help="table: column that says which part of a split a row is in")
    look.add_argument("--against", type=Path, metavar="FILE", help="table: other rows to compare, such as a test set")
    look.add_argument("--out", type=read_out_file, metavar="FILE", help="also write every case to this JSON file")
    look.add_argument(
        "--strict",
        action="store_true",
        help=f"exit code {_STRICT_EXIT_CODE} where something makes scores look too good that the splits of train and "
        "compare do not take care of (marked *)",
    )


def audit(options: argparse.Namespace) -> Results:
    """Print one line per class of problem, write every case into a file if asked, and return them.

    Sets ``exit_code`` of the options to `_STRICT_EXIT_CODE` for ``--strict`` and a finding that makes scores look too
    good.
    """
    check_data_options(options)
    if options.dataset != "table" and (options.split or options.against):
        raise UsageError("--split and --against are for --dataset table")
    if options.split and options.against:
        raise UsageError("--split and --against both declare a split; give one of them")
    with show_status("looking at the rows"):
        found = _look(options)
    _print_audit(found)
    if options.out:
        from mixed_data.cli.printed_tables import console
        from mixed_data.files.checked_json import write_json

        write_json(options.out, found.to_dict())
        console.print(f"every case in {options.out}", highlight=False)
    if options.strict and any(finding.flatters for finding in found.findings):
        options.exit_code = _STRICT_EXIT_CODE
    return found.to_dict()


def _look(options: argparse.Namespace) -> Audit:
    from mixed_data.audit import audit_table
    from mixed_data.cli.command_inputs import read_data
    from mixed_data.readers.table import read_checked_rows

    data = read_data(options)
    against, places = None, [*data.places]
    if options.against:
        policy = options.on_bad_row or "error"
        how = {"root": options.root, "decimal": options.decimal, "on_bad_row": policy}
        others = read_checked_rows(options.against, data.schema, **how)
        against, places = others.usable, [*places, *others.usable_places]
    return audit_table(data.table, data.schema, split=options.split, against=against, places=places)


def _print_audit(found: Audit) -> None:
    from rich.table import Table

    from mixed_data.cli.printed_tables import console

    counts = f"{found.num_rows:,} rows, {found.num_photos:,} photos"
    if found.findings:
        problems = Table(title=f"audit of {counts}", show_lines=True, expand=True)
        for heading, share in (("problem", 4), ("rows", None), ("first examples", 9), ("what is done about it", 6)):
            problems.add_column(heading, ratio=share, justify="right" if heading == "rows" else "left")
        for finding in found.findings:
            name = f"{finding.problem} *" if finding.flatters else finding.problem
            problems.add_row(name, f"{finding.num_rows:,}", "\n".join(finding.examples()), finding.action)
        console.print(problems, soft_wrap=False)
    else:
        console.print(f"audit of {counts}: nothing found", highlight=False)
    if any(finding.flatters for finding in found.findings):
        console.print("* makes scores look too good, and the splits do not take care of it", highlight=False)
    for reason in found.not_checked:
        console.print(f"not looked for: {reason}", highlight=False)
