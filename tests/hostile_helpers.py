"""What the tests of bundles from strangers share: attacks, and what watches over them."""

from __future__ import annotations

import json
import os
import stat
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reliability import Case

from mixed_data.bundle import BundleError
from mixed_data.estimator import load
from mixed_data.files.digests import digest_file

SECTION = "Bundles from strangers"
CHANGED = "missing, added or changed since it was saved"
REFUSED = "refused"
Attack = Callable[[Path], None]

_events: list[str] | None = None
_EVENTS = {"open", "socket.connect", "subprocess.Popen", "os.system", "os.exec"}


def _write_down(event: str, arguments: tuple[Any, ...]) -> None:
    if _events is not None and event in _EVENTS:
        _events.append(f"{event} {arguments[0]}")


sys.addaudithook(_write_down)  # such a hook stays for good


@contextmanager
def nothing_outside() -> Iterator[None]:
    """Fail if a file called "secret" is opened, or anything connected to or run."""
    global _events
    _events = events = []
    try:
        yield
    finally:
        _events = None
    assert [event for event in events if "secret" in event or not event.startswith("open ")] == []


def sign(folder: Path) -> None:
    """Write the digests of the files as they are now, as who changes a bundle on purpose would."""
    files = [file for file in folder.rglob("*") if stat.S_ISREG(file.lstat().st_mode) and file.name != "manifest.json"]
    digests = {file.relative_to(folder).as_posix(): digest_file(file) for file in files}
    edit(folder / "manifest.json", lambda manifest: manifest.update(files=digests))


def edit(file: Path, change: Callable[[Any], Any]) -> None:
    """Change what a JSON file holds in place."""
    content = json.loads(file.read_text("utf-8"))
    change(content)
    file.write_text(json.dumps(content), "utf-8")


def refuse(folder: Path, reason: str) -> None:
    """Check that a bundle is refused for this reason, and that nothing outside of it is touched."""
    with nothing_outside(), pytest.raises(BundleError, match=reason) as error:
        load(folder)
    assert len(str(error.value)) < 3000


def write(name: str, content: bytes) -> Attack:
    return lambda folder: (folder / name).write_bytes(content) and None


def change_arrays(change: Callable[[dict[str, Any]], Any]) -> Attack:
    """Change the arrays of a file in place."""

    def attack(file: Path) -> None:
        with np.load(file) as archive:
            arrays = dict(archive)
        change(arrays)
        np.savez_compressed(file, **arrays)

    return attack


def put_member(name: str, content: bytes) -> Attack:
    """Put something else in the place of one array of a file, or beside them."""

    def attack(file: Path) -> None:
        with zipfile.ZipFile(file) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, old in {**members, name: content}.items():
                archive.writestr(member, content if member == name else old)

    return attack


class _Runs:
    """What runs a command when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch secret",)


def array_cases(what: str, name: str) -> list[Case]:
    """Return what can be wrong with any file of arrays.

    Args:
        what: the file holds, for the names of the cases.
        name: of one of its arrays, of float64.
    """
    cases: list[tuple[str, Any, str]] = [
        ("that run a command when unpickled", {name: np.array([_Runs()], dtype=object)}, "got object"),
        ("of another precision", {name: np.zeros(3, "float32")}, "must be float64"),
        ("of more dimensions", {name: np.zeros((1, 1, 1))}, "must be float64"),
        ("with an array that is unknown", {"x": np.zeros(3)}, "expected the arrays"),
        ("with a path outside of the folder", {"../x": np.zeros(3)}, "expected the arrays .*'../x.npy'"),
    ]
    found = [
        Case(f"{what} {case}", REFUSED, change_arrays(lambda arrays, new=new: arrays.update(new)), message)
        for case, new, message in cases
    ]
    header = b"\x93NUMPY\1\0\x46\0{'descr': '<f8', 'fortran_order': False, 'shape': (9000000000,), }     \n"
    return [
        *found,
        Case(f"{what} without one of their arrays", REFUSED, change_arrays(lambda a: a.pop(name)), "expected the arr"),
        Case(f"{what} that claim 72 GB", REFUSED, put_member(f"{name}.npy", header), "must be|its header says"),
        Case(f"{what} that are a pickle", REFUSED, put_member(f"{name}.npy", b"\x80\4cos\nsystem\n."), "magic string"),
        Case(
            f"{what} that unpack to a thousand times their size",
            REFUSED,
            put_member(f"{name}.npy", bytes(2**25)),
            "bytes, more than",
        ),
        Case(
            f"{what} cut in half", REFUSED, lambda file: os.truncate(file, file.stat().st_size // 2), "not a zip file"
        ),
        Case(f"no archive of {what}", REFUSED, lambda file: file.write_bytes(b"x") and None, "not a zip file"),
    ]
