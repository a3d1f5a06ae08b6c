"""The folder of a run: one process at a time writes to it, and a run that was stopped is taken up again in it.

Keras is imported inside, so that a mistake in the command answers at once.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixed_data.files.checked_json import read_json, write_json
from mixed_data.files.locks import locked
from mixed_data.report.report_page import REPORT_NAME

if TYPE_CHECKING:
    from mixed_data.evaluation.kept_fits import KeptFits

logger = logging.getLogger(__name__)

CONFIG_FILE, CHECKPOINTS_FOLDER = "config.json", "checkpoints"
_LOCK_FILE = "lock"
_MUST_BE_EQUAL = ("schema", "table", "photos", "versions")


def make_run_folder(out: Path | None, name: str) -> Path:
    """Make the folder of a new run: ``out``, or ``runs/<time>-<name>``.

    Raises:
        FileExistsError: ``out`` exists and is not empty.
    """
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = out or Path("runs") / f"{stamp}-{name}"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        way = f", go on with --resume {folder}" if (folder / CHECKPOINTS_FOLDER).is_dir() else ""
        raise FileExistsError(f"{folder} exists and is not empty; choose another --out{way} or remove it")
    folder.mkdir(parents=True, exist_ok=out is not None)  # two runs of one second must not share a folder
    return folder


def read_config(folder: Path) -> dict[str, Any]:
    """Read how the run in ``folder`` was started: ``command``, ``directory`` and so on.

    Raises:
        ValueError: there is no run of `train`.
    """
    config = read_json(folder / CONFIG_FILE) if (folder / CONFIG_FILE).is_file() else {}
    if not isinstance(config, dict) or not isinstance(config.get("directory"), str):
        raise ValueError(f"{folder} holds no run that could be resumed; start it anew, in another folder")
    return config


def is_finished(folder: Path) -> bool:
    """Whether the run in ``folder`` has written its last file."""
    return (folder / REPORT_NAME).is_file()


def tidy(folder: Path) -> None:
    """Remove what nobody needs of a finished run: checkpoints, and what a killed process has left half-written."""
    with suppress(FileNotFoundError):  # out of sight first, so that a kill leaves no half of a kept model
        os.replace(folder / CHECKPOINTS_FOLDER, folder / f".{CHECKPOINTS_FOLDER}-{os.getpid()}")
    _remove_leftovers(folder)


@contextmanager
def begin_run(folder: Path, config: Mapping[str, Any], main: str) -> Iterator[KeptFits]:
    """Claim the folder of a new run; in it is kept what is finished, until all is.

    Where the run fails before anything is finished, nothing stays behind.

    Args:
        folder: from `make_run_folder`.
        config: how the run was started, for ``config.json``.
        main: name of the main model.

    Raises:
        FileExistsError: another run began there at the same moment.
    """
    from mixed_data.evaluation.kept_fits import KeptFits

    checkpoints = folder / CHECKPOINTS_FOLDER
    try:
        checkpoints.mkdir()
    except FileExistsError:
        raise FileExistsError(f"another run has just begun in {folder}; choose another --out") from None
    kept = KeptFits(checkpoints, main)
    with locked(checkpoints / _LOCK_FILE, folder), _until_finished(folder):
        try:
            write_json(folder / CONFIG_FILE, config)
            yield kept
        except Exception:
            if kept.is_empty:
                (folder / CONFIG_FILE).unlink(missing_ok=True)
                shutil.rmtree(checkpoints, ignore_errors=True)
            raise


@contextmanager
def resume_run(folder: Path, config: Mapping[str, Any], main: str) -> Iterator[KeptFits]:
    """Claim the folder of a run that was stopped.

    Args:
        folder: of the run.
        config: of this process. With other data or versions, the run would not end as it began.
        main: name of the main model.

    Raises:
        BlockingIOError: the run is still going on.
        ValueError: data or versions have changed.
    """
    from mixed_data.evaluation.kept_fits import KeptFits

    found = read_config(folder)
    config = json.loads(json.dumps(config))  # as it was written: tuples are lists
    if changed := [name for name in _MUST_BE_EQUAL if found.get(name) != config[name]]:
        raise ValueError(
            f"{folder} cannot be resumed, because these are not what they were when it began: {', '.join(changed)}. "
            "Bring them back, or start the run anew in another folder"
        )
    if found.get("processors") != config["processors"]:
        logger.warning(
            "The run began with %s processors and goes on with %s. Sums of convolutions are split among them, so that "
            "its result may differ in the last digits from that of a run that was never stopped.",
            found.get("processors"),
            config["processors"],
        )
    checkpoints = folder / CHECKPOINTS_FOLDER
    checkpoints.mkdir(exist_ok=True)
    with locked(checkpoints / _LOCK_FILE, folder):
        _remove_leftovers(folder)
        _remove_leftovers(checkpoints)
        with _until_finished(folder):
            yield KeptFits(checkpoints, main)


@contextmanager
def _until_finished(folder: Path) -> Iterator[None]:
    """Remove the checkpoints at the end; where the user or the machine stops the run, say how it goes on."""
    try:
        yield
    except (KeyboardInterrupt, OSError) as error:
        if (folder / CONFIG_FILE).is_file():
            error.add_note(f"next: {shlex.join(['python', 'train.py', '--resume', str(folder)])}")
        raise
    tidy(folder)


def _remove_leftovers(folder: Path) -> None:
    for file in folder.glob(".*.tmp"):
        file.unlink(missing_ok=True)
    for pattern in (".*bundle-*", f".{CHECKPOINTS_FOLDER}-*"):
        for unfinished in folder.glob(pattern):
            shutil.rmtree(unfinished, ignore_errors=True)
