"""Starting Keras without TensorFlow's build notes, starting worker processes, and stopping on a signal."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mixed_data.evaluation.run_folder import RunFolder
    from mixed_data.evaluation.task_runs import RunTasks


class Terminated(KeyboardInterrupt):
    """The process was asked to end, by SIGTERM; like Ctrl-C in all but the exit code."""


@contextmanager
def stop_on_signal() -> Iterator[None]:
    """Let SIGTERM end the program as Ctrl-C does: by an exception, which cleans up on its way."""
    if threading.current_thread() is not threading.main_thread():
        yield  # where no signals arrive
        return

    def stop(number: int, frame: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def fits_as_asked(options: argparse.Namespace, folder: RunFolder) -> Iterator[RunTasks]:
    """Yield what runs the fits of a study: in this process, in several (``--jobs``), or on a cluster (``--dask``)."""
    from mixed_data.evaluation.task_runs import run_by_joblib

    if options.dask is None:
        with worker_processes(options.jobs):
            yield run_by_joblib
        return
    from mixed_data.runs.dask_folds import open_fits_on_dask

    with open_fits_on_dask(options.dask, folder.checkpoints) as run_tasks:
        yield run_tasks


@contextmanager
def worker_processes(jobs: int) -> Iterator[None]:
    """Let joblib run so many tasks at the same time, each in a process with one thread.

    More threads than cores are slower than few, and small networks gain nothing from several. TensorFlow keeps some 10
    MB of every network that was ever fitted; joblib replaces a worker that has grown by 300 MB. One job runs in this
    process, which grows.

    Args:
        jobs: as ``n_jobs`` of joblib; -1 for one per core.
    """
    import joblib

    if joblib.effective_n_jobs(jobs) == 1:
        yield
        return
    with (
        warnings.catch_warnings(),
        joblib.parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1, initializer=_start_worker),
    ):
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
        yield


def _start_worker() -> None:
    # TensorFlow has thread pools of its own, which it makes with the first network. joblib sees to the others.
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    start_keras()


def start_keras() -> None:
    """Import Keras and its backend; takes 5 to 15 seconds.

    TensorFlow writes notes about oneDNN and processor features before any of its own log levels count, so that the
    only way to keep them from a user's screen is to close it for the time of the import. An import error is raised
    as ever.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _without_stderr():
        import keras  # noqa: F401
    # "Retracing" is what several models in one process do; it is no fault of the user's.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def _without_stderr() -> Iterator[None]:
    kept = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(null)
        os.close(kept)
