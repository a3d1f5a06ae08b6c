"""The finished fits of a comparison on disk, so that one that was stopped can go on.

Each fit is one small JSON file, which appears whole or not at all. ``settings.json`` says what was fitted on which
rows and photos; fits of other settings are never mixed in.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mixed_data.files.checked_json import (
    INTEGER,
    INTEGERS,
    NUMBER,
    NUMBERS,
    OBJECT,
    TEXT,
    check_fields,
    read_json,
    write_json,
)
from mixed_data.schema import Schema
from mixed_data.schema.cell_values import split_paths

SETTINGS_FILE, TASKS_FOLDER = "settings.json", "folds"

_FIELDS = {
    "model": TEXT,
    "repeat": INTEGER,
    "fold": INTEGER,
    "rows": INTEGERS,
    "predictions": NUMBERS,
    "lower": NUMBERS,
    "upper": NUMBERS,
    "images_used": INTEGERS,
    "weights": OBJECT,
    "seconds": NUMBER,
}


@dataclass(frozen=True)
class TaskResult:
    """What one model predicted for one fold of one repeat.

    Attributes:
        model: name of the model.
        repeat: from 0.
        fold: from 0.
        rows: positions of the held-out rows.
        predictions: of these rows, target units.
        lower: of their intervals, likewise; empty where the model knows none.
        upper: likewise.
        images_used: number of photos that each of these rows was predicted from.
        weights: branch -> learned weight of the fusion; empty where there is none.
        seconds: wall time of fitting and predicting.
    """

    model: str
    repeat: int
    fold: int
    rows: list[int]
    predictions: list[float]
    lower: list[float]
    upper: list[float]
    images_used: list[int]
    weights: dict[str, float]
    seconds: float

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        write_json(path, asdict(self))


def read_task(path: Path, *, model: str, repeat: int, fold: int, rows: Sequence[int]) -> TaskResult | None:
    """Read a finished fit.

    Args:
        path: of the file.
        model: that it must be of.
        repeat: that it must be of.
        fold: that it must be of.
        rows: that it must have predicted.

    Returns:
        The result, or None where there is no file, or it is damaged or of something else.
    """
    try:
        result = TaskResult(**check_fields(read_json(path), str(path), _FIELDS))
    except (OSError, ValueError):
        return None
    lengths = {len(result.predictions), len(result.images_used)}
    lengths |= {len(result.lower) or len(rows), len(result.upper) or len(rows)}
    expected = (model, repeat, fold, list(rows), {len(rows)}, not result.lower)
    found = (result.model, result.repeat, result.fold, result.rows, lengths, not result.upper)
    return result if found == expected else None


def name_task_file(number: int, model: str, repeat: int, fold: int) -> str:
    """Name the file of a fit; ``number`` of the model tells apart what is equal in letters, digits and hyphens."""
    return f"{number:02d}-{re.sub(r'[^A-Za-z0-9]+', '-', model)[:40]}-repeat{repeat}-fold{fold}.json"


def claim_folder(folder: Path, settings: Mapping[str, Any]) -> None:
    """Make the folder of a comparison, or enter one of the same settings.

    Args:
        folder: of the comparison.
        settings: all that a fit depends on, JSON values.

    Raises:
        FileExistsError: the folder holds something else, or a comparison with other settings; it says which.
    """
    settings = json.loads(json.dumps(settings))  # as it will be read again: tuples are lists
    path = folder / SETTINGS_FILE
    if path.is_file():
        found = read_json(path)
        found = found if isinstance(found, dict) else {}
        if changed := [name for name in {**settings, **found} if found.get(name) != settings.get(name)]:
            raise FileExistsError(
                f"{folder} holds a comparison that differs in: {', '.join(changed)}. Its finished fits cannot be mixed "
                "with these; choose another --out or remove it"
            )
    else:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FileExistsError(
                f"{folder} is not empty and holds no comparison to go on with; choose another --out or remove it"
            )
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, settings)
    (folder / TASKS_FOLDER).mkdir(exist_ok=True)


def describe_estimator(estimator: Any) -> dict[str, str]:
    """Return every parameter of an estimator, also of those inside, as text."""
    parameters = estimator.get_params(deep=True)
    return {
        "": type(estimator).__name__,
        **{
            name: type(value).__name__ if hasattr(value, "get_params") else repr(value)
            for name, value in sorted(parameters.items())
        },
    }


def digest_table(table: pd.DataFrame, schema: Schema) -> str:
    """Return the SHA-256 of the cells that the schema names, in order."""
    columns = [column for column in table if column in {*_columns_of(schema)}]
    return hashlib.sha256(table[columns].to_csv(index=False).encode()).hexdigest()


def digest_photos(table: pd.DataFrame, schema: Schema) -> str:
    """Return the SHA-256 of the bytes of all photos; a file that is not there counts as such."""
    digest = hashlib.sha256()
    paths = {path for column in schema.images for cell in table[column] for path in split_paths(cell)}
    for path in sorted(paths):
        digest.update(path.encode() + b"\0" + _digest_file(path))
    return digest.hexdigest()


def _columns_of(schema: Schema) -> Iterable[str | None]:
    return (*schema.features, *schema.images, schema.target, schema.group, schema.id)


def _digest_file(path: str | os.PathLike[str]) -> bytes:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError):  # ValueError: a null character in the path
        return b"unreadable"
