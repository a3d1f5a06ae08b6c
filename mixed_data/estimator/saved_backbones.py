"""The part of a bundle that is what reads the photos: one file per backbone, shared by the models of folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mixed_data.bundle import Backbones
from mixed_data.files.checked_json import FLAG, INTEGERS, OBJECT, TEXT, Kind, check_fields
from mixed_data.files.digests import digest_file
from mixed_data.network.pretrained_backbones import KerasBackbone
from mixed_data.preprocessing.onnx_backbone import OnnxBackbone
from mixed_data.preprocessing.photo_vectors import Backbone

_FIELDS = {"file": TEXT, "suffix": TEXT, "settings": OBJECT}
_MOST_BACKBONES = 16
_LARGEST_SIDE = 4096
_SIDES = Kind(
    f"height and width, 1 to {_LARGEST_SIDE} pixels",
    lambda value: INTEGERS.accepts(value) and len(value) == 2 and min(value) >= 1 and max(value) <= _LARGEST_SIDE,
)
_SETTINGS: dict[str, dict[str, Kind]] = {
    KerasBackbone.suffix: {},
    OnnxBackbone.suffix: {"scaling": TEXT, "size": _SIDES, "flip_average": FLAG},
}
"""What must be known to read a file, by its suffix."""


def write_backbones(backbones: Sequence[Backbone], folder: Path, written: Backbones) -> list[dict[str, Any]]:
    """Write backbones, but for those that stand elsewhere already.

    Args:
        backbones: of one embedder.
        folder: exists.
        written: those that have been written; new ones are added.

    Returns:
        What the manifest says of each: the digest of its ``file``, that file's ``suffix``, and ``settings``.
    """
    entries = []
    for number, backbone in enumerate(backbones):
        if backbone.digest not in written:
            file = folder / f"backbone_{number}{backbone.suffix}"
            backbone.write(file)
            written[backbone.digest] = digest_file(file)
        digest = written[backbone.digest]
        entries.append({"file": digest, "suffix": backbone.suffix, "settings": backbone.settings})
    return entries


def read_backbones(entries: Sequence[Mapping[str, Any]], places: Sequence[Path]) -> tuple[Backbone, ...]:
    """Read what `write_backbones` wrote.

    Args:
        entries: what the manifest says of each.
        places: folders in which the files may stand.

    Raises:
        ValueError: a backbone is missing or was changed, or an entry says something else.
    """
    if len(entries) > _MOST_BACKBONES:
        raise ValueError(f"expected at most {_MOST_BACKBONES} backbones, got {len(entries)}")
    return tuple(_read(entry, places, f"{places[0]}: backbone {number}") for number, entry in enumerate(entries))


def _read(entry: Mapping[str, Any], places: Sequence[Path], what: str) -> Backbone:
    check_fields(entry, what, _FIELDS)
    if entry["suffix"] not in _SETTINGS:
        raise ValueError(f"{what}: expected a file of {' or '.join(_SETTINGS)}, got {entry['suffix']!r:.80}")
    settings = check_fields(entry["settings"], f"{what}, settings", _SETTINGS[entry["suffix"]])
    candidates = [file for place in places for file in sorted(place.glob(f"backbone_*{entry['suffix']}"))]
    for file in candidates:
        if not file.is_symlink() and file.is_file() and digest_file(file) == entry["file"]:
            if entry["suffix"] == KerasBackbone.suffix:
                return KerasBackbone.read(file)
            return OnnxBackbone.read(file, **{**settings, "size": tuple(settings["size"])})
    raise ValueError(f"{what}, which reads the photos, is missing or was changed")
