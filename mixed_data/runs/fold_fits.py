"""The fits of a run, in whatever process: one for each model and split, and with folds one on all rows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from mixed_data.evaluation.finished_fits import FinishedFits, Fit, StandIn
from mixed_data.evaluation.fold_intervals import OutOfFold, predict_held_out, predict_other_folds
from mixed_data.evaluation.held_out_scores import Splits, Watch, fit_fold, no_callbacks
from mixed_data.evaluation.task_runs import RunTasks
from mixed_data.files.progress import track
from mixed_data.preprocessing.lost_photos import without_photo_warnings
from mixed_data.runs.followed_run import ALL_ROWS
from mixed_data.schema import Schema


@dataclass(frozen=True)
class _FoldTask:
    """One fit of a run: on the training rows of a split, or, without one, on all rows."""

    name: str
    model: BaseEstimator
    fold: int
    split: tuple[np.ndarray, np.ndarray] | None
    hide: bool
    out_of_fold: OutOfFold | None = None
    shared: Splits = ()


def fit_elsewhere(
    run_tasks: RunTasks,
    models: Mapping[str, BaseEstimator],
    main: str,
    table: pd.DataFrame,
    schema: Schema,
    splits: Splits,
    fits: FinishedFits,
    *,
    share_folds: bool,
    on_all_rows: bool,
) -> None:
    """Have all fits made that are not finished; those of the main model, which take longest, first."""
    known: dict[int, OutOfFold] = {}
    if share_folds:
        known = predict_other_folds(main, models[main], table, schema, splits, fits, run_tasks)
    tasks = [
        _FoldTask(name, models[name], fold, split, name == main, known.get(fold) if name == main else None)
        for name in sorted(models, key=lambda name: name != main)
        for fold, split in enumerate(splits)
        if fits.read(name, fold, split[1]) is None
    ]
    on_all = []
    if on_all_rows and fits.read(main, len(splits), ()) is None:
        on_all = [_FoldTask(main, models[main], len(splits), None, False, shared=splits if share_folds else ())]
    # The model of all rows needs those of the folds where folds are shared.
    for some in (tasks, on_all) if share_folds else ([*on_all, *tasks],):
        for _ in track(run_tasks(_fit_and_keep, some, table, schema, fits), "fits", len(some)):
            pass


def _fit_and_keep(task: _FoldTask, table: pd.DataFrame, schema: Schema, fits: FinishedFits) -> None:
    """Fit and keep the result; in whatever process."""
    if task.split is None:
        found = [fits.read(task.name, fold, rows) for fold, (_, rows) in enumerate(task.shared)]
        folds = [fit.model for fit in found if fit is not None], task.shared
        how: tuple[Any, ...] = table, schema, no_callbacks, fits, folds if task.shared else None
        model = fit_on_all_rows(task.name, task.model, task.fold, *how)
    else:
        more: dict[str, Any] = {"fits": fits, "hide": task.hide, "out_of_fold": task.out_of_fold}
        model = fit_fold(task.name, task.model, table, schema, task.split, task.fold, **more).model
    StandIn.in_place_of(model)


def fit_on_all_rows(
    name: str,
    model: BaseEstimator,
    fold: int,
    table: pd.DataFrame,
    schema: Schema,
    watch: Watch,
    fits: FinishedFits,
    folds: tuple[Sequence[Any], Splits] | None,
) -> Any:
    """Fit the main network once more; among the finished fits, it is the one behind the last fold.

    With ``folds``, the models of the folds and their splits, intervals are learned from what these models held out.
    """
    fit = fits.read(name, fold, ())
    if fit is None:
        started = time.perf_counter()
        callbacks = [*watch(f"{name}{ALL_ROWS}", 0), *fits.watch_epochs(name, fold)]
        known = {} if folds is None else {"out_of_fold": predict_held_out(folds[0], table, folds[1])}
        with without_photo_warnings():
            fitted = clone(model).fit(table, table[schema.target], callbacks=callbacks, **known)
        fit = fits.keep(name, fold, Fit(pd.DataFrame(), fitted, time.perf_counter() - started))
    return fit.model
