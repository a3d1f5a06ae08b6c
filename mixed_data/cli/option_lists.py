"""The options that several commands share, and those that are handed on under the same names as in Python."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mixed_data.cli.option_values import (
    BAD_ROW_NAMES,
    FROM_ONE,
    FROM_ZERO,
    IMAGE_BRANCH_NAMES,
    INNER_SHARE,
    LOSS_NAMES,
    NETWORK_NAMES,
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    SHARE,
    choices_or_type,
    read_address,
    read_backbones,
    read_names,
    read_network_names,
    read_scalings,
)
from mixed_data.preprocessing.pixel_conventions import SCALING_HELP

DATASET_OPTIONS: dict[str, tuple[str, ...]] = {
    "sample": ("rows", "seed", "photo_signal"),
    "houses": (),
    "table": ("data", "schema", "target", "images", "id", "group", "decimal", "on_bad_row"),
}
# What is not given on the command line is left to the defaults there.
NETWORK_OPTIONS: dict[str, tuple[Any, str]] = {
    "normalize": (bool, "put branches on one scale before the fusion"),
    "image_branch": (IMAGE_BRANCH_NAMES, "branch that reads the pictures"),
    "backbone": (
        read_backbones,
        "of pretrained: models of keras.applications (MobileNetV2 by default), .keras and .onnx files",
    ),
    "image_weights": (
        read_names,
        "of models of keras.applications: imagenet (downloaded once), or a .weights.h5 file for each",
    ),
    "backbone_scaling": (read_scalings, f"how .keras and .onnx files expect their pixels: {SCALING_HELP}"),
    "flip_average": (bool, "whether backbones read the mirror image of each photo too"),
    "units": (FROM_ONE, "width of each branch's vector"),
    "dropout": (SHARE, "dropout of the tabular branch"),
    "image_dropout": (SHARE, "dropout of the image branch"),
    "members": (FROM_ONE, "networks that are trained as one and averaged"),
    "modality_dropout": (SHARE, "share of the rows whose photos, or whose table, are hidden in training"),
    "target_transform": (("auto", "log", "identity"), "scale that the target is learned on"),
    "loss": (LOSS_NAMES, "a Keras loss on the transformed target"),
    "epochs": (FROM_ONE, "at most so many"),
    "batch_size": (FROM_ONE, "rows per step"),
    "learning_rate": (POSITIVE, "at the start; decays to zero"),
    "weight_decay": (NOT_NEGATIVE, "of AdamW"),
    "validation_fraction": (SHARE, "share of the training groups that tells when to stop; 0 for none"),
    "patience": (FROM_ZERO, "epochs without improvement before stopping"),
    "intervals": (bool, "learn intervals; train and compare do so for the main network unless told not to"),
}
PREPROCESSING_OPTIONS: dict[str, tuple[Any, str]] = {
    "image_size": (FROM_ONE, "pixels of each side"),
    "resize": (("crop", "pad", "stretch"), "how a photo becomes a square"),
    "montage": (bool, "tile the photos of a row into one picture"),
    "log": (("auto", "never"), "logarithm of skewed columns"),
    "ratios": (bool, "add ratios of numeric columns, such as area per bedroom"),
    "min_frequency": (FROM_ONE, "rarer levels share one feature"),
}


DECIMAL_OPTION: dict[str, Any] = {
    "choices": (".", ","),
    "help": "decimal sign of the numbers in the file, where it does not tell itself: 1.200 is 1.2 or 1200",
}

COVERAGE_OPTION: dict[str, Any] = {
    "type": INNER_SHARE,
    "default": 0.9,
    "help": "share of the true values that lie between lower and upper, where the bundle knows; default: %(default)s",
}

DASK_OPTION: dict[str, Any] = {
    "type": read_address,
    "metavar": "ADDRESS",
    "help": "of a Dask scheduler, such as tcp://10.0.0.5:8786, whose workers do the work; needs the extra dask",
}


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which rows to read."""
    data = parser.add_argument_group("data")
    data.add_argument("--dataset", choices=DATASET_OPTIONS, default="sample", help="default: %(default)s")
    data.add_argument("--root", type=Path, help="folder of the data set, or that relative photo paths start from")
    data.add_argument("--data", type=Path, help="table: a CSV or Parquet file")
    data.add_argument("--schema", type=Path, help="table: JSON file with the role of each column")
    data.add_argument("--target", metavar="COL", help="table: column to predict")
    data.add_argument("--images", metavar="COL[,COL…]", help="table: columns with photo paths; a name may hold commas")
    data.add_argument("--id", metavar="COL", help="table: what a person calls a row; never a feature")
    data.add_argument("--group", metavar="COL", help="table: rows of one group stay on one side of a split")
    data.add_argument("--decimal", **DECIMAL_OPTION)
    data.add_argument(
        "--on-bad-row",
        choices=BAD_ROW_NAMES,
        help="table: a row with a cell that cannot be used is an error, left out (skip), or used with that cell "
        "missing (mask); default: error",
    )
    data.add_argument("--rows", type=FROM_ONE, help="sample: number of houses")
    data.add_argument("--seed", type=FROM_ZERO, help="sample: seed of the generated houses")
    data.add_argument(
        "--photo-signal", type=NOT_NEGATIVE, help="sample: strength of what only the photos show; 0 for none"
    )


def add_study_arguments(parser: argparse.ArgumentParser, what: str) -> argparse._ArgumentGroup:
    """Add the options that `train` and `compare` have in common, and return their group.

    Args:
        parser: of the command.
        what: the network of ``--fusion`` is to it.
    """
    study = parser.add_argument_group("study")
    study.add_argument(
        "--fusion",
        choices=NETWORK_NAMES,
        default="weighted_sum",
        metavar="NAME",
        help=f"of the network that {what}; default: %(default)s",
    )
    study.add_argument(
        "--networks",
        type=read_network_names,
        metavar="NAME[,NAME…]",
        help=f"what to compare: {', '.join(NETWORK_NAMES)}",
    )
    study.add_argument(
        "--allow-missing-photos",
        action="store_true",
        help="go on where not one photo of an image column can be used; without it, that is an error",
    )
    study.add_argument("--random-state", type=SEED, default=0, help="seed of splits and models; default: %(default)s")
    study.add_argument("--out", type=Path, help="folder for the results; default: runs/<time>-<dataset>")
    study.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="go on with a run that was stopped, as it began, to the same result; no other option applies",
    )
    network = parser.add_argument_group("network and preprocessing (same names as in Python)")
    for name, (kind, text) in {**NETWORK_OPTIONS, **PREPROCESSING_OPTIONS}.items():
        how = choices_or_type(kind)
        if kind in (read_backbones, read_names, read_scalings):
            how["metavar"] = "NAME[,NAME…]"
        network.add_argument(f"--{name.replace('_', '-')}", help=text, **how)
    return study
