"""The statistics of a difference between two models: two intervals, p-values, and the rows that would be needed.

Plain arrays in, numbers out; `mixed_data.evaluation.model_differences` applies them to held-out predictions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from mixed_data.metrics import FloatArray

CONFIDENCE = 0.95
NUM_DRAWS = 10_000

_POWER = 0.80
_MAX_COUNTS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Estimate:
    """What one method says of a difference.

    Attributes:
        low: lower end of the 95 % interval.
        high: upper end.
        error: standard error.
        reach: standard errors that the method's interval reaches to each side.
        p_value: two-sided.
    """

    low: float
    high: float
    error: float
    reach: float
    p_value: float


def estimate_by_t_test(fold_differences: ArrayLike, test_share: float) -> Estimate:
    """Judge a mean difference by its folds, whose training rows overlap: the corrected resampled t-test.

    With d_1 ... d_J the difference in each fold of all repeats and s^2 their variance (divided by J - 1), the standard
    error is sqrt((1 / J + n_test / n_train) s^2); t has J - 1 degrees of freedom. Without the second term the folds
    would count as independent studies, and repeating a cross-validation often enough would show anything.

    Args:
        fold_differences: ``(J,)``.
        test_share: n_test / n_train, e.g. 1 / 4 with five folds.

    Returns:
        The estimate, around the mean of the differences.

    Raises:
        ValueError: there are fewer than two folds.

    Example:
        >>> found = estimate_by_t_test([-2.0, -1.0, -3.0, -2.0], 1 / 3)
        >>> round(found.error, 3), round(found.low, 2), round(found.high, 2)
        (0.624, -3.98, -0.02)

    Reference:
        Nadeau and Bengio 2003, Inference for the Generalization Error, doi:10.1023/A:1024068626366; for repeated
        cross-validation Bouckaert and Frank 2004, doi:10.1007/978-3-540-24775-3_3.
    """
    differences = np.asarray(fold_differences, dtype=np.float64)
    num_folds = len(differences)
    if num_folds < 2:
        raise ValueError(f"the corrected t-test needs at least two folds, got {num_folds}")
    mean = float(differences.mean())
    error = math.sqrt((1 / num_folds + test_share) * differences.var(ddof=1))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, num_folds - 1))
    # Folds that do not differ at all leave nothing to divide by.
    distance = abs(mean) / error if error else (math.inf if mean else 0.0)
    p_value = float(2 * stats.t.sf(distance, num_folds - 1))
    return Estimate(mean - reach * error, mean + reach * error, error, reach, p_value)


def estimate_by_bootstrap(
    losses: FloatArray,
    groups: ArrayLike,
    *,
    of_mean: Callable[[FloatArray], FloatArray] = np.asarray,
    num_draws: int = NUM_DRAWS,
    random_state: int = 0,
) -> Estimate:
    """Judge a difference by drawing whole groups of rows with replacement, as many as there are: a grouped bootstrap.

    Rows of one group (the same house twice) rise and fall together, so that drawing single rows would promise too
    much. Only sums per group are drawn. The predictions stay as they are.

    Args:
        losses: ``(2, repeats, n)``, loss of each row by each of two models.
        groups: ``(n,)``, group of each row.
        of_mean: mean loss -> score; the score of each repeat is taken over the drawn rows, then the mean over the
            repeats.
        num_draws: how often to draw.
        random_state: seed.

    Returns:
        The percentile interval of the first score minus the second; the p-value is twice the share of draws on the
        rarer side of zero, and never 0.

    Reference:
        Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 and 13, doi:10.1201/9780429246593.
    """
    num_repeats = losses.shape[1]
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    per_row = np.vstack([losses.reshape(2 * num_repeats, -1), np.ones(len(codes))])
    sums = np.stack([np.bincount(codes, line) for line in per_row], axis=1)
    random = np.random.default_rng(random_state)
    at_once = max(1, _MAX_COUNTS_AT_ONCE // len(names))
    parts = []
    for start in range(0, num_draws, at_once):
        size = min(at_once, num_draws - start)
        drawn = random.integers(len(names), size=(size, len(names))) + len(names) * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        totals = counts.astype(np.float64) @ sums
        scores = of_mean(totals[:, :-1] / totals[:, -1:]).reshape(size, 2, num_repeats).mean(axis=2)
        parts.append(scores[:, 0] - scores[:, 1])
    draws = np.concatenate(parts)
    tail = (1 - CONFIDENCE) / 2
    low, high = map(float, np.quantile(draws, (tail, 1 - tail)))
    rarer = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    p_value = min(1.0, 2 * (rarer + 1) / (num_draws + 1))
    return Estimate(low, high, float(draws.std()), float(stats.norm.ppf(1 - tail)), p_value)


def count_rows_needed(difference: float, estimate: Estimate, num_rows: int) -> float:
    """Rows with which the interval would exclude zero in 80 % of all studies.

    Standard errors shrink with the square root of the number of rows n: with q the estimate's ``reach``, it takes
    n (q + 0.84)^2 (error / difference)^2 rows. The observed difference is taken for the true one, so that the answer
    is as uncertain as that.

    Args:
        difference: the observed one.
        estimate: of the same difference.
        num_rows: n.

    Returns:
        A number of rows, infinite for a difference of zero.

    Example:
        >>> round(count_rows_needed(0.5, Estimate(-0.48, 1.48, 0.5, 1.96, 0.32), num_rows=100))
        785
    """
    if difference == 0:
        return math.inf
    return num_rows * ((estimate.reach + float(stats.norm.ppf(_POWER))) * estimate.error / difference) ** 2


def adjust_holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number: to call those below 0.05 shown errs anywhere in 5 % of all studies at most.

    Example:
        >>> [round(p, 3) for p in adjust_holm([0.04, 0.01, 0.03])]
        [0.06, 0.03, 0.06]

    Reference:
        Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6, 65-70.
    """
    order = np.argsort(p_values)
    factors = np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * np.asarray(p_values)[order]))
    return adjusted.tolist()
