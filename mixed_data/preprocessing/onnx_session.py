"""Running an ONNX network, also one that a stranger made."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


class OnnxSession:
    """An ONNX network, all in one file, on the processor.

    onnxruntime runs no operators but its own here, and reads no second file. Every process starts a session of its own:
    one that was forked off cannot use its parent's threads.

    Args:
        content: of the file.
        name: of the file, for messages.
        num_threads: at most so many work on one run; None means OMP_NUM_THREADS, or else all cores.

    Raises:
        ValueError: onnxruntime is missing, or the file is no network that can be run.
    """

    def __init__(self, content: bytes, *, name: str, num_threads: int | None = None) -> None:
        self.content, self.name, self.num_threads = content, name, num_threads
        self._started: tuple[int, Any] | None = None
        self.inputs, self.outputs = self._session.get_inputs(), self._session.get_outputs()

    def run(self, outputs: Sequence[str], inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Return some outputs, by their names.

        Raises:
            ValueError: the network does not take these arrays.
        """
        try:
            return self._session.run(list(outputs), dict(inputs))
        except Exception as error:  # onnxruntime has exceptions of its own, with no common ancestor
            shapes = {name: array.shape for name, array in inputs.items()}
            raise ValueError(f"{self.name} cannot read arrays of the shapes {shapes}: {error!s:.500}") from error

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process."""
        return {"content": self.content, "name": self.name, "num_threads": self.num_threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start again from the file's content."""
        self.__init__(**state)  # type: ignore[misc]

    @property
    def _session(self) -> Any:
        """The session of this process."""
        if self._started is None or self._started[0] != os.getpid():
            self._started = (os.getpid(), self._start())
        return self._started[1]

    def _start(self) -> Any:
        try:
            import onnxruntime
        except ImportError:
            raise ValueError(
                f"reading {self.name} needs onnxruntime; type: pip install 'mixed_data[runtime]'"
            ) from None
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # What is wrong comes as an exception.
        options.intra_op_num_threads = self.num_threads or int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return onnxruntime.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # as above
            raise ValueError(
                f"{self.name} is no ONNX network that onnxruntime can run by itself, all in one file: {error!s:.500}"
            ) from error
