"""The digests that tell whether two files, or two copies of this package, have the same content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def digest_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's content, 64 hexadecimal digits.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_code() -> str:
    """Return the start of the SHA-256 of this package's modules, on which a fit depends, not on the version alone."""
    folder = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{digest_file(file)}".encode())
    return digest.hexdigest()[:16]
