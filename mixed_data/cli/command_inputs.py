"""From the options that `train` and `compare` share to a table, the arguments of a network, and a record of both."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mixed_data.cli.option_lists import DATASET_OPTIONS, NETWORK_OPTIONS, PREPROCESSING_OPTIONS
from mixed_data.preprocessing import SUITED_PREPROCESSING, MixedDataPreprocessor
from mixed_data.preprocessing.lost_photos import MissingPhotosError, check_photos
from mixed_data.readers import READERS, UNITS
from mixed_data.readers.table import read_checked_table
from mixed_data.schema import Schema


@dataclass(frozen=True)
class Data:
    """The rows that a command works on.

    Attributes:
        table: the rows.
        schema: roles of their columns.
        references: predictions that came with them (the sample's oracle), or None.
        counts: how many rows of the file were left out or used with missing cells, in words.
        places: where the rows stand in their file, such as "line 7"; empty where there is no such file.
    """

    table: pd.DataFrame
    schema: Schema
    references: pd.DataFrame | None = None
    counts: Sequence[str] = ()
    places: Sequence[str] = ()


def read_data(options: argparse.Namespace) -> Data:
    """Read the data set that the options name, which are checked; see `mixed_data.cli.option_checks`."""
    given = {name: getattr(options, name) for name in DATASET_OPTIONS[options.dataset]}
    given = {name: value for name, value in given.items() if value is not None}
    root = options.root or Path("datasets") / options.dataset
    if options.dataset == "houses":
        return Data(*READERS["houses"](root))
    if options.dataset == "table":
        checked, schema = read_checked_table(options.root, **given)
        table = checked.usable.reset_index(drop=True)
        return Data(table, schema, counts=checked.counts, places=checked.usable_places)
    return Data(*READERS["sample"](root, **given), _oracle(root, given))


def check_photos_of(data: Data, options: argparse.Namespace) -> None:
    """Refuse photos that lead nowhere before Keras starts, and say which folder their paths start from.

    Raises:
        MissingPhotosError: not one photo of an image column can be used, and a network reads photos.
    """
    reads_photos = {*(options.networks or ()), options.fusion} != {"table"}
    try:
        check_photos(
            data.table, data.schema.images, allow_missing_photos=options.allow_missing_photos or not reads_photos
        )
    except MissingPhotosError as error:
        if options.dataset == "table":
            error.add_note(f"relative paths start from {(options.root or options.data.parent).absolute()}")
        raise


def network_options(options: argparse.Namespace, schema: Schema) -> dict[str, Any]:
    """Return the arguments of `MixedDataRegressor` that were given, with a preprocessor made of those given for it."""
    given = {name: getattr(options, name) for name in (*PREPROCESSING_OPTIONS, *NETWORK_OPTIONS)}
    given = {name: value for name, value in given.items() if value is not None}
    preprocessing = {name: given.pop(name) for name in PREPROCESSING_OPTIONS if name in given}
    suited = SUITED_PREPROCESSING.get(given.get("image_branch", ""), {})
    return {**given, "preprocessor": MixedDataPreprocessor(schema, **{**suited, **preprocessing})}


def describe_start(options: argparse.Namespace, data: Data) -> dict[str, Any]:
    """Return what ``config.json`` says of the command line; see `mixed_data.runs.run_config.describe_run`."""
    given = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
    del given["run"], given["command"]
    unit = UNITS[options.dataset]
    return {"command": options.command, "options": given, "unit": unit, "bad_rows": [*data.counts]}


def _oracle(root: Path, given: dict[str, Any]) -> pd.DataFrame:
    from mixed_data.readers.sample import oracle_predictions

    names = {"table": "oracle_table", "image": "oracle_image", "both": "oracle"}
    return oracle_predictions(root, **given)[list(names)].rename(columns=names)
