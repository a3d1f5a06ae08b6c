"""Progress bars on standard error while it is a terminal; nothing in a pipe, with ``--quiet`` or with ``--json``.

They need rich, which the extra "train" brings; without it, there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mixed_data.cli.command_output import shows_bars
from mixed_data.files.progress import listening

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn

Step = Callable[[int, int | None], None]
"""Called with how many parts are finished, and how many there are, if that is known."""


def start_progress(*columns: ProgressColumn) -> Progress:
    """Return a display of bars for standard error, which shows nothing where that is no terminal."""
    from rich.progress import Progress

    console = _terminal()
    return Progress(*columns, console=console, disable=not (console.is_terminal and shows_bars()))


@cache
def _terminal() -> Console:
    """Return the one console of all bars, so that a bar may be shown while another one is."""
    from rich.console import Console

    return Console(stderr=True)


@contextmanager
def show_bar(what: str, *, counts: ProgressColumn | None = None) -> Iterator[Step]:
    """Yield a function that moves one bar with the remaining time.

    Args:
        what: is done.
        counts: the column that shows how many parts are done; "3/10" by default.
    """
    with start_progress(*_columns(counts)) as progress:
        bar = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


@contextmanager
def show_status(what: str) -> Iterator[None]:
    """Show that something is going on whose length nobody knows."""
    console = _terminal()
    with console.status(what) if console.is_terminal and shows_bars() else nullcontext():
        yield


@contextmanager
def bars_for_loops() -> Iterator[None]:
    """Show a bar for each loop of the library that says how far it has come; see `mixed_data.files.progress.track`."""
    bars = LoopBars()
    with listening(bars.move):
        try:
            yield
        finally:
            bars.stop()


class LoopBars:
    """One bar per loop, which appears when the loop begins and goes when no loop is under way."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._bars: dict[str, Any] = {}

    def move(self, what: str, done: int, total: int) -> None:
        """Move the bar of a loop; a `Listener`."""
        if self._progress is None:
            if find_spec("rich") is None:
                return
            self._progress = start_progress(*_columns())
        if self._progress.disable:
            return
        if what not in self._bars:
            self._progress.start()
            self._bars[what] = self._progress.add_task(what, total=total)
            self._progress.refresh()
        self._progress.update(self._bars[what], completed=done)
        if done == total:
            self._progress.remove_task(self._bars.pop(what))
            if not self._bars:
                self.stop()

    def stop(self) -> None:
        """Take all bars away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress, self._bars = None, {}


def _columns(counts: ProgressColumn | None = None) -> list[ProgressColumn]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    return [TextColumn("{task.description}"), BarColumn(), counts or MofNCompleteColumn(), TimeRemainingColumn()]
