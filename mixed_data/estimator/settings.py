"""What `MixedDataRegressor` checks before it starts, and what its options become: settled once, for each consumer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from numbers import Integral, Real
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mixed_data.files.first_few import cut
from mixed_data.fusion import FUSIONS
from mixed_data.network import IMAGE_BRANCHES
from mixed_data.network.fused_network import NetworkSettings, choose
from mixed_data.network.training import TrainingSettings
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.preprocessing.backbone_options import resolve_backbones
from mixed_data.schema import Schema, SchemaError
from mixed_data.schema.column_formats import check_and_read
from mixed_data.schema.column_problems import find_table_problems
from mixed_data.schema.pandas_frames import to_pandas
from mixed_data.schema.written_numbers import parse_numbers
from mixed_data.split import find_groups, hold_out

FEW_ROWS = 1000
"""Below this number of training rows, what is None in `MixedDataRegressor` becomes what suits few rows."""

_SCHEMA_FOR = {
    "both": lambda schema: schema,
    "tabular": Schema.without_images,
    "image": Schema.only_images,
}
_LEAST = {"units": 1, "batch_size": 1, "patience": 0, "weight_decay": 0}
_NEVER_NONE = (
    "random_state",
    "batch_size",
    "units",
    "patience",
    "flip_average",
    "learning_rate",
    "weight_decay",
    "dropout",
)
_SHARES = ("dropout", "image_dropout", "modality_dropout", "validation_fraction")
_KINDS: tuple[tuple[Any, str, Sequence[str]], ...] = (
    (Schema, "a Schema", ("schema",)),
    (MixedDataPreprocessor, "a MixedDataPreprocessor", ("preprocessor",)),
    (Integral, "a whole number", ("units", "batch_size", "patience", "members", "epochs", "random_state")),
    (bool, "True or False", ("flip_average",)),
    (Real, "a number", ("learning_rate", "weight_decay", *_SHARES)),
)

Options = Mapping[str, Any]
"""The arguments of `MixedDataRegressor`, by name."""


def check_options(options: Options) -> None:
    """Check every option before anything is read.

    Raises:
        ValueError: an option is out of range or unknown.
    """
    if problems := [*_find_wrong_kinds(options)]:
        raise ValueError(f"MixedDataRegressor: {'; '.join(problems)}")
    problems = [f"{name} must be {low} or more" for name, low in _LEAST.items() if not options[name] >= low]
    problems += [f"{name} must be in [0, 1)" for name in _SHARES if not 0 <= (options[name] or 0) < 1]
    if not options["learning_rate"] > 0:
        problems.append("learning_rate must be above 0")
    counts = {name: options[name] for name in ("members", "epochs") if options[name] is not None}
    problems += [f"{name} must be 1 or more, or None" for name, count in counts.items() if not count >= 1]
    choose(FUSIONS, options["fusion"], "fusion")
    choose(IMAGE_BRANCHES, options["image_branch"], "image_branch")
    choose(_SCHEMA_FOR, options["modalities"], "modalities")
    if options["image_branch"] == "pretrained" and options["modalities"] != "tabular":
        resolve_backbones(options)
    if problems:
        got = {name: options[name] for name in (problem.split()[0] for problem in problems)}
        raise ValueError(f"MixedDataRegressor: {'; '.join(problems)}; got {got}")


def _find_wrong_kinds(options: Options) -> Iterator[str]:
    for kind, what, names in _KINDS:
        for name in names:
            option = options.get(name)
            if not isinstance(option, kind) and (option is not None or name in _NEVER_NONE):
                yield f"{name} must be {what}, got {cut(repr(option))} ({type(option).__name__})"


def check_callbacks(callbacks: object) -> None:
    """Check what stands in the third place of ``fit``, where other regressors have weights.

    Raises:
        ValueError: it is no list of Keras callbacks.
    """
    kind = keras.callbacks.Callback
    if not isinstance(callbacks, list | tuple) or not all(isinstance(callback, kind) for callback in callbacks):
        got = type(callbacks).__name__
        raise ValueError(f"expected a list of Keras callbacks after X and y, got {got}; there are no sample weights")


def resolve_settings(options: Options, num_rows: int) -> tuple[NetworkSettings, TrainingSettings]:
    """Settle what network is built and how it is trained; what is None becomes what suits branches and rows.

    Args:
        options: checked.
        num_rows: given to `fit`.
    """
    branch = "" if options["modalities"] == "tabular" else options["image_branch"]
    has_pixels = branch == "cnn"
    few = num_rows < FEW_ROWS
    modality_dropout = options["modality_dropout"]
    if modality_dropout is None:
        modality_dropout = 0.0 if branch in ("cnn", "patches") else 0.2
    epochs = 40 if few and not has_pixels else 20
    if options["modalities"] == "both" and modality_dropout:
        epochs += epochs // 2  # each row is seen whole less often
    suited = {
        "members": 1 if has_pixels else 8,
        "image_dropout": {"cnn": 0.8 if few else 0.6, "patches": 0.9}.get(branch, 0.3),
        "epochs": epochs,
        "loss": "mae" if few else "huber",
        "modality_dropout": modality_dropout,
    }
    settled = {**options, **{name: value for name, value in suited.items() if options[name] is None}}
    network = {field.name: settled[field.name] for field in fields(NetworkSettings)}
    training = {field.name: settled[field.name] for field in fields(TrainingSettings)}
    return NetworkSettings(**network), TrainingSettings(**training)


def read_training_rows(
    schema: Schema | None, modalities: str, X: Any, y: ArrayLike
) -> tuple[Schema, pd.DataFrame, np.ndarray]:
    """Check the rows and their target, and read their cells: the one check of a fit.

    Args:
        schema: as given; None infers it, and then no column of ``X`` is the target but one with the name of ``y``.
        modalities: "both", "tabular" or "image".
        X: the rows.
        y: the target, one cell per row; its cells mean what those of a column mean.

    Returns:
        the schema for these modalities, the rows, and the target, float64 ``(n,)``.

    Raises:
        ValueError: the table with its target does not fit the schema, or without one a column repeats the target.
    """
    X = to_pandas(X)
    if problems := [*find_table_problems(X, None if schema is None or X.columns.nlevels > 1 else ())]:
        raise SchemaError(*problems)
    cells = _read_target(X, y)
    is_guessed = schema is None
    if schema is None:
        schema = _infer_schema(X, cells)
        if modalities != "tabular" and not schema.images:
            raise SchemaError(
                f"no column of X clearly holds paths of photos; name it (schema=Schema.infer(table, images=[...])), or "
                f"set modalities='tabular':\n{schema.explain()}"
            )
    name = schema.target or _free_name(X)
    whole = replace(_SCHEMA_FOR[modalities](schema), target=name)
    whole, table = check_and_read(replace(whole, id=None), X.assign(**{name: cells}))
    target = table[name].to_numpy()
    if is_guessed:
        _refuse_clashes(X, table, target, whole)
    if name not in X.columns:
        table = table.drop(columns=name)
    return replace(whole, id=schema.id, target=schema.target), table, target


def read_target(schema: Schema, X: Any, y: ArrayLike) -> np.ndarray:
    """Read a target by the rules of `read_training_rows`, where rows are scored: float64 ``(n,)``."""
    name = schema.target or "target"
    formats = {name: schema.formats[name]} if name in schema.formats else {}
    cells = _read_target(to_pandas(X), y).to_frame(name)
    return check_and_read(Schema(target=name, formats=formats), cells)[1][name].to_numpy()


def _read_target(X: pd.DataFrame, y: Any) -> pd.Series:
    """Return the cells of the target with the index of the rows, and the name that they came with."""
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        y = y.iloc[:, 0]
    if not isinstance(y, pd.Series):
        cells = y if isinstance(y, np.ndarray) else np.asarray(y, dtype=object)  # Masked is missing.
        cells = cells[:, 0] if cells.ndim == 2 and cells.shape[1] == 1 else cells
        name = getattr(y, "name", None)
        y = pd.Series(cells, name=name).infer_objects() if cells.ndim == 1 else cells
    if y.shape != (len(X),):
        raise ValueError(f"expected one target per row, ({len(X)},), got shape {y.shape}")
    return y.set_axis(X.index)


def _infer_schema(X: pd.DataFrame, cells: pd.Series) -> Schema:
    """Guess the roles; only a column of the target's name can be the target."""
    name = cells.name if isinstance(cells.name, str) else _free_name(X)
    return Schema.infer(X.assign(**{name: cells}), target=name)


def _refuse_clashes(X: pd.DataFrame, table: pd.DataFrame, target: np.ndarray, whole: Schema) -> None:
    """Refuse a column with the target's values and another name, or its name and other values."""
    name = str(whole.target)
    if name in X.columns:
        own, _ = parse_numbers(X[name], whole.number_format(name))
        if not np.array_equal(own, target):
            raise SchemaError(
                f"y is called {name!r} like a column of X with other values; rename y, or take that column out"
            )
        return
    others = table.drop(columns=name)
    copy = next((other for other in others if np.array_equal(parse_numbers(others[other])[0], target)), None)
    if copy is not None and len(np.unique(target)) > 1:
        raise SchemaError(f"column {copy!r} of X equals y; take it out of X, or call y the same")


def _free_name(X: pd.DataFrame) -> str:
    """Return a name for the target that no column has."""
    name = "target"
    while name in X.columns:
        name += "_"
    return name


def group_rows(X: pd.DataFrame, target: np.ndarray, schema: Schema) -> np.ndarray:
    """Return the groups of training rows that no split may part, int64 ``(n,)``; see `mixed_data.split.find_groups`."""
    return find_groups(X if schema.target is None else X.assign(**{schema.target: target}), schema)


def share_aside(fraction: float | None, num_rows: int) -> float:
    """Return the share of the rows that are not trained on, but tell when to stop."""
    if fraction is None:
        return 0.0 if num_rows < FEW_ROWS else 0.1
    return fraction


def set_aside(
    fraction: float | None, X: pd.DataFrame, target: np.ndarray, schema: Schema, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the rows to train on, and of those that tell when to stop."""
    fraction = share_aside(fraction, len(X))
    if fraction == 0:
        return np.arange(len(X)), np.arange(0)
    return hold_out(group_rows(X, target, schema), test_size=fraction, random_state=random_state)
