"""Running an ONNX network, also one that a stranger made."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mixed_data.preprocessing.onnx_checks import check_onnx

MOST_MEMORY_BYTES = 4 * 2**30
"""What all networks of this process may take for their intermediate results; less where the machine has little."""

MOST_SECONDS = 120.0
"""After so long a run is stopped, at the end of an operation."""

_MOST_NUMBERS = 2**26  # of one output
_SECONDS_BETWEEN_LOOKS = 0.25
_BYTES_PER_THREAD = 2**27  # of addresses that the C library sets aside for it; hardly any are used
_limits = threading.RLock()
_Form = tuple[tuple[int, ...], np.dtype[Any]]


class OnnxSession:
    """An ONNX network, all in one file, on the processor.

    onnxruntime runs no operators but ONNX' own here, and reads no second file (see `check_onnx`). Time and memory of a
    run are bounded. Every process starts a session of its own: one that was forked off cannot use its parent's threads.

    Args:
        content: of the file.
        name: of the file, for messages.
        num_threads: at most so many work on one run; None means OMP_NUM_THREADS, or else all cores.

    Raises:
        ValueError: onnxruntime is missing, or the file is no network that can be run.
    """

    def __init__(self, content: bytes, *, name: str, num_threads: int | None = None) -> None:
        check_onnx(content, name)
        self.content, self.name, self.num_threads = content, name, num_threads
        self._started: tuple[int, Any] | None = None
        self._shapes: dict[tuple[Any, ...], list[_Form]] = {}
        self.inputs, self.outputs = self._session.get_inputs(), self._session.get_outputs()

    def run(self, outputs: Sequence[str], inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Return some outputs, by their names.

        Raises:
            ValueError: the network does not take these arrays, its outputs have another shape than for other arrays of
                these shapes, or it takes too long or too much memory.
        """
        shapes = {name: array.shape for name, array in inputs.items()}
        key = (*outputs, *shapes.items())
        try:
            if key in self._shapes:
                return self._run_bound(outputs, inputs, self._shapes[key])
            with _bounded_memory(len(self.content)), _watched() as options:
                found = self._session.run(list(outputs), dict(inputs), options)
        except Exception as error:  # onnxruntime has exceptions of its own, with no common ancestor
            raise ValueError(f"{self.name} cannot read arrays of the shapes {shapes}: {error!s:.500}") from error
        if any(_kind_of(array) != "f" or array.size > _MOST_NUMBERS for array in found):
            raise ValueError(f"{self.name}: expected at most {_MOST_NUMBERS:,} numbers as each of {list(outputs)}")
        self._shapes[key] = [(array.shape, array.dtype) for array in found]
        return found

    def _run_bound(
        self, outputs: Sequence[str], inputs: Mapping[str, np.ndarray], forms: Sequence[_Form]
    ) -> list[np.ndarray]:
        """Run into arrays of the shapes that came the first time: what is made from other values has no other shape."""
        import onnxruntime

        binding = self._session.io_binding()
        for name, array in inputs.items():
            binding.bind_cpu_input(name, np.ascontiguousarray(array))
        found = [np.empty(shape, dtype=dtype) for shape, dtype in forms]
        for name, array in zip(outputs, found, strict=True):
            binding.bind_ortvalue_output(name, onnxruntime.OrtValue.ortvalue_from_numpy(array))  # no copy
        with _watched() as options:
            self._session.run_with_iobinding(binding, options)
        return found

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
        if _share_memory(os.getpid()):
            options.add_session_config_entry("session.use_env_allocators", "1")
            # Weights are as large as the file, and not counted.
            options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
        # What is constant is computed at the first run, where time and memory are bounded, not while starting.
        how = {"providers": ["CPUExecutionProvider"], "disabled_optimizers": ["ConstantFolding"], "enable_fallback": 0}
        try:
            with _bounded_memory(len(self.content)):
                return onnxruntime.InferenceSession(self.content, options, **how)
        except Exception as error:  # as above
            raise ValueError(
                f"{self.name} is no ONNX network that onnxruntime can run by itself, all in one file: {error!s:.500}"
            ) from error


def _kind_of(output: Any) -> str:
    """Return what an output is made of: "f" for floating numbers; lists of tensors are nothing."""
    return output.dtype.kind if isinstance(output, np.ndarray) else ""


@cache
def _share_memory(process: int) -> bool:
    """Have the networks of a process share one store of memory with an end, and tell whether they do."""
    import onnxruntime

    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    try:
        onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg({"max_mem": _most_bytes()}))
    except Exception:  # there is one already, of whoever uses onnxruntime here beside us
        return False
    return True


def _most_bytes() -> int:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return MOST_MEMORY_BYTES
    return min(MOST_MEMORY_BYTES, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)


@contextmanager
def _bounded_memory(num_bytes: int) -> Iterator[None]:
    """Let this process take no more than so much further memory, on Linux; what asks for more gets an error.

    Args:
        num_bytes: of the file, whose weights are there several times: read, copied, and laid out for the processor.
    """
    if sys.platform != "linux":
        yield
        return
    import resource

    with _limits:
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        bound = mapped + MOST_MEMORY_BYTES + 3 * num_bytes + (os.cpu_count() or 1) * _BYTES_PER_THREAD
        resource.setrlimit(resource.RLIMIT_AS, (bound if soft == resource.RLIM_INFINITY else min(bound, soft), hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


_running: dict[int, tuple[float, Any]] = {}
_is_running = threading.Event()
_watcher: tuple[int, threading.Thread] | None = None


@contextmanager
def _watched() -> Iterator[Any]:
    """Yield options of a run that stop it when it takes too long."""
    import onnxruntime

    global _watcher
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("gpu_graph_id", "-1")  # otherwise each run asks in vain, which takes as long as a run
    if _watcher is None or _watcher[0] != os.getpid():
        _watcher = os.getpid(), threading.Thread(target=_stop_late_runs, name="onnx-watcher", daemon=True)
        _watcher[1].start()
    _running[id(options)] = time.monotonic() + MOST_SECONDS, options
    if not _is_running.is_set():
        _is_running.set()
    try:
        yield options
    finally:
        del _running[id(options)]


def _stop_late_runs() -> None:
    while _is_running.wait():
        time.sleep(_SECONDS_BETWEEN_LOOKS)
        for end, options in [*_running.values()]:
            if time.monotonic() > end:
                options.terminate = True
        if not _running:
            _is_running.clear()
            if _running:
                _is_running.set()
