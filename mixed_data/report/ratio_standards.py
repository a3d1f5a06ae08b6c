"""The appraisal field's ratio study: the scores, the ranges that assessors hold them to, and what each says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mixed_data.metrics import METRICS


@dataclass(frozen=True)
class Standard:
    """The range of a score of `regression_metrics`.

    Attributes:
        title: name of the score in full.
        low: least value of the range.
        high: largest.
        meaning: what the score says, in plain words.
    """

    title: str
    low: float
    high: float
    meaning: str


IAAO_2013 = {
    "median_ratio": Standard(
        "median ratio",
        0.90,
        1.10,
        "The middle one of all ratios of predicted to actual. 1 is right; below 1 predictions are low on the whole.",
    ),
    "cod": Standard(
        "COD, coefficient of dispersion",
        5.0,
        15.0,
        "How far ratios lie from the median ratio on average, in percent of it: whether alike rows are treated alike. "
        "The range is for single-family homes (to 20 for rural, seasonal or manufactured ones); below 5 is rare with "
        "real sales and a reason to look for a leak.",
    ),
    "prd": Standard(
        "PRD, price-related differential",
        0.98,
        1.03,
        "Mean ratio over the ratio of the sums. Above 1, dear rows are predicted low against cheap ones. A few dear "
        "rows can move it.",
    ),
    "prb": Standard(
        "PRB, price-related bias",
        -0.05,
        0.05,
        "How much ratios change when the value doubles: −0.05 means 5\u00a0% lower. Single rows move it less than PRD.",
    ),
}
"""Score -> range, for residential property.

Reference:
    International Association of Assessing Officers, Standard on Ratio Studies (2013), part 1, section 9.
"""


def judge_ratios(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Hold the ratio statistics against the ranges of the standard.

    Args:
        metrics: of `regression_metrics`, None where not defined.

    Returns:
        One line per statistic, all texts: ``name`` and ``title``, ``value``, ``range``, ``judgement`` ("inside",
        "below", "above" or "not defined") and ``meaning``.
    """
    lines = []
    for name, standard in IAAO_2013.items():
        metric, value = METRICS[name], metrics.get(name)
        if value is None:
            judgement = "not defined"
        else:
            judgement = "below" if value < standard.low else "above" if value > standard.high else "inside"
        lines.append(
            {
                "name": metric.label,
                "title": standard.title,
                "value": metric.write(value),
                "range": f"{metric.write(standard.low)} to {metric.write(standard.high)}",
                "judgement": judgement,
                "meaning": standard.meaning,
            }
        )
    return lines
