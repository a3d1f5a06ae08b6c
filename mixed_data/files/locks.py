"""A lock on a folder that ends with the process that holds it, on every system."""

from __future__ import annotations

import errno
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def locked(file: Path, owner: Path) -> Iterator[None]:
    """Hold `file` as a lock on a folder.

    The operating system takes the lock back when the process ends, however it ends, so that a killed process never
    leaves one behind.

    Args:
        file: of the lock, made where it is missing. The file beside it, ".holder", says who holds it.
        owner: the folder that is locked, for the message.

    Raises:
        BlockingIOError: another process holds the lock.
    """
    holder = file.with_name(f"{file.name}.holder")
    lock = FileLock(file, fallback_to_soft=False)  # a soft lock would outlive a killed process
    try:
        lock.acquire(blocking=False)
    except Timeout:
        name = ""
        with suppress(OSError):
            name = holder.read_text(encoding="utf-8")
        message = f"{owner} is being written by {name or 'another process'}; wait for it, or stop it"
        raise BlockingIOError(errno.EAGAIN, message) from None
    try:
        holder.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
        yield
    finally:
        for path in (holder, file):  # while it is held: who opened the file before will find that it is gone
            with suppress(OSError):
                path.unlink()
        lock.release()
