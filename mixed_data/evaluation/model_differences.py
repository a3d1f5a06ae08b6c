"""Is one model better than another on the same held-out rows, or is it luck?

Two intervals for the difference of a metric, because each forgets something. The *corrected resampled t-test* looks at
the differences per fold, so that it knows how much another training set changes; folds share most of their training
rows, for which it is corrected. The *grouped bootstrap* asks which other houses could have been in the table, with the
predictions as they are. A difference counts as shown only where both intervals exclude zero.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mixed_data.evaluation.significance import NUM_DRAWS, count_rows_needed, estimate_by_bootstrap, estimate_by_t_test
from mixed_data.files.checked_json import make_plain
from mixed_data.metrics import METRICS, FloatArray

HELPS, HURTS, NOT_SHOWN = "helps", "hurts", "no difference shown"


@dataclass(frozen=True)
class Evidence:
    """Held-out predictions of several models on the same repeats and folds.

    Attributes:
        predictions: one line per model, repeat and row: ``model``, ``repeat``, ``fold``, ``row`` (position in the
            table) and ``prediction`` (target units). Every row is held out once in each repeat.
        target: float64 ``(n,)``, target units.
        groups: ``(n,)``, group of each row; see `mixed_data.split.find_groups`.
    """

    predictions: pd.DataFrame
    target: FloatArray
    groups: NDArray[Any]

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order of their first line."""
        return self.predictions["model"].unique().tolist()


@dataclass(frozen=True)
class Difference:
    """The first model's metric minus the second's; below zero the first is better.

    Attributes:
        metric: a name in `METRICS` with a loss for each row.
        first: mean over the repeats of the pooled metric of the first model.
        first_sd: its standard deviation over the repeats; NaN with one repeat.
        second: as ``first``, of the second model.
        second_sd: as ``first_sd``.
        difference: ``first - second``.
        t_interval: 95 % interval of the corrected resampled t-test, around the mean difference of the folds.
        t_p_value: two-sided, of the same test.
        bootstrap_interval: 95 % percentile interval of the grouped bootstrap.
        bootstrap_p_value: two-sided, of the same draws.
        folds_won: folds where the first model is better.
        num_folds: of all repeats together.
        repeats_won: repeats where the first model is better.
        num_repeats: how many there are.
        num_rows: rows of the table.
        num_rows_needed: rows with which both intervals would exclude zero with 80 % power, if this difference is the
            true one; see `count_rows_needed`. Infinite for a difference of zero.
    """

    metric: str
    first: float
    first_sd: float
    second: float
    second_sd: float
    difference: float
    t_interval: tuple[float, float]
    t_p_value: float
    bootstrap_interval: tuple[float, float]
    bootstrap_p_value: float
    folds_won: int
    num_folds: int
    repeats_won: int
    num_repeats: int
    num_rows: int
    num_rows_needed: float

    @property
    def interval(self) -> tuple[float, float]:
        """The smallest interval that holds both; it excludes zero only where both do, on the same side."""
        lows, highs = zip(self.t_interval, self.bootstrap_interval, strict=True)
        return min(lows), max(highs)

    @property
    def p_value(self) -> float:
        """The larger of both p-values: small only where both tests agree."""
        return max(self.t_p_value, self.bootstrap_p_value)

    @property
    def claim(self) -> str:
        """What the first model does beside the second: `HELPS`, `HURTS` or `NOT_SHOWN`."""
        low, high = self.interval
        return HELPS if high < 0 else HURTS if low > 0 else NOT_SHOWN

    def to_dict(self) -> dict[str, Any]:
        """Return the fields with ``interval``, ``p_value`` and ``claim``, fit for JSON: what is not finite is None."""
        return make_plain({**asdict(self), "interval": self.interval, "p_value": self.p_value, "claim": self.claim})


def compare_models(
    evidence: Evidence,
    first: str,
    second: str,
    *,
    metric: str = "mape",
    num_draws: int = NUM_DRAWS,
    random_state: int = 0,
) -> Difference | None:
    """Compare two models on identical folds, with both intervals.

    Args:
        evidence: the predictions.
        first: name of a model.
        second: name of another.
        metric: a name in `METRICS` with a loss for each row.
        num_draws: of the bootstrap.
        random_state: seed of the bootstrap.

    Returns:
        The difference, first minus second, or None where the metric is not defined for all rows: a target of zero for
        "mape", a target or prediction of zero or below for "rmse_log".

    Raises:
        ValueError: a model or metric is unknown, a row is not held out exactly once in each repeat, the models were
            not held out on the same folds, or there is only one fold.

    Example:
        >>> folds = pd.DataFrame({"repeat": 0, "fold": [0, 0, 1, 1], "row": [0, 1, 2, 3]})
        >>> better, worse = [11.0, 9.0, 11.0, 9.0], [14.0, 8.0, 13.0, 9.0]
        >>> lines = [folds.assign(model="a", prediction=better), folds.assign(model="b", prediction=worse)]
        >>> evidence = Evidence(pd.concat(lines), target=np.full(4, 10.0), groups=np.arange(4))
        >>> found = compare_models(evidence, "a", "b")
        >>> round(found.first, 1), round(found.second, 1), found.folds_won, found.claim
        (10.0, 25.0, 2, 'no difference shown')
    """
    fold_of = _number_folds(evidence, first)
    if not np.array_equal(fold_of, _number_folds(evidence, second)):
        raise ValueError(f"the models {first!r} and {second!r} were not held out on the same folds")
    losses = np.stack([_find_losses(evidence, model, metric) for model in (first, second)])
    of_mean = METRICS[metric].of_mean
    if np.isnan(losses).any():
        return None
    by_repeat = of_mean(losses.mean(axis=2))
    scores = by_repeat.mean(axis=1).tolist()
    spreads = by_repeat.std(axis=1, ddof=1).tolist() if by_repeat.shape[1] > 1 else [math.nan, math.nan]
    difference = scores[0] - scores[1]
    num_tested = np.bincount(fold_of.ravel())
    by_fold = of_mean(np.stack([np.bincount(fold_of.ravel(), model.ravel()) for model in losses]) / num_tested)
    num_rows = len(evidence.target)
    t_test = estimate_by_t_test(by_fold[0] - by_fold[1], float(np.mean(num_tested / (num_rows - num_tested))))
    bootstrap = estimate_by_bootstrap(
        losses, evidence.groups, of_mean=of_mean, num_draws=num_draws, random_state=random_state
    )
    return Difference(
        metric=metric,
        first=scores[0],
        first_sd=spreads[0],
        second=scores[1],
        second_sd=spreads[1],
        difference=difference,
        t_interval=(t_test.low, t_test.high),
        t_p_value=t_test.p_value,
        bootstrap_interval=(bootstrap.low, bootstrap.high),
        bootstrap_p_value=bootstrap.p_value,
        folds_won=int((by_fold[0] < by_fold[1]).sum()),
        num_folds=by_fold.shape[1],
        repeats_won=int((by_repeat[0] < by_repeat[1]).sum()),
        num_repeats=by_repeat.shape[1],
        num_rows=num_rows,
        num_rows_needed=max(count_rows_needed(difference, found, num_rows) for found in (t_test, bootstrap)),
    )


def score_repeats(evidence: Evidence, model: str, metric: str) -> FloatArray:
    """Return the pooled metric of each repeat, float64 ``(repeats,)``; NaN where it is not defined.

    Args:
        evidence: the predictions.
        model: name of a model.
        metric: a name in `METRICS` with a loss for each row.

    Raises:
        ValueError: as in `compare_models`.
    """
    return METRICS[metric].of_mean(_find_losses(evidence, model, metric).mean(axis=1))


def _find_losses(evidence: Evidence, model: str, metric: str) -> FloatArray:
    """Return the loss of each row in each repeat, (repeats, n)."""
    losses = {name: known.loss for name, known in METRICS.items() if known.loss}
    if metric not in losses:
        raise ValueError(f"metric: expected one of {list(losses)}, got {metric!r}")
    return losses[metric](evidence.target, _read_cells(evidence, model, "prediction"))


def _number_folds(evidence: Evidence, model: str) -> NDArray[np.int64]:
    """Return the fold of each row (repeats, n), numbered from 0 through all repeats."""
    folds = _read_cells(evidence, model, "fold")
    pairs = np.stack([np.indices(folds.shape)[0].ravel(), folds.ravel()], axis=1)
    return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(folds.shape)


def _read_cells(evidence: Evidence, model: str, column: str) -> FloatArray:
    """Return a column of one model as (repeats, n), in the order of the table."""
    lines = evidence.predictions[evidence.predictions["model"] == model]
    if lines.empty:
        raise ValueError(f"expected one of the models {evidence.models}, got {model!r}")
    if not lines.duplicated(["repeat", "row"]).any():
        cells = lines.pivot(index="repeat", columns="row", values=column).to_numpy("float64")
        if cells.shape[1] == len(evidence.target) and np.isfinite(cells).all():
            return cells
    raise ValueError(
        f"model {model!r}: every one of the {len(evidence.target)} rows must be held out exactly once in each repeat"
    )
