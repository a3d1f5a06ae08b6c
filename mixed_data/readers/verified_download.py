"""Get the real data: downloaded with resume and retry, checked, and put in its place in one step.

What arrives is a stranger's archive. Nothing of it is used before its content is what was expected.
"""

from __future__ import annotations

import hashlib
import logging
import lzma
import os
import re
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path, PurePosixPath

import requests

from mixed_data.files.digests import digest_file
from mixed_data.readers.houses import FOLDER_NAME

HOUSES_URL = "https://github.com/emanhamed/Houses-dataset/archive/5e148219500558089cf5cf121b626b17fdde9b92.zip"
HOUSES_SHA256 = "448dbc0a7dff2b53cb47c61c67fcc092442c14547eca0abbf4b3e89c8e01abe3"
MAX_BYTES = 1_000_000_000  # The archive has 187 MB; more than this is not it, and must not fill the disk.

_log = logging.getLogger(__name__)
_CHUNK_BYTES = 1 << 16
_TIMEOUT_S = 30
# Of the client errors, those that a later attempt may not meet.
_PASSING_STATUS = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
# Answers to a range that does not fit: other bytes, or none, because what is here is not what is there.
_UNFIT_RANGE = (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
# What zipfile raises for a damaged archive; RuntimeError for an encrypted or unknown kind.
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error)
_BROKEN_ARCHIVE = (*_DAMAGED, EOFError, OSError, RuntimeError, UnicodeError)

ReportProgress = Callable[[int, int | None], object]
"""Called with the number of bytes that are here, and of all where that is known."""


class DownloadError(ValueError):
    """The data cannot be had, or is not what was expected; the message says what to do."""


def download_houses(
    destination: str | os.PathLike[str],
    *,
    url: str = HOUSES_URL,
    sha256: str = HOUSES_SHA256,
    attempts: int = 4,
    report: ReportProgress = lambda position, total: None,
) -> Path:
    """Put the folder "Houses Dataset" into ``destination``: complete and verified, or not at all.

    An interrupted download goes on where it stopped, in this call or the next, if the server can do that.

    Args:
        destination: folder to put "Houses Dataset" into; made when it does not exist.
        url: address of a zip archive with a folder "Houses Dataset" somewhere in it.
        sha256: expected ``content_digest`` of that folder.
        attempts: how often a failing connection is tried, with pauses of 1, 2, 4 ... seconds.
        report: called as the archive arrives, with the number of bytes that are here and, where known, of all.

    Returns:
        absolute path of ``destination``, the root for ``read_houses``.

    Raises:
        DownloadError: no connection, nothing at ``url``, another content than expected, or another folder "Houses
            Dataset" in the way.
    """
    destination = Path(destination).expanduser().absolute()
    folder = destination / FOLDER_NAME
    if folder.exists():
        _check_existing(folder, sha256)
        return destination
    destination.mkdir(parents=True, exist_ok=True)
    archive = _fetch(url, destination, attempts, report)
    with tempfile.TemporaryDirectory(prefix=".houses-", dir=destination) as temporary:
        unpacked = Path(temporary) / FOLDER_NAME
        try:
            _unpack(archive, unpacked, sha256, url)
        except DownloadError:
            archive.unlink()  # Kept, it would be taken for the good one by the next call.
            raise
        os.replace(unpacked, folder)
    archive.unlink()
    return destination


def content_digest(folder: str | os.PathLike[str]) -> str:
    """Return the digest of what is in a folder, whatever archive it came in: 64 hexadecimal digits.

    It is what ``(LC_ALL=C; sha256sum * | sha256sum)`` prints in that folder: the SHA-256 of one line "<SHA-256 of the
    file>  <name>" per file, names sorted bytewise. Hidden files and subfolders do not count.
    """
    files = [path for path in Path(folder).iterdir() if path.is_file() and not path.name.startswith(".")]
    lines = hashlib.sha256()
    for path in sorted(files, key=lambda path: os.fsencode(path.name)):
        lines.update(f"{digest_file(path)}  ".encode() + os.fsencode(path.name) + b"\n")
    return lines.hexdigest()


def _check_existing(folder: Path, sha256: str) -> None:
    if not folder.is_dir() or content_digest(folder) != sha256:
        raise DownloadError(
            f"{folder} exists, but is not the complete data set as published; it is left as it is: rename or "
            "delete it, or download into another folder"
        )
    _log.info("%s is already there and verified.", folder)


def _fetch(url: str, destination: Path, attempts: int, report: ReportProgress) -> Path:
    """Download the archive into ``destination``, or take the one an interrupted call left there."""
    archive = destination / f".houses-{hashlib.sha256(url.encode()).hexdigest()[:8]}.zip"
    # Its digest is not known: GitHub makes the archive anew at times, with other bytes and the same content.
    if not archive.exists():
        part = archive.with_name(f"{archive.name}.part")
        _download(url, part, attempts, report)
        os.replace(part, archive)
    return archive


def _download(url: str, part: Path, attempts: int, report: ReportProgress) -> None:
    for attempt in range(1, attempts + 1):
        try:
            _continue(url, part, report)
            return
        except requests.RequestException as error:
            if attempt == attempts or not _may_pass(error):
                raise DownloadError(
                    f"cannot download {url}: {_reason(error)}; with a connection, run the same command "
                    "again; without one, fetch this archive on another machine, unpack it, and put the "
                    f"folder {FOLDER_NAME!r} that it holds into {part.parent}"
                ) from error
            pause_s = 2 ** (attempt - 1)
            _log.warning("download interrupted (%s); trying again in %d s", _reason(error), pause_s)
            time.sleep(pause_s)


def _continue(url: str, part: Path, report: ReportProgress) -> None:
    """Make one attempt: add to ``part`` what it lacks, or begin anew where the server cannot resume."""
    size = part.stat().st_size if part.exists() else 0
    # Unencoded, so that lengths and ranges are those of the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={size}-"} if size else {})
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
        resumed = response.headers.get("Content-Range", "").startswith(f"bytes {size}-")
        if size and not resumed and response.status_code in _UNFIT_RANGE:
            part.unlink()
            _continue(url, part, report)
            return
        response.raise_for_status()
        position = size if resumed else 0
        length = response.headers.get("Content-Length")
        total = position + int(length) if length else None
        with part.open("ab" if resumed else "wb") as file:
            for chunk in response.iter_content(_CHUNK_BYTES):
                position += file.write(chunk)
                report(position, total)
                if position > MAX_BYTES:
                    break
    if position > MAX_BYTES:
        part.unlink()
        raise DownloadError(f"{url} is not the expected data: it is larger than {MAX_BYTES:,} bytes")
    if total is not None and position < total:  # urllib3 before version 2 does not notice.
        raise requests.ConnectionError(f"connection lost after {position:,} of {total:,} bytes")


def _may_pass(error: requests.RequestException) -> bool:
    """Tell whether another attempt may work: not after "404 Not Found" or with an address that is none."""
    if error.response is None:
        return not isinstance(error, ValueError)
    return error.response.status_code >= 500 or error.response.status_code in _PASSING_STATUS


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    # The readable sentence is inside: ConnectionError(MaxRetryError(..., reason=NameResolutionError("...")))
    cause = error.args[0] if error.args else error
    cause = getattr(cause, "reason", cause)
    return str(cause.args[0] if getattr(cause, "args", ()) else cause)


def _unpack(archive: Path, folder: Path, sha256: str, url: str) -> None:
    """Write the files of the archive's "Houses Dataset" into ``folder``, and nothing anywhere else, and verify them."""
    folder.mkdir()
    for name, content in _read_files(archive):
        (folder / name).write_bytes(content)
    if (found := content_digest(folder)) != sha256:
        raise DownloadError(
            f"what came from {url} is not the expected data: expected content digest {sha256}, got {found} "
            f"({len(os.listdir(folder))} files in {FOLDER_NAME!r}); it was deleted; try again, or use another source"
        )


def _read_files(archive: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = [member for member in zipped.infolist() if not member.is_dir()]
            _check_members(members)
            for member in members:
                path = PurePosixPath(member.filename)
                if path.parent.name == FOLDER_NAME:
                    yield path.name, zipped.read(member)
    except _BROKEN_ARCHIVE as error:
        raise DownloadError(f"the download is no intact zip archive ({error}); it was deleted; try again") from error


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or re.search(r"[\\:]", member.filename):
            raise DownloadError(
                f"the archive holds {member.filename!r}, a path that leads out of its folder; it was deleted"
            )
    # zipfile reads no more of a member than the size that it declares.
    if sum(member.file_size for member in members) > MAX_BYTES:
        raise DownloadError(f"the archive unpacks to more than {MAX_BYTES:,} bytes; it was deleted")
