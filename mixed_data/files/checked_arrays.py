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
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{name: np.ascontiguousarray(a) for name, a in arrays.items()})


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
            sizes = {member.filename: member.file_size for member in archive.infolist()}
            expected = sorted(f"{name}{_SUFFIX}" for name in kinds)
            if sorted(member.filename for member in archive.infolist()) != expected:
                raise ValueError(f"expected the arrays {', '.join(expected)}, got {cut(repr(sorted(sizes)))}")
            if sum(sizes.values()) > MOST_ARRAY_BYTES:
                raise ValueError(f"it unpacks to {sum(sizes.values()):,} bytes, more than {MOST_ARRAY_BYTES:,}")
            return {name: _read(archive.read(f"{name}{_SUFFIX}"), name, kind) for name, kind in kinds.items()}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(f"{what}: {error}") from error


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
