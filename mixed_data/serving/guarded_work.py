"""Work that takes a processor, beside the loop that talks to clients: so much at a time, and no more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from mixed_data.serving.problem_details import ServiceError
from mixed_data.serving.service_limits import Limits

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Workers:
    """Threads of our own that compute, and a count of the requests that are under way.

    A thread cannot be stopped. Work that took too long is answered 503, but counts until it is done: were it forgotten,
    the next one would start beside it. For that reason these are no threads of ``anyio.to_thread``, which gives the
    place of abandoned work away.

    Args:
        limits: of threads, requests and time.

    Attributes:
        num_unfinished: pieces of work that are not done yet, or wait.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pool = ThreadPoolExecutor(limits.threads, thread_name_prefix="predict")
        self._lock = threading.Lock()
        self._num_requests = self.num_unfinished = 0

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Count one request for as long as it is under way.

        Raises:
            ServiceError: there are too many already (503).
        """
        if max(self._num_requests, self.num_unfinished) >= self._limits.requests:
            raise ServiceError.busy("too many requests are under way; come again in a second")
        self._num_requests += 1
        try:
            yield
        finally:
            self._num_requests -= 1

    async def run(self, function: Callable[_P, _T], *args: _P.args, **options: _P.kwargs) -> _T:
        """Run a function in one of the threads.

        Raises:
            ServiceError: it took too long (503).
        """
        with self._lock:
            self.num_unfinished += 1
        future = self._pool.submit(function, *args, **options)
        future.add_done_callback(self._finish)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self._limits.seconds)
        except TimeoutError:
            seconds = f"{self._limits.seconds:g} seconds"
            raise ServiceError.busy(f"there was no answer within {seconds}; come again, with fewer rows") from None

    def close(self) -> None:
        """Wait for what is under way, and start nothing more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _finish(self, future: Future[Any]) -> None:
        with self._lock:
            self.num_unfinished -= 1
