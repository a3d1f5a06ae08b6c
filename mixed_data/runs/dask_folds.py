"""The fits of `compare` and of the folds of `train` on the workers of a Dask cluster: the same results as from here."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from mixed_data.evaluation.task_runs import RunTasks
from mixed_data.runs.dask_cluster import Cluster, connect, find_on_worker, worker_threads
from mixed_data.runs.run_config import LIBRARIES

_turn = threading.Lock()
"""Of the threads of a worker: Keras draws its seeds from a state that all threads share, so that one fits at a time."""


@contextmanager
def open_fits_on_dask(address: str, folder: Path) -> Iterator[RunTasks]:
    """Yield what runs fits on a Dask cluster.

    A fit that a worker has begun when it dies is taken up again by another one after the last epoch that was kept.

    Args:
        address: of the scheduler, see `mixed_data.runs.dask_cluster.connect`.
        folder: of the finished fits, see `mixed_data.evaluation.finished_fits`; all workers see it under the same path,
            and the photos too. It need not be there before the first fit.

    Raises:
        ClusterError: the cluster cannot be used.
    """
    with connect(address, LIBRARIES) as cluster:
        yield partial(_run_on, cluster, folder.absolute())


def _run_on(
    cluster: Cluster, folder: Path, function: Callable[..., Any], tasks: Sequence[Any], *others: Any
) -> Iterator[Any]:
    return cluster.run(partial(_fit_alone, function, folder), tasks, *others)


def _fit_alone(function: Callable[..., Any], folder: Path, task: Any, *others: Any) -> Any:
    find_on_worker(folder, "folder")
    with _turn:
        # TensorFlow has thread pools of its own, which it makes with the first network. Dask sees to the others.
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(worker_threads()))
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
        return function(task, *others)
