"""Roles are guessed from names and cells, with a reason each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mixed_data.schema import Schema, SchemaError

NUM_ROWS = 40


def make_listings() -> pd.DataFrame:
    """Return a table with one column per rule of ``Schema.infer``; no column is named after its role."""
    random = np.random.default_rng(0)
    rows = range(NUM_ROWS)
    return pd.DataFrame(
        {
            "Unnamed: 0": rows,
            "address": [f"{row} Main Street" for row in rows],
            "listing_id": [f"L{row * 7}" for row in rows],
            "front": [f"front/{row}.JPG" for row in rows],
            "photos": ["a.png; b.webp" if row % 2 else None for row in rows],
            "area": random.integers(1000, 9999, NUM_ROWS),
            "year_built": random.integers(1950, 1999, NUM_ROWS),
            "lot": ["unknown", "unknown", *map(str, random.integers(1000, 9999, NUM_ROWS - 2))],
            "zipcode": random.choice([85255, 2139], NUM_ROWS),
            "fips": random.choice(["06037", "36061"], NUM_ROWS),
            "agent_id": random.choice([101, 102, 103], NUM_ROWS),
            "style": random.choice(["ranch", "loft", None], NUM_ROWS),
            "has_pool": random.choice([True, False], NUM_ROWS),
            "garage": ["yes" if row % 3 else None for row in rows],
            "grade": ["A"] * 8 + ["3"] * 32,
            "remarks": [f"House {row} is lovely. " * 5 for row in rows],
            "country": "US",
            "notes": None,
            "order": range(500, 500 + NUM_ROWS),
            "price": random.normal(500_000.0, 90_000.0, NUM_ROWS),
        }
    )


def test_every_role_is_inferred_from_names_and_values():
    schema = Schema.infer(make_listings())
    assert schema == Schema(
        target="price",
        numeric=("area", "year_built", "lot"),
        categorical=("agent_id", "style", "has_pool", "garage", "grade"),
        codes=("zipcode", "fips"),
        images=("front", "photos"),
        id="listing_id",
    )
    assert schema.features == (*schema.numeric, *schema.categorical, *schema.codes)


def test_every_column_has_a_reason_also_those_left_out():
    table = make_listings()
    schema = Schema.infer(table)
    assert list(schema.reasons) == list(table.columns)
    assert schema.reasons["lot"] == "38 of 40 cells are numbers"
    assert schema.reasons["photos"] == "20 of 20 cells end like picture files"
    assert schema.reasons["fips"] == "5 digits each, some with a leading zero"
    assert schema.reasons["country"] == "every cell is 'US'"
    assert schema.reasons["notes"] == "every cell is empty"
    assert schema.reasons["order"] == "counts the rows; 'listing_id' is the id"
    assert schema.reasons["remarks"] == "free text: 40 different values in 40 cells"
    assert schema.reasons["address"] == "short text, every value different; 'listing_id' is the id"
    assert schema.reasons["agent_id"] == "3 different values in 40 cells"


def test_explain_is_one_aligned_line_per_column_and_ends_with_those_left_out():
    table = make_listings()
    lines = Schema.infer(table).explain().splitlines()
    assert len(lines) == len(table.columns)
    assert lines[0] == "target       price       the only column named target or price"
    assert lines[1] == "id           listing_id  named like an id, every value different"
    assert [line[13:23].strip() for line in lines if line.startswith("left out")] == [
        "Unnamed: 0",
        "address",
        "remarks",
        "country",
        "notes",
        "order",
    ]
    assert Schema(target="y", codes=["zip"]).explain() == "target  y    given\ncodes   zip  given"
    assert Schema().explain() == ""


def test_roles_are_the_same_whether_the_cells_are_typed_or_text(tmp_path):
    table = make_listings()
    table.to_csv(tmp_path / "listings.csv", index=False)
    text = pd.read_csv(tmp_path / "listings.csv", dtype=str, keep_default_na=False)
    assert Schema.infer(text) == Schema.infer(table)


def test_named_roles_win_over_guesses():
    table = make_listings()
    schema = Schema.infer(table, target="area", images=["front"], id="address", group="agent_id")
    assert (schema.target, schema.id, schema.group) == ("area", "address", "agent_id")
    assert schema.images == ("front",)
    assert "price" in schema.numeric
    with pytest.raises(SchemaError, match="column 'address' is both id and group"):
        Schema.infer(table, id="address", group="address")
    assert "agent_id" not in schema.features
    assert schema.reasons["address"] == "given"
    assert schema.reasons["listing_id"] == "named like an id, every value different; 'address' is the id"
    assert schema.reasons["photos"].endswith("but the images are given")


def test_images_are_also_named_with_commas_and_keep_their_order():
    table = make_listings()
    assert Schema.infer(table, images="photos, front").images == ("photos", "front")
    assert Schema.infer(table, images=()).images == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("zip", "codes"),
        ("ZIP Code", "codes"),
        ("postal_code", "codes"),
        ("PLZ", "codes"),
        ("homeZip", "numeric"),
    ]
    + [("zip_income", "numeric"), ("area", "numeric"), ("price_index", "numeric"), ("grid", "numeric")]
    + [("agentId", "categorical"), ("agent-id", "categorical"), ("paid", "numeric")],
)
def test_numbers_get_their_role_from_the_name(name, expected):
    table = pd.DataFrame({name: [85255, 90210, 85255, 10001] * 5, "price": range(20)})
    schema = Schema.infer(table)
    assert name in getattr(schema, expected)


@pytest.mark.parametrize(
    "cells",
    [
        [1985, 1990, 1985, 2001] * 5,
        ["4053", "1200", "4053", "2300"] * 5,
        ["0.55", "0.75", "0.55", "1.25"] * 5,
        ["013", "045", "013", "001"] * 5,
        [f"0{number}" for number in range(1000, 3000, 100)],
    ],
    ids=["years", "areas of one length", "decimals", "three digits", "no repeated value"],
)
def test_numbers_are_not_taken_for_codes(cells):
    assert Schema.infer(pd.DataFrame({"x": cells, "price": range(20)})).numeric == ("x",)


@pytest.mark.parametrize(
    "cells",
    [
        ["1,200", "900", "1,350", "1,200,000"],
        ["1.200,50", "12,5", "1'200", "1\u202f200"],
        ["€ 412.000", "€ 5", "-1,5", "12 EUR"],
        ["45 %", "45.5%", "7", "0%"],
    ],
    ids=["thousands", "decimal commas", "currencies", "percentages"],
)
def test_numbers_as_people_write_them_are_numbers(cells):
    schema = Schema.infer(pd.DataFrame({"x": cells * 2, "price": range(8)}))
    assert schema.numeric == ("x",)
    assert schema.reasons["x"].startswith("8 of 8 cells are numbers")


@pytest.mark.parametrize(
    "cells",
    [
        ["1,2,3", "1,20,3"],
        ["555 1234", "555 1235"],
        ["5-10", "10-20"],
        ["12:30", "12:45"],
        ["ABC 12", "ABC 13"],
        ["12 m2", "13 m2"],
        ["A12", "A13"],
    ],
    ids=lambda cells: cells[0],
)
def test_what_only_has_digits_in_it_is_no_number(cells):
    assert Schema.infer(pd.DataFrame({"x": cells * 9, "price": range(18)})).categorical == ("x",)


def test_a_short_count_is_a_number_and_a_long_one_is_the_id():
    for num_rows, numeric, id in ((19, ("x",), None), (20, (), "x")):
        table = pd.DataFrame({"x": range(1, num_rows + 1), "price": 5.0})
        schema = Schema.infer(table)
        assert (schema.numeric, schema.id) == (numeric, id)


def test_below_nine_tenths_numbers_a_column_is_categorical():
    for num_words, role in ((2, "numeric"), (3, "categorical")):
        table = pd.DataFrame({"x": ["low"] * num_words + ["1", "2"] * 10, "price": 5.0})
        assert getattr(Schema.infer(table), role) == ("x",)


def test_the_better_id_is_found_wherever_it_stands():
    table = pd.DataFrame({"Index": [4, 5, 8], "text": ["a", "b", "c"], "house_id": [7, 8, 9], "target": [1, 2, 3]})
    assert Schema.infer(table).id == "house_id"
    assert Schema.infer(table.drop(columns="house_id")).id == "Index"
    assert Schema.infer(table.drop(columns=["house_id", "Index"])).id == "text"
    assert Schema.infer(table[["target"]]).id is None


@pytest.mark.parametrize("columns", [["area", "rooms"], ["price", "Target"]], ids=["none", "two"])
def test_an_unclear_target_is_an_error_that_says_how_to_name_it(columns):
    table = pd.DataFrame({name: [1, 2] for name in columns})
    with pytest.raises(SchemaError, match=r"the target is not clear.*--target.*" + ", ".join(columns)):
        Schema.infer(table)
    assert Schema.infer(table, target=columns[0]).target == columns[0]


def test_a_column_with_another_role_is_not_taken_for_the_target():
    table = pd.DataFrame({"price": [1, 2], "target": [3, 4]})
    assert Schema.infer(table, group="price").target == "target"


def test_from_nine_tenths_picture_files_on_a_column_holds_images():
    for num_pictures, images in ((18, ("x",)), (17, ())):
        table = pd.DataFrame({"x": ["a.jpg"] * num_pictures + ["none here"] * (20 - num_pictures), "price": 5.0})
        schema = Schema.infer(table)
        assert (schema.images, schema.categorical) == (images, ())
    table["x"] = ["a.jpg"] * 19 + ["none here"]
    assert Schema.infer(table).reasons["x"] == "19 of 20 cells end like picture files"


def test_all_files_of_a_cell_must_be_pictures():
    table = pd.DataFrame({"files": ["a.jpg;a.txt", "b.jpg"] * 2, "price": range(4)})
    schema = Schema.infer(table)
    assert (schema.images, schema.categorical) == ((), ())
    assert schema.reasons["files"].startswith("only 2 of 4 cells end like picture files; ")


def test_inference_reports_all_that_is_wrong_with_the_table_and_the_names():
    table = pd.DataFrame([[1, 2, 3, 4]], columns=["a", "a", "area", 7]).head(0)
    with pytest.raises(SchemaError) as caught:
        Schema.infer(table, target="Area", images=["front"])
    assert caught.value.problems == (
        "the table has no rows; give it at least one",
        "column name 7 is not text; rename it, for example to 'column_7'",
        "the table has more than one column 'a'; rename or remove the others",
        "the table has no column 'Area' (target); rename 'area', if it is meant",
        "the table has no column 'front' (images); add it, or correct the name; the columns are 'a', 'a', 'area', '7'",
    )


def test_explain_keeps_one_line_for_a_name_of_several_lines():
    schema = Schema(target="price", numeric=["area\n[m²]", "long " * 40])
    assert [line.split()[0] for line in schema.explain().splitlines()] == ["target", "numeric", "numeric"]
    assert "area [m²]" in schema.explain()
    assert max(map(len, schema.explain().splitlines())) < 110
