"""Where the fits of a study run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from joblib import Parallel, delayed
from joblib.parallel import get_active_backend


class RunTasks(Protocol):
    """What runs the fits of a study."""

    def __call__(self, function: Callable[..., Any], tasks: Sequence[Any], *others: Any) -> Iterator[Any]:
        """Apply a function to tasks, and yield the results as they come.

        Args:
            function: importable in other processes.
            tasks: which can be sent there.
            *others: further arguments, the same for all tasks.
        """


def run_by_joblib(function: Callable[..., Any], tasks: Sequence[Any], *others: Any) -> Iterator[Any]:
    """Run tasks where ``joblib.parallel_config`` says; see `RunTasks`."""
    backend, _ = get_active_backend()
    # Ray's backend gives its results all at once.
    parallel = Parallel(return_as="generator_unordered" if backend.supports_return_generator else "list")
    yield from parallel(delayed(function)(task, *others) for task in tasks)
