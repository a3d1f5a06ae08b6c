"""How sure a fitted regressor is: conformal intervals from predictions of rows that its models had not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import clone

from mixed_data.audit import find_groups
from mixed_data.intervals import IntervalCalibrator
from mixed_data.preprocessing import Inputs
from mixed_data.schema import Schema
from mixed_data.split import k_fold

if TYPE_CHECKING:
    from mixed_data.estimator.regressor import MixedDataRegressor

NUM_FOLDS = 5
_SMALLEST_SPREAD = 0.02
"""Standard deviations of the target that are added to the members' spread, so that its logarithm is one."""


def calibrate(
    regressor: MixedDataRegressor,
    X: pd.DataFrame,
    target: np.ndarray,
    schema: Schema,
    validation: tuple[Inputs, np.ndarray] | None,
) -> IntervalCalibrator:
    """Learn how far off predictions are, per pattern of what a row has.

    With rows that were set aside for early stopping, those are used: they decided only when to stop. Without, models
    of grouped folds predict all training rows, each those that it has not seen, which costs `NUM_FOLDS` more fits. Rows
    are also predicted with their photos hidden, so that rows without photos get intervals of their own.

    Args:
        regressor: fitted on these rows.
        X: the training rows.
        target: ``(n,)``, target units.
        schema: of the regressor's modality.
        validation: inputs and target of the rows that were set aside, if any.
    """
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
    if validation is not None:
        parts = _predict_patterns(regressor, *validation)
    else:
        table = X if schema.target is None else X.assign(**{schema.target: target})
        groups = find_groups(table, schema)
        num_folds = min(NUM_FOLDS, len(np.unique(groups)))
        for training_rows, held_out_rows in k_fold(groups, num_folds, random_state=regressor.random_state):
            fold = clone(regressor).set_params(schema=schema, intervals=False)
            fold.fit(X.iloc[training_rows], target[training_rows])
            parts += _predict_patterns(fold, fold.transform(X.iloc[held_out_rows]), target[held_out_rows])
    targets, predictions, difficulty, patterns = (np.concatenate(column) for column in zip(*parts, strict=True))
    scale = "log" if regressor.target_transformer_.log_ else "identity"
    calibrator = IntervalCalibrator(scale, random_state=regressor.random_state)
    return calibrator.fit(targets, predictions, difficulty=difficulty, pattern=patterns)


def describe_rows(regressor: MixedDataRegressor, inputs: Inputs, scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What tells easy rows from hard ones, and which pattern a row has.

    Args:
        regressor: fitted.
        inputs: of the rows.
        scaled: predictions on the transformed scale, ``(n, members)``.

    Returns:
        float64 ``(n, 2)``: the prediction, and the logarithm of the members' standard deviation; and text ``(n,)``:
        "all", or "no photos" for a row without any in a model that reads photos.
    """
    spread = np.log(scaled.std(axis=1) + _SMALLEST_SPREAD)
    difficulty = np.column_stack([scaled.mean(axis=1), spread]).astype("float64")
    if regressor.modalities == "tabular":
        return difficulty, np.full(len(scaled), "all", dtype=object)
    return difficulty, np.where(inputs["image_mask"].any(axis=1), "all", "no photos").astype(object)


def _predict_patterns(
    regressor: MixedDataRegressor, inputs: Inputs, target: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    variants = [inputs]
    if regressor.modalities != "tabular" and inputs["image_mask"].any():
        hidden = {"images": np.zeros_like(inputs["images"]), "image_mask": np.zeros_like(inputs["image_mask"])}
        seen = np.flatnonzero(inputs["image_mask"].any(axis=1))  # the others are without photos as they are
        variants.append(Inputs({**inputs, **hidden}, inputs.row_warnings).take(seen))
        targets = [target, target[seen]]
    else:
        targets = [target]
    parts = []
    for variant, values in zip(variants, targets, strict=True):
        scaled = regressor.predict_members(variant)
        prediction = regressor.target_transformer_.inverse_transform(scaled.mean(axis=1))
        parts.append((values, prediction, *describe_rows(regressor, variant, scaled)))
    return parts
