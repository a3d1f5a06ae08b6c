"""From the options that name backbones to what reads the photos."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mixed_data.files.digests import digest_file
from mixed_data.files.first_few import cut
from mixed_data.network.keras_file_backbone import read_keras_file
from mixed_data.network.patch_backbone import build_patch_backbone
from mixed_data.network.pretrained_backbones import KerasBackbone, build_backbone
from mixed_data.network.training import seeded
from mixed_data.preprocessing import Inputs
from mixed_data.preprocessing.onnx_backbone import OnnxBackbone
from mixed_data.preprocessing.photo_vectors import Backbone, PhotoEmbedder
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
    files = [name for name in names if _is_file(name)]
    applications = [name for name in names if not _is_file(name)]
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


def load_embedder(settings: Sequence[BackboneSettings], size: tuple[int, int]) -> PhotoEmbedder:
    """Return what reads photos, with backbones that are one for all fits of a process.

    Args:
        settings: of each backbone.
        size: height and width of the photos in pixels, for all backbones that do not fix them.

    Raises:
        ValueError: a backbone cannot be had.
    """
    return PhotoEmbedder(tuple(_find(one, size) for one in settings))


def learn_embedder(inputs: Inputs) -> PhotoEmbedder:
    """Return what reads photos with a backbone that learned from training photos, for this one fit.

    Args:
        inputs: of the training rows, photos as pixels.
    """
    backbone = build_patch_backbone(inputs["images"][inputs["image_mask"]])
    return PhotoEmbedder((KerasBackbone(backbone),), cached=False)


def _find(settings: BackboneSettings, size: tuple[int, int]) -> Backbone:
    if not _is_file(settings.name):
        return load_backbone(settings, size, "")
    if not Path(settings.name).is_file():
        raise ValueError(f"backbone: there is no file {settings.name!r} (looked in {os.getcwd()})")
    return load_backbone(settings, size, digest_file(settings.name))


@lru_cache(maxsize=4)
def load_backbone(settings: BackboneSettings, size: tuple[int, int], digest: str) -> Backbone:
    """Build or read a backbone, which takes seconds, once; nobody changes it.

    Args:
        settings: of the backbone.
        size: height and width of the photos in pixels, where the backbone does not fix them.
        digest: of its file, so that a file that was changed is read again; empty without one.
    """
    file, flip_average = Path(settings.name), settings.flip_average
    if file.suffix == ".onnx":
        return OnnxBackbone.read(file, scaling=settings.scaling, size=size, flip_average=flip_average)
    if file.suffix == ".keras":
        return read_keras_file(file, scaling=settings.scaling, flip_average=flip_average)
    with seeded(0):  # random weights (None) are the same in every process
        return KerasBackbone(build_backbone(settings.name, settings.weights, size, flip_average=flip_average))


def _is_file(name: str) -> bool:
    return name.endswith(_FILES)


def _find_wrong_kinds(options: Mapping[str, Any]) -> Iterator[str]:
    for name in ("backbone", "image_weights", "backbone_scaling"):
        option = options[name]
        parts = option if isinstance(option, list | tuple) else [option]
        is_none = option is None and name != "backbone"
        if not is_none and not all(isinstance(part, str | os.PathLike) for part in parts):
            yield f"{name} must be a text or a list of texts, got {cut(repr(option))}"
