"""One numeric column: impute, perhaps take the logarithm, scale robustly, clip smoothly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixed_data.files.checked_json import FLAG, NUMBER, TEXT, check_fields, optional

SKEWNESS_FOR_LOG = 1.0  # the skewness of an exponential distribution is 2, of a symmetric one 0
_DISTINCT_FOR_LOG = 20  # counts such as bedrooms have fewer distinct values, and stay linear
_CLIP = 3.0  # what the smooth clip tends to for an endless outlier
_FAR = 10 * _CLIP  # spreads from the median; from here on the clipped value is within half a percent of its limit
_SEEN = ("median", "lowest", "highest")
RELATIVE_NOISE = 1e-12  # a spread below this share of the values is rounding noise, not information


def skewness(values: np.ndarray) -> float:
    """Return the third standardised moment, 0.0 where the values do not vary.

    Args:
        values: float64 (n,), all finite.
    """
    largest = np.abs(values).max()
    if largest == 0:
        return 0.0
    values = values / largest  # else the powers of huge values overflow
    deviations = values - values.mean()
    variance = np.mean(deviations**2)
    if variance <= RELATIVE_NOISE**2:
        return 0.0
    return float(np.mean(deviations**3) / variance**1.5)


def find_spread(values: np.ndarray, noise: float) -> float | None:
    """Return the interquartile range, half the range where the quartiles coincide, None where both are but noise.

    Args:
        values: float64 (n,), all finite, n at least 1.
        noise: what rounding alone may make of equal values.
    """
    lower, upper = np.quantile(values, [0.25, 0.75])
    return next((float(spread) for spread in (upper - lower, np.ptp(values) / 2) if spread > noise), None)


def smooth_clip(values: np.ndarray) -> np.ndarray:
    """Return x / sqrt(1 + (x / 3)^2): nearly x around 0, always inside -3 and 3.

    Reference: Holzmüller et al. 2024, "Better by default", arXiv:2407.04491.
    """
    bounded = np.clip(values, -1e100, 1e100)  # else the square overflows and an outlier would come out as 0
    return bounded / np.sqrt(1.0 + (bounded / _CLIP) ** 2)


@dataclass(frozen=True)
class NumericColumn:
    """What was learned about one numeric column.

    Attributes:
        name: the column.
        median: of the training values, in the column's own unit; stands in for a missing cell.
        scale: interquartile range (after the log, if any), or half the range where the quartiles coincide; None where
            the values do not vary and only their absence says something.
        log_above: None for a linear column; else the smallest training value. From there on the logarithm is taken,
            below it its tangent, so that 0 or a negative number stays finite and in order.
        indicator: whether a feature says that the cell was missing.
        lowest: the smallest training value, for people to see; it changes no feature.
        highest: the largest.
    """

    name: str
    median: float
    scale: float | None
    log_above: float | None
    indicator: bool
    lowest: float
    highest: float

    @classmethod
    def learn(cls, name: str, values: np.ndarray, *, log: str) -> tuple[NumericColumn | None, list[str]]:
        """Learn from the training values.

        The log is taken (`log="auto"`) where all values are positive, at least 20 differ, their skewness is above 1,
        and the log brings it nearer to 0.

        Args:
            name: the column.
            values: float64 (n,), NaN where missing.
            log: "auto" or "never".

        Returns:
            the column, None if it says nothing; and what a person should know about it.
        """
        observed = values[~np.isnan(values)]
        if not len(observed):
            return None, [f"{name}: no value in any training row: dropped"]
        indicator = len(observed) < len(values)
        median, lowest, highest = (float(find(observed)) for find in (np.median, np.min, np.max))
        notes = []
        log_above = None
        if log == "auto" and _gains_from_log(observed):
            log_above = float(observed.min())
            notes.append(f"{name}: on a logarithmic scale (skewness {skewness(observed):.2f}, all positive)")
            observed = np.log(observed)
        scale = find_spread(observed, RELATIVE_NOISE * np.abs(observed).max())
        if scale is None:
            kept = "only whether it is missing is kept" if indicator else "dropped"
            notes.append(f"{name}: the same value in every training row ({median:.10g}): {kept}")
            return (cls(name, median, None, None, True, lowest, highest) if indicator else None), notes
        return cls(name, median, scale, log_above, indicator, lowest, highest), notes

    def feature_names(self) -> list[str]:
        """Name the features, in the order of `encode`."""
        names = [] if self.scale is None else [self.name]
        return names + ([f"{self.name}=<missing>"] if self.indicator else [])

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Encode each value by itself.

        Args:
            values: float64 (n,), NaN where missing.

        Returns:
            float32 (n, number of feature names); the scaled value of an imputed cell is exactly 0.
        """
        missing = np.isnan(values)
        features = []
        with np.errstate(over="ignore"):  # infinity is as good as any huge number: both are clipped
            if self.scale is not None:
                worked = self._work(np.where(missing, self.median, values))
                features.append(smooth_clip(self._spreads_from_median(worked))[:, None])
        if self.indicator:
            features.append(missing[:, None])
        return np.hstack(features).astype(np.float32)

    def find_warnings(self, values: np.ndarray) -> Iterator[tuple[int, str]]:
        """Yield (row position, warning) for each cell that was replaced, is far out or outside the log's domain."""
        for row in np.flatnonzero(np.isnan(values)):
            yield int(row), f"{self.name} is missing: imputed {self.median:.10g}"
        if self.log_above is not None:
            usual = f"but was positive in training: extrapolated from {self.log_above:.10g}"
            for row in np.flatnonzero(values <= 0):
                yield int(row), f"{self.name} is {values[row]:.10g}, {usual}"
        for row in np.flatnonzero(self._is_far(values)):
            usual = f"far from the usual (median {self.median:.10g})"
            yield int(row), f"{self.name} is {values[row]:.10g}, {usual}: its effect is limited"

    def get_state(self) -> dict[str, Any]:
        """Return what was learned as a JSON-able dict."""
        return {"kind": "numeric", **vars(self)}

    @classmethod
    def from_state(cls, state: Any) -> NumericColumn:
        """Rebuild the column of `get_state`.

        Raises:
            ValueError: if the state does not describe one.
        """
        positive = ("scale", "log_above")
        fields = {"kind": TEXT, "name": TEXT, "indicator": FLAG, **dict.fromkeys(_SEEN, NUMBER)}
        state = check_fields(state, "numeric column", fields | dict.fromkeys(positive, optional(NUMBER)))
        numbers = {name: None if state[name] is None else float(state[name]) for name in positive}
        problems = [f"{name} must be positive, got {x}" for name, x in numbers.items() if x is not None and x <= 0]
        if numbers["scale"] is None and not state["indicator"]:
            problems.append("scale may be null only beside an indicator")
        seen = {name: float(state[name]) for name in _SEEN}
        if not seen["lowest"] <= seen["median"] <= seen["highest"]:
            problems.append(f"the median must lie between lowest and highest, got {seen}")
        if problems:
            raise ValueError(f"numeric column {state['name']!r}: {'; '.join(problems)}")
        return cls(
            name=state["name"],
            scale=numbers["scale"],
            log_above=numbers["log_above"],
            indicator=state["indicator"],
            **seen,
        )

    def _is_far(self, values: np.ndarray) -> np.ndarray:
        if self.scale is None:
            return np.zeros(len(values), dtype=bool)
        with np.errstate(over="ignore"):
            far = np.abs(self._spreads_from_median(self._work(values))) > _FAR
        return far if self.log_above is None else far & (values > 0)

    def _spreads_from_median(self, worked: np.ndarray) -> np.ndarray:
        return (worked - self._work(np.array([self.median]))) / self.scale

    def _work(self, values: np.ndarray) -> np.ndarray:
        if self.log_above is None:
            return values
        tangent = np.minimum(values - self.log_above, 0.0) / self.log_above
        return np.log(np.maximum(values, self.log_above)) + tangent


def _gains_from_log(values: np.ndarray) -> bool:
    if values.min() <= 0 or len(np.unique(values)) < _DISTINCT_FOR_LOG:
        return False
    before = skewness(values)
    return before > SKEWNESS_FOR_LOG and abs(skewness(np.log(values))) < before
