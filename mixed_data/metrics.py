"""How good a prediction is: the regression scores and the appraisal field's ratio statistics.

One function computes every score that is shown anywhere, so that a number means the same in a report, in
``metrics.json`` and in a cross-validation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


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
        target: Known values, shape ``(n,)``, finite.
        prediction: Predicted values of the same rows, shape ``(n,)``, finite.

    Returns:
        The 13 scores above, by name; ``n`` is an int, the others are Python floats.

    Raises:
        ValueError: An argument is not one-dimensional, is empty or is not finite, or the lengths differ.

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
            f"{len(prediction)} predictions."
        )
    error = prediction - target
    return {
        "n": len(target),
        **_relative_errors(target, error),
        "mae": float(np.mean(np.abs(error))),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "rmse_log": _rmse_log(target, prediction),
        "r2": _r2(target, error),
        **_ratio_statistics(target, prediction),
    }


def _check_vector(values: ArrayLike, name: str) -> FloatArray:
    vector = np.asarray(values, dtype=np.float64)
    # A Keras prediction has shape (n, 1); subtracted from (n,) it would silently become (n, n).
    if vector.ndim != 1 or len(vector) == 0:
        raise ValueError(
            f"{name} must have shape (n,) with at least one row, got {vector.shape}. "
            "Use `.ravel()` on a column such as a Keras prediction."
        )
    bad = np.flatnonzero(~np.isfinite(vector))
    if len(bad):
        shown = ", ".join(f"row {row}: {vector[row]}" for row in bad[:5])
        raise ValueError(f"{name} must be finite numbers, got {shown} ({len(bad)} of {len(vector)} rows).")
    return vector


def _relative_errors(target: FloatArray, error: FloatArray) -> dict[str, float]:
    if np.any(target == 0):
        return dict.fromkeys(("mape", "median_ape", "ppe10", "ppe20"), np.nan)
    relative = np.abs(error) / np.abs(target)
    return {
        "mape": float(100 * np.mean(relative)),
        "median_ape": float(100 * np.median(relative)),
        "ppe10": float(100 * np.mean(relative <= 0.10)),
        "ppe20": float(100 * np.mean(relative <= 0.20)),
    }


def _rmse_log(target: FloatArray, prediction: FloatArray) -> float:
    if np.any(target <= 0) or np.any(prediction <= 0):
        return np.nan
    return float(np.sqrt(np.mean((np.log(prediction) - np.log(target)) ** 2)))


def _r2(target: FloatArray, error: FloatArray) -> float:
    if np.ptp(target) == 0:
        return np.nan
    return float(1 - np.sum(error**2) / np.sum((target - target.mean()) ** 2))


def _ratio_statistics(target: FloatArray, prediction: FloatArray) -> dict[str, float]:
    statistics = dict.fromkeys(("median_ratio", "cod", "prd", "prb"), np.nan)
    if np.any(target <= 0):
        return statistics
    ratio = prediction / target
    median = float(np.median(ratio))
    statistics["median_ratio"] = median
    if median > 0:
        statistics["cod"] = float(100 * np.mean(np.abs(ratio - median)) / median)
        statistics["prb"] = _price_related_bias(target, prediction, ratio, median)
    if prediction.sum() > 0:
        statistics["prd"] = float(ratio.mean() / (prediction.sum() / target.sum()))
    return statistics


def _price_related_bias(target: FloatArray, prediction: FloatArray, ratio: FloatArray, median: float) -> float:
    # The value is a mean of both numbers: on the target alone, its noise would look like regressivity.
    value = 0.5 * (prediction / median + target)
    if np.any(value <= 0) or np.ptp(value) == 0:
        return np.nan
    log_value = np.log2(value)
    centred = log_value - log_value.mean()
    return float(np.sum(centred * (ratio - median) / median) / np.sum(centred**2))
