"""The command `download`."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from mixed_data.cli.command_output import Results
from mixed_data.cli.terminal_bars import show_bar


def add_download_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `download`."""
    parser.add_argument("dataset", choices=("houses",))
    parser.add_argument(
        "--root", type=Path, default=Path("datasets/houses"), help="folder to put it in; default: %(default)s"
    )


def download(options: argparse.Namespace) -> Results:
    """Download a data set, verified, and say how to use it."""
    from rich.progress import DownloadColumn

    from mixed_data.readers.verified_download import download_houses

    with show_bar("Houses", counts=DownloadColumn()) as report:
        folder = download_houses(options.root, report=report)
    command = shlex.join(["python", "train.py", "--dataset", "houses", "--root", str(options.root), "--folds", "5"])
    print(f"{folder}\nnext: {command}")
    return {"folder": folder, "next": command}
