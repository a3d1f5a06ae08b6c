"""The paths that a cell holds, in every form that people and programs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reliability import Case, documented

from mixed_data.schema.cell_values import is_missing
from mixed_data.schema.photo_paths import is_picture, join_paths, show_path, split_paths

REPEATABLE = settings(derandomize=True, deadline=None)

LISTS = [
    Case("a list as JSON writes it", "its paths", '["a.jpg", "b.jpg"]', ["a.jpg", "b.jpg"]),
    Case("a list as PHP's JSON writes it", "its paths", r'["p\/a.jpg","k\u00fcche.jpg"]', ["p/a.jpg", "küche.jpg"]),
    Case("a list as Python writes it", "its paths", "['a.jpg', \"it's.jpg\"]", ["a.jpg", "it's.jpg"]),
    Case("a tuple as Python writes it", "its paths", "('a.jpg',)", ["a.jpg"]),
    Case("an array as NumPy writes it", "its paths", "['a.jpg'\n 'b.jpg']", ["a.jpg", "b.jpg"]),
    Case("NumPy's texts in a list", "its paths", "[np.str_('a.jpg'), np.str_('b.jpg')]", ["a.jpg", "b.jpg"]),
    Case("a backslash in a list", "kept", r'["p\a.jpg"]', ["p\\a.jpg"]),
    Case("a semicolon in a name of a list", "part of the name", '["a;b.jpg", "c.jpg"]', ["a;b.jpg", "c.jpg"]),
    Case("an empty list", "no photo", "[]", []),
    Case("gaps in a list", "left out", '["a.jpg", null, "", " b.jpg "]', ["a.jpg", "b.jpg"]),
    Case("a list in the cell, as of Parquet", "its paths", ["a.jpg", None, "b;c.jpg"], ["a.jpg", "b;c.jpg"]),
    Case("an array in the cell", "its paths", np.array(["a.jpg", "b.jpg"], dtype=object), ["a.jpg", "b.jpg"]),
    Case("a tuple of paths in the cell", "its paths", (Path("a.jpg"), "b.jpg"), ["a.jpg", "b.jpg"]),
    Case("a file address", "its path", "file:///photos/a%20b.jpg", ["/photos/a b.jpg"]),
    Case("a file address with this host", "its path", "FILE://localhost/a.jpg;file:/b.jpg", ["/a.jpg", "/b.jpg"]),
    Case("a list in a list", "no list of paths", '[["a.jpg"]]', ['[["a.jpg"]]']),
    Case("a `data:` address", "left whole", "data:image/png;base64,iVBORw0K", ["data:image/png;base64,iVBORw0K"]),
]


@documented("Paths of photos", LISTS)
def test_a_cell_may_hold_several_paths(case: Case) -> None:
    assert split_paths(case.given) == case.expected
    assert split_paths(join_paths(case.expected)) == case.expected


PATHS = st.lists(st.text().map(str.strip).filter(lambda path: not is_missing(path) and "file:" not in path.lower()))


@REPEATABLE
@given(PATHS)
def test_any_paths_that_are_joined_are_listed_again(paths):
    assert split_paths(join_paths(paths)) == paths


def test_a_cell_that_is_no_path_is_not_repeated_in_full():
    for cell in (b"\xff\xd8" * 999, ["a.jpg", 7] * 999, np.zeros((99, 99))):
        with pytest.raises(ValueError, match="got") as caught:
            split_paths(cell)
        assert len(str(caught.value)) < 200
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cell", [[["a.jpg"]], np.zeros((2, 2)), np.array("a.jpg"), {"path": "a.jpg"}], ids=repr)
def test_other_objects_are_no_paths(cell):
    with pytest.raises(ValueError, match="expected the path of a picture as text, got"):
        split_paths(cell)


def test_a_long_path_is_shown_by_its_ends_and_a_picture_by_its_size():
    path = f"/home/anna/{'photos/' * 20}17_front.jpg"
    assert len(show_path(path)) == 80
    assert show_path(path).startswith("/home/anna/photos/")
    assert show_path(path).endswith("/photos/17_front.jpg")
    assert show_path("/photos/17.jpg") == "/photos/17.jpg"
    assert show_path("/photos/1\n7.jpg\r") == "/photos/1\\n7.jpg\\r"
    assert show_path("/9j/4AAQSkZJRg" + "AbC1" * 999) == "/9j/4AAQSkZJRgAbC1AbC1AbC1Ab... (4,010 characters)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ", True),
        ("Qk02AwAAAAAAADYAAAAoAAAA" * 20, True),
        ("0xFFD8FFE000104A46494600010100", True),
        (r"b'\xff\xd8\xff\xe0\x00'", True),
        ("DATA:image/png,x", True),
        ("/9j/17.jpg", False),
        ("/home/anna/" + "a" * 300, False),
        ("/srv/Photos2/Berlin/17_front.jpg", False),
    ],
)
def test_a_picture_as_text_is_told_from_a_path(text, expected):
    assert is_picture(text) is expected
