"""What links rows: equal bytes, equal cells, a declared group; on small tables and on the real houses."""

import hashlib
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixed_data.readers.houses import read_houses
from mixed_data.schema import Schema
from mixed_data.split import rows_kept_together
from mixed_data.split.rows_kept_together import Link, find_groups, find_links, join_links, number_files


@pytest.fixture
def write(tmp_path):
    """Write photos by name and content, and return their paths."""

    def write(**contents: bytes) -> list[str]:
        for name, content in contents.items():
            (tmp_path / f"{name}.jpg").write_bytes(content)
        return [str(tmp_path / f"{name}.jpg") for name in contents]

    return write


def photo_groups(cells: list[object]) -> list[int]:
    return find_groups(pd.DataFrame({"photo": cells}), Schema(images=("photo",))).tolist()


def test_rows_with_byte_identical_photos_are_one_group_whatever_the_file_is_called(write):
    assert photo_groups(write(a=b"same", b=b"diff", c=b"same", d=b"longer")) == [0, 1, 0, 2]


def test_a_photo_counts_across_columns_and_across_paths_in_one_cell(write):
    one, two, three = write(one=b"1", two=b"2", three=b"2")
    table = pd.DataFrame({"front": [one, f"{one};{two}", None], "back": [None, one, three]})
    schema = Schema(images=("front", "back"))
    assert find_links(table, schema) == [Link("photo", (0, 1), "one.jpg"), Link("photo", (1, 2), "two.jpg")]
    assert find_groups(table, schema).tolist() == [0, 0, 0]


def test_the_same_file_under_two_paths_is_one_photo(write, tmp_path):
    (path,) = write(a=b"x")
    os.symlink(path, tmp_path / "link.jpg")
    assert photo_groups([path, str(tmp_path / ".." / tmp_path.name / "a.jpg"), str(tmp_path / "link.jpg")]) == [0] * 3


def test_a_photo_used_twice_in_one_row_links_nothing(write):
    a, b = write(a=b"same", b=b"same")
    assert find_links(pd.DataFrame({"photo": [f"{a};{b}", None]}), Schema(images=("photo",))) == []


def test_missing_and_empty_files_folders_and_pipes_link_nothing(write, tmp_path):
    empty = write(a=b"", b=b"")
    os.mkfifo(tmp_path / "pipe")
    others = [tmp_path / "missing.jpg", tmp_path, tmp_path / "pipe", "null\0character.jpg"]
    assert photo_groups([*empty, *map(str, others), None, ""]) == list(range(8))
    assert photo_groups([str(tmp_path), str(tmp_path), empty[0], empty[0]]) == [0, 1, 2, 3]


def test_only_files_of_equal_size_are_read(write, monkeypatch):
    read = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, name: read.append(file.name) or digest(file, name))
    paths = write(a=b"1", b=b"22", c=b"333", d=b"444")
    assert photo_groups(paths) == [0, 1, 2, 3]
    assert sorted(read) == paths[2:]


def test_files_are_numbered_in_the_order_of_their_first_bytes_and_read_once_each(write, monkeypatch):
    read = []
    digest = rows_kept_together.digest_file
    monkeypatch.setattr(rows_kept_together, "digest_file", lambda path: read.append(path) or digest(path))
    a, b, c, d, empty = write(a=b"zz", b=b"yy", c=b"zz", d=b"longer", e=b"")
    assert number_files(lambda: iter([b, "missing", a, d, b, c, empty, a, d])).tolist() == [0, -1, 1, 2, 0, 1, -1, 1, 2]
    assert sorted(read) == [a, b, c, d]


def row_groups(schema: Schema, **columns: list) -> list[int]:
    return find_groups(pd.DataFrame(columns), schema).tolist()


HOUSE = Schema(target="price", numeric=("area",), categorical=("heating",), codes=("zipcode",), id="id")


def test_rows_are_equal_by_what_their_cells_mean():
    groups = row_groups(
        HOUSE,
        id=[1, 2, 3, 4],
        area=[70, "70.0", " 70 ", 70.5],
        heating=[True, "true", "True", True],
        zipcode=[85255, "85255", 85255.0, 85255],
        price=[100, "1e2", 100.0, 100],
    )
    assert groups == [0, 0, 0, 1]


@pytest.mark.parametrize("column", ["area", "heating", "zipcode", "price"])
def test_one_different_cell_makes_a_different_row(column):
    cells = {"id": [1, 2], "area": [70, 70], "heating": ["gas"] * 2, "zipcode": ["1"] * 2, "price": [5, 5]}
    assert row_groups(HOUSE, **cells) == [0, 0]
    cells[column] = [cells[column][0], 9]
    assert row_groups(HOUSE, **cells) == [0, 1]


def test_missing_cells_are_equal_to_each_other_and_to_nothing_else():
    schema = Schema(target="price", numeric=("area",), categorical=("heating",))
    groups = row_groups(schema, area=[70, 70, 70], heating=["", None, "gas"], price=[1, 1, 1])
    assert groups == [0, 0, 1]


def test_equal_targets_alone_are_no_duplicate():
    schema = Schema(target="price", numeric=("area",))
    assert row_groups(schema, area=[None, None], price=[5, 5]) == [0, 1]
    assert row_groups(schema.only_images(), area=[1, 1], price=[5, 5]) == [0, 1]


def test_without_a_target_equal_features_are_a_duplicate():
    assert row_groups(Schema(numeric=("area",)), area=[1, 2, 1], price=[5, 6, 7]) == [0, 1, 0]


def test_a_declared_group_joins_rows_and_a_missing_one_does_not():
    assert row_groups(Schema(group="owner"), owner=[7, "7.0", None, None, "8"]) == [0, 0, 1, 2, 3]


def test_links_chain(write):
    a, b, c, d = write(a=b"same", b=b"same", c=b"x", d=b"yy")
    table = pd.DataFrame(
        {"photo": [d, a, b, c, None], "area": [1, 2, 3, 3, 4], "owner": [None, None, None, "me", "me"]}
    )
    schema = Schema(numeric=("area",), images=("photo",), group="owner")
    assert find_groups(table, schema).tolist() == [0, 1, 1, 1, 1]
    assert [link.reason for link in find_links(table, schema)] == ["photo", "row", "group"]


def test_row_labels_of_the_table_do_not_matter(write):
    a, b = write(a=b"1", b=b"2")
    table = pd.DataFrame({"photo": [a, b, a], "area": [1, 2, 3], "owner": ["x", "y", "y"]}, index=[9, 9, 4])
    schema = Schema(numeric=("area",), images=("photo",), group="owner")
    assert [link.rows for link in find_links(table, schema)] == [(0, 2), (1, 2)]


def test_no_rows_and_no_links():
    empty = find_groups(pd.DataFrame({"area": [], "price": []}), Schema(target="price", numeric=("area",)))
    assert (empty.dtype, empty.shape) == (np.int64, (0,))
    assert join_links([], 3).tolist() == [0, 1, 2]


@given(st.lists(st.sets(st.integers(0, 9), min_size=2, max_size=4).map(lambda rows: tuple(sorted(rows)))))
def test_groups_are_what_painting_every_link_in_one_colour_gives(sets):
    colours = list(range(10))
    for rows in sets:
        merged = {colours[row] for row in rows}
        colours = [min(merged) if colour in merged else colour for colour in colours]
    groups = join_links([Link("row", rows) for rows in sets], 10)
    assert groups.dtype == np.int64
    names = list(dict.fromkeys(colours))
    assert groups.tolist() == [names.index(colour) for colour in colours]


def test_the_known_duplicates_of_the_houses_are_found(houses_root):
    table, schema = read_houses(houses_root)
    links = find_links(table, schema)
    houses = {
        reason: sorted({tuple(table["house"].iloc[list(link.rows)]) for link in links if link.reason == reason})
        for reason in ("row", "photo", "group")
    }
    assert houses == {
        "row": [(59, 72), (199, 214), (232, 266), (270, 305), (345, 353)],
        "photo": [(59, 72), (199, 214), (292, 293), (331, 351)],
        "group": [],
    }
    groups = find_groups(table, schema)
    assert groups.max() + 1 == 535 - 7
    assert list(groups[:58]) == list(range(58))
