"""Long lists and texts for people: the first few, then how many more there are; the beginning, then dots."""

from __future__ import annotations

from collections.abc import Iterable

NUM_SHOWN = 5
_MAX_LENGTH_SHOWN = 80


def first_few(items: Iterable[object], num_shown: int = NUM_SHOWN) -> list[str]:
    """Return the first items as texts, and "and 7 more" after them where there are more."""
    texts = list(map(str, items))
    more = len(texts) - num_shown
    return [*texts[:num_shown], f"and {more} more"] if more > 0 else texts


def name_some(items: Iterable[object], num_shown: int = NUM_SHOWN) -> str:
    """Write the first items in a line: "a, b, c, d, e, and 7 more"."""
    return ", ".join(first_few(items, num_shown))


def cut(text: str) -> str:
    """Return a text on one line, of more than 80 characters the beginning and dots."""
    text = " ".join(text.splitlines())
    return text if len(text) <= _MAX_LENGTH_SHOWN else f"{text[: _MAX_LENGTH_SHOWN - 3]}..."
