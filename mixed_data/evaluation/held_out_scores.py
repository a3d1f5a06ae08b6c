"""Several models on the same splits: every held-out row is predicted exactly once by each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from threadpoolctl import threadpool_limits

from mixed_data.estimator import MixedDataRegressor, StackedRegressor
from mixed_data.estimator.stacked_regressor import BRANCHES
from mixed_data.evaluation.baselines import NUM_SIMILAR_ROWS
from mixed_data.evaluation.finished_fits import KEEP_NOTHING, FinishedFits, Fit
from mixed_data.evaluation.fold_intervals import OutOfFold, predict_other_folds
from mixed_data.evaluation.hidden_modality_scores import predict_hidden
from mixed_data.evaluation.model_names import BEST, IMAGE, TABLE
from mixed_data.fusion import FUSIONS
from mixed_data.metrics import regression_metrics
from mixed_data.prediction.predicted_rows import RowRegressor
from mixed_data.preprocessing.lost_photos import without_photo_warnings
from mixed_data.schema import Schema

COVERAGE = 0.9
"""Share of the true values that the intervals in a run's files are to hold."""

Splits = Sequence[tuple[np.ndarray, np.ndarray]]
Watch = Callable[[str, int], Sequence[keras.callbacks.Callback]]
"""Called before each fit with the model's name and the fold; returns callbacks for a network."""


@dataclass
class HeldOut:
    """What one model predicted for rows that it had not seen.

    Attributes:
        name: of the model.
        rows: ``prediction``, ``images_used``, ``warnings`` and ``fold`` (from 0) of each held-out row, with ``lower``
            and ``upper`` (`COVERAGE`) where the model knows intervals, and ``level_rows`` where it has any, indexed by
            the row's position in the table, in its order.
        metrics: `regression_metrics` over all held-out rows together.
        seconds: wall time of fitting and predicting, all folds.
        fitted: the model of each fold, or what a store of finished fits kept of it.
        hidden: predictions of the held-out rows with modalities hidden, where they were asked for; see
            `mixed_data.evaluation.hidden_modality_scores.predict_hidden`.
    """

    name: str
    rows: pd.DataFrame
    metrics: dict[str, float]
    seconds: float
    fitted: list[Any] = field(repr=False)
    hidden: pd.DataFrame = field(repr=False, default_factory=pd.DataFrame)


def no_callbacks(name: str, fold: int) -> Sequence[keras.callbacks.Callback]:
    """See nothing; a `Watch`."""
    return ()


def evaluate_held_out(
    name: str,
    model: BaseEstimator,
    table: pd.DataFrame,
    schema: Schema,
    splits: Splits,
    *,
    watch: Watch = no_callbacks,
    fits: FinishedFits = KEEP_NOTHING,
    hide: bool = False,
    share_folds: bool = False,
) -> HeldOut:
    """Fit a fresh clone of ``model`` on each split's training rows and predict its held-out rows.

    Args:
        name: of the model, for the result and for ``watch``.
        model: unfitted regressor over a DataFrame.
        table: all rows, with the target.
        schema: roles of the columns.
        splits: from `mixed_data.split`; held-out parts must not overlap.
        watch: see `Watch`.
        fits: where finished fits are taken from and put.
        hide: whether the held-out rows are also predicted with modalities hidden.
        share_folds: whether the splits are each other's inner folds, see `mixed_data.evaluation.fold_intervals`.

    Returns:
        The held-out predictions, pooled over the splits.

    Raises:
        ValueError: a row is held out in two splits, or there are too few rows to train on.
    """
    if pd.Index(np.concatenate([held_out_rows for _, held_out_rows in splits])).has_duplicates:
        raise ValueError("a row is held out in two splits; every held-out row must be scored exactly once")
    if (num_rows := min(len(training_rows) for training_rows, _ in splits)) < NUM_SIMILAR_ROWS:
        raise ValueError(
            f"expected at least {NUM_SIMILAR_ROWS} rows to train on, got {num_rows} of the {len(table)} rows; add "
            "rows, or hold fewer of them out"
        )
    how: dict[str, Any] = {"watch": watch, "fits": fits, "hide": hide}
    known = predict_other_folds(name, model, table, schema, splits, fits) if share_folds else {}
    done = [
        fit_fold(name, model, table, schema, split, fold, **how, out_of_fold=known.get(fold))
        for fold, split in enumerate(splits)
    ]
    pooled = pd.concat([fit.rows for fit in done]).sort_index()
    metrics = regression_metrics(table[schema.target].iloc[pooled.index], pooled["prediction"])
    seconds, hidden = sum(fit.seconds for fit in done), pd.concat([fit.hidden for fit in done])
    return HeldOut(name, pooled, metrics, seconds, [fit.model for fit in done], hidden)


def fit_fold(
    name: str,
    model: BaseEstimator,
    table: pd.DataFrame,
    schema: Schema,
    split: tuple[np.ndarray, np.ndarray],
    fold: int,
    *,
    watch: Watch = no_callbacks,
    fits: FinishedFits = KEEP_NOTHING,
    hide: bool = False,
    out_of_fold: OutOfFold | None = None,
) -> Fit:
    """Fit one fold as `evaluate_held_out` does, or take it from the finished fits; the arguments are the same.

    With ``out_of_fold`` predictions of the training rows, intervals are learned from them.
    """
    training_rows, held_out_rows = split
    if (fit := fits.read(name, fold, held_out_rows)) is not None:
        return fit
    started = time.perf_counter()
    regressor, rows, held_out = clone(model), table.iloc[training_rows], table.iloc[held_out_rows]
    target, hidden = rows[schema.target], pd.DataFrame()
    if isinstance(model, RowRegressor):
        callbacks = [*watch(name, fold), *fits.watch_epochs(name, fold)]
        with without_photo_warnings():  # a run speaks of all photos, before its first fit
            known = {} if out_of_fold is None else {"out_of_fold": out_of_fold.rows}
            regressor.fit(rows, target, callbacks=callbacks, **known)
        coverage = None if regressor.calibrator_ is None else COVERAGE
        predicted = regressor.predict_rows(held_out, coverage=coverage)
        seconds = time.perf_counter() - started + (0.0 if out_of_fold is None else out_of_fold.seconds)
        if hide:
            held_out = held_out.set_axis(held_out_rows, axis="index")
            hidden = predict_hidden(regressor, held_out, predicted, schema, coverage)
    else:
        # Trees on small tables gain nothing from threads, which wait for each other on a busy machine: 18 s, not 2.
        with threadpool_limits(1, user_api="openmp"):
            regressor.fit(rows, target)
        predicted = pd.DataFrame({"prediction": regressor.predict(held_out), "images_used": 0, "warnings": ""})
        seconds = time.perf_counter() - started
    predicted = predicted.set_axis(held_out_rows, axis="index").assign(fold=fold)
    return fits.keep(name, fold, Fit(predicted, regressor, seconds, hidden))


def choose_networks(
    schema: Schema, networks: Sequence[str] | None, fusion: str, *, default: Sequence[str]
) -> tuple[list[str], str]:
    """Return the networks to train and the main one; with one modality there is nothing to merge, and one network.

    Args:
        schema: roles of the columns.
        networks: those that were asked for, or None.
        fusion: of the main network.
        default: networks where none were asked for, and the schema has both modalities.
    """
    has_both = bool(schema.features and schema.images)
    single = TABLE if schema.features else IMAGE
    return list(networks or (default if has_both else (single,))), fusion if has_both else single


def make_networks(
    schema: Schema, names: Sequence[str], options: Mapping[str, Any]
) -> dict[str, MixedDataRegressor | StackedRegressor]:
    """Return unfitted networks by name: "table" and "image" are the unimodal ones, "best" a stack, all others fusions.

    Args:
        schema: roles of the columns.
        names: "table", "image", "best", or names in `mixed_data.fusion.FUSIONS`.
        options: further arguments of `MixedDataRegressor`, the same for all.

    Raises:
        ValueError: a name is unknown, or a network needs columns of a kind that the schema does not have.
    """
    kinds = {TABLE: {"modalities": "tabular"}, IMAGE: {"modalities": "image"}, BEST: {}}
    kinds |= {name: {"fusion": name} for name in FUSIONS}
    if unknown := [name for name in names if name not in kinds]:
        raise ValueError(f"networks: expected names of {list(kinds)}, got {', '.join(map(repr, unknown))}")
    for role, columns, other in (("image", schema.images, TABLE), ("tabular", schema.features, IMAGE)):
        if not columns and set(names) != {other}:
            raise ValueError(
                f"the schema names no {role} column, so that only the network {other!r} can be trained, not "
                f"{', '.join(name for name in names if name != other)}; use --networks {other} --fusion {other}"
                + (", or name the columns of photos with --images" if role == "image" else "")
            )
    networks: dict[str, Any] = {
        name: MixedDataRegressor(schema, **{**options, **kinds[name]}) for name in names if name != BEST
    }
    if BEST in names:
        if options.get("image_branch") not in BRANCHES:
            raise ValueError(f"networks: 'best' needs --image-branch {' or '.join(BRANCHES)}")
        known = StackedRegressor().get_params(deep=False)
        networks[BEST] = StackedRegressor(schema, **{name: options[name] for name in options if name in known})
    return {name: networks[name] for name in names}
