"""How often the interval of a prediction holds the actual value, overall and in each group of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from mixed_data.intervals import coverage_table
from mixed_data.report.row_groups import Grouping

NOMINAL = 90.0
"""Percent of new rows that `lower` and `upper` of predictions.csv promise to hold."""


@dataclass(frozen=True)
class CoverageLine:
    """Coverage of some rows.

    Attributes:
        label: of the rows.
        num_rows: how many they are.
        covered: percent of them whose target lies in the interval, ends included.
        bounds: 95 % interval of that percentage (Wilson).
        median_width: of the intervals, target units.
        relative_width: mean width in percent of the prediction; NaN where a prediction is 0.
    """

    label: str
    num_rows: int
    covered: float
    bounds: tuple[float, float]
    median_width: float
    relative_width: float


def cover(rows: pd.DataFrame, groupings: Sequence[Grouping]) -> list[CoverageLine]:
    """Count covered rows: all of them, then each group of each grouping.

    Args:
        rows: ``target``, ``prediction``, ``lower`` and ``upper``.
        groupings: of the rows; every row is in one group of each.
    """
    labels = {"all rows": "all rows"}
    by = {}
    for number, grouping in enumerate(groupings):
        codes = np.empty(len(rows), dtype=object)
        for place, group in enumerate(grouping.groups):
            code = f"{number}.{place:04d}"  # sorts as the groups stand
            codes[group.rows] = code
            labels[code] = group.label
        if grouping.groups:
            by[str(number)] = codes
    table = coverage_table(rows["target"], rows["prediction"], rows["lower"], rows["upper"], by=by)
    table.loc[table["by"] == "all", "group"] = "all rows"
    table = table[table["group"].isin(labels)]
    return [_make_line(labels[line["group"]], line) for line in table.to_dict("records")]


def _make_line(label: str, line: dict) -> CoverageLine:
    num_rows = int(line["n"])
    share = binomtest(round(line["coverage"] * num_rows / 100), num_rows).proportion_ci(method="wilson")
    return CoverageLine(
        label=label,
        num_rows=num_rows,
        covered=line["coverage"],
        bounds=(100 * float(share.low), 100 * float(share.high)),
        median_width=line["median_width"],
        relative_width=line["mean_relative_width"],
    )
