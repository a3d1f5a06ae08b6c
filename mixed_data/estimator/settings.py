"""What `MixedDataRegressor` checks before it starts, and what its options become: settled once, for each consumer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mixed_data.fusion import FUSIONS
from mixed_data.network import IMAGE_BRANCHES
from mixed_data.network.fused_network import NetworkSettings, choose
from mixed_data.network.training import TrainingSettings
from mixed_data.schema import Schema
from mixed_data.schema.inferred_roles import find_targets
from mixed_data.split import find_groups, hold_out

FEW_ROWS = 1000
"""Below this number of training rows, what is None in `MixedDataRegressor` becomes what suits few rows."""

_SCHEMA_FOR = {
    "both": lambda schema: schema,
    "tabular": Schema.without_images,
    "image": Schema.only_images,
}
_LEAST = {"units": 1, "batch_size": 1, "patience": 0, "weight_decay": 0, "finetune": 0}
_SHARES = ("dropout", "image_dropout", "modality_dropout", "validation_fraction")

Options = Mapping[str, Any]
"""The arguments of `MixedDataRegressor`, by name."""


def check_options(options: Options) -> None:
    """Check every option before anything is read.

    Raises:
        ValueError: an option is out of range or unknown.
    """
    problems = [f"{name} must be {low} or more" for name, low in _LEAST.items() if not options[name] >= low]
    problems += [f"{name} must be in [0, 1)" for name in _SHARES if not 0 <= (options[name] or 0) < 1]
    if not options["learning_rate"] > 0:
        problems.append("learning_rate must be above 0")
    counts = {name: options[name] for name in ("members", "epochs") if options[name] is not None}
    problems += [f"{name} must be 1 or more, or None" for name, count in counts.items() if not count >= 1]
    if options["finetune"] and options["image_branch"] != "pretrained":
        problems.append("finetune needs image_branch='pretrained'")
    choose(FUSIONS, options["fusion"], "fusion")
    choose(IMAGE_BRANCHES, options["image_branch"], "image_branch")
    choose(_SCHEMA_FOR, options["modalities"], "modalities")
    if problems:
        got = {name: options[name] for name in (problem.split()[0] for problem in problems)}
        raise ValueError(f"MixedDataRegressor: {'; '.join(problems)}; got {got}")


def resolve_settings(options: Options, num_rows: int) -> tuple[NetworkSettings, TrainingSettings]:
    """Settle what network is built and how it is trained; what is None becomes what suits branches and rows.

    Args:
        options: checked.
        num_rows: given to `fit`.
    """
    has_pixels = options["image_branch"] != "pretrained" and options["modalities"] != "tabular"
    few = num_rows < FEW_ROWS
    modality_dropout = options["modality_dropout"]
    if modality_dropout is None:
        modality_dropout = 0.0 if has_pixels else 0.2
    epochs = 40 if few and not has_pixels else 20
    if options["modalities"] == "both" and modality_dropout:
        epochs += epochs // 2  # each row is seen whole less often
    suited = {
        "members": 1 if has_pixels else 8,
        "image_dropout": (0.8 if few else 0.6) if has_pixels else 0.3,
        "epochs": epochs,
        "loss": "mae" if few else "huber",
        "modality_dropout": modality_dropout,
    }
    settled = {**options, **{name: value for name, value in suited.items() if options[name] is None}}
    network = {field.name: settled[field.name] for field in fields(NetworkSettings)}
    training = {field.name: settled[field.name] for field in fields(TrainingSettings)}
    return NetworkSettings(**network), TrainingSettings(**training)


def check_target(X: pd.DataFrame, y: ArrayLike) -> np.ndarray:
    """Return the target as float64 ``(n,)``.

    Raises:
        ValueError: ``X`` is no DataFrame, or ``y`` does not have one number per row.
    """
    if not isinstance(X, pd.DataFrame):
        raise ValueError(f"expected a pandas DataFrame with named columns, got {type(X).__name__}")
    target = np.asarray(y, dtype="float64")
    if target.ndim == 2 and target.shape[1] == 1:
        target = target[:, 0]
    if target.shape != (len(X),):
        raise ValueError(f"expected one target per row, ({len(X)},), got shape {target.shape}")
    return target


def resolve_schema(
    schema: Schema | None, modalities: str, X: pd.DataFrame, target: np.ndarray, name: str | None
) -> Schema:
    """Return the schema for these modalities, and check the rows against it: the one check of a fit.

    Args:
        schema: as given; None infers it.
        modalities: "both", "tabular" or "image".
        X: the rows.
        target: ``(n,)``.
        name: what the target is called, if anything.

    Raises:
        ValueError: the table with its target does not fit the schema.
    """
    if schema is None:
        if name is not None and name not in X.columns and not find_targets(X.columns, ()):
            X = X.assign(**{name: target})
        schema = Schema.infer(X, target=name if name in X.columns else None)
    schema = _SCHEMA_FOR[modalities](schema)
    table = with_target(X, target, schema)
    replace(schema, id=None).validate(table, needs_target=schema.target is not None)
    return schema


def with_target(X: pd.DataFrame, target: np.ndarray, schema: Schema) -> pd.DataFrame:
    """Return the rows with their target under the schema's name for it, if it has one."""
    return X if schema.target is None else X.assign(**{schema.target: target})


def set_aside(
    fraction: float | None, X: pd.DataFrame, target: np.ndarray, schema: Schema, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the rows to train on, and of those that tell when to stop."""
    if fraction is None:
        fraction = 0.0 if len(X) < FEW_ROWS else 0.1
    if fraction == 0:
        return np.arange(len(X)), np.arange(0)
    groups = find_groups(with_target(X, target, schema), schema)
    return hold_out(groups, test_size=fraction, random_state=random_state)
