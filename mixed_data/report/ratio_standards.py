"""The appraisal field's ratio study: the scores, the ranges that assessors hold them to, and what each says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mixed_data.report.wording import decimals


@dataclass(frozen=True)
class Standard:
    """A score of `regression_metrics` and its range.

    Attributes:
        name: in short.
        title: in full.
        low: least value of the range.
        high: largest.
        num_decimals: for writing it.
        meaning: what it says, in plain words.
    """

    name: str
    title: str
    low: float
    high: float
    num_decimals: int
    meaning: str


IAAO_2013 = {
    "median_ratio": Standard(
        "median ratio",
        "median ratio",
        0.90,
        1.10,
        2,
        "The middle one of all ratios of predicted to actual. 1 is right; below 1 predictions are low on the whole.",
    ),
    "cod": Standard(
        "COD",
        "COD, coefficient of dispersion",
        5.0,
        15.0,
        1,
        "How far ratios lie from the median ratio on average, in percent of it: whether alike rows are treated alike. "
        "The range is for single-family homes (to 20 for rural, seasonal or manufactured ones); below 5 is rare with "
        "real sales and a reason to look for a leak.",
    ),
    "prd": Standard(
        "PRD",
        "PRD, price-related differential",
        0.98,
        1.03,
        2,
        "Mean ratio over the ratio of the sums. Above 1, dear rows are predicted low against cheap ones. A few dear "
        "rows can move it.",
    ),
    "prb": Standard(
        "PRB",
        "PRB, price-related bias",
        -0.05,
        0.05,
        3,
        "How much ratios change when the value doubles: −0.05 means 5\u00a0% lower. Single rows move it less than PRD.",
    ),
}
"""Score -> range, for residential property.

Reference:
    International Association of Assessing Officers, Standard on Ratio Studies (2013), part 1, section 9.
"""


@dataclass(frozen=True)
class RatioLine:
    """One line of the study.

    Attributes:
        name: of the score, in short.
        title: in full.
        value: written.
        range: written.
        judgement: "inside", "below", "above" or "not defined".
        meaning: of the score.
    """

    name: str
    title: str
    value: str
    range: str
    judgement: str
    meaning: str


def judge_ratios(metrics: Mapping[str, Any]) -> list[RatioLine]:
    """Hold the ratio statistics against the ranges of the standard.

    Args:
        metrics: of `regression_metrics`, None where not defined.
    """
    lines = []
    for name, standard in IAAO_2013.items():
        value = metrics.get(name)
        if value is None:
            judgement = "not defined"
        else:
            judgement = "below" if value < standard.low else "above" if value > standard.high else "inside"
        bounds = [decimals(bound, standard.num_decimals) for bound in (standard.low, standard.high)]
        lines.append(
            RatioLine(
                name=standard.name,
                title=standard.title,
                value=decimals(value, standard.num_decimals),
                range=" to ".join(bounds),
                judgement=judgement,
                meaning=standard.meaning,
            )
        )
    return lines
