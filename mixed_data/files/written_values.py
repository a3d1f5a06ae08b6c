"""How values of the target and strangers' texts are written for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_DOLLARS = "US dollars"
_MAX_TEXT = 160
# Control characters and halves of surrogate pairs stand in no HTML, XML or UTF-8; the others turn text around.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]+")


def clip(text: object, limit: int = _MAX_TEXT) -> str:
    """Return a stranger's text in one line without unprintable characters, not longer than ``limit``."""
    line = _UNPRINTABLE.sub(" ", str(text)[: 4 * limit]).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


@dataclass(frozen=True)
class Unit:
    """How values of the target are written.

    Attributes:
        name: of the target, for texts.
        is_dollars: True writes "$776,900" instead of "776,900".
    """

    name: str
    is_dollars: bool = False

    @classmethod
    def of(cls, target: str, config: Mapping[str, Any]) -> Unit:
        """Read the unit in a run's ``config.json``; of a table without one, only the column's name is known."""
        return cls(clip(target, 40), config.get("unit") == _DOLLARS)

    @property
    def label(self) -> str:
        """The target with its unit, e.g. for an axis."""
        return f"{self.name}, {_DOLLARS}" if self.is_dollars else self.name

    def exact(self, value: float) -> str:
        """Write a value in full, e.g. "$776,900"."""
        return self._sign(value, f"{abs(value):,.0f}" if self.is_dollars or abs(value) >= 1000 else f"{abs(value):.4g}")

    def compact(self, value: float) -> str:
        """Write a value in little room, e.g. "$777k"."""
        for size, letter in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
            if abs(value) >= 0.9995 * size:
                return self._sign(value, f"{abs(value) / size:.3g}{letter}")
        return self._sign(value, f"{abs(value):.3g}")

    def _sign(self, value: float, digits: str) -> str:
        return f"{'−' if value < 0 else ''}{'$' if self.is_dollars else ''}{digits}"
