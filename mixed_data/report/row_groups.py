"""Held-out rows sorted into groups: by the target, by a code, by the frequency of levels, by the number of photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mixed_data.files.written_values import Unit, clip
from mixed_data.intervals import value_bands
from mixed_data.schema import Schema
from mixed_data.schema.cell_values import canonical_text

_NUM_BANDS = 5
_MIN_BAND_ROWS = 10
_MIN_LEVEL_ROWS = 5
_MAX_LEVELS = 12
_FREQUENCIES = {
    "level not in training": 0,
    "level of 1 to 3 rows": 1,
    "level of 4 to 24 rows": 4,
    "level of 25 rows or more": 25,
}


@dataclass(frozen=True)
class Group:
    """Some of the rows.

    Attributes:
        label: what they have in common.
        rows: their positions, at least one.
    """

    label: str
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Grouping:
    """All rows in groups, or the reason why not.

    Attributes:
        by: what sorts them, e.g. "zipcode".
        groups: two or more, or none.
        reason: why there are none.
    """

    by: str
    groups: list[Group]
    reason: str = ""


def group_by_target(target: NDArray[np.float64], unit: Unit) -> Grouping:
    """Sort rows into bands of equal size, from the smallest target to the largest.

    Args:
        target: of each row, ``(n,)``.
        unit: for the labels.

    Returns:
        At most 5 bands of at least 10 rows.
    """
    by = f"{unit.name} band"
    bands = value_bands(target, max(1, min(_NUM_BANDS, len(target) // _MIN_BAND_ROWS)))
    found = [np.flatnonzero(bands == band) for band in np.unique(bands)]
    if len(found) < 2:
        return Grouping(by, [], f"{len(target)} rows are too few, or too alike, for bands")
    labels = [f"{unit.compact(target[rows].min())} to {unit.compact(target[rows].max())}" for rows in found]
    return Grouping(by, list(map(Group, labels, found)))


def group_by_level(cells: pd.DataFrame, schema: Schema) -> Grouping:
    """Sort rows by the first code or category column that has two values with 5 rows.

    The 12 most frequent values are groups, all others are one.

    Args:
        cells: columns of the rows.
        schema: roles of the columns.
    """
    for name in schema.codes + schema.categorical:
        texts = canonical_text(cells[name]).fillna("no value").to_numpy()
        counts = pd.Series(texts).value_counts()
        frequent = counts[counts >= _MIN_LEVEL_ROWS].index[:_MAX_LEVELS]
        if len(frequent) < 2:
            continue
        groups = [Group(clip(level, 24), np.flatnonzero(texts == level)) for level in sorted(frequent)]
        if num_others := len(counts) - len(frequent):
            label = f"{num_others} other value{'s' if num_others > 1 else ''}"
            groups.append(Group(label, np.flatnonzero(~np.isin(texts, frequent))))
        return Grouping(clip(name, 40), groups)
    reason = f"no code or category column has two values with {_MIN_LEVEL_ROWS} rows or more"
    return Grouping("code or category", [], reason)


def group_by_photos(images_used: NDArray[np.float64]) -> Grouping:
    """Sort rows by the number of their photos that could be used.

    Args:
        images_used: of each row, ``(n,)``.
    """
    by = "number of photos"
    counts = np.unique(images_used)
    if len(counts) == 1:
        return Grouping(by, [], f"all {len(images_used)} rows had {_count_photos(counts[0])}, nothing to compare")
    return Grouping(by, [Group(_count_photos(count), np.flatnonzero(images_used == count)) for count in counts])


def group_by_frequency(level_rows: NDArray[np.float64]) -> Grouping:
    """Sort rows by how often the rarest of their levels stood in training.

    Args:
        level_rows: of each row, the number of training rows, ``(n,)``.
    """
    by = "frequency of level"
    edges = [*_FREQUENCIES.values(), np.inf]
    found = {
        label: np.flatnonzero((level_rows >= low) & (level_rows < high))
        for (label, low), high in zip(_FREQUENCIES.items(), edges[1:], strict=True)
    }
    groups = [Group(label, rows) for label, rows in found.items() if len(rows)]
    if len(groups) < 2:
        return Grouping(by, [], f"all rows are alike in that: {groups[0].label}" if groups else "there are no rows")
    return Grouping(by, groups)


def _count_photos(count: float) -> str:
    """Write "no photo", "1 photo", "4 photos"."""
    return "no photo" if count == 0 else f"{count:.0f} photo{'' if count == 1 else 's'}"
