"""The table reader: any CSV or Parquet, every cell typed, nothing guessed away, no row moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reliability import Case, documented

from mixed_data.readers import READERS
from mixed_data.readers.table import read_rows, read_table
from mixed_data.schema import Schema, SchemaError

LISTINGS = """\
house,zipcode,area,style,front,rooms,price
H7, 02139 ,1000.5,loft,photos/7.jpg,photos/7a.jpg;photos/7b.jpg,300000
H3,85255,,ranch,photos/3.jpg,,500000
H5,02139,900,,,photos/5a.jpg,250000.5
H4,85255,1200,ranch,gone.jpg,/elsewhere/4.jpg,410000
"""


def write(folder: Path, text: str, name: str = "listings.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_a_csv_becomes_a_typed_table_with_its_rows_in_order(tmp_path):
    table, schema = read_table(data=write(tmp_path, LISTINGS))
    assert schema == Schema(
        target="price",
        numeric=("area",),
        categorical=("style",),
        codes=("zipcode",),
        images=("front", "rooms"),
        id="house",
    )
    assert table.columns.tolist() == ["house", "zipcode", "area", "style", "front", "rooms", "price"]
    assert isinstance(table.index, pd.RangeIndex)
    assert table["house"].tolist() == ["H7", "H3", "H5", "H4"]
    assert table["zipcode"].tolist() == ["02139", "85255", "02139", "85255"]
    assert table["style"].tolist() == ["loft", "ranch", None, "ranch"]
    np.testing.assert_array_equal(table["area"], [1000.5, np.nan, 900, 1200])
    np.testing.assert_array_equal(table["price"], [300000, 500000, 250000.5, 410000])
    assert table["area"].dtype == table["price"].dtype == np.float64


def test_picture_paths_start_from_the_folder_of_the_csv_and_missing_pictures_keep_theirs(tmp_path, monkeypatch):
    write(tmp_path, LISTINGS)
    monkeypatch.chdir(tmp_path)
    table, _ = read_table(data="listings.csv")
    photos = f"{tmp_path}/photos"
    assert table["front"].tolist() == [f"{photos}/7.jpg", f"{photos}/3.jpg", None, f"{tmp_path}/gone.jpg"]
    assert table["rooms"].tolist() == [
        f"{photos}/7a.jpg;{photos}/7b.jpg",
        None,
        f"{photos}/5a.jpg",
        "/elsewhere/4.jpg",
    ]


def test_picture_paths_start_from_root_where_it_is_given(tmp_path, monkeypatch):
    data = write(tmp_path, LISTINGS)
    monkeypatch.chdir(tmp_path)
    for root in ("other", tmp_path / "other"):
        table, schema = read_table(root, data=data)
        assert table["front"][0] == f"{tmp_path}/other/photos/7.jpg"
        assert read_rows(data, schema, root=root)["front"][0] == f"{tmp_path}/other/photos/7.jpg"


def test_a_root_with_the_path_separator_in_its_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"';' separates picture paths, but the folder .*a;b has one; rename it"):
        read_table(tmp_path / "a;b", data=write(tmp_path, LISTINGS))


def test_parquet_and_csv_give_the_same_table(tmp_path):
    table = pd.DataFrame(
        {
            "zipcode": [85255, 2139, 85255],
            "floor": pd.array([1, None, 2], dtype="Int64"),
            "has_pool": [True, False, True],
            "photo": ["a.jpg", None, "b.jpg;c.jpg"],
            "price": [1.5, 2.5, 3.5],
        },
        index=[5, 3, 9],
    )
    table.to_parquet(tmp_path / "listings.parquet")
    table.to_csv(tmp_path / "listings.csv", index=False)
    from_parquet, schema = read_table(data=tmp_path / "listings.parquet")
    from_csv, schema_of_csv = read_table(data=tmp_path / "listings.csv")
    assert schema == schema_of_csv
    pd.testing.assert_frame_equal(from_parquet, from_csv)
    assert from_csv["zipcode"].tolist() == ["85255", "2139", "85255"]
    assert from_csv["has_pool"].tolist() == ["True", "False", "True"]
    np.testing.assert_array_equal(from_csv["floor"], [1, np.nan, 2])


def test_a_named_parquet_index_becomes_a_column(tmp_path):
    table = pd.DataFrame({"area": [7, 8], "price": [1, 2]}, index=pd.Index(["b", "a"], name="house"))
    table.to_parquet(tmp_path / "listings.parquet")
    table, schema = read_table(data=tmp_path / "listings.parquet")
    assert isinstance(table.index, pd.RangeIndex)
    assert (schema.id, table["house"].tolist()) == ("house", ["b", "a"])


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    def fail(*args: object, **options: object) -> None:
        raise ImportError("no pyarrow")

    monkeypatch.setattr(pd, "read_parquet", fail)
    with pytest.raises(ValueError, match=r"needs pyarrow; type: pip install 'mixed_data\[parquet\]'"):
        read_table(data=write(tmp_path, "", "listings.pq"))


def test_a_broken_parquet_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"listings.parquet is not a readable Parquet file"):
        read_table(data=write(tmp_path, "price\n1\n", "listings.parquet"))


@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["unix", "windows"])
def test_separator_byte_order_mark_and_line_ends_do_not_matter(tmp_path, separator, encoding, newline):
    lines = ['"größe, m2"', "photo", "price"], ["7.5", '"a.jpg;b.jpg"', "1"], ["8.5", "c.jpg", "2"]
    text = newline.join(separator.join(cells) for cells in lines) + newline
    table, schema = read_table(data=write(tmp_path, text, encoding=encoding))
    assert schema == Schema(target="price", numeric=("größe, m2",), images=("photo",))
    assert table["größe, m2"].tolist() == [7.5, 8.5]
    assert table["photo"].tolist() == [f"{tmp_path}/a.jpg;{tmp_path}/b.jpg", f"{tmp_path}/c.jpg"]


def test_a_header_of_one_column_and_blanks_around_names_and_cells(tmp_path):
    rows = read_rows(write(tmp_path, "area\n1\n\n2\n"), Schema(numeric=["area"]))
    assert rows["area"].tolist() == [1, 2]
    table, _ = read_table(data=write(tmp_path, ' style , price \n loft, 1\n "a, b", 2\n loft, 3\n'))
    assert table["style"].tolist() == ["loft", "a, b", "loft"]
    assert table["price"].tolist() == [1, 2, 3]


def test_a_csv_written_with_its_index_has_the_name_that_pandas_gives(tmp_path):
    pd.DataFrame({"area": [7, 8], "price": [5, 6]}, index=[3, 4]).to_csv(tmp_path / "listings.csv")
    table, schema = read_table(data=tmp_path / "listings.csv")
    assert table.columns.tolist() == pd.read_csv(tmp_path / "listings.csv").columns.tolist()
    assert schema.id == "Unnamed: 0"
    assert table["Unnamed: 0"].tolist() == ["3", "4"]


def test_a_cell_over_several_lines_is_one_cell(tmp_path):
    table, _ = read_table(data=write(tmp_path, 'style,price\n"a\nb",1\nc,2\nc,3\n'), target="price")
    assert table["style"].tolist() == ["a\nb", "c", "c"]


def test_a_word_among_numbers_is_an_error_naming_row_and_column(tmp_path):
    areas = [str(area) for area in range(1000, 1500, 5)]
    areas[12] = "abc"
    text = "".join(f"{area},{price}\n" for price, area in enumerate(areas, 1))
    with pytest.raises(SchemaError, match=r"^line 14, column 'area': got 'abc'; write a finite number"):
        read_table(data=write(tmp_path, "area,price\n" + text))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; expected a CSV with a header"),
        (b"\n\n", "is empty; expected a CSV with a header"),
        (b"price\n", "the table has no rows"),
        (b"a,a,price\n1,2,3\n", "more than one column 'a'"),
        ("größe,price\n1,2\n".encode("latin-1"), "is not text in UTF-8 .* save it again as 'CSV UTF-8'"),
        ("a,price\n1,2\n".encode("utf-16-le"), "is not text in UTF-8 .* save it again as 'CSV UTF-8'"),
        (
            b"a,price\n1,2,3\n1,2\n1\n",
            "expected 2 cells in every line, .* line 2 has 3, line 4 has 1; quote cells",
        ),
        (
            b"a,b\n" + b"1\n" * 7,
            "line 2 has 1, line 3 has 1, line 4 has 1, line 5 has 1, line 6 has 1, and 2 more; ",
        ),
        (b'a,price\n"1,2\n3,4\n', "not a readable CSV: line 3: unexpected end of data; correct the quotes"),
    ],
    ids=[
        "empty",
        "blank",
        "header only",
        "repeated",
        "latin-1",
        "utf-16 without its mark",
        "ragged",
        "very ragged",
        "open quote",
    ],
)
def test_a_file_that_is_no_table_is_an_error_with_a_remedy(tmp_path, content, message):
    path = tmp_path / "listings.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_table(data=path)


@pytest.mark.parametrize("name", ["nowhere.csv", "nowhere.parquet", "."])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(ValueError, match=r"there is no file .*; correct the path \(--data\)"):
        read_table(data=tmp_path / name)


def test_a_known_schema_replaces_inference(tmp_path):
    schema = Schema(target="area", codes=("style",), images=("front",))
    data = write(tmp_path, LISTINGS.replace("85255,,ranch", "85255,1,ranch"))
    schema.save(tmp_path / "schema.json")
    for known in (schema, tmp_path / "schema.json", str(tmp_path / "schema.json")):
        table, used = read_table(data=data, schema=known)
        assert used == schema
        assert table["area"].tolist() == [1000.5, 1, 900, 1200]
        assert table["zipcode"].tolist() == ["02139 ", "85255", "02139", "85255"], "other columns stay text"
        assert table["price"].tolist() == ["300000", "500000", "250000.5", "410000"]
    with pytest.raises(ValueError, match=r"expected a schema or target/images/id/group, got both"):
        read_table(data=data, schema=schema, target="price")
    with pytest.raises(SchemaError, match=r"there is no schema file"):
        read_table(data=data, schema="nowhere.json")


def test_rows_to_predict_need_no_target_and_are_matched_by_name(tmp_path):
    table, schema = read_table(data=write(tmp_path, LISTINGS))
    shuffled = pd.read_csv(tmp_path / "listings.csv", dtype=str)[["rooms", "area", "front", "style", "zipcode"]]
    shuffled.insert(0, "note", "new")
    shuffled.to_csv(tmp_path / "new.csv", index=False)
    rows = read_rows(tmp_path / "new.csv", schema)
    assert rows.columns.tolist() == ["note", "rooms", "area", "front", "style", "zipcode"]
    pd.testing.assert_frame_equal(rows[shuffled.columns[1:]], table[shuffled.columns[1:]])
    assert rows["note"].tolist() == ["new"] * 4
    with pytest.raises(SchemaError, match=r"no column 'price' \(target\)"):
        read_rows(tmp_path / "new.csv", schema, needs_target=True)


def test_rows_to_predict_may_have_an_empty_target_and_rows_to_evaluate_may_not(tmp_path):
    _, schema = read_table(data=write(tmp_path, LISTINGS))
    data = write(tmp_path, LISTINGS.replace("500000", "unknown"))
    assert read_rows(data, schema)["price"].tolist() == ["300000", "unknown", "250000.5", "410000"]
    with pytest.raises(SchemaError, match=r"line 3 \(id 'H3'\), column 'price': got 'unknown'"):
        read_rows(data, schema, needs_target=True)


def test_one_row_of_a_known_schema_is_enough(tmp_path):
    _, schema = read_table(data=write(tmp_path, LISTINGS))
    rows = read_rows(write(tmp_path, "zipcode,area,style,front,rooms\n2139.0,,,,\n"), schema)
    assert rows["zipcode"].tolist() == ["2139"]
    assert np.isnan(rows["area"][0])
    assert rows["front"].tolist() == [None]


def test_a_table_written_and_read_again_is_the_same(tmp_path):
    table, schema = read_table(data=write(tmp_path, LISTINGS))
    table.to_csv(tmp_path / "held_out.csv", index=False)
    again = read_rows(tmp_path / "held_out.csv", schema, root="/anywhere", needs_target=True)
    pd.testing.assert_frame_equal(again, table)


def test_group_and_images_are_passed_to_the_inference(tmp_path):
    table, schema = read_table(data=write(tmp_path, LISTINGS), group="style", images="rooms", id="front")
    assert (schema.group, schema.images, schema.id) == ("style", ("rooms",), "front")
    assert table["front"].tolist() == ["photos/7.jpg", "photos/3.jpg", None, "gone.jpg"]


def test_the_registry_reads_a_table_with_a_root_and_options(tmp_path):
    table, schema = READERS["table"](None, data=write(tmp_path, LISTINGS), target="price", images=["front"])
    assert (schema.target, schema.images, len(table)) == ("price", ("front",), 4)


COMMAS = [
    Case("one column", "that one", "front, street", ["front, street"]),
    Case("it and another", "both", "front, street,kitchen", ["front, street", "kitchen"]),
    Case("another and it, with blanks", "both", " kitchen , front, street ", ["kitchen", "front, street"]),
    Case("two others", "both", "kitchen,bath", ["kitchen", "bath"]),
    Case("a part of it that is a column, too", "the longest name", "bath, front, street", ["bath", "front, street"]),
]


@documented("Names of photo columns with a comma: --images", COMMAS)
def test_a_comma_may_be_part_of_the_name_of_a_photo_column(case, tmp_path):
    header = '"front, street",kitchen,bath,front,price\n'
    data = write(tmp_path, header + "1.jpg,2.jpg,3.jpg,4.jpg,5\n" * 2)
    _, schema = read_table(data=data, images=case.given)
    assert list(schema.images) == case.expected


def test_a_photo_column_that_is_not_there_is_named_with_the_one_that_is_like_it(tmp_path):
    data = write(tmp_path, '"front, street",price\n1.jpg,5\n')
    with pytest.raises(SchemaError, match=r"no column 'front' \(images\)"):
        read_table(data=data, images="front,street")
    with pytest.raises(
        SchemaError, match=r"no column 'front, stret' \(images\); rename 'front, street', if it is meant"
    ):
        read_table(data=data, images=["front, stret"])
