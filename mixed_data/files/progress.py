"""How far long work has come: the loops of the library say it, and whoever listens shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
Listener = Callable[[str, int, int], None]
"""Called with what is done, how many parts of it are finished, and how many there are."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def track(items: Iterable[Item], what: str, total: int) -> Iterator[Item]:
    """Yield the items, and say after each how far this has come.

    Args:
        items: of which the work consists, in order.
        what: is done, such as "reading photos".
        total: number of items.

    Example:
        >>> with listening(lambda what, done, total: print(f"{what}: {done} of {total}")):
        ...     for item in track("ab", "reading", 2):
        ...         pass
        reading: 0 of 2
        reading: 1 of 2
        reading: 2 of 2
    """
    listener = _listener.get()
    if listener is None or total == 0:
        yield from items
        return
    listener(what, 0, total)
    for done, item in enumerate(items, 1):
        yield item
        listener(what, done, total)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have a function called by all `track` of this thread."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
