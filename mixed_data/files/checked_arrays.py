"""Learned arrays in one file: exact, small, and loading it executes nothing.

The file is NumPy's ``.npz``, a zip archive of ``.npy`` members. It may come from a stranger, so that names, sizes,
dtypes and dimensions are checked before memory is taken, and no pickle is read.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mixed_data.files.first_few import cut
from mixed_data.files.whole_files import replacing

MOST_ARRAY_BYTES = 2**29
"""Of all arrays of a file together, unpacked."""

_SUFFIX = ".npy"
_LONGEST_HEADER = 1000


class ArrayKind(NamedTuple):
    """What an array of a file must be.

    Attributes:
        dtype: such as "float64".
        ndim: number of dimensions.
    """

    dtype: str
    ndim: int


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as a compressed ``.npz`` file, whole or not at all.

    Args:
        path: of the file.
        arrays: by name, of numbers or bools, finite.
    """
    # As `np.savez_compressed`, which in NumPy 2.1 cannot be told to write no pickle.
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}{_SUFFIX}", "w") as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), (1, 0), allow_pickle=False)


def read_arrays(path: str | os.PathLike[str], kinds: Mapping[str, ArrayKind]) -> dict[str, np.ndarray]:
    """Read what `write_arrays` wrote.

    Args:
        path: of the file.
        kinds: what must be in it, and nothing else.

    Returns:
        the arrays by name.

    Raises:
        ValueError: it is no such file, an array is missing, unknown, of another kind or not finite, or all together are
            larger than `MOST_ARRAY_BYTES`.
    """
    what = os.path.basename(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = sorted(member.filename for member in members)
            expected = sorted(f"{name}{_SUFFIX}" for name in kinds)
            if names != expected:
                raise ValueError(f"expected the arrays {', '.join(expected)}, got {cut(repr(names))}")
            if not {member.compress_type for member in members} <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise ValueError("it is compressed by a method that says nothing of the memory it takes")
            if (num_bytes := sum(member.file_size for member in members)) > MOST_ARRAY_BYTES:
                raise ValueError(f"it unpacks to {num_bytes:,} bytes, more than {MOST_ARRAY_BYTES:,}")
            return {name: _read(_unpack(archive, f"{name}{_SUFFIX}"), name, kind) for name, kind in kinds.items()}
    except Exception as error:  # The archive, its compression and a header may be wrong in any way.
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"{what}: {kind}{error!s:.500}") from error


def _unpack(archive: zipfile.ZipFile, name: str) -> bytes:
    """Unpack a member up to the size it claims; without a limit, zipfile first unpacks what there is."""
    with archive.open(name) as file:
        return file.read(archive.getinfo(name).file_size)


def _read(content: bytes, name: str, kind: ArrayKind) -> np.ndarray:
    """Read one member; its header is looked at before its numbers, since it says how much memory to take."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{name!r} is no array of format 1.0")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=_LONGEST_HEADER)
    if dtype != np.dtype(kind.dtype) or len(shape) != kind.ndim or by_columns:
        raise ValueError(f"{name!r} must be {kind.dtype} of {kind.ndim} dimensions, got {dtype} {shape}"[:300])
    numbers = np.frombuffer(content, dtype, offset=file.tell())
    if min(shape, default=0) < 0 or numbers.size != int(np.prod([int(length) for length in shape], dtype=object)):
        raise ValueError(f"{name!r} holds {numbers.size} numbers, its header says {shape}"[:300])
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name!r} must be finite")
    return numbers.reshape(shape)
