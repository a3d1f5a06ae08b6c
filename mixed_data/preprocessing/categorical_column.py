"""One categorical column: one-hot levels, a place for rare and unseen ones, and prefixes of codes."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixed_data.files.checked_json import FLAG, INTEGER, INTEGERS, OBJECTS, TEXT, TEXTS, check_fields, optional
from mixed_data.schema.cell_values import spell_as

_OTHER = "<other>"
_MISSING = "<missing>"
_MOST_ROWS = 2**53
_FLAGS = (("True", "False"), ("1", "0"))


@dataclass(frozen=True)
class _LevelGroup:
    """The one-hot levels of a column's whole text, or of its first `prefix` characters.

    Attributes:
        prefix: how many leading characters count; None for the whole text.
        kept: levels with a feature of their own, sorted.
        rare: levels of too few training rows, sorted; they share the feature "<other>" with unseen levels. Without rare
            levels there is no such feature (nothing would have trained it), and an unseen level is none of the others:
            all zeros.
        missing: whether a feature says that the cell was missing; only ever true for the whole text, whose feature the
            prefixes would repeat.
    """

    prefix: int | None
    kept: tuple[str, ...]
    rare: tuple[str, ...]
    missing: bool

    @classmethod
    def learn(cls, texts: Sequence[str | None], prefix: int | None, min_frequency: int) -> _LevelGroup:
        """Count the levels of the training rows."""
        counts = Counter(text[:prefix] for text in texts if text is not None)
        kept = sorted(level for level, count in counts.items() if count >= min_frequency)
        rare = sorted(level for level, count in counts.items() if count < min_frequency)
        return cls(prefix, tuple(kept), tuple(rare), prefix is None and None in texts)

    @property
    def levels(self) -> tuple[str, ...]:
        """All levels of the training rows: the kept, then the rare."""
        return self.kept + self.rare

    @property
    def labels(self) -> tuple[str, ...]:
        """The levels that have a feature, in order; none where a single one would be constant."""
        labels = self.kept + ((_OTHER,) if self.rare else ()) + ((_MISSING,) if self.missing else ())
        return labels if len(labels) > 1 else ()

    def encode(self, texts: Sequence[str | None]) -> np.ndarray:
        """Return the one-hot levels, float32 (n, len(labels))."""
        width = len(self.labels)
        if not width:
            return np.zeros((len(texts), 0), dtype=np.float32)
        none = width  # a spare column for "none of the levels", cut off at the end
        positions = {level: position for position, level in enumerate(self.kept)}
        other = len(self.kept) if self.rare else none
        missing = width - 1 if self.missing else other if self.prefix is None else none
        one_hot = np.zeros((len(texts), width + 1), dtype=np.float32)
        for row, text in enumerate(texts):
            one_hot[row, missing if text is None else positions.get(text[: self.prefix], other)] = 1.0
        return one_hot[:, :width]

    def describe(self, title: str, min_frequency: int) -> list[str]:
        """Say which levels were merged, or why the group has no feature."""
        few = f"fewer than {min_frequency} rows"
        if self.labels:
            if not self.rare:
                return []
            number = f"{len(self.rare)} level{'s' if len(self.rare) > 1 else ''}"
            return [f"{title}: {number} with {few} in 'other': {', '.join(self.rare)}"]
        if self.rare:
            return [f"{title}: every level ({len(self.rare)}) has {few}: dropped"]
        if self.kept:
            return [f"{title}: only one level in training ({reprlib.repr(self.kept[0])}): dropped"]
        return [f"{title}: no value in any training row: dropped"]


@dataclass(frozen=True)
class CategoricalColumn:
    """What was learned about one categorical column or code.

    Attributes:
        name: the column.
        groups: the levels of the whole text first, then those of each prefix.
        counts: in how many training rows each level of the whole text stood: the kept, then the rare.
        num_missing: how many training cells were missing.
    """

    name: str
    groups: tuple[_LevelGroup, ...]
    counts: tuple[int, ...]
    num_missing: int

    @classmethod
    def learn(
        cls, name: str, texts: Sequence[str | None], *, min_frequency: int, prefixes: Sequence[int]
    ) -> tuple[CategoricalColumn | None, list[str]]:
        """Learn from the training texts.

        Args:
            name: the column.
            texts: (n,) canonical texts, None where missing.
            min_frequency: a level of fewer rows is rare.
            prefixes: lengths of leading parts that get levels of their own.

        Returns:
            the column, None if it says nothing; and what a person should know about it.
        """
        longest = max((len(text) for text in texts if text is not None), default=0)
        useful = [prefix for prefix in prefixes if prefix < longest]
        groups = tuple(_LevelGroup.learn(texts, p, min_frequency) for p in (None, *useful))
        found = Counter(texts)
        column = cls(name, groups, tuple(found[level] for level in groups[0].levels), found[None])
        notes = []
        for group in column.groups:
            notes += group.describe(column._title(group), min_frequency)
        notes += [f"{name}[:{p}]: would repeat the whole code: dropped" for p in prefixes if p >= longest > 0]
        return (column if column.feature_names() else None), notes

    def feature_names(self) -> list[str]:
        """Name the features, in the order of `encode`."""
        return [f"{self._title(group)}={label}" for group in self.groups for label in group.labels]

    def encode(self, texts: Sequence[str | None]) -> np.ndarray:
        """Return the one-hot features of each text, float32 (n, number of feature names)."""
        texts = spell_as(self._levels, texts)
        return np.hstack([group.encode(texts) for group in self.groups])

    def count(self, texts: Sequence[str | None]) -> np.ndarray:
        """Return in how many training rows each text stood, int64 (n,); of None, how many were missing."""
        counts: dict[str | None, int] = {**dict(zip(self._levels, self.counts, strict=True)), None: self.num_missing}
        return np.array([counts.get(text, 0) for text in spell_as(self._levels, texts)], dtype=np.int64)

    def find_warnings(self, texts: Sequence[str | None]) -> Iterator[tuple[int, str]]:
        """Yield (row position, warning) for each cell that is missing or was not seen in training."""
        whole, seen = self.groups[0], set(self._levels)
        texts = spell_as(self._levels, texts)
        known, others = next((pair for pair in (_FLAGS, _FLAGS[::-1]) if seen and seen <= set(pair[0])), ((), ()))
        meant = f", where training had {' and '.join(known)}"
        stand_in = "'other'" if whole.rare and whole.labels else "none of the known levels"
        for row, text in enumerate(texts):
            if text is None:
                level = "a level of its own" if whole.missing and whole.labels else stand_in
                yield row, f"{self.name} is missing: read as {level}"
            elif text not in seen:
                kept = [f"{self._title(g)}={text[: g.prefix]}" for g in self.groups if text[: g.prefix] in g.kept]
                but = f", but {kept[0]} is known" if kept else ""
                seen_not = f"not seen in training{meant if text in others else ''}"
                yield row, f"{self.name} is {reprlib.repr(text)}, {seen_not}: read as {stand_in}{but}"

    def get_state(self) -> dict[str, Any]:
        """Return what was learned as a JSON-able dict."""
        groups = [{**vars(group), "kept": list(group.kept), "rare": list(group.rare)} for group in self.groups]
        counts = {"counts": list(self.counts), "num_missing": self.num_missing}
        return {"kind": "categorical", "name": self.name, "groups": groups, **counts}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CategoricalColumn:
        """Rebuild the column of `get_state`.

        Raises:
            ValueError: if the state does not describe one.
        """
        kinds = {"kind": TEXT, "name": TEXT, "groups": OBJECTS, "counts": INTEGERS, "num_missing": INTEGER}
        state = check_fields(state, "categorical column", kinds)
        what = f"categorical column {state['name']!r}"
        fields = {"prefix": optional(INTEGER), "kept": TEXTS, "rare": TEXTS, "missing": FLAG}
        groups = []
        for group in state["groups"]:
            check_fields(group, what, fields)
            levels = group["kept"] + group["rare"]
            if len(set(levels)) < len(levels):
                raise ValueError(f"{what}: a level is listed twice")
            groups.append(_LevelGroup(group["prefix"], tuple(group["kept"]), tuple(group["rare"]), group["missing"]))
        prefixes = [group.prefix for group in groups]
        if prefixes[:1] != [None] or any(prefix is None or prefix < 1 for prefix in prefixes[1:]):
            raise ValueError(f"{what}: expected the whole text first, then prefixes of 1 or more, got {prefixes}")
        counts, num_missing = tuple(state["counts"]), state["num_missing"]
        if len(counts) != len(groups[0].levels) or not all(0 <= n < _MOST_ROWS for n in (*counts, num_missing)):
            raise ValueError(f"{what}: expected a count of rows for each level, got {len(counts)} counts")
        return cls(state["name"], tuple(groups), counts, num_missing)

    @property
    def _levels(self) -> tuple[str, ...]:
        return self.groups[0].levels

    def _title(self, group: _LevelGroup) -> str:
        return self.name if group.prefix is None else f"{self.name}[:{group.prefix}]"
