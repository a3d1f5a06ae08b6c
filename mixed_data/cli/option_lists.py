"""The options of `train` that are handed on to the estimator and the preprocessor, under the same names."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import Any


class UsageError(ValueError):
    """The options do not belong together: the command was typed wrongly."""


def refuse_others(
    options: argparse.Namespace, parser: argparse.ArgumentParser, allowed: Collection[str], why: str
) -> None:
    """Refuse options of `train` that would be ignored.

    Args:
        options: of a command `train`.
        parser: that read them.
        allowed: names of the options that apply.
        why: the others do not.

    Raises:
        UsageError: another option differs from its default.
    """
    defaults = vars(parser.parse_args(["train"]))
    given = {name for name, value in vars(options).items() if value != defaults.get(name)}
    if foreign := given - {*allowed, "debug", "verbose", "command", "run"}:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(foreign))
        raise UsageError(f"{why}; leave out {flags}")


DATASET_OPTIONS: dict[str, tuple[str, ...]] = {
    "sample": ("rows", "seed", "photo_signal"),
    "houses": (),
    "table": ("data", "schema", "target", "images", "id", "group", "on_bad_row"),
}
# What is not given on the command line is left to the defaults there.
NETWORK_OPTIONS: dict[str, tuple[Any, str]] = {
    "normalize": (bool, "put branches on one scale before the fusion"),
    "image_branch": (str, "branch that reads the pictures: cnn, or pretrained"),
    "backbone": (str, "of pretrained: a model of keras.applications, MobileNetV2 by default"),
    "image_weights": (str, "of the backbone: imagenet (downloaded once), or a .weights.h5 file"),
    "finetune": (int, "how many of the backbone's last blocks are trained on"),
    "units": (int, "width of each branch's vector"),
    "dropout": (float, "dropout of the tabular branch"),
    "image_dropout": (float, "dropout of the image branch"),
    "members": (int, "networks that are trained as one and averaged"),
    "modality_dropout": (float, "share of the rows whose photos, or whose table, are hidden in training"),
    "target_transform": (str, "auto, log or identity"),
    "loss": (str, "a Keras loss on the transformed target"),
    "epochs": (int, "at most so many"),
    "batch_size": (int, "rows per step"),
    "learning_rate": (float, "at the start; decays to zero"),
    "weight_decay": (float, "of AdamW"),
    "validation_fraction": (float, "share of the training groups that tells when to stop; 0 for none"),
    "patience": (int, "epochs without improvement before stopping"),
    "intervals": (bool, "learn intervals; train does so for the main network unless told not to"),
}
PREPROCESSING_OPTIONS: dict[str, tuple[Any, str]] = {
    "image_size": (int, "pixels of each side"),
    "resize": (str, "crop, pad or stretch"),
    "montage": (bool, "tile the photos of a row into one picture"),
    "log": (str, "logarithm of skewed columns: auto or never"),
    "ratios": (bool, "add ratios of numeric columns, such as area per bedroom"),
    "min_frequency": (int, "rarer levels share one feature"),
}
