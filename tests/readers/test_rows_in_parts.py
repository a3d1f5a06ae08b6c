"""A large file is read in parts: what comes out, and what is said about it, is what one part would give."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pandas as pd
import pytest

from mixed_data.cli import main
from mixed_data.readers.table import check_slices, cut_table, open_checked_rows, read_checked_rows
from mixed_data.schema import Schema
from mixed_data.schema.bad_rows import CheckedRows

SCHEMA = Schema(target="price", numeric=["area"], categorical=["style"], dates=["sold"], images=["front"], id="house")
HEADER = "house;area;style;sold;front;price\n"
ROWS = [f"H{row};{row + 50};loft;2020-12-0{row % 9 + 1};{row}.jpg;{row + 1}\n" for row in range(10)]


def text_of(changed: dict[int, str], header: str = HEADER) -> bytes:
    return (header + "".join(changed.get(row, line) for row, line in enumerate(ROWS))).encode()


FRAME = pd.DataFrame(
    {
        "house": [f"H{row}" for row in range(10)],
        "area": [None, *range(51, 60)],
        "style": [1, None, *range(8)],
        "sold": pd.to_datetime(["2020-12-01"] * 10),
        "front": [None] * 3 + ["a.jpg"] * 7,
        "price": [1, *["x"] * 6, *"234"],
    }
)
FILES = {
    "nothing wrong": text_of({}),
    "bad cells in several parts": text_of({row: f"H{row};abc;loft;;;x\n" for row in (0, 1, 3, 4, 5, 6, 9)}),
    "broken lines in several parts": text_of({1: "H1;5\n", 4: "H4\n", 9: "H9;1;2;3;4;5;6\n"}),
    "nothing but broken lines": text_of(dict.fromkeys(range(10), "H;5\n")),
    "lines without a value": text_of(dict.fromkeys((0, 2, 3, 4, 5, 8, 9), ";;;;;\n")),
    "cells of several lines": text_of({2: 'H2;7;"a\n\nb";;;9\n', 3: '"H\r\n3";7;x;;;9\n', 6: "H6;x;a;;;9\n"}),
    "wrong quotes": text_of({8: 'H8;7;"a"b;;;9\n'}),
    "decimal commas": text_of({1: "H1;1.200;a;;;3\n", 8: "H8;12,5;a;;;1.200\n", 9: "H9;12,25;a;;;2\n"}),
    "points and commas": text_of({1: "H1;1.20;a;;;3\n", 8: "H8;12,5;a;;;2\n"}),
    "dates that only the last part explains": text_of({1: "H1;1;a;1/2/2020;;3\n", 9: "H9;1;a;31/12/2020;;2\n"}),
    "dates that nothing explains": text_of({4: "H4;1;a;2/2/2020;;3\n", 8: "H8;1;a;1/2/2020;;3\n"}),
    "a column that is missing": text_of({5: "H5;abc;loft;;;5\n"}, HEADER.replace("style", "stile")),
    "no row is left": text_of({row: f"H{row};1;a;;;x\n" for row in range(10)}),
    "a line for Excel, two marks and gzip": gzip.compress("\ufeff\ufeffsep=;\r\n".encode() + text_of({7: "H7;x\n"})),
    "UTF-16": text_of({3: "H3;abc;Häuschen;;;4\n"}).decode().encode("utf-16"),
    "a range that is the id": FRAME.drop(columns="house").set_index(pd.RangeIndex(7, 27, 2, name="house")),
    "an index with a name": FRAME.set_index("house"),
    "Parquet": FRAME,
}


def checked_or_refused(path: Path, num_rows_at_once: int | None, **options: object) -> list[CheckedRows] | str:
    try:
        with open_checked_rows(path, SCHEMA, num_rows_at_once=num_rows_at_once, **options) as found:
            parts = list(found.parts)
    except ValueError as error:
        return str(error)
    assert found.num_rows == sum(len(part.table) for part in parts)
    assert found.num_skipped == sum(part.is_skipped.sum() for part in parts)
    return parts


@pytest.mark.parametrize("on_bad_row", ["error", "skip", "mask"])
@pytest.mark.parametrize("needs_target", [True, False])
@pytest.mark.parametrize("name", FILES)
def test_parts_say_what_the_whole_file_says(name, needs_target, on_bad_row, tmp_path, caplog):
    path = tmp_path / "rows"
    if isinstance(FILES[name], bytes):
        path.write_bytes(FILES[name])
    else:
        table = FILES[name]
        table.assign(price=table["price"].astype(str)).to_parquet(path)
    options = {"needs_target": needs_target, "on_bad_row": on_bad_row}
    whole = checked_or_refused(path, None, **options)
    said = caplog.text
    caplog.clear()
    parts = checked_or_refused(path, 3, **options)
    assert caplog.text == said
    assert_same(parts, whole)


def assert_same(parts: list[CheckedRows] | str, whole: list[CheckedRows] | str) -> None:
    if isinstance(whole, str):
        assert parts == whole
        return
    assert len(whole) == 1
    assert len(parts) > 1 or len(whole[0].table) <= 3
    together = pd.concat([part.table for part in parts])
    pd.testing.assert_frame_equal(together, whole[0].table, check_dtype=False)
    assert [skipped for part in parts for skipped in part.is_skipped] == whole[0].is_skipped.tolist()
    notes = {part.table.index[row]: note for part in parts for row, note in part.notes.items()}
    assert notes == whole[0].notes
    assert [place for part in parts for place in part.usable_places] == whole[0].usable_places


SLICED = [
    "bad cells in several parts",
    "decimal commas",
    "points and commas",
    "dates that only the last part explains",
    "dates that nothing explains",
    "a column that is missing",
    "Parquet",
]


@pytest.mark.parametrize("on_bad_row", ["error", "skip", "mask"])
@pytest.mark.parametrize("name", SLICED)
def test_slices_that_are_read_apart_say_together_what_the_whole_file_says(
    name, on_bad_row, tmp_path, caplog, monkeypatch
):
    found = FILES[name]
    table = pd.read_csv(io.BytesIO(found), sep=";", dtype=str) if isinstance(found, bytes) else found
    table.assign(price=table["price"].astype(str)).to_parquet(tmp_path / "rows", row_group_size=4)
    whole = checked_or_refused(tmp_path / "rows", None, on_bad_row=on_bad_row)
    said = caplog.text
    caplog.clear()
    monkeypatch.setattr("mixed_data.readers.table.NUM_ROWS_AT_ONCE", 3)
    slices = cut_table(tmp_path / "rows")
    assert [where.num_rows for where in slices] == [3, 3, 3, 1]
    parts: list[CheckedRows] | str
    try:
        how = {"on_bad_row": on_bad_row}
        reader, checks = check_slices(slices, tmp_path / "rows", SCHEMA, lambda read, items: map(read, items), **how)
        parts = [reader.read(where) for where in reversed(slices)][::-1]
        assert (checks.num_rows, checks.num_skipped) == (10, sum(part.is_skipped.sum() for part in parts))
    except ValueError as error:
        parts = str(error)
    assert caplog.text == said
    assert_same(parts, whole)


def test_an_error_in_a_late_part_comes_before_the_first_row(tmp_path):
    (tmp_path / "rows.csv").write_bytes(text_of({9: "H9;abc;loft;;;5\n"}))
    with (
        pytest.raises(ValueError, match=r"^line 11 \(id 'H9'\), column 'area': got 'abc'"),
        open_checked_rows(tmp_path / "rows.csv", SCHEMA, num_rows_at_once=2),
    ):
        pytest.fail("no row may be given")


@pytest.fixture
def parts_of_four(monkeypatch):
    monkeypatch.setitem(open_checked_rows.__wrapped__.__kwdefaults__, "num_rows_at_once", 4)


@pytest.mark.usefixtures("parts_of_four")
def test_open_checked_rows_is_in_parts_here(tmp_path):
    (tmp_path / "rows.csv").write_bytes(text_of({}))
    with open_checked_rows(tmp_path / "rows.csv", SCHEMA) as found:
        assert [len(part.table) for part in found.parts] == [4, 4, 2]
    assert len(read_checked_rows(tmp_path / "rows.csv", SCHEMA).table) == 10


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_predictions_in_parts_are_those_of_the_whole_table(suffix, hold_out_run, listings, tmp_path, request):
    table = pd.read_csv(listings, dtype=str)
    table.loc[[0, 1, 2, 3, 9, 39], "area [m2]"] = "abc"  # the first part has no row that can be used
    table["front"] = [str(listings.parent / str(path)) for path in table["front"]]
    data, bundle = tmp_path / f"rows.{suffix}", str(hold_out_run.folder / "bundle")
    table.to_csv(data, index=False) if suffix == "csv" else table.to_parquet(data)

    def run(name: str) -> tuple[bytes, bytes]:
        out, scores = tmp_path / f"{name}.{suffix}", tmp_path / f"{name}.json"
        options = ["--data", str(data), "--root", str(listings.parent), "--on-bad-row", "skip", "--out"]
        assert main(["predict", bundle, *options, str(out)]) == 0
        assert main(["evaluate", bundle, *options, str(scores)]) == 0
        return out, scores.read_bytes()

    whole = run("whole")
    request.getfixturevalue("parts_of_four")
    parts = run("parts")
    assert parts[1] == whole[1]
    if suffix == "csv":
        assert parts[0].read_bytes() == whole[0].read_bytes()
    else:
        pd.testing.assert_frame_equal(pd.read_parquet(parts[0]), pd.read_parquet(whole[0]))
    assert len(whole[0].read_bytes()) > 1000
