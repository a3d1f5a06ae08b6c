"""Do intervals keep what they promise, and for whom?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mixed_data.intervals.argument_checks import check_vector


def coverage_table(
    target: ArrayLike,
    prediction: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    *,
    by: Mapping[str, ArrayLike] | None = None,
) -> pd.DataFrame:
    """Tell on held-out rows how many true values lie in their intervals and how wide these are, in total and by group.

    Bands of the prediction are what a user can know beforehand; by them the coverage should be even. By bands of the
    target it cannot quite be: a house that was sold for very little is there because the prediction missed it.

    Args:
        target: true values `(n,)`, n at least 1.
        prediction: `(n,)`.
        lower: lower ends `(n,)`.
        upper: upper ends `(n,)`.
        by: more groupings beside `value_bands` of prediction and target: name -> label of each row `(n,)`.

    Returns:
        one row per group, the total first, with the columns ``by`` and ``group`` (texts), ``n``, ``coverage`` (percent
        of the rows inside, ends included), ``mean_relative_width`` (percent of the absolute prediction; NaN where one
        of them is 0) and ``median_width`` (target units).

    Raises:
        ValueError: an argument is not of this shape, or not finite.

    Example:
        >>> table = coverage_table([1.0, 4.0], [1.0, 2.0], [0.5, 1.0], [1.5, 3.0], by={"photos": [4, 0]})
        >>> table.loc[table["by"].isin(["all", "photos"]), ["group", "coverage", "median_width"]].values.tolist()
        [['all', 50.0, 1.5], ['0', 0.0, 2.0], ['4', 100.0, 1.0]]
    """
    target = check_vector(target, "target")
    if not len(target):
        raise ValueError("expected at least one row, got none")
    prediction = check_vector(prediction, "prediction", num_rows=len(target))
    lower = check_vector(lower, "lower", num_rows=len(target))
    upper = check_vector(upper, "upper", num_rows=len(target))
    groupings: dict[str, NDArray[Any]] = {"all": np.full(len(target), "all", dtype=object)}
    groupings |= {"prediction": value_bands(prediction), "target": value_bands(target)}
    groupings |= {name: _check_labels(labels, name, len(target)) for name, labels in (by or {}).items()}
    size = np.where(prediction == 0, np.nan, np.abs(prediction))
    rows = pd.DataFrame(
        {
            "coverage": 100.0 * ((lower <= target) & (target <= upper)),
            "mean_relative_width": 100 * (upper - lower) / size,
            "median_width": upper - lower,
        }
    )
    tables = [_summarise(rows, labels, name) for name, labels in groupings.items()]
    return pd.concat(tables, ignore_index=True)


def value_bands(values: ArrayLike, num_bands: int = 5) -> NDArray[np.object_]:
    """Label each row by the band that its value lies in, where bands hold as equal a number of rows as possible.

    Args:
        values: `(n,)`, n at least 1, finite.
        num_bands: how many; fewer where values are equal, which stay in one band.

    Returns:
        texts `(n,)` that sort as the bands do, with the ends rounded to three digits: "1: 22,000 to 252,000". A value
        at an end belongs to the band below.
    """
    values = check_vector(values, "values")
    ends = np.unique(np.quantile(values, np.linspace(0, 1, num_bands + 1)))
    bands = np.searchsorted(ends[1:-1], values, side="left")
    texts = [f"{float(f'{end:.3g}'):,.12g}" for end in ends]
    digits = len(str(num_bands))
    names = [f"{number:0{digits}}: {low} to {high}" for number, (low, high) in enumerate(pairwise(texts), start=1)]
    return np.array(names or [f"1: {texts[0]}"], dtype=object)[bands]


def _check_labels(labels: ArrayLike, name: str, num_rows: int) -> NDArray[np.object_]:
    vector = np.asarray(labels, dtype=object)
    if vector.shape != (num_rows,):
        raise ValueError(f"by[{name!r}] must have shape ({num_rows},), one label per row, got {vector.shape}")
    return vector


def _summarise(rows: pd.DataFrame, labels: NDArray[Any], name: str) -> pd.DataFrame:
    grouped = rows.groupby(labels, dropna=False)
    sizes = grouped.size()
    return pd.DataFrame(
        {
            "by": name,
            "group": sizes.index.map(str),
            "n": sizes,
            "coverage": grouped["coverage"].mean(),
            "mean_relative_width": grouped["mean_relative_width"].mean(skipna=False),
            "median_width": grouped["median_width"].median(),
        }
    )
