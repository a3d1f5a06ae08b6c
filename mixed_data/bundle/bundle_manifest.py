"""The manifest of a bundle: what it is, what it was made with, and the digests of all its other files."""

from __future__ import annotations

import os
import platform
import stat
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mixed_data import __version__
from mixed_data.files.checked_json import (
    INTEGER,
    NUMBER,
    NUMBERS,
    OBJECT,
    TEXT,
    check_fields,
    make_plain,
    optional,
    read_json,
    write_json,
)
from mixed_data.files.digests import digest_file

FORMAT = "mixed_data.bundle"
FORMAT_VERSION = 6
_MANIFEST_FILE = "manifest.json"
_MOST_FILES = 10_000
MOST_BYTES = 4 * 2**30
"""Of all files together: reading them for their digests takes seconds, also where a file is a hole of that size."""

_NUM_NAMES_SHOWN = 5
_NUMBER_OR_NULL = optional(NUMBER)
_LIBRARIES = ("keras", "numpy", "pandas", "pillow", "scikit-learn")
_FIELDS = {
    "format": TEXT,
    "version": INTEGER,
    "kind": TEXT,
    "created": TEXT,
    "versions": OBJECT,
    "regressor": OBJECT,
    "metrics": OBJECT,
    "metric_intervals": OBJECT,
    "about": OBJECT,
    "fusion_weights": OBJECT,
    "golden_predictions": NUMBERS,
    "files": OBJECT,
}


class BundleError(ValueError):
    """A folder is not a bundle, is damaged, or does not predict here what it predicted where it was saved."""


def write_manifest(folder: Path, **fields: Any) -> None:
    """Write the manifest of a folder whose other files are complete."""
    manifest = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "mixed_data": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
        **fields,
        "files": {name: digest_file(folder / name) for name in list_files(folder)},
    }
    write_json(folder / _MANIFEST_FILE, make_plain(manifest))


def read_manifest(path: Path) -> dict[str, Any]:
    """Read and check the manifest of a bundle, not yet its files.

    Raises:
        BundleError: there is none, or it is not of this format version.
    """
    if not _is_file(path / _MANIFEST_FILE):
        if os.path.lexists(path / _MANIFEST_FILE):
            raise BundleError(f"{path}: {_MANIFEST_FILE} is no file, but a link, a folder or a device")
        raise BundleError(f"{path} is not a bundle: it has no {_MANIFEST_FILE}")
    try:
        manifest = read_json(path / _MANIFEST_FILE)
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: {error}") from error
    found = (manifest.get("format"), manifest.get("version")) if isinstance(manifest, dict) else manifest
    if found != (FORMAT, FORMAT_VERSION):
        raise BundleError(
            f"{path}: expected a manifest of format {FORMAT!r}, version {FORMAT_VERSION}, got {found!r:.200}; "
            "make it anew with the command that made it (config.json beside it names it), or use the version of "
            "mixed_data that wrote it"
        )
    what = f"{path}: {_MANIFEST_FILE}"
    try:
        check_fields(manifest, what, _FIELDS)
        kinds = {"files": TEXT, "about": TEXT, "metrics": _NUMBER_OR_NULL, "fusion_weights": _NUMBER_OR_NULL}
        kinds["metric_intervals"] = NUMBERS
        for name, kind in kinds.items():
            check_fields(manifest[name], f"{what}, {name}", dict.fromkeys(manifest[name], kind))
    except ValueError as error:
        raise BundleError(str(error)) from None
    return manifest


def is_bundle(path: Path) -> bool:
    """Tell a bundle of any version from folders that have another manifest.json, such as a web page's."""
    try:
        manifest = read_json(path / _MANIFEST_FILE) if _is_file(path / _MANIFEST_FILE) else None
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


def check_digests(path: Path, manifest: dict[str, Any]) -> None:
    """Compare every file with the manifest.

    Raises:
        BundleError: a file is missing, was added or changed, cannot be read, or is no file but a link.
    """
    try:
        found = {name: digest_file(path / name) for name in list_files(path) if name != _MANIFEST_FILE}
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
    if found != manifest["files"]:
        names = sorted({name for name, _ in set(found.items()) ^ set(manifest["files"].items())})
        shown = ", ".join(name if name.isprintable() else repr(name) for name in names[:_NUM_NAMES_SHOWN])
        more = f" … ({len(names)} files)" if len(names) > _NUM_NAMES_SHOWN else ""
        raise BundleError(f"{path}: missing, added or changed since it was saved: {shown:.1000}{more}")


def list_files(folder: Path) -> list[str]:
    """List the files below a folder, relative to it. No link is followed, and nothing is opened.

    Raises:
        BundleError: something is a link, a device or a pipe, or there is too much.
        OSError: a folder cannot be read.
    """
    names: list[str] = []
    num_bytes, folders = 0, [folder]
    for inner in folders:  # which grows
        for file in map(inner.joinpath, os.listdir(inner)):
            name, found = file.relative_to(folder).as_posix(), file.lstat()
            if stat.S_ISDIR(found.st_mode):
                folders.append(file)
            elif stat.S_ISREG(found.st_mode):
                names.append(name)
                num_bytes += found.st_size
            else:
                raise BundleError(f"{folder}: {name!r} is neither a file nor a folder, but a link or a device")
            if len(names) + len(folders) > _MOST_FILES or num_bytes > MOST_BYTES:
                raise BundleError(f"{folder}: more than {_MOST_FILES:,} files or {MOST_BYTES / 2**30:.0f} GB")
    return sorted(names)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):  # ValueError: no path can have a zero in it
        return False
