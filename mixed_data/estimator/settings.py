"""What `MixedDataRegressor` checks before it starts, and what its None settings become."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mixed_data.fusion import FUSIONS
from mixed_data.network import IMAGE_BRANCHES, TABULAR_BRANCHES
from mixed_data.network.fused_network import choose
from mixed_data.schema import Schema
from mixed_data.schema.inferred_roles import find_targets
from mixed_data.split import find_groups, hold_out

if TYPE_CHECKING:
    from mixed_data.estimator.mixed_data_regressor import MixedDataRegressor

FEW_ROWS = 1000
"""Below this number of training rows, what is None in `MixedDataRegressor` becomes what suits few rows."""

SCHEMA_FOR = {
    "both": lambda schema: schema,
    "tabular": Schema.without_images,
    "image": Schema.only_images,
}
_LEAST = {"units": 1, "batch_size": 1, "patience": 0, "weight_decay": 0, "finetune": 0, "auxiliary": 0}
_SHARES = ("dropout", "image_dropout", "modality_dropout", "validation_fraction")


def check_options(regressor: MixedDataRegressor) -> None:
    """Check every option before anything is read.

    Raises:
        ValueError: an option is out of range or unknown.
    """
    problems = [f"{name} must be {low} or more" for name, low in _LEAST.items() if not getattr(regressor, name) >= low]
    shares = {name: getattr(regressor, name) for name in _SHARES}
    problems += [f"{name} must be in [0, 1)" for name, share in shares.items() if not 0 <= (share or 0) < 1]
    if not regressor.learning_rate > 0:
        problems.append("learning_rate must be above 0")
    counts = {name: getattr(regressor, name) for name in ("members", "epochs")}
    counts = {name: count for name, count in counts.items() if count is not None}
    problems += [f"{name} must be 1 or more, or None" for name, count in counts.items() if not count >= 1]
    if regressor.finetune and regressor.image_branch != "pretrained":
        problems.append("finetune needs image_branch='pretrained'")
    choose(FUSIONS, regressor.fusion, "fusion")
    choose(TABULAR_BRANCHES, regressor.tabular_branch, "tabular_branch")
    choose(IMAGE_BRANCHES, regressor.image_branch, "image_branch")
    choose(SCHEMA_FOR, regressor.modalities, "modalities")
    if problems:
        got = {name: getattr(regressor, name) for name in (problem.split()[0] for problem in problems)}
        raise ValueError(f"MixedDataRegressor: {'; '.join(problems)}; got {got}")


def suited_settings(regressor: MixedDataRegressor, num_rows: int) -> dict[str, Any]:
    """Settings of the network that are None in a regressor, as they suit its branches and the number of rows."""
    has_pixels = regressor.image_branch != "pretrained" and regressor.modalities != "tabular"
    few = num_rows < FEW_ROWS
    modality_dropout = regressor.modality_dropout
    if modality_dropout is None:
        modality_dropout = 0.0 if has_pixels else 0.2
    epochs = 40 if few and not has_pixels else 20
    if regressor.modalities == "both" and modality_dropout:
        epochs += epochs // 2  # each row is seen whole less often
    suited = {
        "members": 1 if has_pixels else 8,
        "image_dropout": (0.8 if few else 0.6) if has_pixels else 0.3,
        "epochs": epochs,
        "loss": "mae" if few else "huber",
        "modality_dropout": modality_dropout,
    }
    given = {name: getattr(regressor, name) for name in suited}
    return {name: suited[name] if value is None else value for name, value in given.items()}


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


def resolve_schema(regressor: MixedDataRegressor, X: pd.DataFrame, target: np.ndarray, name: str | None) -> Schema:
    """Return the schema for a regressor's modality, inferred if none was given; ``name`` is what the target is called.

    Raises:
        ValueError: the table with its target does not fit the schema.
    """
    schema = regressor.schema
    if schema is None:
        if name is not None and name not in X.columns and not find_targets(X.columns, ()):
            X = X.assign(**{name: target})
        schema = Schema.infer(X, target=name if name in X.columns else None)
    schema = SCHEMA_FOR[regressor.modalities](schema)
    table = X if schema.target is None else X.assign(**{schema.target: target})
    replace(schema, id=None).validate(table, needs_target=schema.target is not None)
    return schema


def set_aside(
    regressor: MixedDataRegressor, X: pd.DataFrame, target: np.ndarray, schema: Schema
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the rows to train on and of those that tell when to stop."""
    fraction = regressor.validation_fraction
    if fraction is None:
        fraction = 0.0 if len(X) < FEW_ROWS else 0.1
    if fraction == 0:
        return np.arange(len(X)), np.arange(0)
    table = X if schema.target is None else X.assign(**{schema.target: target})
    return hold_out(find_groups(table, schema), test_size=fraction, random_state=regressor.random_state)
