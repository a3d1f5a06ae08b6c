"""The options that name backbones, checked and settled before anything is read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mixed_data.files.first_few import cut
from mixed_data.preprocessing.pixel_conventions import PIXEL_SCALINGS, SCALING_HELP

Names = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""One name or path, or several."""

_FILES = (".keras", ".onnx")


@dataclass(frozen=True)
class BackboneSettings:
    """How one backbone is had.

    Attributes:
        name: of a model in `keras.applications`, or the path of a ``.keras`` or ``.onnx`` file.
        weights: of the former; see `build_backbone`.
        scaling: of the latter; a name in `PIXEL_SCALINGS`.
        flip_average: whether a vector is the mean of the photo's and its mirror image's.
    """

    name: str
    weights: str | None = None
    scaling: str = ""
    flip_average: bool = True


def list_names(option: Names | None) -> list[str]:
    """Return the names and paths of an option as texts."""
    if option is None:
        return []
    options = [option] if isinstance(option, str | os.PathLike) else option
    return [os.fspath(name) for name in options]


def resolve_backbones(options: Mapping[str, Any]) -> tuple[BackboneSettings, ...]:
    """Settle how each backbone is had.

    Args:
        options: the arguments of `MixedDataRegressor`, by name.

    Raises:
        ValueError: an option is of the wrong kind, or there are too many or too few of one.
    """
    problems = [*_find_wrong_kinds(options)]
    if problems:
        raise ValueError(f"MixedDataRegressor: {'; '.join(problems)}")
    names = list_names(options["backbone"])
    files = [name for name in names if is_network_file(name)]
    applications = [name for name in names if not is_network_file(name)]
    scalings, weights = list_names(options["backbone_scaling"]), list_names(options["image_weights"])
    if not names or len(set(names)) < len(names):
        problems.append(f"backbone must name one backbone or several, none of them twice, got {names}")
    if files and not scalings:
        problems.append(
            f"backbone_scaling must say how {files[0]} expects its pixels, which does not stand in the file: "
            f"{SCALING_HELP}"
        )
    elif not files and scalings:
        problems.append("backbone_scaling is for .keras and .onnx files; models of keras.applications know theirs")
    elif len(scalings) not in (1, len(files)) and files:
        problems.append(f"backbone_scaling must be one, or one for each of the files {files}, got {scalings}")
    if unknown := [name for name in scalings if name not in PIXEL_SCALINGS]:
        problems.append(f"backbone_scaling must be {SCALING_HELP}, got {cut(repr(unknown[0]))}")
    if weights not in ([], ["imagenet"]) and len(weights) != len(applications):
        problems.append(
            f"image_weights must be 'imagenet', or one file for each of the models of keras.applications "
            f"{applications}, in their order, got {weights}"
        )
    if problems:
        raise ValueError(f"MixedDataRegressor: {'; '.join(problems)}")
    flip_average = bool(options["flip_average"])
    of_files = dict(zip(files, scalings if len(scalings) > 1 else scalings * len(files), strict=True))
    shared: list[str | None] = [*weights] or [None]
    of_applications = dict(
        zip(applications, weights if len(weights) == len(applications) else shared * len(applications), strict=True)
    )
    return tuple(
        BackboneSettings(name, of_applications.get(name), of_files.get(name, ""), flip_average) for name in names
    )


def is_network_file(name: str) -> bool:
    """Tell the path of a ``.keras`` or ``.onnx`` file from the name of a model in `keras.applications`."""
    return name.endswith(_FILES)


def _find_wrong_kinds(options: Mapping[str, Any]) -> Iterator[str]:
    for name in ("backbone", "image_weights", "backbone_scaling"):
        option = options[name]
        parts = option if isinstance(option, list | tuple) else [option]
        is_none = option is None and name != "backbone"
        if not is_none and not all(isinstance(part, str | os.PathLike) for part in parts):
            yield f"{name} must be a text or a list of texts, got {cut(repr(option))}"
