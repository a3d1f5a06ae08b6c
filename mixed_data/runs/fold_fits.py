"""The fits of a cross-validated run, in whatever process: one for each model and fold, and one on all rows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from mixed_data.evaluation.finished_fits import FinishedFits, Fit, StandIn
from mixed_data.evaluation.held_out_scores import Splits, Watch, fit_fold, no_callbacks
from mixed_data.evaluation.task_runs import RunTasks
from mixed_data.files.progress import track
from mixed_data.preprocessing.lost_photos import without_photo_warnings
from mixed_data.schema import Schema


@dataclass(frozen=True)
class _FoldTask:
    """One fit of a cross-validated run: on the training rows of a fold, or, without a split, on all rows."""

    name: str
    model: BaseEstimator
    fold: int
    split: tuple[np.ndarray, np.ndarray] | None
    hide: bool


def fit_elsewhere(
    run_tasks: RunTasks,
    models: Mapping[str, BaseEstimator],
    main: str,
    table: pd.DataFrame,
    schema: Schema,
    splits: Splits,
    fits: FinishedFits,
) -> None:
    """Have all fits made that are not finished; those of the main model, which take longest, first."""
    tasks = [
        _FoldTask(name, models[name], fold, split, hide=name == main)
        for name in sorted(models, key=lambda name: name != main)
        for fold, split in enumerate([*splits, None] if name == main else splits)
        if fits.read(name, fold, () if split is None else split[1]) is None
    ]
    for _ in track(run_tasks(_fit_and_keep, tasks, table, schema, fits), "fits of folds", len(tasks)):
        pass


def _fit_and_keep(task: _FoldTask, table: pd.DataFrame, schema: Schema, fits: FinishedFits) -> None:
    """Fit and keep the result; in whatever process."""
    if task.split is None:
        model = fit_on_all_rows(task.name, task.model, task.fold, table, schema, no_callbacks, fits)
    else:
        model = fit_fold(task.name, task.model, table, schema, task.split, task.fold, fits=fits, hide=task.hide).model
    StandIn.in_place_of(model)


def fit_on_all_rows(
    name: str, model: BaseEstimator, fold: int, table: pd.DataFrame, schema: Schema, watch: Watch, fits: FinishedFits
) -> Any:
    """Fit the main network once more; among the finished fits, it is the one behind the last fold."""
    fit = fits.read(name, fold, ())
    if fit is None:
        started = time.perf_counter()
        callbacks = [*watch(f"{name}, all rows", 0), *fits.watch_epochs(name, fold)]
        with without_photo_warnings():
            fitted = clone(model).fit(table, table[schema.target], callbacks=callbacks)
        fit = fits.keep(name, fold, Fit(pd.DataFrame(), fitted, time.perf_counter() - started))
    return fit.model
