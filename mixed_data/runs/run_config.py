"""What ``config.json`` says of a run: enough to start it again, and to tell whether it can be resumed."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import joblib
import pandas as pd

from mixed_data import __version__
from mixed_data.files.digests import digest_code, digest_file
from mixed_data.schema import Schema
from mixed_data.schema.photo_paths import split_paths

LIBRARIES = ("keras", "numpy", "pandas", "pillow", "scikit-learn")
"""On whose versions a fit depends."""


def describe_run(
    table: pd.DataFrame,
    schema: Schema,
    *,
    main: str,
    settings: Mapping[str, Any],
    started: Mapping[str, Any] | None = None,
    reads_photos: bool = True,
) -> dict[str, Any]:
    """Return the content of ``config.json``.

    Args:
        table: all rows.
        schema: roles of their columns.
        main: name of the model that the run is about.
        settings: all that its fits depend on, but for data and versions.
        started: how it was started, where that was the command line: ``command``, ``options``, ``unit`` (of the
            target, such as "US dollars") and ``bad_rows`` (how many were left out, in words).
        reads_photos: whether it is to tell the photos, all of which are read for that.
    """
    versions = {name: version(name) for name in LIBRARIES}
    return {
        "command": "",
        "options": {},
        "unit": "",
        "bad_rows": [],
        **(started or {}),
        "main": main,
        "schema": schema.to_dict(),
        "settings": {name: _write_setting(value) for name, value in settings.items()} | _digest_files(settings),
        "versions": {
            "mixed_data": __version__,
            "code of mixed_data": digest_code(),
            "python": platform.python_version(),
            **versions,
        },
        "directory": os.getcwd(),
        "processors": joblib.cpu_count(),
        "table": _digest_table(table, schema),
        "photos": _digest_photos(table, schema) if reads_photos else None,
    }


def _digest_files(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of every file that the options of backbones name: a network, or its weights."""
    options = [settings.get(name) for name in ("backbone", "image_weights")]
    names = [name for option in options for name in (option if isinstance(option, list | tuple) else [option])]
    return {f"file {name}": digest_file(name) for name in names if name is not None and os.path.isfile(name)}


def _digest_table(table: pd.DataFrame, schema: Schema) -> str:
    """Return the SHA-256 of the cells that the schema names, in order."""
    named = {*schema.features, *schema.images, schema.target, schema.group, schema.id}
    return hashlib.sha256(table[[name for name in table if name in named]].to_csv(index=False).encode()).hexdigest()


def _digest_photos(table: pd.DataFrame, schema: Schema) -> str:
    """Return the SHA-256 of the bytes of all photos; a file that is not there counts as such."""
    digest = hashlib.sha256()
    cells = [cell for column in schema.images if column in table for cell in table[column]]
    for path in sorted({path for cell in cells for path in split_paths(cell)}):
        try:
            content = digest_file(path)
        except (OSError, ValueError):  # ValueError: a null character in the path
            content = "unreadable"
        digest.update(f"{path}\0{content}".encode())
    return digest.hexdigest()


def _write_setting(value: Any) -> Any:
    """Write a value as text, an estimator with every parameter of it and of those inside."""
    if not hasattr(value, "get_params"):
        return repr(value)
    return {
        name: type(item).__name__ if hasattr(item, "get_params") else repr(item)
        for name, item in sorted(value.get_params(deep=True).items())
    }
