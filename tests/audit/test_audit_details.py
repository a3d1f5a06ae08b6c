"""Where the audit draws its lines: what is rare, far, too well predicted, or on both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from audit_helpers import NUM_ROWS, PHOTOS, SCHEMA, declare_sides, draw, encode, find, problems
from PIL import Image, ImageOps
from scipy import stats

from mixed_data.audit import audit_table
from mixed_data.audit.findings import make_subject
from mixed_data.audit.outliers import _describe_misplaced_point, _find_far
from mixed_data.audit.repeated_rows import find_near_rows
from mixed_data.audit.target_leaks import _score_column
from mixed_data.schema import Schema, SchemaError

# --- rows -----------------------------------------------------------------------------------------------------------


def test_equal_features_with_nearly_the_same_target_are_a_duplicate_and_no_contradiction(homes):
    homes.copy_row(3, 20)
    homes.table.loc[20, "price"] = 1.005 * homes.table.loc[3, "price"]
    assert problems(homes.audit()) == ["near-duplicate rows"]


def test_a_photo_that_two_rows_share_at_different_targets_is_a_contradiction_too(homes):
    homes.write(20, "front", PHOTOS[3, "front"])
    homes.table.loc[[3, 20], "price"] = [150_000, 200_000]
    case = find(homes.audit(), "contradicting targets").cases[0]
    assert str(case) == "H3 = H20: one photo, 150,000 to 200,000"
    homes.write(20, "front", encode(draw(2 * 3 + 1), quality=50))
    case = find(homes.audit(), "contradicting targets").cases[0]
    assert str(case) == "H3 = H20: photos alike, 150,000 to 200,000"


def test_near_duplicates_that_a_link_keeps_together_are_not_named_again(homes):
    homes.copy_row(3, 20)
    homes.table.loc[20, "rooms"] += 1
    assert problems(homes.audit()) == ["near-duplicate rows"]
    homes.write(20, "front", PHOTOS[3, "front"])
    assert problems(homes.audit()) == ["rows that share a photo"]


def chance_of(columns: dict[str, list], schema: Schema) -> list[tuple[tuple[int, ...], str]]:
    """Return what counts as nearly equal in a table of 100 rows."""
    return list(find_near_rows(make_subject(pd.DataFrame(columns), schema)).items())


def test_rows_that_chance_makes_equal_are_no_near_duplicates():
    schema = Schema(target="price", numeric=("area", "rooms"))
    unique = list(range(100, 198))
    # Nobody else has their area and rooms: 4,950 pairs · 0.005 · 0.005 = 0.12 are expected to share both.
    columns = {"area": [1, 1, *unique], "rooms": [2, 2, *unique], "price": [5, 6, *unique]}
    assert chance_of(columns, schema) == []
    # With a lot that 80 others have, too: 0.12 · 80.5 % = 0.0996; with one that 81 have: 0.1009.
    schema = Schema(target="price", numeric=("area", "rooms", "lot"))
    assert chance_of({**columns, "lot": [3] * 82 + unique[80:]}, schema) == [((0, 1), "price")]
    assert chance_of({**columns, "lot": [3] * 83 + unique[81:]}, schema) == []
    assert chance_of({**columns, "lot": columns["rooms"], "price": columns["area"]}, schema) == []  # equal, not nearly


def test_missing_cells_count_as_a_value_that_is_as_frequent_as_it_is():
    schema = Schema(target="price", numeric=("area", "rooms", "lot", "year"))
    unique = [float(value) for value in range(98)]
    empty = [None] * 60 + unique[60:]
    columns = {"area": [1, 1, *unique], "rooms": [None, None, *empty], "lot": [None, None, *empty]}
    assert chance_of({**columns, "year": [None, None, *empty], "price": [1000, 2000, *unique]}, schema) == []


# --- photos ---------------------------------------------------------------------------------------------------------


def test_the_same_shapes_in_other_colours_are_another_photo(homes):
    grey = draw(7).convert("L")
    for row, colour in ((3, "pink"), (20, "lightblue")):
        homes.write(row, "front", encode(ImageOps.colorize(grey, "black", colour)))
    assert problems(homes.audit()) == []


def test_photos_with_the_same_middle_are_different(homes):
    for row in (3, 20):
        wide = Image.new("RGB", (256, 128))
        for left, seed in ((0, 100 + row), (128, 200 + row), (64, 7)):
            wide.paste(draw(seed), (left, 0))
        homes.write(row, "front", encode(wide))
    assert problems(homes.audit()) == []


def test_files_of_equal_bytes_link_rows_even_if_they_are_no_pictures(homes):
    for row in (3, 20):
        homes.write(row, "front", b"no picture")
    homes.table.loc[20, "price"] = homes.table.loc[3, "price"]
    assert problems(homes.audit()) == ["rows that share a photo", "missing or broken photos"]


# --- outliers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected", "note"),
    [
        (5_858_000, 577_000, "perhaps 585,800 (a factor of 10)"),
        (5_858, 577_000, "perhaps 585,800 (a factor of 100)"),
        (22_000, 135_000, ""),
        (577_000, 577_000, ""),
        (0, 577_000, ""),
        (-5, 577_000, ""),
        (5, -577_000, ""),
    ],
)
def test_a_misplaced_point_is_one_that_leaves_an_ordinary_error(value, expected, note):
    assert _describe_misplaced_point(value, expected, 0.19) == note


def test_far_is_six_robust_standard_deviations_and_what_is_far_in_many_rows_is_no_outlier():
    errors = np.concatenate([np.linspace(-1, 1, 101), [8.0, -9.5, 9.5]])  # the median error is 0, the median size 0.52
    values = 100 + errors
    far, unit = _find_far(values, np.full(104, 100.0))
    assert unit == pytest.approx(1.4826 * np.median(np.abs(errors)))
    assert far.tolist() == [102, 103, 101]
    assert _find_far(100 + np.append(errors, 5.9 * unit), np.full(105, 100.0))[0].tolist() == [102, 103, 101]
    assert _find_far(100 + np.append(errors, 6.3 * unit), np.full(105, 100.0))[0].tolist() == [102, 103, 101, 104]
    many = np.append(errors, [20.0, 30.0, 40.0])
    assert _find_far(many, np.zeros(107))[0].tolist() == []


def test_a_little_error_is_not_far_where_all_is_predicted_well():
    values = np.linspace(0, 100, 50)
    assert _find_far(values, values + np.eye(50)[3])[0].tolist() == []
    assert _find_far(values, values + 50 * np.eye(50)[3])[0].tolist() == [3]


def test_outliers_are_looked_for_in_a_negative_target_too(many_homes):
    many_homes.table["price"] = (many_homes.table["area"] - 160) + 3 * many_homes.table["rooms"]
    many_homes.table.loc[11, "price"] = -2_000.0
    (case,) = find(many_homes.audit(), "targets far from what the columns say").cases
    assert case.ids == ("H11",)
    assert "perhaps" not in case.note


def test_too_few_rows_and_too_many_columns_are_said_and_not_looked_at(homes):
    assert homes.audit().not_checked == ("outliers: it takes 50 rows that are not linked, there are 28",)
    names = [f"x{number}" for number in range(101)]
    numbers = np.random.default_rng(0).normal(size=(60, 101))
    wide = pd.DataFrame(numbers, columns=names).assign(price=np.arange(60) % 7)
    audit = audit_table(wide, Schema(numeric=names, target="price"))
    assert audit.not_checked == ("outliers: the limit is 100 columns, there are 101",)


# --- leaks ----------------------------------------------------------------------------------------------------------


def score(values: Any, target: Any, *, numeric: bool) -> float:
    schema = Schema(target="price", **{"numeric" if numeric else "categorical": ("x",)})
    subject = make_subject(pd.DataFrame({"x": values, "price": target}), schema)
    return _score_column(subject, "x", np.arange(len(target)))


def test_a_label_scores_what_leaving_each_row_out_scores():
    random = np.random.default_rng(3)
    labels = random.choice(list("abc"), 50)
    target = random.normal(size=50) + (labels == "a")
    ranks = stats.rankdata(target)
    others = [[ranks[k] for k in range(50) if k != row and labels[k] == labels[row]] for row in range(50)]
    predicted = np.array([np.mean(rows) for rows in others])
    expected = 1 - np.sum((ranks - predicted) ** 2) / np.sum((ranks - ranks.mean()) ** 2)
    assert score(labels, target, numeric=False) == pytest.approx(expected)


def test_a_number_scores_by_its_bins_or_by_its_order_and_every_monotone_function_alike():
    random = np.random.default_rng(3)
    x = random.normal(size=400)
    assert score(x, np.exp(5 * x), numeric=True) == pytest.approx(1.0)
    assert score(x, x**2, numeric=True) > 0.95  # no order at all, but 80 bins
    assert score(x, random.normal(size=400), numeric=True) < 0.1
    assert score(x, x + random.normal(size=400), numeric=True) < 0.7
    assert score(np.where(x > 0, np.nan, x), np.exp(5 * x), numeric=True) == pytest.approx(1.0)


def test_a_level_of_one_row_tells_nothing():
    assert score([f"L{row}" for row in range(30)], np.arange(30.0), numeric=False) == pytest.approx(0.0)


def test_a_weak_correlation_is_no_leak_however_sure(tmp_path):
    random = np.random.default_rng(0)
    noise = random.normal(size=20_000)
    table = pd.DataFrame({"area": random.normal(size=20_000), "price": noise + np.linspace(0, 0.4, 20_000)})
    statistic, p_value = stats.spearmanr(np.arange(20_000), table["price"])
    assert statistic < 0.2
    assert p_value < 1e-30
    assert "row order that gives the target away" not in problems(audit_table(table[::4], Schema(target="price")))


# --- both sides of a split ------------------------------------------------------------------------------------------


def test_a_split_without_shared_rows_raises_no_alarm(homes):
    declare_sides(homes)
    assert homes.audit(split="part").findings == ()
    assert audit_table(homes.table[:20], SCHEMA, against=homes.table[20:]).findings == ()
    homes.copy_row(3, 10)
    assert problems(homes.audit(split="part")) == ["rows that repeat an earlier row"]


def test_the_column_of_the_split_is_no_feature(homes):
    homes.copy_row(3, 25)
    declare_sides(homes)
    homes.table["style"] = homes.table.pop("part")
    assert problems(homes.audit(split="style")) == ["rows that repeat an earlier row", "shared across the split"]


def test_other_rows_are_compared_only_and_their_own_repeats_left_alone(homes):
    homes.copy_row(21, 22)
    assert audit_table(homes.table[:20], SCHEMA, against=homes.table[20:]).findings == ()


def test_a_group_on_both_sides_is_named(homes):
    homes.table["owner"] = [f"O{row}" for row in range(NUM_ROWS)]
    homes.table.loc[[2, 26], "owner"] = "me"
    declare_sides(homes)
    schema = Schema(**{**SCHEMA.to_dict(), "group": "owner"})
    (case,) = find(audit_table(homes.table, schema, split="part"), "shared across the split").cases
    assert (case.ids, case.note) == (("H2", "H26"), "group me (test, train)")


def test_a_split_that_is_not_there_and_two_splits_are_refused(homes):
    for options in ({"split": "parts"}, {"split": "style", "against": homes.table}):
        with pytest.raises(ValueError, match="expected a column of the table as split"):
            homes.audit(**options)
    with pytest.raises(SchemaError, match="no column 'area'"):
        homes.audit(against=homes.table.drop(columns="area"))


# --- tables with less in them ---------------------------------------------------------------------------------------


def test_tables_without_target_photos_id_or_rows_to_speak_of_are_audited(homes):
    no_target = Schema(**{**SCHEMA.to_dict(), "target": None})
    homes.copy_row(3, 20)
    assert problems(audit_table(homes.table, no_target)) == ["rows that repeat an earlier row"]
    only_photos = Schema(images=("front",), target="price")
    homes.write(20, "front", PHOTOS[3, "front"])
    assert audit_table(homes.table, only_photos).sentences[0].startswith("rows that share a photo: 2 (row 3 = row 20: ")
    assert audit_table(homes.table[:1], SCHEMA).findings == ()
    table = pd.DataFrame({"area": [1.0, 2.0], "price": [5.0, 5.0]})
    (finding,) = audit_table(table, Schema(numeric=("area",), target="price")).findings
    assert str(finding) == "constant target: 2 (price: 5 in every row): kept; there is nothing to learn"


def test_a_table_that_does_not_fit_the_schema_is_refused(homes):
    with pytest.raises(SchemaError, match="price"):
        audit_table(homes.table.drop(columns="price"), SCHEMA)


def test_rows_that_were_checked_are_not_checked_again(homes, monkeypatch):
    expected = audit_table(homes.table, SCHEMA)
    monkeypatch.setattr(Schema, "validate", lambda *arguments, **options: pytest.fail("checked again"))
    assert audit_table(homes.table, SCHEMA, checked=True) == expected
