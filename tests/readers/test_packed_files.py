"""Compressed files are read by what their first bytes say; what holds no single CSV is refused, and so is a bomb."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import tarfile
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from reliability import Case, documented

from mixed_data.readers import unpacked_file
from mixed_data.readers.table_file import read_file

TABLE = pd.DataFrame({"area": [70, 95, 120], "kind": ["flat", "loft", "flat"], "price": [1.5, 2.5, 3.5]})
CSV = TABLE.to_csv(index=False).encode()
JSON_LINES = TABLE.to_json(orient="records", lines=True).encode()


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return stream.getvalue()


def parquet() -> bytes:
    stream = io.BytesIO()
    TABLE.to_parquet(stream)
    return stream.getvalue()


def tar_of_csv() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        entry = tarfile.TarInfo("listings.csv")
        entry.size = len(CSV)
        archive.addfile(entry, io.BytesIO(CSV))
    return stream.getvalue()


def write(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


READ = [
    Case("a .csv.gz file", "read", ("x.csv.gz", gzip.compress(CSV))),
    Case("a .CSV.GZ file", "read", ("X.CSV.GZ", gzip.compress(CSV))),
    Case("a .csv.bz2 file", "read", ("x.csv.bz2", bz2.compress(CSV))),
    Case("a .csv.xz file", "read", ("x.csv.xz", lzma.compress(CSV))),
    Case("a .csv.zst file, with pyarrow", "read", ("x.csv.zst", pa.compress(CSV, "zstd", asbytes=True))),
    Case("a .zip file with one file in it", "read", ("x.csv.zip", zipped(**{"x.csv": CSV}))),
    Case(
        "a .zip file that was made on a Mac",
        "read",
        ("x.zip", zipped(**{"x.csv": CSV, "__MACOSX/._x.csv": b"\0", ".DS_Store": b"\0"})),
    ),
    Case("UTF-16 in a .zip file", "read", ("x.zip", zipped(x=CSV.decode().encode("utf-16")))),
    Case("a gzip file called .csv", "read", ("x.csv", gzip.compress(CSV))),
    Case("a CSV called .csv.gz", "read", ("x.csv.gz", CSV)),
    Case("two gzip files in one", "read", ("x.gz", gzip.compress(CSV[:20]) + gzip.compress(CSV[20:]))),
    Case("a .tsv file", "read", ("x.tsv", CSV.replace(b",", b"\t"))),
    Case("a .txt file of bars", "read", ("x.txt", CSV.replace(b",", b"|"))),
    Case("a Parquet file called .csv", "read", ("x.csv", parquet())),
]


@documented("Compressed files", READ)
def test_a_table_is_read_from_what_its_first_bytes_say(case, tmp_path):
    table = read_file(write(tmp_path, *case.given), "error").table
    assert table.astype(str).to_dict("list") == TABLE.astype(str).to_dict("list")


TWO = zipped(**{"a.csv": CSV, "b.csv": CSV, "photos/": b""})
NOT_READ = [
    Case("a .zip file with several files", "error listing them", ("x.zip", TWO), r"got 2 \('a.csv', 'b.csv'\); unpack"),
    Case("an empty .zip file", "error", ("x.zip", zipped()), r"expected one file in the archive, got 0"),
    Case("half of a gzip file", "error", ("x.gz", gzip.compress(CSV)[:-9]), "is a damaged compressed file .*get it"),
    Case("half of a bzip2 file", "error", ("x.bz2", bz2.compress(CSV)[:-9]), "is a damaged compressed file .*get it"),
    Case("half of an xz file", "error", ("x.xz", lzma.compress(CSV)[:-9]), "is a damaged compressed file .*get it"),
    Case("half of a zip file", "error", ("x.zip", zipped(x=CSV)[:-9]), "is a damaged compressed file .*get it"),
    Case("a gzip file with nothing in it", "error", ("x.gz", gzip.compress(b"")), "is empty; expected a CSV"),
    Case("a .parquet.gz file", "error", ("x.parquet.gz", gzip.compress(parquet())), "a Parquet file in it; unpack it"),
    Case(
        "a file that is packed twice", "error", ("x.zip", zipped(x=gzip.compress(CSV))), "another compressed .*unpack"
    ),
    Case("a .tar.gz archive", "error", ("x.tar.gz", tar_of_csv()), "is an archive; unpack it"),
    Case(
        "Excel in a .zip file",
        "error naming it",
        ("x.zip", zipped(x=zipped(xl__workbook=b""))),
        "is an Excel workbook; .*save the sheet as 'CSV UTF-8'",
    ),
    Case(
        "JSON lines in a gzip file",
        "error naming it",
        ("x.jsonl.gz", gzip.compress(JSON_LINES)),
        r'read_json\("x.jsonl.gz", lines=True\)',
    ),
]


@documented("Compressed files", NOT_READ)
def test_a_compressed_file_that_holds_no_single_csv_is_refused(case, tmp_path):
    with pytest.raises(ValueError, match=case.expected):
        read_file(write(tmp_path, *case.given), "error")


BOMBS = [
    Case("gzip", "error", gzip.compress),
    Case("bzip2", "error", bz2.compress),
    Case("xz", "error", lzma.compress),
    Case("zip", "error", lambda content: zipped(x=content)),
    Case("Zstandard", "error", lambda content: pa.compress(content, "zstd", asbytes=True)),
]


@documented("Compressed files that unpack to more than 100 MB and 100 times their size", BOMBS)
def test_a_file_that_unpacks_to_very_much_more_than_it_is_is_refused(case, tmp_path, monkeypatch):
    path = write(tmp_path, "x.csv.packed", case.given(b"price\n" + b"1\n" * 50_000))
    assert len(read_file(path, "error").table) == 50_000
    monkeypatch.setattr(unpacked_file, "_USUAL_BYTES", 50_000)
    monkeypatch.setattr(unpacked_file, "_CHUNK_BYTES", 1_000)
    with pytest.raises(ValueError, match=r"unpacks to more than [0-9,]+; if that is meant, unpack it"):
        read_file(path, "error")


def test_zstandard_without_pyarrow_says_what_helps(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"needs pyarrow; type: pip install 'mixed_data\[parquet\]', or unpack it"):
        read_file(write(tmp_path, "x.zst", pa.compress(CSV, "zstd", asbytes=True)), "error")
