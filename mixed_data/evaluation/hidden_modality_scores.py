"""What a model is still worth for rows without photos, without a table, or without both."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mixed_data.evaluation.held_out_scores import COVERAGE, HeldOut
from mixed_data.intervals import coverage_table
from mixed_data.metrics import regression_metrics
from mixed_data.prediction.missing_patterns import PATTERNS
from mixed_data.schema import Schema

_MAY_LACK = {"both": {"tabular", "image"}, "image": {"image"}, "tabular": set()}
"""Modalities of a regressor -> those that a row may lack altogether."""


def score_patterns(main: HeldOut, table: pd.DataFrame, schema: Schema) -> list[dict[str, Any]]:
    """Score a model on its held-out rows as they are, and with all photos, all cells and both hidden.

    Args:
        main: of a network or a stack, with the models that were fitted.
        table: all rows, with the target.
        schema: roles of the columns.

    Returns:
        One dict per pattern of `mixed_data.prediction.missing_patterns.PATTERNS` that the model knows: ``pattern``,
        `mixed_data.metrics.regression_metrics`, and with intervals ``coverage`` (percent of the rows) and
        ``median_width`` (target units). Empty for a model of the table alone.
    """
    may_lack = _MAY_LACK[main.fitted[0].modalities]
    columns = {"tabular": schema.features, "image": schema.images}
    scores = []
    for pattern, missing in PATTERNS.items():
        if may_lack and may_lack.issuperset(missing):
            hidden = table.assign(**dict.fromkeys(name for modality in missing for name in columns[modality]))
            scores.append({"pattern": pattern, **_score(main, hidden, schema)})
    return scores


def _score(main: HeldOut, table: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    parts = []
    for fold, model in enumerate(main.fitted):
        rows = table.iloc[main.rows.index[main.rows["fold"] == fold]]
        predicted = model.predict_rows(rows, coverage=None if model.calibrator_ is None else COVERAGE)
        parts.append(predicted.assign(target=rows[schema.target].to_numpy()))
    pooled = pd.concat(parts)
    scores: dict[str, Any] = regression_metrics(pooled["target"], pooled["prediction"])
    if "lower" in pooled:
        lines = coverage_table(pooled["target"], pooled["prediction"], pooled["lower"], pooled["upper"])
        scores |= {name: float(lines[name].iloc[0]) for name in ("coverage", "median_width")}
    return scores
