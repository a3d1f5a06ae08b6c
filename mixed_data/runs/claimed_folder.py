"""The folder of a run: one process at a time writes to it, and a run that was stopped is taken up again in it."""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixed_data.evaluation.run_folder import RunFolder
from mixed_data.files.checked_json import read_json, write_json
from mixed_data.files.locks import locked
from mixed_data.runs.dask_cluster import ClusterError

if TYPE_CHECKING:
    from mixed_data.evaluation.finished_fits import FinishedFits

logger = logging.getLogger(__name__)

_MUST_BE_EQUAL = ("schema", "table", "photos", "versions", "settings")


def choose_folder(out: Path | None, name: str) -> Path:
    """Return the folder of a new run, not yet made: ``out``, or ``runs/<time>-<name>``.

    Raises:
        FileExistsError: it exists and is not empty.
    """
    path = out or Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        way = f", go on with --resume {path}" if RunFolder(path).checkpoints.is_dir() else ""
        raise FileExistsError(f"{path} exists and is not empty; choose another --out{way} or remove it")
    return path


def read_config(folder: RunFolder) -> dict[str, Any]:
    """Read how a run was started: ``command``, ``directory`` and so on.

    Raises:
        ValueError: there is no run of `train` or `compare`.
    """
    config = read_json(folder.config) if folder.config.is_file() else {}
    if not isinstance(config, dict) or not all(isinstance(config.get(name), str) for name in ("directory", "command")):
        raise ValueError(f"{folder.path} holds no run that could be resumed; start it anew, in another folder")
    return config


def is_finished(folder: RunFolder) -> bool:
    """Whether the run has written its last file."""
    return folder.report.is_file()


def tidy(folder: RunFolder) -> None:
    """Remove what nobody needs of a finished run: checkpoints, and what a killed process has left half-written."""
    hidden = folder.path / f".{folder.checkpoints.name}-{os.getpid()}"
    with suppress(FileNotFoundError):  # out of sight first, so that a kill leaves no half of a kept model
        os.replace(folder.checkpoints, hidden)
    _remove_leftovers(folder)


@contextmanager
def begin_run(folder: RunFolder, config: Mapping[str, Any], *, whole: str | None = None) -> Iterator[FinishedFits]:
    """Claim the folder of a new run; in it is kept what is finished, until all is.

    Where the run fails before anything is finished, nothing stays behind.

    Args:
        folder: from `choose_folder`; made where it is not there.
        config: how the run was started; see `mixed_data.runs.run_config.describe_run`.
        whole: name of the model that is kept whole.

    Raises:
        FileExistsError: another run began there at the same moment.
    """
    from mixed_data.evaluation.finished_fits import FinishedFits  # starts Keras

    is_new = not folder.path.exists()
    try:
        folder.checkpoints.mkdir(parents=True)
    except FileExistsError:
        raise FileExistsError(f"another run has just begun in {folder.path}; choose another --out") from None
    fits = FinishedFits(folder.checkpoints, whole)
    with locked(folder.lock, folder.path), _until_finished(folder, config):
        try:
            write_json(folder.config, config)
            yield fits
        except Exception:
            if fits.is_empty:
                folder.config.unlink(missing_ok=True)
                shutil.rmtree(folder.path if is_new else folder.checkpoints, ignore_errors=True)
            raise


@contextmanager
def resume_run(folder: RunFolder, config: Mapping[str, Any], *, whole: str | None = None) -> Iterator[FinishedFits]:
    """Claim the folder of a run that was stopped.

    Args:
        folder: of the run.
        config: of this process. With other settings, data or versions, the run would not end as it began.
        whole: as for `begin_run`.

    Raises:
        BlockingIOError: the run is still going on.
        ValueError: settings, data or versions have changed.
    """
    from mixed_data.evaluation.finished_fits import FinishedFits  # starts Keras

    found, config = read_config(folder), json.loads(json.dumps(config))  # as it was written: tuples are lists
    if changed := find_changes(found, config, _MUST_BE_EQUAL):
        raise ValueError(
            f"{folder.path} cannot be resumed, because these are not what they were when it began: "
            f"{', '.join(changed)}. Bring them back, or start the run anew in another folder"
        )
    if found.get("processors") != config["processors"]:
        logger.warning(
            "The run began with %s processors and goes on with %s. Sums of convolutions are split among them, so that "
            "its result may differ in the last digits from that of a run that was never stopped.",
            found.get("processors"),
            config["processors"],
        )
    folder.checkpoints.mkdir(exist_ok=True)
    with locked(folder.lock, folder.path):
        _remove_leftovers(folder)
        with _until_finished(folder, config):
            yield FinishedFits(folder.checkpoints, whole)


def find_changes(before: Mapping[str, Any], now: Mapping[str, Any], parts: Sequence[str]) -> list[str]:
    """Name what differs between two configs of a run; of the settings and versions, each by itself.

    Args:
        before: as it was read.
        now: the other one, likewise.
        parts: to be compared.
    """
    return [name for part in parts for name in _find_changes(part, before.get(part), now[part])]


def _find_changes(part: str, before: Any, now: Any) -> list[str]:
    if part in ("settings", "versions") and isinstance(before, dict):
        return [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return [part] if before != now else []


@contextmanager
def _until_finished(folder: RunFolder, config: Mapping[str, Any]) -> Iterator[None]:
    """Remove the checkpoints at the end; where the user or the machine stops the run, say how it goes on."""
    try:
        yield
    except (KeyboardInterrupt, OSError, ClusterError) as error:
        words = shlex.split(config["command"])
        if folder.config.is_file() and words:
            error.add_note(f"next: {shlex.join([*words[:4], '--resume', str(folder.path)])}")
        raise
    tidy(folder)


def _remove_leftovers(folder: RunFolder) -> None:
    for file in [*folder.path.rglob(".*.tmp")]:
        file.unlink(missing_ok=True)
    for pattern in (".*bundle-*", f".{folder.checkpoints.name}-*"):
        for unfinished in [*folder.path.rglob(pattern)]:
            shutil.rmtree(unfinished, ignore_errors=True)
