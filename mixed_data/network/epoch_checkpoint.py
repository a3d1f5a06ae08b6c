"""The state of a training after its last finished epoch, so that one that was stopped goes on as if it had not been."""

from __future__ import annotations

import io
import json
import logging
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mixed_data.files.whole_files import replacing
from mixed_data.network.distribution import Job

logger = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]


class EpochCheckpoint(keras.callbacks.Callback):
    """Keeps what a training is made of, and takes it up again, to the bit.

    That is the network's variables with the states of its random generators (dropout, augmentation), the optimizer's
    (moments, and the step that the learning rate follows from), what early stopping has seen with the best weights, and
    the losses. The order of the rows follows from the seed and the number of epochs. `keras.callbacks.BackupAndRestore`
    keeps variables, optimizer and epoch only, in two files that a crash may leave at different epochs.

    Given to `mixed_data.network.training.train` among the callbacks. Where one fit trains twice, as that of a stack,
    each training gets a file of its own; so make a new object for every fit.

    Args:
        path: of the files, without their ending; the folder exists. None keeps nothing, which is for the processes of a
            job that do not write: they take up what process 0 has kept.

    Attributes:
        seconds_between: two writes, at least; shorter epochs are not each worth a file.
        losses: per epoch, as of `keras.callbacks.History`, with those of the epochs that an earlier process trained.
    """

    seconds_between = 1.0

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self._path = path
        self._num_trainings = 0

    def restore(
        self, model: keras.Model, stop: keras.callbacks.EarlyStopping | None, epochs: int, job: Job | None = None
    ) -> int:
        """Put a compiled network where the file of an earlier process says; without one, leave it as it is.

        Args:
            model: compiled, with the optimizer built.
            stop: of this training, if it has one.
            epochs: of the whole training.
            job: whose processes train together; all of them read the file of process 0.

        Returns:
            The epoch to go on with; ``epochs`` where the training had been stopped early.
        """
        self._file = None
        if self._path is not None:
            self._file = self._path.with_name(f"{self._path.name}-{self._num_trainings}.npz")
        self._num_trainings += 1
        self._stop = stop
        self._written = time.monotonic()
        self._seen: dict[str, Any] = {}
        self.losses: dict[str, list[float]] = {}
        variables = _variables_of(model)
        arrays = _read(self._file, job)
        kept = _numbered(arrays, "variable")
        if [values.shape for values in kept] != [tuple(variable.shape) for variable in variables]:
            return 0
        for variable, values in zip(variables, kept, strict=True):
            variable.assign(values)
        state = json.loads(str(arrays["state"]))
        self.losses = state["losses"]
        self._seen = {**state["seen"], "best_weights": _numbered(arrays, "best")} if state["seen"] else {}
        return epochs if state["stopped"] else state["epochs"]

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Tell early stopping, which has just forgotten everything, what it had seen."""
        for name, value in self._seen.items():
            setattr(self._stop, name, value)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the file, if the last one is old enough."""
        for name, value in (logs or {}).items():
            self.losses.setdefault(name, []).append(float(value))
        if self._file is None or time.monotonic() - self._written < self.seconds_between:
            return
        arrays = _number([keras.ops.convert_to_numpy(variable) for variable in _variables_of(self.model)], "variable")
        seen = {}
        if self._stop is not None and self._stop.best_weights is not None:
            seen = {name: getattr(self._stop, name) for name in ("wait", "best", "best_epoch")}
            arrays |= _number(self._stop.best_weights, "best")
        stopped = bool(self.model.stop_training)
        state = {"epochs": epoch + 1, "stopped": stopped, "losses": self.losses, "seen": seen}
        with replacing(self._file) as temporary, open(temporary, "wb") as file:
            np.savez(file, allow_pickle=False, state=np.array(json.dumps(state)), **arrays)
        self._written = time.monotonic()

    def remove(self) -> None:
        """Remove the files: the fit is finished, and kept elsewhere."""
        if self._path is not None:
            for file in self._path.parent.glob(f"{self._path.name}-*.npz"):
                file.unlink()


def _variables_of(model: keras.Model) -> list[keras.Variable]:
    """All that changes in training, in the order in which it was made; metrics begin each epoch anew."""
    return [*model.variables, *model.optimizer.variables]


def _number(arrays: Sequence[np.ndarray], name: str) -> Arrays:
    return {f"{name} {number}": values for number, values in enumerate(arrays)}


def _numbered(arrays: Arrays, name: str) -> list[np.ndarray]:
    """Return what `_number` named."""
    return [arrays[key] for key in (f"{name} {number}" for number in range(len(arrays))) if key in arrays]


def _read(file: Path | None, job: Job | None) -> Arrays:
    """Read a file; without one, or with one that a crash of the machine has spoiled, training begins anew."""
    try:
        content = None if file is None or not file.exists() else file.read_bytes()
        if job is not None:
            content = job.share_bytes(content or b"") or None
        if content is None:
            return {}
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            return dict(found)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        logger.warning("%s cannot be read (%s); that training begins anew.", file, error)
        return {}
