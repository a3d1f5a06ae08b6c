"""A Dask cluster that does parts of the work: the way there, workers that must be like this process, and results.

Tasks go through `Client.submit`, without collections of Dask. What is done on a worker that dies is done again by
another one. Nothing is scattered, because scattered data is lost with the worker that holds it.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mixed_data import __version__
from mixed_data.files.digests import digest_code
from mixed_data.files.first_few import name_some

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 10
"""After so long without an answer of the scheduler, it is an error."""

NO_WORKER_SECONDS = 60
"""So long a task may wait where there is no worker at all; one that scales with its work needs time to begin."""

_SECONDS_BETWEEN_LOOKS = 5
_PARTS_PER_THREAD = 2  # that are computed, or wait for this process, at once
_OF_ALL = ("python", "dask", "distributed")

Result = TypeVar("Result")


class ClusterError(ValueError):
    """A Dask cluster cannot be used, or can no longer be."""


class Cluster:
    """A cluster that is connected; see `connect`.

    Args:
        client: of Dask.
        address: of the scheduler, as it was given.
    """

    def __init__(self, client: Client, address: str) -> None:
        self._client, self._address = client, address

    def map_in_order(self, function: Callable[..., Result], items: Iterable[Any], *others: Any) -> Iterator[Result]:
        """Apply a function to items on the workers, and yield the results in the order of the items.

        At most twice as many results as the workers have threads are computed ahead, so that memory does not grow with
        the number of items, neither theirs nor that of this process.

        Args:
            function: importable on the workers, or a method of something that can be sent.
            items: small.
            *others: further arguments, small and the same for all items.

        Raises:
            ClusterError: a worker has other versions, workers end one after the other, or the scheduler or all workers
                are gone.
        """
        waiting: deque[Future] = deque()
        with self._errors():
            for item in items:
                while len(waiting) >= _PARTS_PER_THREAD * max(1, sum(self._client.nthreads().values())):
                    yield self._take(waiting.popleft())
                waiting.append(self._submit(partial(function, item, *others)))
            while waiting:
                yield self._take(waiting.popleft())

    def run(self, function: Callable[..., Result], tasks: Sequence[Any], *others: Any) -> Iterator[Result]:
        """Apply a function to tasks on the workers, and yield the results as they come.

        Args:
            function: importable on the workers.
            tasks: small.
            *others: further arguments, the same for all tasks; each is sent once.

        Raises:
            ClusterError: as `map_in_order`.
        """
        with self._errors():
            held = [self._client.submit(partial(_hold, other), pure=False) for other in others]
            waiting = {self._submit(partial(function, task), *held) for task in tasks}
            while waiting:
                done = self._wait(waiting)
                waiting -= done
                for future in done:
                    yield future.result()

    def _submit(self, function: Callable[..., Any], *held: Future) -> Future:
        # What stands in a partial, Dask sends as it is; in arguments it looks for tasks.
        return self._client.submit(partial(_call, function, _own_versions()), *held, pure=False)

    def _take(self, future: Future) -> Any:
        self._wait({future})
        return future.result()

    def _wait(self, futures: set[Future]) -> set[Future]:
        """Return those that are finished, once one is."""
        from distributed import wait

        last_seen = time.monotonic()
        while True:
            try:
                return set(wait(futures, timeout=_SECONDS_BETWEEN_LOOKS, return_when="FIRST_COMPLETED").done)
            except TimeoutError:
                if self._client.nthreads():
                    last_seen = time.monotonic()
                elif time.monotonic() > last_seen + NO_WORKER_SECONDS:
                    raise ClusterError(
                        f"the Dask scheduler {self._address} has had no worker for {NO_WORKER_SECONDS} seconds; start "
                        f"some with: dask worker {self._address}, in an environment that has mixed_data"
                    ) from None

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Have errors of Dask say what helps; those of tasks stay what they are."""
        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        try:
            yield
        except KilledWorker as error:
            raise ClusterError(
                f"{error.allowed_failures + 1} workers of {self._address} have ended while they did the same task, the "
                f"last one was {error.last_worker.address}. Its log says why, most often that memory was short: give "
                "each worker more (--memory-limit), or start fewer of them"
            ) from error
        except (CancelledError, CommClosedError, TimeoutError) as error:
            raise ClusterError(
                f"the Dask scheduler {self._address} no longer answers; start it, and this command anew"
            ) from error
        except (ModuleNotFoundError, RuntimeError) as error:
            # What the scheduler cannot read comes as a RuntimeError with its cause.
            lacking = error if isinstance(error, ModuleNotFoundError) else error.__cause__
            name = (lacking.name or "") if isinstance(lacking, ModuleNotFoundError) else ""
            if name.partition(".")[0] != "mixed_data":
                raise
            place = "a worker" if lacking is error else "the scheduler"
            raise ClusterError(
                f"{place} of {self._address} has no {name}; install mixed_data {__version__} where the scheduler and "
                "the workers run"
            ) from error


@contextmanager
def connect(address: str, libraries: Sequence[str]) -> Iterator[Cluster]:
    """Connect with a Dask scheduler whose workers have the versions that this process has.

    Workers that come later are asked for the version of mixed_data when they get their first task.

    Args:
        address: such as ``tcp://scheduler:8786``, or ``tls://`` with the certificates that Dask's configuration names.
        libraries: names of packages on whose versions the results depend.

    Raises:
        ModuleNotFoundError: distributed is not installed.
        ClusterError: no scheduler answers within `CONNECT_SECONDS`, the address is none, or versions differ.
    """
    import dask
    from distributed import Client

    for name in (name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong comes as an exception
    # A table for many fits may be large, and is sent once.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Mismatched versions found")  # which is an error here
                client = Client(address, timeout=CONNECT_SECONDS)
        except OSError as error:
            raise ClusterError(
                f"no Dask scheduler answers at {address} within {CONNECT_SECONDS} seconds; correct --dask, or start "
                "one with: dask scheduler"
            ) from error
        except (TypeError, ValueError) as error:
            raise ClusterError(f"--dask {address}: {error}; give it as tcp://scheduler:8786") from error
        except Exception as error:  # of whatever else answers there
            raise ClusterError(
                f"what answers at {address} is no Dask scheduler ({error!s:.200}); correct --dask"
            ) from error
        with client:
            _check_versions(client, address, libraries)
            yield Cluster(client, address)


def find_on_worker(path: str | Path, what: str) -> None:
    """Check on a worker that it sees what the other process named.

    Raises:
        ClusterError: it does not.
    """
    if not Path(path).exists():
        raise ClusterError(
            f"the worker {worker_address()} finds no {what} {path}; it must lie in a folder that all workers see under "
            "the same path"
        )


def worker_address() -> str:
    """Return the address of the worker that does this task."""
    from distributed import get_worker

    return str(get_worker().address)


def worker_threads() -> int:
    """Return the number of threads of the worker that does this task."""
    from distributed import get_worker

    return int(get_worker().state.nthreads)


def _check_versions(client: Client, address: str, libraries: Sequence[str]) -> None:
    found = client.get_versions(packages=libraries)
    ours = _read_versions(found["client"])
    problems = []
    for place, theirs in {f"the scheduler {address}": found["scheduler"], **found["workers"]}.items():
        is_scheduler = theirs is found["scheduler"]
        has, names = _read_versions(theirs), _OF_ALL if is_scheduler else (*_OF_ALL, *libraries)
        where = place if is_scheduler else f"the worker {place}"
        problems += [f"{where} has {name} {has[name]}, not {ours[name]}" for name in names if has[name] != ours[name]]
    if problems:
        raise ClusterError(
            f"results are the same only where versions are: {name_some(problems)}; install the same ones everywhere"
        )


def _read_versions(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return package -> version; of Python the first two numbers."""
    packages = found["packages"]
    return {**packages, "python": ".".join(packages["python"].split(".")[:2])}


def _own_versions() -> dict[str, str]:
    return {"mixed_data": __version__, "code of mixed_data": _own_code()}


@cache
def _own_code() -> str:
    return digest_code()


def _call(function: Callable[..., Result], versions: dict[str, str], *held: Any) -> Result:
    """Do a task, on a worker that is of the version of who sent it."""
    if (own := _own_versions()) != versions:
        found = ", ".join(f"{name} {own[name]}, not {value}" for name, value in versions.items() if own[name] != value)
        raise ClusterError(f"the worker {worker_address()} has {found}; install the same version everywhere")
    return function(*held)


def _hold(item: Result) -> Result:
    """Return what tasks need. As a task of its own it is there again when the worker that held it is gone."""
    return item
