"""Long lists for people: the first few, then how many more there are."""

from __future__ import annotations

from collections.abc import Iterable

NUM_SHOWN = 5


def first_few(items: Iterable[object], num_shown: int = NUM_SHOWN) -> list[str]:
    """Return the first items as texts, and "and 7 more" after them where there are more."""
    texts = list(map(str, items))
    more = len(texts) - num_shown
    return [*texts[:num_shown], f"and {more} more"] if more > 0 else texts


def name_some(items: Iterable[object], num_shown: int = NUM_SHOWN) -> str:
    """Write the first items in a line: "a, b, c, d, e, and 7 more"."""
    return ", ".join(first_few(items, num_shown))
