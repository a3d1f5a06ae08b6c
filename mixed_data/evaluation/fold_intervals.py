"""Intervals of a cross-validated network by fewer fits, because a model that lacks two folds serves both of them.

A network on few rows learns its intervals from models of inner folds, five more fits each. Here the inner folds of a
fold are the other folds. A model without the folds j and k has seen neither, so that what it predicts for the rows of j
is out of fold for the model that holds out k, and what it predicts for k for the one that holds out j: K folds need
K (K - 1) / 2 such fits, not 5 K. The model of all rows needs none: the models of the folds are its inner folds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from mixed_data.estimator import MixedDataRegressor
from mixed_data.estimator.out_of_fold import NUM_FOLDS, Splits, fit_and_predict, predict_patterns
from mixed_data.estimator.settings import share_aside
from mixed_data.evaluation.finished_fits import FinishedFits
from mixed_data.evaluation.task_runs import RunTasks, run_by_joblib
from mixed_data.files.progress import track
from mixed_data.network.distribution import fitted_by
from mixed_data.schema import Schema

FEWEST_FOLDS = 5
"""With fewer, a model without two of them has less than three quarters of the rows of the model that it speaks for."""

MOST_FOLDS = 2 * NUM_FOLDS
"""With more, the inner folds of each fold are fewer fits."""


def can_share_folds(model: Any, splits: Splits) -> bool:
    """Tell whether a model learns intervals from inner folds, and these folds can serve as them.

    Args:
        model: unfitted regressor.
        splits: of all rows, from `mixed_data.split.k_fold`.
    """
    is_asked = isinstance(model, MixedDataRegressor) and model.intervals
    few = FEWEST_FOLDS <= len(splits) <= MOST_FOLDS
    return is_asked and few and all(share_aside(model.validation_fraction, len(rows)) == 0 for rows, _ in splits)


@dataclass(frozen=True)
class OutOfFold:
    """What models that had not seen them predict for the training rows of a fold.

    Attributes:
        rows: what `mixed_data.estimator.MixedDataRegressor.fit` takes as ``out_of_fold``.
        seconds: wall time of these fits, divided among the folds.
    """

    rows: pd.DataFrame
    seconds: float


def predict_other_folds(
    name: str,
    model: MixedDataRegressor,
    table: pd.DataFrame,
    schema: Schema,
    splits: Splits,
    fits: FinishedFits,
    run_tasks: RunTasks = run_by_joblib,
) -> dict[int, OutOfFold]:
    """Predict the training rows of some folds by models that have seen neither the row nor what the fold holds out.

    Args:
        name: of the model.
        model: unfitted.
        table: all rows, with the target.
        schema: roles of the columns.
        splits: of all rows, from `mixed_data.split.k_fold`.
        fits: the finished ones; their folds need nothing.
        run_tasks: runs the fits.

    Returns:
        Of each fold that is not finished.
    """
    started = time.perf_counter()
    held_out = [rows for _, rows in splits]
    wanted = {fold for fold, rows in enumerate(held_out) if fits.read(name, fold, rows) is None}
    pairs = [pair for pair in combinations(range(len(splits)), 2) if not wanted.isdisjoint(pair)]
    unfitted = clone(model).set_params(schema=schema, intervals=False)
    tasks = [(pair, np.sort(np.concatenate([held_out[fold] for fold in pair]))) for pair in pairs]
    target = table[schema.target].to_numpy("float64")
    predicted = dict(track(run_tasks(_predict_two, tasks, unfitted, table, target), "fits for intervals", len(tasks)))
    seconds = (time.perf_counter() - started) / max(len(wanted), 1)
    found = {}
    for fold in sorted(wanted):
        lines = pd.concat([predicted[pair] for pair in pairs if fold in pair], ignore_index=True)
        lines = lines[~lines["row"].isin(held_out[fold])]
        found[fold] = OutOfFold(lines.assign(row=np.searchsorted(splits[fold][0], lines["row"])), seconds)
    return found


def _predict_two(
    task: tuple[tuple[int, int], np.ndarray], model: MixedDataRegressor, table: pd.DataFrame, target: np.ndarray
) -> tuple[tuple[int, int], pd.DataFrame]:
    """Fit a clone without two folds and predict them; in whatever process."""
    pair, rows = task
    with fitted_by(None):  # the other processes of a job take no part in fits for intervals
        return pair, fit_and_predict(clone(model), table, target, np.setdiff1d(np.arange(len(table)), rows), rows)


def predict_held_out(models: Sequence[MixedDataRegressor], table: pd.DataFrame, splits: Splits) -> pd.DataFrame:
    """Predict every row by the model that held it out, as ``out_of_fold`` for a model of all rows.

    Args:
        models: fitted, of each fold.
        table: all rows.
        splits: of all rows.
    """
    parts = []
    for model, (_, rows) in zip(models, splits, strict=True):
        found = predict_patterns(model, model.read_rows(table.iloc[rows]))
        parts.append(found.assign(row=rows[found["row"]]))
    return pd.concat(parts, ignore_index=True)
