"""What the tests of bundles from strangers share: attacks, and what watches over them."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

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
