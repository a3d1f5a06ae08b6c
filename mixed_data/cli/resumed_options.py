"""``--resume RUN``: the options of a run that was stopped, in the folder that its paths start from."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from mixed_data.cli.option_values import UsageError
from mixed_data.cli.printed_tables import console
from mixed_data.evaluation.run_folder import RunFolder
from mixed_data.runs.claimed_folder import choose_folder, is_finished, read_config, tidy

_PLACE = "dask"
"""Where fits are made, which changes no result: a cluster may have another address when the run goes on."""

_OUTPUT = ("debug", "verbose", "quiet", "json")


@contextmanager
def as_it_began(
    options: argparse.Namespace, parser: argparse.ArgumentParser, command: str
) -> Iterator[argparse.Namespace]:
    """Yield the options of the run that ``--resume`` names, where its relative paths hold; others as they are.

    Args:
        options: as they were typed.
        parser: that read them.
        command: that was typed.

    Raises:
        UsageError: other options are given with ``--resume``, or the run is one of another command.
        ValueError: there is no such run, or its working directory is gone.
    """
    if not getattr(options, "resume", None):
        yield options
        return
    defaults = {**vars(parser.parse_args([command])), "resume": options.resume, "command": options.command}
    defaults |= {name: getattr(options, name) for name in (*_OUTPUT, _PLACE)}
    if foreign := sorted(name for name, value in vars(options).items() if value != defaults[name]):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in foreign)
        raise UsageError(f"--resume goes on as the run began; leave out {flags}")
    config = read_config(RunFolder(options.resume))
    words = shlex.split(config["command"])[3:]
    if words[:1] != [command]:
        how = f"`python -m mixed_data {words[0]}`" if words else "Python"
        raise UsageError(f"{options.resume} was begun by {how}, not by `{command}`; resume it there")
    directory = Path(config["directory"])
    if not directory.is_dir():
        raise ValueError(f"{options.resume} began in {directory}, where its paths start from, and which is gone")
    is_here = os.path.samefile(directory, ".")
    resume = options.resume if is_here else options.resume.absolute()
    with chdir(directory):
        began = parser.parse_args(words)  # which looks for files
        vars(began).update(
            resume=resume, command=config["command"], **{name: getattr(options, name) for name in _OUTPUT}
        )
        if options.dask:
            began.dask = options.dask
        yield began


def open_folder(options: argparse.Namespace) -> RunFolder | None:
    """Return the folder of a run that is to begin or to go on; None, and a line that says so, where it is finished.

    Raises:
        FileExistsError: ``--out`` is not empty.
    """
    if not options.resume:
        return RunFolder(choose_folder(options.out, options.dataset))
    folder = RunFolder(options.resume)
    if is_finished(folder):
        tidy(folder)
        console.print(f"{folder.path} is finished; nothing is left to do", highlight=False)
        return None
    return folder
