"""How sure a fitted regressor is: conformal intervals from predictions of rows that its models had not seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import keras
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend
from sklearn.base import clone

from mixed_data.estimator.network_fit import Trained
from mixed_data.estimator.settings import group_rows
from mixed_data.files.progress import track
from mixed_data.intervals import IntervalCalibrator
from mixed_data.network.distribution import fitted_by
from mixed_data.network.spare_networks import give_back
from mixed_data.prediction.missing_patterns import PATTERNS, hide, name_patterns
from mixed_data.prediction.rare_levels import RARITY
from mixed_data.preprocessing import Inputs, TargetTransformer
from mixed_data.preprocessing.lost_photos import without_photo_warnings
from mixed_data.schema import Schema
from mixed_data.split import k_fold

NUM_FOLDS = 5
LEVEL, SPREAD = "level", "spread"

Splits = Sequence[tuple[np.ndarray, np.ndarray]]


class NetworkRegressor(Protocol):
    """What is needed of a regressor here: scikit-learn's contract, and these."""

    modalities: str
    random_state: int
    target_transformer_: TargetTransformer
    model_: keras.Model

    def fit_to_predict(self, X: pd.DataFrame, y: np.ndarray) -> NetworkRegressor:
        """Learn from rows."""

    def read_rows(self, table: pd.DataFrame) -> Inputs:
        """Turn rows into arrays."""

    def describe_inputs(self, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
        """Predict rows, ``(n,)``, and tell easy ones from hard ones by level, spread and rarity, ``(n, 3)``."""


def inner_splits(groups: np.ndarray, random_state: int) -> Splits:
    """Return grouped folds of the training rows, whose groups are those of `group_rows`."""
    return k_fold(groups, min(NUM_FOLDS, len(np.unique(groups))), random_state=random_state)


def predict_patterns(regressor: NetworkRegressor, inputs: Inputs) -> pd.DataFrame:
    """Predict each row as it is, and as it would be without photos, without a table, and without both.

    Args:
        regressor: fitted.
        inputs: of the rows.

    Returns:
        ``row`` (position), ``pattern``, ``prediction`` (target units), and what tells easy rows from hard ones:
        ``level`` (the prediction, transformed), ``spread`` and ``rarity``. A pattern that a row cannot have is
        left out.
    """
    parts = []
    for pattern in PATTERNS:
        variant = hide(inputs, pattern)
        rows = np.flatnonzero(name_patterns(variant, regressor.modalities) == pattern)
        if len(rows):
            scaled, difficulty = regressor.describe_inputs(variant.take(rows))
            columns = {"row": rows, "pattern": pattern}
            columns["prediction"] = regressor.target_transformer_.inverse_transform(scaled)
            columns |= dict(zip((LEVEL, SPREAD, RARITY), difficulty.T, strict=True))
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def predict_unseen(
    regressor: NetworkRegressor, X: pd.DataFrame, target: np.ndarray, schema: Schema, trained: Trained
) -> pd.DataFrame:
    """Predict rows by models that have not seen them: those that were set aside, or else all, by fits of folds.

    Args:
        regressor: fitted.
        X: the rows that it was given.
        target: ``(n,)``, target units.
        schema: of its modality.
        trained: what its training left.

    Returns:
        As `predict_patterns`, with the row's position in ``X``.
    """
    if len(trained.validation):  # they decided only when to stop
        predicted = predict_patterns(regressor, trained.inputs.take(trained.validation))
        return predicted.assign(row=trained.rows[trained.validation][predicted["row"]])
    splits = inner_splits(group_rows(X, target, schema), regressor.random_state)
    with fitted_by(None):  # the other processes of a job take no part
        return predict_out_of_fold(regressor, X, target, schema, splits)


def predict_out_of_fold(
    regressor: NetworkRegressor, X: pd.DataFrame, target: np.ndarray, schema: Schema, splits: Splits
) -> pd.DataFrame:
    """Predict every row by a model that has not seen it; fits run where `joblib.parallel_config` says.

    Args:
        regressor: its settings are used.
        X: the rows.
        target: ``(n,)``, target units.
        schema: of the regressor's modality.
        splits: of the rows.

    Returns:
        As `predict_patterns`.
    """
    fold = clone(regressor).set_params(schema=schema, intervals=False)
    tasks = (delayed(fit_and_predict)(clone(fold), X, target, *split) for split in splits)
    # Ray's backend gives its results all at once.
    parallel = Parallel(return_as="generator" if get_active_backend()[0].supports_return_generator else "list")
    predicted = track(parallel(tasks), "fits for intervals", len(splits))
    return pd.concat(list(predicted), ignore_index=True)


def calibrate(
    target: np.ndarray, predicted: pd.DataFrame, transformer: TargetTransformer, *, inputs: Iterable[str], seed: int
) -> IntervalCalibrator:
    """Learn how far off predictions are, per pattern of what a row has.

    Args:
        target: ``(n,)``, target units.
        predicted: ``row``, ``pattern``, ``prediction`` and further columns, by models that had not seen the rows.
        transformer: of the regressor.
        inputs: names of the columns that tell easy rows from hard ones.
        seed: of the calibrator.
    """
    calibrator = IntervalCalibrator("log" if transformer.log_ else "identity", random_state=seed)
    return calibrator.fit(
        target[predicted["row"]],
        predicted["prediction"],
        difficulty=predicted[list(inputs)].to_numpy(),
        pattern=predicted["pattern"].to_numpy(dtype=object),
    )


def calibrate_network(
    target: np.ndarray, predicted: pd.DataFrame, transformer: TargetTransformer, *, seed: int
) -> IntervalCalibrator:
    """Calibrate as `calibrate` does, by what `predict_patterns` tells of a network's rows."""
    return calibrate(target, predicted, transformer, inputs=(LEVEL, SPREAD, RARITY), seed=seed)


def fit_and_predict(
    regressor: NetworkRegressor,
    X: pd.DataFrame,
    target: np.ndarray,
    training_rows: np.ndarray,
    held_out_rows: np.ndarray,
) -> pd.DataFrame:
    """Fit on some rows and predict others, as `predict_patterns` does; the network is left to the next fit."""
    with without_photo_warnings():  # the fit on all rows has spoken of them
        regressor.fit_to_predict(X.iloc[training_rows], target[training_rows])
    predicted = predict_patterns(regressor, regressor.read_rows(X.iloc[held_out_rows]))
    give_back(regressor.model_)
    return predicted.assign(row=held_out_rows[predicted["row"]])
