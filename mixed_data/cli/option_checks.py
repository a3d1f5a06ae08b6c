"""Options that do not belong together: refused before anything is read, and before Keras starts."""

from __future__ import annotations

import argparse
from pathlib import Path

from mixed_data.cli.option_lists import DATASET_OPTIONS
from mixed_data.cli.option_values import BACKBONE_FILES, STACK_BRANCH_NAMES, UsageError, list_given

_ROLES = ("target", "images", "id", "group")
_BACKBONES = {"backbone": "MobileNetV2", "image_weights": "imagenet", "backbone_scaling": None, "flip_average": True}
"""The arguments of `MixedDataRegressor` that say what reads photos, with their defaults."""


def flag(name: str) -> str:
    """Return how an option is typed.

    Example:
        >>> flag("image_branch")
        '--image-branch'
    """
    return f"--{name.replace('_', '-')}"


def check_data_options(options: argparse.Namespace) -> None:
    """Check the options that say which rows to read.

    Raises:
        UsageError: an option is for another data set, one is missing, or two exclude each other.
    """
    given = [name for names in DATASET_OPTIONS.values() for name in names if getattr(options, name) is not None]
    if foreign := [name for name in given if name not in DATASET_OPTIONS[options.dataset]]:
        right = next(dataset for dataset, names in DATASET_OPTIONS.items() if foreign[0] in names)
        raise UsageError(f"{flag(foreign[0])} is for --dataset {right}, not for --dataset {options.dataset}")
    if options.dataset == "table" and options.data is None:
        raise UsageError("--dataset table needs --data FILE, a CSV or Parquet file")
    if options.schema and (roles := [flag(name) for name in _ROLES if getattr(options, name) is not None]):
        raise UsageError(f"--schema says the roles of the columns; write them there, and leave out {', '.join(roles)}")


def check_study_options(options: argparse.Namespace) -> None:
    """Check the options of `train` and `compare`.

    Raises:
        UsageError: as `check_data_options`, or a network cannot be made of the others.
    """
    check_data_options(options)
    _check_files(options)
    _check_dask(options)
    if options.jobs != 1 and getattr(options, "tensorboard", None):
        raise UsageError("--tensorboard watches the epochs of fits in this process; leave it out with --jobs")
    networks = {options.fusion, *(options.networks or ())}
    if "best" in networks and options.image_branch not in STACK_BRANCH_NAMES:
        raise UsageError(f"the network 'best' needs --image-branch {' or '.join(STACK_BRANCH_NAMES)}")
    if networks == {"table"}:
        return
    if options.montage and options.image_branch in STACK_BRANCH_NAMES:
        raise UsageError(f"--montage is for --image-branch cnn, not for {options.image_branch}, which reads one photo")
    if options.image_branch == "pretrained":
        _check_backbones(options)


def _check_dask(options: argparse.Namespace) -> None:
    if options.dask is None:
        return
    if options.jobs != 1:
        raise UsageError("--jobs is for fits on this machine; leave it out with --dask")
    if options.folds == 0:
        raise UsageError("--dask does the fits of folds; give --folds too")
    if getattr(options, "tensorboard", None):
        raise UsageError("--tensorboard is for fits on this machine; leave it out with --dask")


def check_distribution(options: argparse.Namespace) -> None:
    """Check the options of `train --distribute`.

    Raises:
        UsageError: a network reads the vectors of a frozen backbone, which takes no training on many devices.
    """
    if options.distribute and options.dask is not None:
        raise UsageError("--distribute trains on the devices of these processes; leave it out with --dask")
    if options.distribute and options.jobs != 1:
        raise UsageError("--distribute trains one network after the other; leave it out with --jobs")
    if options.distribute and (
        options.image_branch not in (None, "cnn") or "best" in {options.fusion, *(options.networks or ())}
    ):
        raise UsageError(
            f"--distribute is for --image-branch cnn; with {options.image_branch} photos become vectors once, on which "
            "a small network is trained: leave --distribute out"
        )


def _check_files(options: argparse.Namespace) -> None:
    """Look for the files that options of the network name; those of the data are errors of the data."""
    files = {
        "backbone": [name for name in list_given(options.backbone) if name.endswith(BACKBONE_FILES)],
        "image_weights": [name for name in list_given(options.image_weights) if name != "imagenet"],
    }
    for name, paths in files.items():
        if missing := [path for path in paths if not Path(path).is_file()]:
            raise UsageError(f"{flag(name)}: there is no file {', '.join(missing)} (looked in {Path.cwd()})")


def _check_backbones(options: argparse.Namespace) -> None:
    from mixed_data.preprocessing.backbone_options import resolve_backbones

    given = {name: getattr(options, name) for name in _BACKBONES}
    try:
        resolve_backbones({**_BACKBONES, **{name: value for name, value in given.items() if value is not None}})
    except ValueError as error:
        text = str(error).removeprefix("MixedDataRegressor: ")
        for name in sorted(_BACKBONES, key=len, reverse=True):
            text = text.replace(f"{name} ", f"{flag(name)} ")
        raise UsageError(text) from None
