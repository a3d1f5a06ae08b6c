"""The content of a file, unpacked if it is compressed; what it is, its first bytes say, not its name."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from mixed_data.files.first_few import name_some
from mixed_data.readers.foreign_formats import read_ends, refuse_foreign

_MAX_BYTES, _USUAL_BYTES, _MAX_RATIO = 1_000_000_000, 100_000_000, 100
_CHUNK_BYTES = 1 << 20
_Unpacker = Callable[[IO[bytes], IO[bytes], Path], None]  # from a packed file into another
_DAMAGED = (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


@contextmanager
def open_unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Open the content of a file; of a gzip, bzip2, xz, zip or Zstandard file, what is packed in it.

    What was packed lies in a temporary file meanwhile, not in memory.

    Raises:
        ValueError: it is the file of another program, it is damaged or packed twice, it unpacks to very much more than
            it is, or a zip archive does not hold exactly one file.
    """
    with path.open("rb") as packed:
        refuse_foreign(packed, path)
        if (unpack := _find_unpacker(packed)) is None:
            yield packed
            return
        with tempfile.TemporaryFile(prefix="mixed_data-") as unpacked:
            try:
                unpack(packed, unpacked, path)
            except _RefusedError:
                raise
            except _DAMAGED as error:
                raise ValueError(f"{path} is a damaged compressed file ({error}); get it again, or unpack it") from None
            refuse_foreign(unpacked, path)
            is_parquet = has_parquet_ends(unpacked)
            if is_parquet or _find_unpacker(unpacked):
                what = "a Parquet file" if is_parquet else "another compressed file"
                raise ValueError(f"{path} is a compressed file with {what} in it; unpack it, and give what is in it")
            yield unpacked


def has_parquet_ends(file: IO[bytes]) -> bool:
    """Tell a Parquet file by its first and last four bytes; the first alone may be the name of a column."""
    return read_ends(file, 4) == (b"PAR1", b"PAR1")


class _RefusedError(ValueError):
    """What is packed is not to be read; the message says why."""


def _find_unpacker(file: IO[bytes]) -> _Unpacker | None:
    content, _ = read_ends(file, max(map(len, _UNPACKERS)))
    return next((unpack for start, unpack in _UNPACKERS.items() if content.startswith(start)), None)


def _copy_stream(stream: IO[bytes], packed: IO[bytes], unpacked: IO[bytes], path: Path) -> None:
    """Copy all of a stream, but no more than what was packed in good faith."""
    num_packed = os.fstat(packed.fileno()).st_size
    limit = min(_MAX_BYTES, max(_USUAL_BYTES, _MAX_RATIO * num_packed))
    size = 0
    while part := stream.read(_CHUNK_BYTES):
        try:
            unpacked.write(part)
        except OSError as error:
            raise _RefusedError(
                f"there is no room to unpack {path} ({error}); unpack it, and give what is in it"
            ) from None
        size += len(part)
        if size > limit:
            raise _RefusedError(
                f"{path} has {num_packed:,} bytes and unpacks to more than {limit:,}; if that is meant, unpack it, "
                "and give what is in it"
            )


def _unpack_zip(packed: IO[bytes], unpacked: IO[bytes], path: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
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
            _copy_stream(stream, packed, unpacked, path)


def _unpack_zstandard(packed: IO[bytes], unpacked: IO[bytes], path: Path) -> None:
    try:
        import pyarrow
    except ImportError:
        raise _RefusedError(
            f"reading {path} needs pyarrow; type: pip install 'mixed_data[parquet]', or unpack it: zstd -d"
        ) from None
    with pyarrow.CompressedInputStream(pyarrow.PythonFile(packed, mode="r"), "zstd") as stream:
        _copy_stream(stream, packed, unpacked, path)


def _unpack_with(module: Any) -> _Unpacker:
    def unpack(packed: IO[bytes], unpacked: IO[bytes], path: Path) -> None:
        with module.open(packed) as stream:
            _copy_stream(stream, packed, unpacked, path)

    return unpack


_UNPACKERS: dict[bytes, _Unpacker] = {
    b"\x1f\x8b": _unpack_with(gzip),
    **{b"BZh%d1AY&SY" % level: _unpack_with(bz2) for level in range(1, 10)},
    b"\xfd7zXZ\0": _unpack_with(lzma),
    b"\x28\xb5\x2f\xfd": _unpack_zstandard,
    b"PK\x03\x04": _unpack_zip,
    b"PK\x05\x06": _unpack_zip,  # an empty archive
}
"""First bytes of a file -> what unpacks it."""
