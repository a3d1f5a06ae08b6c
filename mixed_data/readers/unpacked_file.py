"""The content of a file, unpacked if it is compressed; what it is, its first bytes say, not its name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any

from mixed_data.files.first_few import name_some
from mixed_data.readers.foreign_formats import refuse_foreign

_MAX_BYTES, _USUAL_BYTES, _MAX_RATIO = 1_000_000_000, 100_000_000, 100
_CHUNK_BYTES = 1 << 20
_DAMAGED = (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


def read_unpacked(path: Path) -> bytes:
    """Return the content of a file; of a gzip, bzip2, xz, zip or Zstandard file, what is packed in it.

    Raises:
        ValueError: it is the file of another program, it is damaged or packed twice, it unpacks to very much more than
            it is, or a zip archive does not hold exactly one file.
    """
    content = path.read_bytes()
    refuse_foreign(content, path)
    if (unpack := _find_unpacker(content)) is None:
        return content
    try:
        unpacked = unpack(content, path)
    except _RefusedError:
        raise
    except _DAMAGED as error:
        raise ValueError(f"{path} is a damaged compressed file ({error}); get it again, or unpack it") from None
    refuse_foreign(unpacked, path)
    is_parquet = has_parquet_ends(unpacked[:4], unpacked[-4:])
    if is_parquet or _find_unpacker(unpacked):
        what = "a Parquet file" if is_parquet else "another compressed file"
        raise ValueError(f"{path} is a compressed file with {what} in it; unpack it, and give what is in it")
    return unpacked


def has_parquet_ends(start: bytes, end: bytes) -> bool:
    """Tell a Parquet file by its first and last four bytes; the first alone may be the name of a column."""
    return start == end == b"PAR1"


class _RefusedError(ValueError):
    """What is packed is not to be read; the message says why."""


def _find_unpacker(content: bytes) -> Callable[[bytes, Path], bytes] | None:
    return next((unpack for start, unpack in _UNPACKERS.items() if content.startswith(start)), None)


def _read_stream(stream: IO[bytes], packed: bytes, path: Path) -> bytes:
    """Read all of a stream, but no more than what was packed in good faith."""
    limit = min(_MAX_BYTES, max(_USUAL_BYTES, _MAX_RATIO * len(packed)))
    parts, size = [], 0
    while part := stream.read(_CHUNK_BYTES):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise _RefusedError(
                f"{path} has {len(packed):,} bytes and unpacks to more than {limit:,}; if that is meant, unpack it, "
                "and give what is in it"
            )
    return b"".join(parts)


def _unpack_zip(content: bytes, path: Path) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        # Archives made on a Mac hold invisible files beside each file.
        members = [
            member
            for member in members
            if not member.filename.startswith("__MACOSX/") and PurePosixPath(member.filename).name[:1] != "."
        ]
        if len(members) != 1:
            held = name_some(repr(member.filename) for member in members) or "none"
            raise _RefusedError(
                f"{path}: expected one file in the archive, got {len(members)} ({held}); unpack it, and give one of "
                "them"
            )
        if members[0].flag_bits & 1:
            raise _RefusedError(f"{path} is locked with a password; unpack it, and give what is in it")
        with archive.open(members[0]) as stream:
            return _read_stream(stream, content, path)


def _unpack_zstandard(content: bytes, path: Path) -> bytes:
    try:
        import pyarrow
    except ImportError:
        raise _RefusedError(
            f"reading {path} needs pyarrow; type: pip install 'mixed_data[parquet]', or unpack it: zstd -d"
        ) from None
    with pyarrow.CompressedInputStream(pyarrow.BufferReader(content), "zstd") as stream:
        return _read_stream(stream, content, path)


def _unpack_with(module: Any) -> Callable[[bytes, Path], bytes]:
    def unpack(content: bytes, path: Path) -> bytes:
        with module.open(io.BytesIO(content)) as stream:
            return _read_stream(stream, content, path)

    return unpack


_UNPACKERS: dict[bytes, Callable[[bytes, Path], bytes]] = {
    b"\x1f\x8b": _unpack_with(gzip),
    **{b"BZh%d1AY&SY" % level: _unpack_with(bz2) for level in range(1, 10)},
    b"\xfd7zXZ\0": _unpack_with(lzma),
    b"\x28\xb5\x2f\xfd": _unpack_zstandard,
    b"PK\x03\x04": _unpack_zip,
    b"PK\x05\x06": _unpack_zip,  # an empty archive
}
"""First bytes of a file -> what unpacks it."""
