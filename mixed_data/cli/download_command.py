"""The command `download`."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from mixed_data.cli.printed_tables import console


def add_download_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `download`."""
    parser.add_argument("dataset", choices=("houses",))
    parser.add_argument(
        "--root", type=Path, default=Path("datasets/houses"), help="folder to put it in; default: %(default)s"
    )


def download(options: argparse.Namespace) -> None:
    """Download a data set, verified, and say how to use it."""
    from mixed_data.readers.verified_download import download_houses

    terminal = Console(stderr=True)
    columns = (TextColumn("Houses"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=terminal, disable=not terminal.is_terminal) as progress:
        bar = progress.add_task("", total=None)
        folder = download_houses(
            options.root, report=lambda position, total: progress.update(bar, completed=position, total=total)
        )
    command = ["python", "train.py", "--dataset", "houses", "--root", str(options.root), "--folds", "5"]
    console.print(f"{folder}\nnext: {shlex.join(command)}")
