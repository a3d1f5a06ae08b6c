"""Ratios of numeric columns: area per bedroom, bathrooms per bedroom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from mixed_data.files.checked_json import NUMBER, TEXT, check_fields
from mixed_data.preprocessing.numeric_column import RELATIVE_NOISE, find_spread, smooth_clip

MOST_COLUMNS = 5
"""With more positive columns than this, pairs would outnumber the columns they come from too far: no ratios."""

_POSITIVE = ("numerator_median", "denominator_median", "numerator_floor", "denominator_floor", "scale")


@dataclass(frozen=True)
class LogRatio:
    """The logarithm of one positive column over another, robustly scaled.

    A network with a few hundred rows does not find a quotient by itself. A missing cell is imputed with the median of
    its column, and a cell below the smallest training value counts as that value.

    Attributes:
        numerator: column above the line.
        denominator: column below the line.
        numerator_median: stands in for a missing cell.
        denominator_median: stands in for a missing cell.
        numerator_floor: smallest training value.
        denominator_floor: smallest training value.
        centre: median of the training rows' log ratios.
        scale: their interquartile range, or half their range where the quartiles coincide.
    """

    numerator: str
    denominator: str
    numerator_median: float
    denominator_median: float
    numerator_floor: float
    denominator_floor: float
    centre: float
    scale: float

    @property
    def name(self) -> str:
        """Name of the feature."""
        return f"log({self.numerator}/{self.denominator})"

    def encode(self, cells: Mapping[str, np.ndarray]) -> np.ndarray:
        """Encode each row by itself.

        Args:
            cells: float64 (n,) per column, finite, or NaN where missing.

        Returns:
            float32 (n, 1), inside -3 and 3; no NaN.
        """
        top = _log(cells[self.numerator], self.numerator_median, self.numerator_floor)
        bottom = _log(cells[self.denominator], self.denominator_median, self.denominator_floor)
        with np.errstate(over="ignore"):  # infinity is as good as any huge number: both are clipped
            return smooth_clip((top - bottom - self.centre) / self.scale)[:, None].astype(np.float32)

    def get_state(self) -> dict[str, Any]:
        """Return what was learned as a JSON-able dict."""
        return dict(vars(self))

    @classmethod
    def from_state(cls, state: Any) -> LogRatio:
        """Rebuild the ratio of `get_state`.

        Raises:
            ValueError: if the state does not describe one.
        """
        fields = {"numerator": TEXT, "denominator": TEXT, "centre": NUMBER, **dict.fromkeys(_POSITIVE, NUMBER)}
        state = check_fields(state, "ratio", fields)
        problems = [f"{name} must be positive, got {state[name]}" for name in _POSITIVE if state[name] <= 0]
        if state["numerator"] == state["denominator"]:
            problems.append(f"expected two columns, got {state['numerator']!r} twice")
        if problems:
            raise ValueError(f"ratio: {'; '.join(problems)}")
        numbers = {name: float(state[name]) for name in ("centre", *_POSITIVE)}
        return cls(state["numerator"], state["denominator"], **numbers)


def learn_ratios(columns: Mapping[str, np.ndarray]) -> list[LogRatio]:
    """Learn one ratio per pair of positive columns that vary; none with more than `MOST_COLUMNS` of them.

    Args:
        columns: float64 (n,) training values per numeric column, NaN where missing.

    Returns:
        each later column over each earlier one; without the ratios that do not vary.

    Example:
        >>> columns = {"bedrooms": np.array([1.0, 2.0, 4.0]), "area": np.array([500.0, 1200.0, 1600.0])}
        >>> [ratio] = learn_ratios(columns)
        >>> ratio.name, round(float(np.exp(ratio.centre)))
        ('log(area/bedrooms)', 500)
    """
    positive = {name: values for name, values in columns.items() if _is_positive_and_varies(values)}
    if len(positive) > MOST_COLUMNS:
        return []
    medians = {name: float(np.nanmedian(values)) for name, values in positive.items()}
    floors = {name: float(np.nanmin(values)) for name, values in positive.items()}
    ratios = []
    for bottom, top in combinations(positive, 2):
        logs = np.log(positive[top]) - np.log(positive[bottom])
        logs = logs[~np.isnan(logs)]
        # Equal ratios such as 3/2 and 6/4 differ in the last digit: quartiles that coincide are rarely exactly equal.
        scale = find_spread(logs, RELATIVE_NOISE) if len(logs) else None
        if scale is not None:
            ends = (medians[top], medians[bottom], floors[top], floors[bottom])
            ratios.append(LogRatio(top, bottom, *ends, float(np.median(logs)), scale))
    return ratios


def check_ratios(ratios: Sequence[LogRatio], columns: Sequence[str]) -> None:
    """Check that loaded ratios are made of `columns`, each pair at most once.

    Raises:
        ValueError: if they are not.
    """
    pairs = {frozenset((ratio.numerator, ratio.denominator)) for ratio in ratios}
    if unknown := sorted({name for pair in pairs for name in pair} - set(columns)):
        raise ValueError(f"ratios: expected columns out of {list(columns)}, got {unknown}")
    if len(pairs) < len(ratios):
        raise ValueError(f"ratios: a pair is there twice: {[ratio.name for ratio in ratios]}")


def _log(values: np.ndarray, median: float, floor: float) -> np.ndarray:
    return np.log(np.maximum(np.where(np.isnan(values), median, values), floor))


def _is_positive_and_varies(values: np.ndarray) -> bool:
    observed = values[~np.isnan(values)]
    return len(observed) > 0 and observed.min() > 0 and find_spread(np.log(observed), RELATIVE_NOISE) is not None
