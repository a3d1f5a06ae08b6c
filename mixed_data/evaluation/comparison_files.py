"""The folder of a finished comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixed_data.evaluation.model_differences import Evidence
from mixed_data.evaluation.repeated_folds import RepeatedRun
from mixed_data.evaluation.run_folder import RunFolder
from mixed_data.files.checked_json import make_plain, write_json
from mixed_data.files.whole_files import write_csv
from mixed_data.intervals import coverage_table
from mixed_data.schema import Schema


def write_results(
    folder: RunFolder,
    run: RepeatedRun,
    table: pd.DataFrame,
    schema: Schema,
    *,
    comparison: Sequence[Mapping[str, Any]],
    verdict: Sequence[Mapping[str, Any]],
    ablation: Sequence[Mapping[str, Any]],
) -> None:
    """Write what a comparison found; see `RunFolder` for the files.

    ``predictions.csv`` has one line per model, repeat and row: ``model``, ``repeat``, ``fold``, ``row`` (position in
    the table), ``id`` (the position where there is no id), ``target`` and ``prediction`` in target units, ``lower`` and
    ``upper`` of the models that know intervals, and ``images_used``, the number of photos that the row was predicted
    from; and ``level_rows``, in how many training rows the rarest level of the row's categories and codes stood.

    Args:
        folder: of the comparison.
        run: what it found.
        table: all rows.
        schema: roles of the columns.
        comparison: for the file of that name.
        verdict: likewise.
        ablation: likewise.
    """
    predictions = run.evidence.predictions
    rows = predictions["row"].to_numpy()
    ids = rows if schema.id is None else table[schema.id].to_numpy()[rows]
    columns = ["model", "repeat", "fold", "row", "id", "target", "prediction", "lower", "upper", "images_used"]
    columns += ["level_rows"]
    lines = predictions.assign(id=np.asarray(ids), target=run.evidence.target[rows])[columns]
    write_csv(folder.predictions, lines)
    write_json(folder.comparison, comparison)
    write_json(folder.verdict, verdict)
    write_json(folder.ablation, ablation)
    write_json(folder.findings, [str(finding) for finding in run.findings])
    write_json(folder.weights, run.mean_weights)
    write_json(folder.missing, make_plain(list(run.missing)))
    write_csv(folder.held_out, table)


def measure_coverage(evidence: Evidence) -> dict[str, pd.DataFrame]:
    """Return `coverage_table` over all repeats for each model that knows intervals.

    Args:
        evidence: every held-out prediction.
    """
    found = {}
    for model, lines in evidence.predictions.dropna(subset=["lower", "upper"]).groupby("model", sort=False):
        by = {"repeat": lines["repeat"].to_numpy(), "photos": lines["images_used"].to_numpy()}
        target = evidence.target[lines["row"]]
        found[str(model)] = coverage_table(target, lines["prediction"], lines["lower"], lines["upper"], by=by)
    return found
