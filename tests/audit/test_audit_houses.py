"""The audit of the real houses finds what is known to be wrong with them (datasets/README.md), and little else."""

from __future__ import annotations

import pytest
from audit_helpers import find, problems

from mixed_data.audit import audit_table
from mixed_data.readers import read_houses


@pytest.fixture(scope="module")
def audit(houses_root):
    return audit_table(*read_houses(houses_root))


def sets_of(audit, problem):
    return [tuple(map(int, case.ids)) for case in find(audit, problem).cases]


def test_five_rows_repeat_an_earlier_one(audit):
    assert find(audit, "rows that repeat an earlier row").num_rows == 5
    repeated = [(59, 72), (199, 214), (232, 266), (270, 305), (345, 353)]
    assert sets_of(audit, "rows that repeat an earlier row") == repeated


def test_the_rows_that_share_a_photo_are_found(audit):
    assert [str(case) for case in find(audit, "rows that share a photo").cases] == [
        "59 = 72: 3 photos",
        "199 = 214: 4 photos",
        "292 = 293: 292_frontal.jpg",
        "331 = 351: 331_frontal.jpg",
    ]


def test_the_houses_that_are_listed_twice_are_found_by_their_photos(audit):
    alike = [(9, 21), (10, 27), (11, 30), (12, 32), (259, 296), (271, 305)]
    assert sets_of(audit, "rows with near-identical photos") == alike


def test_of_these_three_have_the_same_cells_but_for_the_bathrooms(audit):
    assert sets_of(audit, "near-duplicate rows") == [(9, 21), (12, 32), (259, 296)]


def test_one_thing_at_two_prices_is_found(audit):
    assert [str(case) for case in find(audit, "contradicting targets").cases] == [
        "10 = 27: photos alike, 962,500 to 1,500,000",
        "11 = 30: photos alike, 519,200 to 1,199,000",
        "232 = 266 = 276: equal features, 669,472 to 695,000",
        "271 = 305: photos alike, 489,000 to 999,000",
        "292 = 293: one photo, 100,000 to 125,000",
        "331 = 351: one photo, 97,000 to 154,900",
    ]


def test_five_houses_have_one_photo_in_two_rooms(audit):
    assert [str(case) for case in find(audit, "one photo in two columns of a row").cases] == [
        "12: bedroom_photo = bathroom_photo",
        "227: bedroom_photo = kitchen_photo",
        "343: bathroom_photo = kitchen_photo",
        "354: bedroom_photo = bathroom_photo",
        "466: bathroom_photo = kitchen_photo",
    ]


def test_the_six_odd_prices_are_the_outliers_and_two_of_them_have_a_zero_too_many(audit):
    cases = {int(case.ids[0]): case.note for case in find(audit, "targets far from what the columns say").cases}
    assert set(cases) == {422, 157, 153, 95, 258, 507}
    typos = {house: note.split(", perhaps ")[1] for house, note in cases.items() if "perhaps" in note}
    assert typos == {422: "585,800 (a factor of 10)", 157: "179,500 (a factor of 10)"}


def test_ten_bedrooms_seven_bathrooms_and_two_areas_are_odd(audit):
    cases = find(audit, "cells far from what the row's other numbers say").cases
    assert {(int(case.ids[0]), case.note.split(",")[0]) for case in cases} == {
        (462, "bedrooms 10"),
        (134, "bathrooms 7"),
        (41, "area 9"),
        (79, "area 7"),
    }


def test_the_order_of_the_rows_and_the_files_give_the_price_away(audit):
    order = [case.note for case in find(audit, "row order that gives the target away").cases]
    assert order == ["target of the row before: correlation 0.63", "row number: correlation -0.36"]
    files = [case.note.split(":")[0] for case in find(audit, "photo files that give the target away").cases]
    assert {"file size", "number of pixels", "shape"} <= set(files)


def test_nothing_else_is_found(audit):
    assert len(problems(audit)) == 10
    assert (audit.num_rows, audit.num_photos, audit.not_checked) == (535, 2_140, ())
