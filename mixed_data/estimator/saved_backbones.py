"""The part of a bundle that is what reads the photos: files per backbone, shared by the models of folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from mixed_data.bundle import Backbones
from mixed_data.bundle.saved_photo_readers import MOST_READERS, ONNX_SETTINGS, find_file, read_photo_readers
from mixed_data.files.checked_json import OBJECT, TEXT, check_fields
from mixed_data.files.digests import digest_file
from mixed_data.network.onnx_export import export_photo_reader
from mixed_data.network.pretrained_backbones import KerasBackbone
from mixed_data.preprocessing.onnx_backbone import OnnxBackbone
from mixed_data.preprocessing.photo_vectors import Backbone

_FIELDS = {"file": TEXT, "suffix": TEXT, "settings": OBJECT}
_SETTINGS = {KerasBackbone.suffix: {}, OnnxBackbone.suffix: ONNX_SETTINGS}


def write_backbones(
    backbones: Sequence[Backbone], folder: Path, written: Backbones, *, for_runtime: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Write backbones as they are and as ONNX, but for those that stand elsewhere already.

    Args:
        backbones: of one embedder.
        folder: exists.
        written: those that have been written; new ones are added.
        for_runtime: whether those of Keras are written as ONNX, too.

    Returns:
        What the manifest says of each as it is: the digest of its ``file``, that file's ``suffix``, and ``settings``;
        and of each as ONNX, see `read_photo_readers`.
    """
    for number, backbone in enumerate(backbones):
        if backbone.digest in written:
            continue
        file = folder / f"backbone_{number}{backbone.suffix}"
        backbone.write(file)
        entry = {"file": digest_file(file), "suffix": backbone.suffix, "settings": backbone.settings}
        if isinstance(backbone, KerasBackbone) and not for_runtime:
            written[backbone.digest] = entry, {}
        elif isinstance(backbone, KerasBackbone):
            written[backbone.digest] = entry, write_photo_reader(backbone.model, file.with_suffix(".onnx"))
        else:
            written[backbone.digest] = entry, {"file": entry["file"], "settings": entry["settings"]}
    both = [written[backbone.digest] for backbone in backbones]
    return [entry for entry, _ in both], [reader for _, reader in both if reader]


def write_photo_reader(model: keras.Model, file: Path) -> dict[str, Any]:
    """Write what turns photos into vectors as ONNX, and return what the manifest says of it."""
    export_photo_reader(model, file)
    settings = {"scaling": "raw", "size": list(model.input.shape[1:3]), "flip_average": False}
    return {"file": digest_file(file), "settings": settings}


def read_backbones(entries: Sequence[Mapping[str, Any]], places: Sequence[Path]) -> tuple[Backbone, ...]:
    """Read backbones as they were.

    Args:
        entries: what the manifest says of each.
        places: folders in which the files may stand.

    Raises:
        ValueError: a backbone is missing or was changed, or an entry says something else.
    """
    if len(entries) > MOST_READERS:
        raise ValueError(f"expected at most {MOST_READERS} backbones, got {len(entries)}")
    return tuple(_read(entry, places, f"{places[0]}: backbone {number}") for number, entry in enumerate(entries))


def _read(entry: Mapping[str, Any], places: Sequence[Path], what: str) -> Backbone:
    check_fields(entry, what, _FIELDS)
    suffix = entry["suffix"]
    if suffix not in _SETTINGS:
        raise ValueError(f"{what}: expected a file of {' or '.join(_SETTINGS)}, got {suffix!r:.80}")
    check_fields(entry["settings"], f"{what}, settings", _SETTINGS[suffix])
    if suffix == KerasBackbone.suffix:
        return KerasBackbone.read(find_file(entry["file"], suffix, places, what))
    return read_photo_readers([{"file": entry["file"], "settings": entry["settings"]}], places)[0]
