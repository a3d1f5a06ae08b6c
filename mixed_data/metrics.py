"""How good a prediction is: the regression scores and the appraisal field's ratio statistics.

One function computes every score that is shown anywhere, and one table says what each is called and how it is written,
so that a number means and looks the same in a report, in ``metrics.json`` and in a cross-validation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Pairs = Iterable[tuple[FloatArray, FloatArray]]
"""Targets and predictions of rows, both ``(n,)``, in parts that are gone through more than once."""
Value = Callable[[FloatArray, FloatArray], FloatArray]
"""Computes something of each row's target and prediction."""


def write_decimals(value: object, num_decimals: int) -> str:
    """Write a number with thousands separators and a true minus, "–" where it is not defined."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return "–"
    return f"{value:,.{num_decimals}f}".replace("-", "−")


@dataclass(frozen=True)
class Metric:
    """What a score is called, how it is written, and what is good.

    Attributes:
        label: e.g. "MAPE".
        unit: e.g. "%"; empty for a pure number and for target units.
        decimals: how many are written; None for the three figures that suit any target's units.
        best: value of a perfect prediction: 0 where lower is better, 100 or 1 where higher is; NaN for a count.
        meaning: what it says, in plain words.
        loss: (target ``(n,)``, prediction ``(..., n)``) -> loss of each row, NaN where it is not defined; None for a
            score that is no function of a mean over rows.
        of_mean: mean loss -> score.
    """

    label: str
    unit: str
    decimals: int | None
    best: float
    meaning: str
    loss: Value | None = None
    of_mean: Callable[[ArrayLike], FloatArray] = np.asarray

    @property
    def heading(self) -> str:
        """The label with its unit, for a column of numbers."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    def count_decimals(self, value: object) -> int:
        """Return how many decimals this value is written with."""
        if self.decimals is not None:
            return self.decimals
        if not isinstance(value, int | float) or not math.isfinite(value) or value == 0:
            return 0
        return max(0, 2 - math.floor(math.log10(abs(value))))

    def write(self, value: object) -> str:
        """Write a value without its unit, e.g. "23.6"; "–" where it is not defined."""
        return write_decimals(value, self.count_decimals(value))

    def write_with_unit(self, value: object) -> str:
        """Write a value, e.g. "23.6 %"."""
        return f"{self.write(value)} {self.unit}".rstrip()


def _relative_error(target: FloatArray, prediction: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(target == 0, np.nan, np.abs(prediction - target) / np.abs(target))


def _squared_error_of_log(target: FloatArray, prediction: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.log(prediction) - np.log(target)
    return np.where((target > 0) & (prediction > 0), error**2, np.nan)


def _to_percent(share: ArrayLike) -> FloatArray:
    return 100 * np.asarray(share)


METRICS: dict[str, Metric] = {
    "n": Metric("rows", "", 0, math.nan, "number of rows"),
    "mape": Metric(
        "MAPE", "%", 1, 0, "mean error in percent of the actual value; lower is better", _relative_error, _to_percent
    ),
    "median_ape": Metric("median APE", "%", 1, 0, "half of the rows are off by less than this"),
    "ppe10": Metric("within 10 %", "% of rows", 0, 100, "predicted within 10 % of the actual value; higher is better"),
    "ppe20": Metric("within 20 %", "% of rows", 0, 100, "predicted within 20 % of the actual value; higher is better"),
    "mae": Metric("MAE", "", None, 0, "mean absolute error in units of the target", lambda y, p: np.abs(p - y)),
    "rmse": Metric(
        "RMSE", "", None, 0, "root mean square error in units of the target", lambda y, p: (p - y) ** 2, np.sqrt
    ),
    "rmse_log": Metric(
        "RMSE of log",
        "",
        3,
        0,
        "root mean square of the log of predicted over actual; about the error as a share",
        _squared_error_of_log,
        np.sqrt,
    ),
    "r2": Metric("R²", "", 3, 1, "share of the variance that is explained: 1 is perfect, 0 no better than the mean"),
    "median_ratio": Metric("median ratio", "", 2, 1, "median of the ratios predicted to actual; below 1 is low"),
    "cod": Metric("COD", "", 1, 0, "spread of the ratios predicted to actual around their median, in percent"),
    "prd": Metric("PRD", "", 2, 1, "mean ratio over the ratio of the sums; above 1, dear rows are predicted low"),
    "prb": Metric("PRB", "", 3, 0, "share by which ratios rise when a value doubles; below 0 they fall"),
}
"""Every score of `regression_metrics`, in its order."""


def regression_metrics(target: ArrayLike, prediction: ArrayLike) -> dict[str, float]:
    """Score predictions against the known targets of the same rows.

    Errors in percent let cheap and dear houses count alike, the error of the logarithm does not reward
    low-balling as MAPE does, and the ratio statistics are what assessors judge an appraisal by. With
    ratio = prediction / target:

    - ``n``: number of rows
    - ``mape``, ``median_ape``: mean and median of 100 * abs(prediction - target) / abs(target), in percent
    - ``mae``, ``rmse``: mean absolute and root mean square error, in target units
    - ``rmse_log``: root mean square of log(prediction) - log(target), natural logarithm
    - ``r2``: 1 - sum((target - prediction)^2) / sum((target - mean(target))^2)
    - ``ppe10``, ``ppe20``: percent of the rows predicted within 10 % (20 %) of the target, bounds included
    - ``median_ratio``: median of the ratios; below 1 the predictions are low
    - ``cod``, coefficient of dispersion: 100 * mean(abs(ratio - median_ratio)) / median_ratio
    - ``prd``, price-related differential: mean(ratio) / (sum(prediction) / sum(target)); above 1 dear rows
      are under-valued against cheap ones (regressive)
    - ``prb``, price-related bias: least-squares slope of (ratio - median_ratio) / median_ratio on
      log2(0.5 * (prediction / median_ratio + target)): the share by which ratios rise when a value doubles;
      below 0 they fall (regressive)

    A score that these numbers do not define is NaN; it is never computed on a part of the rows. That is
    ``mape``, ``median_ape``, ``ppe10``, ``ppe20`` when a target is 0; ``rmse_log`` when target or prediction
    is not positive; the ratio statistics when a target is not positive, and each when what it divides by or
    takes the logarithm of is not positive; ``r2`` when all targets are equal and ``prb`` when all values are.
    JSON has no NaN: write it as ``null``.

    Args:
        target: known values, shape ``(n,)``, finite.
        prediction: predicted values of the same rows, shape ``(n,)``, finite.

    Returns:
        The 13 scores above, by name; ``n`` is an int, the others are Python floats.

    Raises:
        ValueError: an argument is not one-dimensional, is empty or is not finite, or the lengths differ.

    Example:
        >>> scores = regression_metrics([100_000, 200_000], [110_000, 190_000])
        >>> round(scores["mape"], 2), round(scores["mae"], 2), round(scores["median_ratio"], 3)
        (7.5, 10000.0, 1.025)

    Reference:
        International Association of Assessing Officers, Standard on Ratio Studies (2013): part 1, section 5,
        and appendix D for the price-related bias.
    """
    target = _check_vector(target, "target")
    prediction = _check_vector(prediction, "prediction")
    if len(target) != len(prediction):
        raise ValueError(
            f"target and prediction must score the same rows, got {len(target)} targets and "
            f"{len(prediction)} predictions"
        )
    return _score([(target, prediction)])


def regression_metrics_of_parts(parts: Pairs) -> dict[str, float]:
    """Score predictions that are not all in memory: `regression_metrics`, from parts of the rows.

    Args:
        parts: float64 ``(n,)`` targets and predictions of at least one row each, finite. They are gone through about 30
            times, one part in memory at a time.

    Returns:
        the scores of all rows together. Medians are exact; sums are rounded by parts, so that the last digits of other
        scores may differ from those of one part.

    Raises:
        ValueError: there is no row, a part without one, or a number that is not finite.

    Example:
        >>> parts = [(np.array([100.0, 200.0]), np.array([110.0, 190.0])), (np.array([50.0]), np.array([50.0]))]
        >>> round(regression_metrics_of_parts(parts)["median_ape"], 6)
        5.0
    """
    checked = [len(_check_vector(pair[0], "target")) == len(_check_vector(pair[1], "prediction")) for pair in parts]
    if not checked or not all(checked):
        raise ValueError("target and prediction must score the same rows, at least one")
    return _score(parts)


def bootstrap_intervals(
    target: ArrayLike, prediction: ArrayLike, *, draws: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Say how far each score may be off because there are only so many rows: percentile intervals of 95 %.

    Rows are drawn with replacement, one by one; rows that belong together make the true interval wider. What another
    training, or another split, would change is not in it.

    Args:
        target: as for `regression_metrics`.
        prediction: likewise.
        draws: how often rows are drawn.
        seed: of the draws.

    Returns:
        Name of a score -> lower and upper end; NaN where a draw does not define it. Without ``n``.

    Example:
        >>> low, high = bootstrap_intervals([100.0, 200.0, 300.0], [110.0, 190.0, 330.0])["mape"]
        >>> round(low, 1), round(high, 1)
        (5.0, 10.0)

    Reference:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    target, prediction = np.asarray(target, dtype=float), np.asarray(prediction, dtype=float)
    names = list(regression_metrics(target, prediction))[1:]
    random = np.random.default_rng(seed)
    scores = np.empty((draws, len(names)))
    for draw in range(draws):
        rows = random.integers(len(target), size=len(target))
        scores[draw] = list(regression_metrics(target[rows], prediction[rows]).values())[1:]
    ends = np.quantile(scores, [0.025, 0.975], axis=0)
    return {name: (float(low), float(high)) for name, low, high in zip(names, *ends, strict=True)}


def _check_vector(values: ArrayLike, name: str) -> FloatArray:
    vector = np.asarray(values, dtype=np.float64)
    # A Keras prediction has shape (n, 1); subtracted from (n,) it would silently become (n, n).
    if vector.ndim != 1 or len(vector) == 0:
        raise ValueError(
            f"{name} must have shape (n,) with at least one row, got {vector.shape}. "
            "Use `.ravel()` on a column such as a Keras prediction"
        )
    bad = np.flatnonzero(~np.isfinite(vector))
    if len(bad):
        shown = ", ".join(f"row {row}: {vector[row]}" for row in bad[:5])
        raise ValueError(f"{name} must be finite numbers, got {shown} ({len(bad)} of {len(vector)} rows).")
    return vector


def _score(pairs: Pairs) -> dict[str, float]:
    num_rows = sum(len(target) for target, _ in pairs)
    totals = {name: _add_up(pairs, metric.loss) for name, metric in METRICS.items() if metric.loss}
    scores = {
        "n": num_rows,
        **{name: METRICS[name].of_mean(total / num_rows) for name, total in totals.items()},
        **_score_shares(pairs, num_rows),
        "r2": _explained_share(pairs, num_rows, totals["rmse"]),
        **_ratio_statistics(pairs, num_rows),
    }
    return {name: num_rows if name == "n" else float(scores[name]) for name in METRICS}


def _add_up(pairs: Pairs, value: Value) -> np.float64:
    """Return the sum of what is computed of each target and prediction."""
    return np.float64(sum(np.sum(value(*pair)) for pair in pairs))


def _ends(pairs: Pairs, value: Value) -> tuple[float, float]:
    """Return the smallest and the largest of what is computed of each target and prediction."""
    found = [(np.min(values), np.max(values)) for values in (value(*pair) for pair in pairs)]
    return float(np.min(found)), float(np.max(found))


def _median(pairs: Pairs, value: Value, num_rows: int) -> float:
    """Return the median of what is computed of each target and prediction, exactly."""
    target, prediction = next(iter(pairs))
    if len(target) == num_rows:
        return float(np.median(value(target, prediction)))
    return (_select(pairs, value, (num_rows - 1) // 2) + _select(pairs, value, num_rows // 2)) / 2


def _select(pairs: Pairs, value: Value, rank: int) -> float:
    """Return the value that ``rank`` values come before, by counting 16 of its bits at a time (radix selection)."""
    found = 0
    for shift in (48, 32, 16, 0):
        counts = np.zeros(2**16, dtype=np.int64)
        for pair in pairs:
            bits = value(*pair).view(np.uint64)
            # As whole numbers, these are in the order of the floats: IEEE 754 keeps sign and magnitude.
            ordered = np.where(bits >> 63, ~bits, bits | np.uint64(1 << 63)) >> shift
            counts += np.bincount((ordered[ordered >> 16 == found] & 0xFFFF).astype(np.int64), minlength=2**16)
        num_until = np.cumsum(counts)
        digit = int(np.searchsorted(num_until, rank, side="right"))
        rank -= int(num_until[digit] - counts[digit])
        found = found << 16 | digit
    number = found ^ (1 << 63) if found >> 63 else found ^ (2**64 - 1)
    return float(np.uint64(number).view(np.float64))


def _score_shares(pairs: Pairs, num_rows: int) -> dict[str, float]:
    if math.isnan(_add_up(pairs, _relative_error)):
        return dict.fromkeys(("median_ape", "ppe10", "ppe20"), math.nan)
    return {
        "median_ape": 100 * _median(pairs, _relative_error, num_rows),
        "ppe10": 100 * (_add_up(pairs, lambda y, p: (_relative_error(y, p) <= 0.10).astype(float)) / num_rows),
        "ppe20": 100 * (_add_up(pairs, lambda y, p: (_relative_error(y, p) <= 0.20).astype(float)) / num_rows),
    }


def _explained_share(pairs: Pairs, num_rows: int, unexplained: float) -> float:
    low, high = _ends(pairs, lambda target, _: target)
    if low == high:
        return math.nan
    mean = _add_up(pairs, lambda target, _: target) / num_rows
    return 1 - unexplained / _add_up(pairs, lambda target, _: (target - mean) ** 2)


def _ratio_statistics(pairs: Pairs, num_rows: int) -> dict[str, float]:
    statistics = dict.fromkeys(("median_ratio", "cod", "prd", "prb"), math.nan)
    if _ends(pairs, lambda target, _: target)[0] <= 0:
        return statistics
    median = _median(pairs, lambda y, p: p / y, num_rows)
    statistics["median_ratio"] = median
    if median > 0:
        statistics["cod"] = 100 * (_add_up(pairs, lambda y, p: np.abs(p / y - median)) / num_rows) / median
        statistics["prb"] = _price_related_bias(pairs, num_rows, median)
    if (predicted := _add_up(pairs, lambda _, p: p)) > 0:
        ratio = _add_up(pairs, lambda y, p: p / y) / num_rows
        statistics["prd"] = ratio / (predicted / _add_up(pairs, lambda y, _: y))
    return statistics


def _price_related_bias(pairs: Pairs, num_rows: int, median: float) -> float:
    # The value is a mean of both numbers: on the target alone, its noise would look like regressivity.
    def value(target: FloatArray, prediction: FloatArray) -> FloatArray:
        return 0.5 * (prediction / median + target)

    low, high = _ends(pairs, value)
    if low <= 0 or low == high:
        return math.nan
    mean = _add_up(pairs, lambda y, p: np.log2(value(y, p))) / num_rows
    slope = _add_up(pairs, lambda y, p: (np.log2(value(y, p)) - mean) * (p / y - median) / median)
    return slope / _add_up(pairs, lambda y, p: (np.log2(value(y, p)) - mean) ** 2)
