"""Long lists and texts for people: the first few, then how many more there are; the beginning, then dots."""

from __future__ import annotations

from collections.abc import Iterable

NUM_SHOWN = 5
_MAX_LENGTH_SHOWN = 80


def first_few(items: Iterable[object], num_shown: int = NUM_SHOWN, total: int | None = None) -> list[str]:
    """Return the first items as texts, and "and 7 more" after them where there are more.

    The total is needed only where the items are not all there are.
    """
    texts = list(map(str, items))
    more = (len(texts) if total is None else total) - num_shown
    return [*texts[:num_shown], f"and {more} more"] if more > 0 else texts


def name_some(items: Iterable[object], num_shown: int = NUM_SHOWN, total: int | None = None) -> str:
    """Write the first items in a line, as `first_few` gives them: "a, b, c, d, e, and 7 more"."""
    return ", ".join(first_few(items, num_shown, total))


def cut(text: str) -> str:
    """Return a text on one line, of more than 80 characters the beginning and dots."""
    text = " ".join(text.splitlines())
    return text if len(text) <= _MAX_LENGTH_SHOWN else f"{text[: _MAX_LENGTH_SHOWN - 3]}..."
