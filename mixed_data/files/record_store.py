"""Records of one size on disk, found by the digest of what they were made from; the ones used last, up to a limit.

A store is a folder of segments. A segment is two files: ``.records`` holds the records one after the other, ``.index``
holds for each its digest (32 bytes) and a checksum (4 bytes). A record is written before its entry in the index, and
neither is ever changed, so that a killed process leaves at most a record that nobody finds. All processes write under
one lock, which the system takes back when its holder ends; reading needs none.
"""

from __future__ import annotations

import errno
import os
import secrets
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from mixed_data.files.user_cache import cache_bytes, user_cache

ENTRY = np.dtype([("digest", "V32"), ("checksum", "<u4")])
"""Of an index: the digest of a record, and the CRC-32 of that digest and the record."""

_INDEX, _RECORDS = ".index", ".records"
_SEGMENTS_PER_LIMIT = 32
_SMALLEST_SEGMENT = 64 * 2**20  # else a small limit makes more files than a process may have open
_SECONDS_TO_WAIT = 60.0
_MOST_NEW_ENTRIES = 16384
_MOST_OPEN = 4
_RECORD_BITS = 32  # of a place, which is the number of an open file, from 1, and the number of a record in it

NOWHERE = -1
"""The place of a record that is not there."""


class OpenFile:
    """A file that is open for reading at any place by several threads, until nobody knows it any more.

    Args:
        number: of the open file, which is closed with this object.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._lock = threading.Lock()

    def read(self, into: memoryview, offset: int) -> bool:
        """Fill a buffer from there on; tell whether the file is long enough."""
        while len(into):
            num_bytes = self._read(into, offset)
            if num_bytes == 0:
                return False
            into, offset = into[num_bytes:], offset + num_bytes
        return True

    def _read(self, into: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._number, [into], offset)
        with self._lock:  # Windows
            os.lseek(self._number, offset, os.SEEK_SET)
            content = os.read(self._number, len(into))
        into[: len(content)] = content
        return len(content)

    def __del__(self) -> None:
        os.close(self._number)

    def __reduce__(self) -> str:
        raise TypeError("an open file cannot be sent to another process; make a NumPy array of what it holds")


def neighbours(places: np.ndarray, into: memoryview, num_bytes: int) -> Iterator[tuple[memoryview, int]]:
    """Yield the part of a buffer of each run of places that follow each other, and the first of them.

    Args:
        places: int64 ``(n,)``.
        into: ``n * num_bytes``.
        num_bytes: of a record.
    """
    starts = np.flatnonzero(np.diff(places, prepend=places[:1]) != 1)
    ends = [*starts[1:].tolist(), len(places)]
    for start, end, place in zip(starts.tolist(), ends, places[starts].tolist(), strict=False):
        yield into[start * num_bytes : end * num_bytes], place


class RecordStore:
    """Records of one kind; several threads and processes may read and write them at once.

    Of all stores in `user_cache` together no more than `cache_bytes` are kept, and the segment that was written last,
    which may have 64 MB: whole segments are removed, those that were used longest ago first. Who has one open reads on.

    Args:
        kind: what the records are, as a name of a folder.
        made: tells how they are made, 64 hexadecimal digits; a record of another making is never found.
        num_bytes: of a record.
    """

    def __init__(self, kind: str, made: str, num_bytes: int) -> None:
        self.num_bytes = num_bytes
        self._root = user_cache() / "records"
        self._folder = self._root / f"{kind}-{made}"
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._files: dict[int, OpenFile] = {}
        self._recent: dict[bytes, tuple[int, int]] = {}
        self._load()

    @classmethod
    def open(cls, kind: str, made: str, num_bytes: int) -> RecordStore:
        """Return a store that this process used lately, with what others have written since, or a new one.

        Its index, which is long where there are many records, is then in memory once, and read once.
        """
        place = user_cache(), kind, made, num_bytes
        with _lock:
            store = _open.pop(place, None)
            is_new = store is None
            if store is None:
                store = cls(kind, made, num_bytes)
            _open[place] = store
            if len(_open) > _MOST_OPEN:
                del _open[next(iter(_open))]
        if not is_new:
            with store._lock:
                if store._sizes != store._measure():
                    store._load()
        return store

    def find(self, digest: bytes, into: memoryview) -> int:
        """Copy a record whose bytes are as they were written.

        Args:
            digest: SHA-256 of what it was made from, 32 bytes.
            into: ``num_bytes`` to write it to.

        Returns:
            Its place, `NOWHERE` if there is none or it is damaged; ``into`` is then undefined.
        """
        with self._lock:
            place, checksum = self._recent.get(digest) or self._look_up(digest)
            file = self._files.get(place >> _RECORD_BITS)
        try:
            is_whole = file is not None and file.read(into, self._offset(place)) and _check(digest, into) == checksum
        except OSError:  # of a disk that is broken there
            is_whole = False
        return place if is_whole else NOWHERE

    def append(self, digests: Sequence[bytes], records: Sequence[memoryview]) -> list[int]:
        """Keep records, and return their places.

        Raises:
            OSError: they cannot be written, or another process holds the lock for a minute.
        """
        from filelock import FileLock

        if not digests:
            return []
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock, FileLock(self._root / "lock", timeout=_SECONDS_TO_WAIT, fallback_to_soft=False):
            self._folder.mkdir(exist_ok=True)  # another process may have removed it, empty
            limit = cache_bytes()
            index = max(self._list_indexes(), default=None)
            full = max(limit // _SEGMENTS_PER_LIMIT, _SMALLEST_SEGMENT)
            if index is None or _size(index.with_suffix(_RECORDS)) >= full:
                # A name that never comes again, because somebody may have the file of one that was removed open.
                number = 1 + (0 if index is None else int(index.name.partition("-")[0]))
                index = self._folder / f"{number:06}-{secrets.token_hex(8)}{_INDEX}"
            start = _size(index) // ENTRY.itemsize
            _write(index.with_suffix(_RECORDS), start * self.num_bytes, records)
            entries = np.empty(len(digests), ENTRY)
            entries["digest"] = np.frombuffer(b"".join(digests), "V32")
            entries["checksum"] = [_check(*each) for each in zip(digests, records, strict=True)]
            _write(index, start * ENTRY.itemsize, [entries.tobytes()])
            number = self._open(index)
            self._evict(limit, index)
            places = [number << _RECORD_BITS | record for record in range(start, start + len(digests))]
            if self._sizes.get(index.name, 0) == start * ENTRY.itemsize:  # nobody else has written in between
                self._sizes[index.name] = _size(index)
            self._recent |= zip(digests, zip(places, entries["checksum"].tolist(), strict=True), strict=True)
            if len(self._recent) >= _MOST_NEW_ENTRIES:
                self._load()
        return places

    def read(self, places: np.ndarray, into: memoryview) -> None:
        """Copy records one after the other; zeros for `NOWHERE`. Neighbours are read at once.

        Args:
            places: int64 ``(n,)``, that this store has given.
            into: ``n * num_bytes`` to write them to.

        Raises:
            OSError: a file was made shorter.
        """
        for part, place in neighbours(places, into, self.num_bytes):
            if place == NOWHERE:
                part[:] = bytes(len(part))
            elif not self._files[place >> _RECORD_BITS].read(part, self._offset(place)):
                raise OSError(f"a file of {self._folder} has become shorter while it was read")

    def _load(self) -> None:
        """Read all indexes: the first bytes of digests in order, of equal ones the newest last, and what is theirs.

        The checksum is of the whole digest, so that 20 bytes for each record are enough to know it again.
        """
        self._sizes = self._measure()
        self._firsts, self._checksums, self._places = np.empty(0, "<u8"), np.empty(0, "<u4"), np.empty(0, np.int64)
        firsts, checksums, places = [self._firsts], [self._checksums], [self._places]
        for index in sorted(self._list_indexes()):
            try:
                content = index.read_bytes()
                number = self._open(index)
                os.utime(index)
            except OSError:  # removed by another process in this moment
                continue
            entries = np.frombuffer(content, ENTRY, len(content) // ENTRY.itemsize)
            firsts.append(np.ndarray(len(entries), "<u8", entries, strides=(ENTRY.itemsize,)).copy())
            checksums.append(entries["checksum"].copy())
            places.append((number << _RECORD_BITS) + np.arange(len(entries)))
        order = np.argsort(np.concatenate(firsts), kind="stable")
        self._firsts = np.concatenate(firsts)[order]
        self._checksums = np.concatenate(checksums)[order]
        self._places = np.concatenate(places)[order]
        self._recent = {}

    def _look_up(self, digest: bytes) -> tuple[int, int]:
        first = np.frombuffer(digest, "<u8", 1)[0]
        last = int(np.searchsorted(self._firsts, first, "right")) - 1
        if last < 0 or self._firsts[last] != first:
            return NOWHERE, 0
        return int(self._places[last]), int(self._checksums[last])

    def _measure(self) -> dict[str, int]:
        """Return the size of each index."""
        return {index.name: _size(index) for index in self._list_indexes()}

    def _offset(self, place: int) -> int:
        return (place & (1 << _RECORD_BITS) - 1) * self.num_bytes

    def _list_indexes(self) -> list[Path]:
        return list(self._folder.glob(f"*{_INDEX}"))

    def _open(self, index: Path) -> int:
        """Return the number of a segment's file, opened once."""
        if index.name not in self._numbers:
            number = len(self._numbers) + 1
            how = os.O_RDONLY | getattr(os, "O_BINARY", 0)
            self._files[number] = OpenFile(os.open(index.with_suffix(_RECORDS), how))
            self._numbers[index.name] = number
        return self._numbers[index.name]

    def _evict(self, limit: int, kept: Path) -> None:
        """Remove segments of any store until all are within the limit; not the one that was just written."""
        found = sorted(_segments(self._root))
        too_many = sum(num_bytes for _, num_bytes, _ in found) - limit
        for _, num_bytes, index in found:
            if too_many <= 0 or index == kept:
                continue
            with suppress(OSError):  # Windows keeps what is open
                index.unlink(missing_ok=True)  # first, so that nobody finds the records that go
                index.with_suffix(_RECORDS).unlink()
                too_many -= num_bytes
                index.parent.rmdir()  # refused where there are others


_lock = threading.Lock()
_open: dict[tuple[Path, str, str, int], RecordStore] = {}
"""The stores that were used last, the latest last."""


def _segments(root: Path) -> Iterator[tuple[int, int, Path]]:
    """Yield of each segment when it was used, how many bytes it has, and its index, which a kill may have left out."""
    for records in root.glob(f"*/*{_RECORDS}"):
        with suppress(OSError):
            index = records.with_suffix(_INDEX)
            used = index if index.exists() else records
            yield used.stat().st_mtime_ns, _size(index) + records.stat().st_size, index


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _write(path: Path, offset: int, parts: Sequence[memoryview | bytes]) -> None:
    """Write at a place of a file, made where it is missing, over what a killed process left there."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "wb", buffering=0) as file:
        file.seek(offset)
        for part in parts:
            if file.write(part) != len(part):
                raise OSError(errno.ENOSPC, f"{path} cannot be written: no more than a part was")


def _check(digest: bytes, record: memoryview) -> int:
    return zlib.crc32(record, zlib.crc32(digest))
