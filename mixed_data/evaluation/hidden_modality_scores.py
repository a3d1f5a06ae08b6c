"""What a model is still worth for rows without photos, without a table, or without both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixed_data.intervals import coverage_table
from mixed_data.metrics import regression_metrics
from mixed_data.prediction.missing_patterns import PATTERNS
from mixed_data.prediction.predicted_rows import RowRegressor
from mixed_data.schema import Schema

_MAY_LACK = {"both": {"tabular", "image"}, "image": {"image"}, "tabular": set()}
"""Modalities of a regressor -> those that a row may lack altogether."""


def predict_hidden(
    model: RowRegressor, rows: pd.DataFrame, predicted: pd.DataFrame, schema: Schema, coverage: float | None
) -> pd.DataFrame:
    """Predict held-out rows with all photos, all cells and both hidden, and set these beside the rows as they are.

    Args:
        model: fitted.
        rows: ``n`` of them.
        predicted: what the model's ``predict_rows`` says of them as they are.
        schema: roles of the columns.
        coverage: of the intervals; None for none.

    Returns:
        ``pattern`` (of `mixed_data.prediction.missing_patterns.PATTERNS`, those that the model knows), ``prediction``
        and with a coverage ``lower`` and ``upper``, ``n`` lines per pattern, indexed as the rows. Empty for a model of
        the table alone.
    """
    may_lack = _MAY_LACK[model.modalities]
    columns = {"tabular": schema.features, "image": schema.images}
    parts = [pd.DataFrame({"pattern": [], "prediction": []}, index=rows.index[:0])]
    for pattern, missing in PATTERNS.items():
        if may_lack and may_lack.issuperset(missing):
            hidden = rows.assign(**dict.fromkeys(name for modality in missing for name in columns[modality]))
            found = model.predict_rows(hidden, coverage=coverage) if missing else predicted.set_axis(rows.index)
            kept = ["prediction", *(name for name in ("lower", "upper") if name in found)]
            parts.append(found[kept].assign(pattern=pattern))
    return pd.concat(parts[1:] or parts)


def score_hidden(rounds: Sequence[pd.DataFrame], target: np.ndarray) -> list[dict[str, Any]]:
    """Score what `predict_hidden` predicted.

    Args:
        rounds: in each, every row that is scored at most once per pattern, indexed by its position.
        target: of all rows, target units.

    Returns:
        One dict per pattern: ``pattern``, `mixed_data.metrics.regression_metrics`, and with intervals ``coverage``
        (percent of the rows) and ``median_width`` (target units); means over the rounds.
    """
    scores = []
    for pattern in PATTERNS:
        of_rounds = [_score(lines[lines["pattern"] == pattern], target) for lines in rounds if len(lines)]
        if found := [each for each in of_rounds if each]:
            scores.append({"pattern": pattern, **pd.DataFrame(found).mean(skipna=False).to_dict()})
    return scores


def _score(lines: pd.DataFrame, target: np.ndarray) -> dict[str, float]:
    if lines.empty:
        return {}
    truth = target[lines.index]
    scores = regression_metrics(truth, lines["prediction"])
    if "lower" in lines and lines["lower"].notna().all():
        found = coverage_table(truth, lines["prediction"], lines["lower"], lines["upper"])
        scores |= {name: float(found[name].iloc[0]) for name in ("coverage", "median_width")}
    return scores
