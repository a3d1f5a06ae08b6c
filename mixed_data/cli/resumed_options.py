"""``--resume RUN``: the options of a run that was stopped, in the folder that its paths start from."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from mixed_data.cli.option_lists import refuse_others


@contextmanager
def as_it_began(options: argparse.Namespace, parser: argparse.ArgumentParser) -> Iterator[argparse.Namespace]:
    """Yield the options of the run that ``--resume`` names, where its relative paths hold; others as they are.

    Raises:
        UsageError: other options are given with ``--resume``.
        ValueError: there is no such run, or its working directory is gone.
    """
    if not getattr(options, "resume", None):
        yield options
        return
    from mixed_data.runs.run_folder import read_config

    refuse_others(options, parser, {"resume"}, "--resume goes on as the run began")
    config = read_config(options.resume)
    directory = Path(config["directory"])
    if not directory.is_dir():
        raise ValueError(f"{options.resume} began in {directory}, where its paths start from, and which is gone")
    began = parser.parse_args(shlex.split(config["command"])[3:])
    is_here = os.path.samefile(directory, ".")
    began.resume = options.resume if is_here else options.resume.absolute()
    began.debug, began.verbose, began.command = options.debug, options.verbose, config["command"]
    with chdir(directory):
        yield began
