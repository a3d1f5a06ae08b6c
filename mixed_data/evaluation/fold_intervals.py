"""Intervals of a cross-validated network by fewer fits, because a model that lacks two folds serves both of them.

A network on few rows learns its intervals from models of inner folds, five more fits each. Here the inner folds of a
fold are the other folds. A model without the folds j and k has seen neither, so that what it predicts for the rows of j
is out of fold for the model that holds out k, and what it predicts for k for the one that holds out j: K folds need
K (K - 1) / 2 such fits, not 5 K. The model of all rows needs none: the models of the folds are its inner folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mixed_data.estimator import MixedDataRegressor
from mixed_data.estimator.out_of_fold import NUM_FOLDS, Splits, predict_out_of_fold, predict_patterns
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
    return is_asked and few and all(model.needs_inner_folds(len(training_rows)) for training_rows, _ in splits)


def predict_other_folds(
    model: MixedDataRegressor, table: pd.DataFrame, schema: Schema, splits: Splits, wanted: AbstractSet[int]
) -> dict[int, pd.DataFrame]:
    """Predict the training rows of some folds by models that have seen neither the row nor what the fold holds out.

    Args:
        model: unfitted; fits run where `joblib.parallel_config` says.
        table: all rows, with the target.
        schema: roles of the columns.
        splits: of all rows, from `mixed_data.split.k_fold`.
        wanted: the folds.

    Returns:
        Of each fold what `mixed_data.estimator.MixedDataRegressor.fit` takes as ``out_of_fold``.
    """
    held_out = [rows for _, rows in splits]
    pairs = [pair for pair in combinations(range(len(splits)), 2) if not wanted.isdisjoint(pair)]
    lacking = [np.sort(np.concatenate([held_out[fold] for fold in pair])) for pair in pairs]
    shared = [(np.setdiff1d(np.arange(len(table)), rows), rows) for rows in lacking]
    if not shared:
        return {}
    predicted = predict_out_of_fold(model, table, table[schema.target].to_numpy("float64"), schema, shared)
    found = {}
    for fold in wanted:
        own = [number for number, pair in enumerate(pairs) if fold in pair]
        lines = predicted[predicted["split"].isin(own) & ~predicted["row"].isin(held_out[fold])]
        found[fold] = lines.assign(row=np.searchsorted(splits[fold][0], lines["row"]))
    return found


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
