"""Schema: checked against a table with all problems at once, kept as JSON."""

from __future__ import annotations

import json
import pickle
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixed_data.schema import Schema, SchemaError

SCHEMA = Schema(target="price", numeric=("area",), categorical=("style",), codes=("zip",), images=("front",), id="name")


def make_rows(**changes: object) -> pd.DataFrame:
    rows = {
        "name": list("abcdefgh"),
        "area": 1.5,
        "style": "loft",
        "zip": 85255,
        "front": "a.jpg",
        "price": 9,
    }
    return pd.DataFrame(rows | changes)


NO_STYLE = "the table has no column 'style' (categorical); add it, or correct the name; the columns are"


def problems_of(table: pd.DataFrame, schema: Schema = SCHEMA, *, needs_target: bool = True) -> tuple[str, ...]:
    with pytest.raises(SchemaError) as caught:
        schema.validate(table, needs_target=needs_target)
    return caught.value.problems


def test_a_table_that_fits_passes_whatever_else_it_holds_and_in_any_order():
    table = make_rows(area=[None, "1.5", 2, np.nan, "", "NA", 7, 8], style=None, zip=None, front=None)
    table.insert(0, "extra", object())
    table.insert(0, "extra", object(), allow_duplicates=True)
    assert SCHEMA.validate(table[sorted(set(table.columns))[::-1]]) is None


def test_prediction_needs_neither_target_nor_id_nor_group_and_ignores_their_cells():
    schema = Schema(target="price", numeric=("area",), group="agent", id="name")
    rows = pd.DataFrame({"area": [1.0]})
    assert schema.validate(rows, needs_target=False) is None
    assert schema.validate(rows.assign(price="unknown"), needs_target=False) is None
    assert [problem.split(";")[0] for problem in problems_of(rows, schema)] == [
        "the table has no column 'price' (target)",
        "the table has no column 'name' (id)",
        "the table has no column 'agent' (group)",
    ]


def test_all_problems_are_reported_at_once_with_row_column_and_cell():
    table = make_rows(area=["abc", 1, np.inf, *["x"] * 5], price=[9, None, "1,200", *[1] * 5], front=[7, *["a"] * 7])
    table = table.drop(columns="style").rename(columns={"zip": "Zip"})
    number = "write a finite number such as 1250.5"
    assert problems_of(table) == (
        f"{NO_STYLE} 'name', 'area', 'Zip', 'front', 'price'",
        "the table has no column 'zip' (codes); rename 'Zip', if it is meant",
        f"row 1 (id 'b'), column 'price': got an empty cell; {number}, or remove the row",
        f"row 2 (id 'c'), column 'price': got '1,200' (1200 or 1.2: the training rows tell no decimal sign); "
        f"{number}, or remove the row",
        f"row 0 (id 'a'), column 'area': got 'abc'; {number}, or leave the cell empty",
        f"row 2 (id 'c'), column 'area': got inf; {number}, or leave the cell empty",
        f"row 3 (id 'd'), column 'area': got 'x'; {number}, or leave the cell empty",
        f"row 4 (id 'e'), column 'area': got 'x'; {number}, or leave the cell empty",
        f"row 5 (id 'f'), column 'area': got 'x'; {number}, or leave the cell empty",
        "column 'area': 2 more cells like these; if it holds labels, make it categorical",
        "row 0 (id 'a'), column 'front': got 7; write the path of a picture file as text",
    )


def test_rows_are_counted_from_zero_whatever_the_index_is():
    table = make_rows(area=[1] * 7 + ["abc"]).set_index(pd.Index(range(100, 108)))
    assert problems_of(table)[0].startswith("row 7 (id 'h'), column 'area': got 'abc'")
    schema = Schema(target="price", numeric=("area",))
    assert problems_of(table, schema)[0].startswith("row 7, column 'area': got 'abc'")


def test_rows_are_named_by_the_lines_of_their_file_where_these_are_known():
    table = make_rows(area=["abc", *[1] * 7], name=[None, *"bcdefgh"], front=[*["a"] * 7, 7])
    with pytest.raises(SchemaError) as caught:
        SCHEMA.validate(table, lines=[2, 4, *range(10, 16)])
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "line 2, column 'area'",
        "line 15 (id 'h'), column 'front'",
    ]


def test_columns_and_cells_can_be_asked_for_one_by_one():
    table = make_rows(area=["abc", *[1] * 7], price=[None, *[1] * 7]).drop(columns="style")
    assert SCHEMA.find_column_problems(table) == [f"{NO_STYLE} 'name', 'area', 'zip', 'front', 'price'"]
    bad = SCHEMA.find_bad_cells(table)
    assert list(bad) == [("target", "price"), ("numeric", "area")]
    assert [mask.tolist() for mask in bad.values()] == [[True] + [False] * 7] * 2
    assert list(SCHEMA.find_bad_cells(table, needs_target=False)) == [("numeric", "area")]


def test_a_duplicated_id_column_is_a_problem_of_prediction_too_and_a_duplicated_target_is_not():
    table = make_rows()
    table.insert(0, "price", 1, allow_duplicates=True)
    assert SCHEMA.validate(table, needs_target=False) is None
    table.insert(0, "name", "x", allow_duplicates=True)
    assert problems_of(table, needs_target=False) == (
        "the table has more than one column 'name'; rename or remove the others",
    )


def test_a_duplicated_column_matters_only_where_it_is_used():
    table = make_rows()
    table.insert(0, "area", "abc", allow_duplicates=True)
    assert problems_of(table) == ("the table has more than one column 'area'; rename or remove the others",)
    Schema(target="price").validate(table)


def test_no_rows_no_target_and_no_dataframe_are_problems():
    assert problems_of(make_rows().head(0)) == ("the table has no rows; give it at least one",)
    assert problems_of(make_rows(), Schema(numeric=["area"]))[0].startswith("the schema names no target")
    with pytest.raises(SchemaError, match=r"expected a pandas DataFrame, got dict; wrap it in pd.DataFrame"):
        SCHEMA.validate({"area": [1]})


def test_one_problem_is_the_message_and_several_are_listed():
    assert str(SchemaError("a; do b")) == "a; do b"
    assert str(SchemaError("a", "b")) == "2 problems:\n- a\n- b"
    assert issubclass(SchemaError, ValueError)
    copy = pickle.loads(pickle.dumps(SchemaError("a", "b", hint="c")))  # noqa: S301
    assert (copy.problems, str(copy)) == (("a", "b"), "2 problems:\n- a\n- b\nc")


def test_of_many_problems_the_message_shows_twenty_and_the_error_keeps_all():
    error = SchemaError(*(f"problem {number}" for number in range(5000)))
    assert str(error).splitlines()[0] == "5000 problems:"
    assert str(error).splitlines()[-2:] == ["- problem 19", "- and 4980 more"]
    assert len(error.problems) == 5000


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"numeric": ["a"], "codes": ["a"]}, "column 'a' is both numeric and codes; name it once"),
        ({"target": "a", "id": "a"}, "column 'a' is both target and id; name it once"),
        ({"images": ["a", "a"]}, "column 'a' is both images and images; name it once"),
        ({"numeric": "area"}, "numeric: expected a list such as ['area'], got 'area'; put it in a list"),
        ({"numeric": None}, "numeric: expected a list such as ['area'], got None; put it in a list"),
        ({"numeric": [3]}, "numeric: expected a column name as text, got 3; rename the column"),
        ({"target": 3}, "target: expected a column name as text, got 3; rename the column"),
        ({"reasons": ["a"]}, "reasons: expected column to text, got ['a']; leave it out"),
        (
            {"targets": "a"},
            "unknown keys ['targets']; a schema has only target, numeric, categorical, codes, ",
        ),
        (["a"], "expected a mapping of role to columns, got ['a']; write {'target': ...}"),
    ],
    ids=str,
)
def test_a_contradictory_schema_is_refused(roles, message):
    with pytest.raises(SchemaError) as caught:
        Schema.from_dict(roles)
    assert str(caught.value).startswith(message)


def test_lists_become_tuples_and_equality_ignores_reasons():
    schema = Schema(target="y", numeric=["a", "b"], reasons={"a": "guess"})
    assert schema.numeric == ("a", "b")
    assert schema == Schema(target="y", numeric=("a", "b"))
    assert hash(schema) == hash(Schema(target="y", numeric=("a", "b")))
    assert deepcopy(schema) == pickle.loads(pickle.dumps(schema)) == schema  # noqa: S301


def test_a_schema_can_be_narrowed_to_one_modality():
    reasons = {"front": "pictures", "zip": "a code", "agent": "given"}
    schema = replace(SCHEMA, group="agent", reasons=reasons)
    table_only, images_only = schema.without_images(), schema.only_images()
    assert (table_only.images, table_only.features) == ((), schema.features)
    assert (images_only.images, images_only.features) == (schema.images, ())
    for narrowed in (table_only, images_only):
        assert (narrowed.target, narrowed.id, narrowed.group) == ("price", "name", "agent")
    assert "front" not in table_only.explain()
    assert "zip" not in images_only.explain()


def test_a_schema_without_some_columns_keeps_the_other_roles_and_reasons():
    schema = Schema(target="price", numeric=["area", "rooms"], codes=["zipcode"], reasons={"area": "a", "rooms": "b"})
    less = schema.without("area", "zipcode", "price", "no such column")
    assert less == Schema(target="price", numeric=["rooms"])
    assert less.reasons == {"rooms": "b"}


@settings(derandomize=True, deadline=None)
@given(st.lists(st.text(), min_size=3, max_size=12, unique=True), st.data())
def test_a_schema_survives_json(names, data):
    target, group, id, *rest = names
    cuts = sorted(data.draw(st.integers(0, len(rest))) for _ in range(3))
    parts = [rest[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(rest)], strict=True)]
    roles = dict(zip(["numeric", "categorical", "codes", "images"], parts, strict=True))
    schema = Schema(target=target, group=group, id=id, reasons={target: "given"}, **roles)
    restored = Schema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert restored == schema
    assert restored.reasons == schema.reasons
    assert restored.explain() == schema.explain()


def test_a_schema_survives_its_file_and_what_a_person_wrote_is_completed(tmp_path):
    path = tmp_path / "schema.json"
    schema = SCHEMA.without_images()
    schema.save(path)
    assert Schema.load(str(path)) == schema
    path.write_text('{"target": "Größe", "numeric": ["area"]}', encoding="utf-8")
    assert Schema.load(path) == Schema(target="Größe", numeric=("area",))
    Schema.load(path).save(path)
    assert "Größe" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"there is no schema file .*schema.json; write one with Schema.save"),
        (b"{", r"schema.json is not a JSON file: .*; correct or rewrite it"),
        (b'{"target": "a", "target": "b"}', r"schema.json is not a JSON file: 'target' is there twice; correct or"),
        (b'{"target": "\xff"}', r"schema.json is not a JSON file: .*; correct or rewrite it"),
        (b'{"label": "a"}', r"schema.json: unknown keys \['label'\]"),
    ],
)
def test_a_schema_file_that_cannot_be_read_is_named(tmp_path, content, message):
    path = tmp_path / "schema.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SchemaError, match=message):
        Schema.load(path)
