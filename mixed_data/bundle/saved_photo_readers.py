"""The ONNX files of a bundle that turn photos into vectors, which the models of folds may share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mixed_data.files.checked_json import FLAG, INTEGERS, OBJECT, TEXT, Kind, check_fields
from mixed_data.files.digests import digest_file
from mixed_data.preprocessing.onnx_backbone import OnnxBackbone

MOST_READERS = 16
_LARGEST_SIDE = 4096
_SIDES = Kind(
    f"height and width, 1 to {_LARGEST_SIDE} pixels",
    lambda value: INTEGERS.accepts(value) and len(value) == 2 and min(value) >= 1 and max(value) <= _LARGEST_SIDE,
)
_FIELDS = {"file": TEXT, "settings": OBJECT}
ONNX_SETTINGS = {"scaling": TEXT, "size": _SIDES, "flip_average": FLAG}
"""What must be known to read such a file, see `OnnxBackbone`."""


def read_photo_readers(
    entries: Sequence[Mapping[str, Any]], places: Sequence[Path], *, num_threads: int | None = None
) -> tuple[OnnxBackbone, ...]:
    """Read what turns photos into vectors.

    Args:
        entries: what the manifest says of each: the digest of its ``file``, and ``settings``.
        places: folders in which the files may stand.
        num_threads: see `OnnxBackbone`.

    Raises:
        ValueError: a file is missing or was changed, or an entry says something else.
    """
    if len(entries) > MOST_READERS:
        raise ValueError(f"expected at most {MOST_READERS} backbones, got {len(entries)}")
    readers = []
    for number, entry in enumerate(entries):
        what = f"{places[0]}: backbone {number}"
        check_fields(entry, what, _FIELDS)
        settings = check_fields(entry["settings"], f"{what}, settings", ONNX_SETTINGS)
        file = find_file(entry["file"], ".onnx", places, what)
        size = tuple(settings["size"])
        readers.append(OnnxBackbone.read(file, **{**settings, "size": size}, num_threads=num_threads))
    return tuple(readers)


def find_file(digest: str, suffix: str, places: Sequence[Path], what: str) -> Path:
    """Find a backbone's file by its digest.

    Raises:
        ValueError: it is in none of the places.
    """
    for file in (file for place in places for file in sorted(place.glob(f"backbone_*{suffix}"))):
        if not file.is_symlink() and file.is_file() and digest_file(file) == digest:
            return file
    raise ValueError(f"{what}, which reads the photos, is missing or was changed")
