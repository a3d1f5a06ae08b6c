"""A column of photos is taken for images where that is clear, and never for the id."""

from __future__ import annotations

import base64
import json

import numpy as np
import pandas as pd
import pytest
from reliability import Case, documented

from mixed_data.schema import Schema

ROWS = range(30)
BYTES = [np.random.default_rng(row).bytes(300) for row in ROWS]


def column(pattern: str) -> list[str]:
    return [pattern.format(row) for row in ROWS]


def infer(name: str, cells: list) -> tuple[str, str]:
    """Return the role of a column, and its reason."""
    table = pd.DataFrame({name: pd.Series(cells, dtype=object), "price": np.linspace(1, 2, len(cells))})
    schema = Schema.infer(table)
    roles = [role for role in ("numeric", "categorical", "codes", "dates", "images") if name in getattr(schema, role)]
    return (*roles, *(["id"] if schema.id == name else []), "left out")[0], schema.reasons[name]


CLEAR = [
    Case(f"cells such as {name}", "images", column(pattern))
    for name, pattern in [
        ("`1.HEIC`", "{}.HEIC"),
        ("`1.JPG`", "{}.JPG"),
        ("`1.jxl`", "{}.jxl"),
        ("`1.jp2`", "{}.jp2"),
        ("`1.dng`", "{}.dng"),
        ("`p/1.jpg?w=200`", "p/{}.jpg?w=200"),
        ("`https://host/1.jpg`", "https://host/{}.jpg"),
        ("`C:\\p\\1.jpg`", "C:\\p\\{}.jpg"),
        ("`'p/1.jpg'`", "'p/{}.jpg'"),
        ("`1.jpg,1b.jpg`", "{0}.jpg,{0}b.jpg"),
        ("`1.jpg|1b.jpg`", "{0}.jpg|{0}b.jpg"),
    ]
]
CLEAR += [
    Case("JSON lists of picture files", "images", [json.dumps([f"{row}.jpg", f"{row}b.jpg"]) for row in ROWS]),
    Case("Python's lists of picture files as text", "images", [str([f"{row}.jpg"]) for row in ROWS]),
    Case("lists of picture files", "images", [[f"{row}.jpg"] for row in ROWS]),
    Case("arrays of picture files", "images", [np.array([f"{row}.jpg"], dtype=object) for row in ROWS]),
]
UNCLEAR = [
    Case("paths without an ending", "left out", column("photos/{}"), "the cells look like paths without the ending"),
    Case("paths from `/` on without an ending", "left out", column("/data/{}"), "the cells look like paths without"),
    Case("Windows paths without an ending", "left out", column("C:\\p\\{}"), "the cells look like paths without"),
    Case("JSON lists without endings", "left out", column('["p/{}"]'), "the cells look like paths without the ending"),
    Case("addresses without an ending", "left out", column("https://host/{}"), "the cells are addresses"),
    Case("addresses that repeat", "left out", ["s3://host/1", "s3://host/2"] * 15, "the cells are addresses"),
    Case(
        "base64", "left out", [base64.b64encode(b"\xff\xd8\xff" + b).decode() for b in BYTES], "the cells are pictures"
    ),
    Case(
        "`data:` addresses", "left out", column("data:image/png;base64,{}"), "the cells are pictures as text, no paths"
    ),
    Case("bytes", "left out", BYTES, "the cells are pictures as text, no paths"),
]


@documented("Roles of photo columns", CLEAR)
def test_what_clearly_names_pictures_is_images(case: Case) -> None:
    assert infer("front", case.given) == ("images", "30 of 30 cells end like picture files")
    assert infer("photo_id", case.given)[0] == "images"


@documented(
    "Roles of photo columns",
    [Case(case.name, f"{case.result}, never the id", case.given, case.expected) for case in UNCLEAR],
)
@pytest.mark.parametrize("name", ["front", "photo_id"])
def test_what_may_lead_to_photos_is_no_id_and_no_label(case: Case, name: str) -> None:
    role, reason = infer(name, case.given)
    assert role == "left out"
    assert reason.startswith(case.expected)
    assert reason.endswith("; if they lead to photos, name the column with --images")


@pytest.mark.parametrize("cells", [column("IMG_{}"), list(ROWS), column("{}")], ids=lambda cells: repr(cells[1]))
def test_a_column_that_is_named_like_photos_is_not_the_id(cells):
    assert infer("photo", cells) == (
        "left out",
        "named like photos, nearly every value different; if they lead to photos, name the column with --images",
    )
    assert infer("ref", cells)[0] == "id"
    assert infer("photo_id", cells)[0] == "id"


@pytest.mark.parametrize(
    ("name", "cells", "role"),
    [
        ("ref", column("2024/{}"), "id"),
        ("ref", column("{} Main Street"), "id"),
        ("listed", column("1/{}/2020"), "dates"),
        ("house_id", column("A/{}"), "id"),
        ("photos", [3, 5, 7] * 10, "numeric"),
        ("photo_brightness", np.linspace(0, 1, 30).tolist(), "numeric"),
        ("kind", ["in/out", "out/in"] * 15, "categorical"),
        ("mail", column("a{}@host.org"), "id"),
    ],
)
def test_other_columns_keep_their_role(name, cells, role):
    assert infer(name, cells)[0] == role


def test_a_picture_in_every_cell_is_not_repeated_in_the_reason():
    text = base64.b64encode(b"\xff\xd8\xff" + bytes(3000)).decode()
    for cells in ([text] * 30, ["free text " * 300] * 30):
        assert len(infer("front", cells)[1]) < 150


@documented(
    "Roles of photo columns",
    [
        Case("half of the cells are a word for none", "left out, no labels", ["{}.jpg", "no photo"], 15),
        Case("half of the cells are a dash", "left out, no labels", ["{}.jpg", "-"], 15),
        Case("a fifth of the cells are picture files", "left out, no labels", ["a/{}.png", *"wxyz"], 6),
    ],
)
def test_a_column_with_some_picture_files_holds_no_labels(case: Case) -> None:
    cells = [case.given[row % len(case.given)].format(row // 10) for row in ROWS]
    reason = f"only {case.expected} of 30 cells end like picture files; if they lead to photos, name the column with"
    assert infer("front", cells) == ("left out", f"{reason} --images")


@documented(
    "Roles of columns that hold no single values",
    [
        Case("objects", "left out, never the id", [{"lat": row, "lon": 2} for row in ROWS], "the cells (dict) are no"),
        Case(
            "photos as objects", "left out, no labels", [{"path": "1.jpg"}, {"path": "2.jpg"}] * 15, "the cells (dict)"
        ),
        Case(
            "photos as arrays", "left out, never the id", [np.full((4, 4), row) for row in ROWS], "the cells (ndarray)"
        ),
        Case(
            "lists of numbers", "left out, never the id", [[row, 1.5] for row in ROWS], "the cells (list) are no number"
        ),
        Case("sets", "left out, no labels", [{"a", "b"}, {"c"}] * 15, "the cells (set) are no number, text or date"),
        Case(
            "spans of time",
            "left out, no labels",
            list(pd.to_timedelta(np.arange(30) % 3, unit="D")),
            "spans of time; write them as numbers, such as days",
        ),
    ],
)
def test_what_is_no_single_value_is_no_id_and_no_label(case: Case) -> None:
    for cells in (case.given, [*case.given, None]):
        role, reason = infer("extra", cells)
        assert role == "left out"
        assert reason.startswith(case.expected)
