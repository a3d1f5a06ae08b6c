"""One column of dates: the year, the day of the year and the age in days, each a numeric feature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixed_data.files.checked_json import NUMBER, OBJECTS, TEXT, check_fields
from mixed_data.preprocessing.numeric_column import NumericColumn

_PARTS = ("age in days", "year", "day of year")


@dataclass(frozen=True)
class DateColumn:
    """What was learned about one column of dates.

    Attributes:
        name: the column.
        latest: the latest training date, in days since 1970; ages count back from it.
        parts: the numeric columns that the dates become, those that vary; the first also says where dates are missing.
    """

    name: str
    latest: float
    parts: tuple[NumericColumn, ...]

    @classmethod
    def learn(cls, name: str, days: np.ndarray) -> tuple[DateColumn | None, list[str]]:
        """Learn from the training dates.

        Args:
            name: the column.
            days: float64 (n,), days since 1970, NaN where missing.

        Returns:
            the column, None if it says nothing; and what a person should know about it.
        """
        if np.isnan(days).all():
            return None, [f"{name}: no value in any training row: dropped"]
        latest = float(np.nanmax(days))
        parts: list[NumericColumn] = []
        notes = []
        for part, values in _split_dates(days, latest).items():
            column, told = NumericColumn.learn(f"{name} ({part})", values, log="never")
            notes += told
            if column is not None and parts:
                column = None if column.scale is None else replace(column, indicator=False)
            parts += [] if column is None else [column]
        return (cls(name, latest, tuple(parts)) if parts else None), notes

    def feature_names(self) -> list[str]:
        """Name the features, in the order of `encode`."""
        return [name for part in self.parts for name in part.feature_names()]

    def encode(self, days: np.ndarray) -> np.ndarray:
        """Encode each date by itself.

        Args:
            days: float64 (n,), days since 1970, NaN where missing.

        Returns:
            float32 (n, number of feature names).
        """
        values = self._values(days)
        return np.hstack([part.encode(values[part.name]) for part in self.parts])

    def find_warnings(self, days: np.ndarray) -> Iterator[tuple[int, str]]:
        """Yield (row position, warning) for each date that is missing or far out."""
        for row in np.flatnonzero(np.isnan(days)):
            yield int(row), f"{self.name} is missing: imputed the usual one"
        present = np.where(np.isnan(days), self.latest - self.parts[0].median, days)
        yield from self.parts[0].find_warnings(self._values(present)[self.parts[0].name])

    def get_state(self) -> dict[str, Any]:
        """Return what was learned as a JSON-able dict."""
        return {**vars(self), "kind": "date", "parts": [part.get_state() for part in self.parts]}

    @classmethod
    def from_state(cls, state: Any) -> DateColumn:
        """Rebuild the column of `get_state`.

        Raises:
            ValueError: if the state does not describe one.
        """
        state = check_fields(state, "date column", {"kind": TEXT, "name": TEXT, "latest": NUMBER, "parts": OBJECTS})
        parts = tuple(map(NumericColumn.from_state, state["parts"]))
        names = [part.name for part in parts]
        known = [f"{state['name']} ({part})" for part in _PARTS]
        if not names or names != [name for name in known if name in names]:
            raise ValueError(f"date column {state['name']!r}: expected some of the parts {known}, got {names}")
        return cls(state["name"], float(state["latest"]), parts)

    def _values(self, days: np.ndarray) -> dict[str, np.ndarray]:
        return {f"{self.name} ({part})": values for part, values in _split_dates(days, self.latest).items()}


def _split_dates(days: np.ndarray, latest: float) -> dict[str, np.ndarray]:
    """Return the parts of dates, float64 (n,) each, NaN where a date is missing."""
    missing = np.isnan(days)
    dates = np.floor(np.where(missing, 0.0, days)).astype("int64").astype("datetime64[D]")
    years = dates.astype("datetime64[Y]")
    parts = (latest - days, years.astype("int64") + 1970.0, (dates - years).astype("int64") + 1.0)
    return {name: np.where(missing, np.nan, values) for name, values in zip(_PARTS, parts, strict=True)}
