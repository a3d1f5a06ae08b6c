"""Photos are found in every form in which a file may name them, also when the rows are written and read again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from picture_helpers import encode, file_with
from reliability import Case, documented

from mixed_data.preprocessing import ImagePreprocessor
from mixed_data.readers.table import read_rows, read_table
from mixed_data.schema.photo_paths import split_paths

NUM_ROWS = 4
NAMES = ["p/a;b.png", "p/a b.png", "p/it's.png", "p/ü.png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        file_with(encode("PNG", np.full((8, 8, 3), 50 * number, np.uint8)), name)(tmp_path)
    return tmp_path


def pairs() -> list[list[str]]:
    return [[name, NAMES[(row + 1) % NUM_ROWS]] for row, name in enumerate(NAMES)]


FORMS = [
    Case("JSON lists", "both photos are read", [json.dumps(pair) for pair in pairs()]),
    Case("Python's lists", "both photos are read", list(map(str, pairs()))),
    Case("NumPy's arrays as text", "both photos are read", [str(np.array(pair)) for pair in pairs()]),
]


def check_photos_of(table: pd.DataFrame, folder: Path) -> None:
    assert [split_paths(cell) for cell in table["front"]] == [[str(folder / name) for name in pair] for pair in pairs()]
    images, mask, warnings = ImagePreprocessor(["front"], size=8).fit(table).transform(table)
    assert images[:, :, 0, 0, 0].tolist() == [[50 * row, 50 * ((row + 1) % NUM_ROWS)] for row in range(NUM_ROWS)]
    assert mask.all()
    assert warnings == [[]] * NUM_ROWS


@documented("Paths of photos", FORMS)
def test_lists_of_paths_are_read_and_read_again(
    case: Case, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pd.DataFrame({"front": case.given, "price": range(1, 5)}).to_csv(folder / "rows.csv", index=False)
    table, schema = read_table(data=folder / "rows.csv")
    assert schema.images == ("front",)
    check_photos_of(table, folder)
    other = tmp_path_factory.mktemp("other") / "held_out.csv"
    table.to_csv(other, index=False)
    check_photos_of(read_rows(other, schema), folder)


@documented("Paths of photos", [Case("a list column of a Parquet file", "its photos are read")])
def test_a_list_column_of_parquet_is_read(case: Case, folder: Path) -> None:
    pd.DataFrame({"front": pairs(), "price": range(1, 5)}).to_parquet(folder / "rows.parquet")
    assert isinstance(pd.read_parquet(folder / "rows.parquet")["front"][0], np.ndarray)
    table, schema = read_table(data=folder / "rows.parquet")
    assert schema.images == ("front",)
    check_photos_of(table, folder)


@documented(
    "Paths of photos",
    [Case("a column of bytes in a Parquet file", "as images, an error that says how many they are")],
)
def test_bytes_are_refused_shortly(case: Case, tmp_path: Path) -> None:
    pd.DataFrame({"front": [encode("JPEG")] * 4, "price": range(1, 5)}).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(
        ValueError, match=r"row 0, column 'front': got [0-9,]+ bytes; write the path of a picture"
    ) as caught:
        read_table(data=tmp_path / "rows.parquet", images=["front"])
    assert len(str(caught.value)) < 1000


def test_file_addresses_of_this_computer_are_paths(folder: Path) -> None:
    cells = [(folder / NAMES[1]).as_uri(), f"file://{folder}/{NAMES[2]}"]
    assert "%20" in cells[0]
    pd.DataFrame({"front": cells, "price": [1, 2]}).to_csv(folder / "rows.csv", index=False)
    table, schema = read_table(data=folder / "rows.csv")
    assert schema.images == ("front",)
    assert table["front"].tolist() == [str(folder / NAMES[1]), str(folder / NAMES[2])]
