"""Files of arrays: exact, and whatever else a stranger puts in their place is refused before it takes memory."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mixed_data.files import checked_arrays
from mixed_data.files.checked_arrays import ArrayKind, read_arrays, write_arrays

KINDS = {"numbers": ArrayKind("float64", 2), "places": ArrayKind("int32", 1), "flags": ArrayKind("bool", 1)}
ARRAYS = {
    "numbers": np.array([[0.1, -1e300, 5e-324], [np.pi, -0.0, 2.0]]),
    "places": np.array([3, -1, 2**31 - 1], dtype="int32"),
    "flags": np.array([True, False]),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_arrays(tmp_path / "arrays.npz", ARRAYS)
    return tmp_path / "arrays.npz"


def put(file: Path, name: str, content: bytes, **options: int) -> None:
    """Replace one member."""
    with zipfile.ZipFile(file) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    with zipfile.ZipFile(file, "w", **options) as archive:
        for member, old in {**members, name: b""}.items():
            archive.writestr(member, content if member == name else old)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def headed(header: str, data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


def test_arrays_are_read_as_they_were_written_to_the_bit(file: Path) -> None:
    found = read_arrays(file, KINDS)
    assert list(found) == list(KINDS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert found[name].tobytes() == array.tobytes()
        np.testing.assert_array_equal(found[name], array)


def test_arrays_in_the_order_of_columns_and_empty_ones_are_written_all_the_same(tmp_path: Path) -> None:
    arrays = {
        **ARRAYS,
        "numbers": np.asfortranarray([[2.0, 1, 0], [5, 4, 3]]),
        "places": np.zeros(0, "i4"),
    }
    write_arrays(tmp_path / "arrays.npz", arrays)
    found = read_arrays(tmp_path / "arrays.npz", KINDS)
    np.testing.assert_array_equal(found["numbers"], [[2, 1, 0], [5, 4, 3]])
    assert found["places"].shape == (0,)


def test_objects_are_not_written_and_the_old_file_stays(file: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_arrays(file, {**ARRAYS, "places": np.array([{}], dtype=object)})
    np.testing.assert_array_equal(read_arrays(file, KINDS)["places"], ARRAYS["places"])
    assert os.listdir(file.parent) == [file.name]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([{}, os.system], dtype=object), "must be float64 of 2 dimensions, got object"),
        (np.zeros((2, 3), "float32"), "got float32"),
        (ARRAYS["numbers"].astype(">f8"), "got >f8"),
        (ARRAYS["numbers"].astype("complex"), "got complex128"),
        (np.array([["a"]]), "got <U1"),
        (np.zeros((1, 1), dtype=[("a", "f8")]), r"got \[\('a'"),
        (np.zeros(3), r"got float64 \(3,\)"),
        (np.float64(3), r"got float64 \(\)"),
        (np.asfortranarray(ARRAYS["numbers"]), "must be float64 of 2 dimensions"),
        (np.array([[0.0, np.nan]]), "'numbers' must be finite"),
        (np.array([[np.inf], [0.0]]), "'numbers' must be finite"),
    ],
    ids=["object", "single", "other end first", "complex", "text", "record", "1-D", "0-D", "by columns", "NaN", "inf"],
)
def test_arrays_of_another_kind_are_refused(file: Path, array: np.ndarray, message: str) -> None:
    put(file, "numbers.npy", npy(array))
    with pytest.raises(ValueError, match=f"^arrays.npz: .*{message}"):
        read_arrays(file, KINDS)


GOOD = "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }"


@pytest.mark.parametrize(
    "content",
    [
        headed(GOOD % "(1000000000, 1000000000)"),
        headed(GOOD % "(2, 3)", bytes(40)),
        headed(GOOD % "(2, 3)", bytes(56)),
        headed(GOOD % "(-2, -3)", bytes(48)),
        headed(GOOD % "(0, 1" + 30 * "0" + ")"),
        headed(GOOD % "[2, 3]", bytes(48)),
        headed(GOOD % "(2.0, 3)", bytes(48)),
        headed(GOOD % ("(2, 3" + ", 1" * 400 + ")"), bytes(48)),
        headed(GOOD % "(2, 3)", bytes(48), version=b"\2\0"),
        headed(GOOD % "(2, 3)", bytes(48), version=b"\7\0"),
        headed("{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }", b"cos\nsystem\n."),
        headed("{'descr': '<f8', 'fortran_order': False, }", bytes(48)),
        headed("{1: 2, 'a': 3}"),
        headed("{[]: 2}"),
        headed("__import__('os').abort()"),
        headed("(" * 900),
        headed("-" * 900 + "1"),
        headed("'''"),
        headed("  1\n 2"),
        headed("\0"),
        b"\x93NUMPY\1\0\xff\xff{",
        b"\x93NUMPY\1\0",
        b"\x93NUM",
        b"\x80\x04]\x94.",
        b"",
    ],
    ids=lambda content: repr(content[10:60]),
)
def test_headers_that_lie_or_are_none_are_refused(file: Path, content: bytes) -> None:
    put(file, "numbers.npy", content)
    with pytest.raises(ValueError, match=r"^arrays\.npz: .") as error:
        read_arrays(file, KINDS)
    assert len(str(error.value)) < 500


def lack(file: Path) -> None:
    write_arrays(file, {name: ARRAYS[name] for name in ("numbers", "places")})


def repeat(file: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(file, "a") as archive:
        archive.writestr("places.npy", npy(np.zeros(3, "int32")))


def encrypt(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    file.write_bytes(content)


def spoil(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[content.index(b"numbers.npy") + 60] ^= 0xFF
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (lambda file: put(file, "more.npy", b""), "expected the arrays .*more.npy"),
        (lambda file: put(file, "../places.npy", b""), "expected the arrays .*'../places.npy'"),
        (lambda file: put(file, "/places.npy", b""), "expected the arrays"),
        (lambda file: put(file, "x" * 60_000, b""), "expected the arrays"),
        (lack, "expected the arrays"),
        (repeat, "expected the arrays"),
        (encrypt, "encrypted"),
        (spoil, "."),
        (lambda file: put(file, "numbers.npy", npy(ARRAYS["numbers"]), compression=zipfile.ZIP_LZMA), "compress"),
        (lambda file: put(file, "numbers.npy", npy(ARRAYS["numbers"]), compression=zipfile.ZIP_BZIP2), "compress"),
        (lambda file: file.write_bytes(file.read_bytes()[:-30]), "not a zip file"),
        (lambda file: file.write_bytes(b""), "not a zip file"),
        (lambda file: file.write_bytes(npy(ARRAYS["numbers"])), "not a zip file"),
        (lambda file: file.write_bytes(b"PK\5\6" + bytes(18)), "expected the arrays"),
        (Path.unlink, "No such file"),
    ],
    ids=[
        *["more", "above", "root", "long name", "missing", "twice", "encrypted", "spoilt", "lzma", "bzip2"],
        *["half", "empty", "one array", "empty zip", "no file"],
    ],
)
def test_other_files_are_refused(file: Path, attack: Callable[[Path], object], message: str) -> None:
    attack(file)
    with pytest.raises(ValueError, match=f"^arrays.npz: .*{message}") as error:
        read_arrays(file, KINDS)
    assert len(str(error.value)) < 1000


def test_any_byte_may_be_wrong(file: Path) -> None:
    content = file.read_bytes()
    refusals = []
    for place in range(len(content)):
        file.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            read_arrays(file, KINDS)
        except ValueError as error:
            refusals.append(str(error))
    assert len(refusals) > len(content) / 2
    assert all(refusal.startswith("arrays.npz: ") for refusal in refusals)


def test_arrays_that_are_too_large_together_are_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    num_bytes = sum(len(npy(array)) for array in ARRAYS.values())
    monkeypatch.setattr(checked_arrays, "MOST_ARRAY_BYTES", num_bytes)
    read_arrays(file, KINDS)
    monkeypatch.setattr(checked_arrays, "MOST_ARRAY_BYTES", num_bytes - 1)
    with pytest.raises(ValueError, match=f"unpacks to {num_bytes:,} bytes, more than {num_bytes - 1:,}"):
        read_arrays(file, KINDS)


def test_an_archive_that_lies_about_its_size_takes_no_more_memory_than_it_says(file: Path) -> None:
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join([*(packed.compress(bytes(2**20)) for _ in range(64)), packed.flush()])
    put(file, "numbers.npy", bomb)  # stored; now call it packed, and what it unpacks to small
    content = bytearray(file.read_bytes())
    for start, method, sizes in ((content.index(b"PK\3\4"), 8, 18), (content.index(b"PK\1\2"), 10, 20)):
        assert struct.unpack_from("<II", content, start + sizes) == (len(bomb), len(bomb))
        struct.pack_into("<H", content, start + method, 8)
        struct.pack_into("<I", content, start + sizes + 4, 128)
    file.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"^arrays\.npz: "):
            read_arrays(file, KINDS)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()
