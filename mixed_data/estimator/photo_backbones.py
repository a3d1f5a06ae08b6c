"""From the options that name backbones to what reads the photos."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from mixed_data.files.digests import digest_file
from mixed_data.network.keras_file_backbone import read_keras_file
from mixed_data.network.patch_backbone import build_patch_backbone
from mixed_data.network.pretrained_backbones import KerasBackbone, build_backbone
from mixed_data.network.training import seeded
from mixed_data.preprocessing import Inputs
from mixed_data.preprocessing.backbone_options import BackboneSettings, is_network_file
from mixed_data.preprocessing.onnx_backbone import OnnxBackbone
from mixed_data.preprocessing.photo_vectors import Backbone, PhotoEmbedder
from mixed_data.preprocessing.stored_photos import take_rows


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
    backbone = build_patch_backbone(take_rows(inputs["images"], inputs["image_mask"]))
    return PhotoEmbedder((KerasBackbone(backbone),), cached=False)


def _find(settings: BackboneSettings, size: tuple[int, int]) -> Backbone:
    if not is_network_file(settings.name):
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
