"""Every class of problem is found where it is, named with its rows, and not where it is not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
from audit_helpers import PHOTOS, SCHEMA, Homes, declare_sides, draw, encode, find, problems
from PIL import Image
from reliability import Case, documented
from scipy import stats

from mixed_data.audit import audit_table
from mixed_data.readers import READERS


def repeat_a_row(homes):
    homes.copy_row(3, 20)


def repeat_a_row_nearly(homes):
    homes.copy_row(3, 20)
    homes.table.loc[20, "rooms"] = homes.table.loc[3, "rooms"] + 1


def copy_a_photo(homes):
    homes.write(20, "kitchen", PHOTOS[3, "front"])
    homes.table.loc[20, "price"] = homes.table.loc[3, "price"]


def compress_a_photo_anew(homes):
    homes.write(20, "kitchen", encode(draw(2 * 3 + 1), quality=50))
    homes.table.loc[20, "price"] = homes.table.loc[3, "price"]


def mirror_and_shrink_a_photo(homes):
    small = draw(2 * 3 + 1).resize((64, 64)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    homes.write(20, "kitchen", encode(small))
    homes.table.loc[20, "price"] = homes.table.loc[3, "price"]


def use_a_photo_for_two_rooms(homes):
    homes.write(7, "kitchen", PHOTOS[7, "front"])


def use_a_placeholder(homes):
    for row in range(10, 25):
        homes.write(row, "kitchen", PHOTOS[10, "kitchen"])


def contradict(homes):
    homes.copy_row(3, 20)
    homes.table.loc[20, "price"] = 1.1 * homes.table.loc[3, "price"]


def shift_the_decimal_point(homes):
    homes.table.loc[11, "price"] *= 10


def write_square_feet(homes):
    homes.table.loc[11, "area"] = homes.table.loc[11, "area"] * 100


def leak_by_a_column(homes):
    homes.table["style"] = pd.qcut(homes.table["price"], 6, labels=list("abcdef")).astype(str)


def leak_by_a_number(homes):
    homes.table["rooms"] = homes.table["price"] / 1.2


def sort_by_price(homes):
    homes.table = homes.table.sort_values("price", ignore_index=True)


def leak_by_file_size(homes):
    for row, place in enumerate(stats.rankdata(homes.table["price"], method="ordinal").astype(int)):
        homes.write(row, "front", PHOTOS[row, "front"] + bytes(2_000 + 700 * place))


def leak_by_exif_time(homes):
    for row, place in enumerate(stats.rankdata(homes.table["price"], method="ordinal").astype(int)):
        exif = Image.Exif()
        exif[0x0132] = f"2024:01:01 10:{place:02d}:00"
        homes.write(row, "front", encode(draw(2 * row + 1), exif=exif))


def remove_and_break_photos(homes):
    Path(homes.table.loc[5, "front"]).unlink()
    homes.write(6, "front", PHOTOS[6, "front"][:900])


def blank_a_photo(homes):
    homes.write(5, "front", encode(Image.new("RGB", (64, 64), (200, 10, 10))))


def write_the_same_everywhere(homes):
    homes.table["style"] = "loft"


ALONE = [
    Case(
        "a row repeats another",
        "named; kept on one side of every split",
        repeat_a_row,
        ("rows that repeat an earlier row", 1, "H3 = H20"),
    ),
    Case(
        "a row repeats another but for one cell",
        "named; not kept together, since it is no proof",
        repeat_a_row_nearly,
        ("near-duplicate rows", 2, "H3 = H20: but for rooms"),
    ),
    Case(
        "two rows share a photo (equal bytes)",
        "named; kept on one side of every split",
        copy_a_photo,
        ("rows that share a photo", 2, "H3 = H20: 3_front.jpg"),
    ),
    Case(
        "the same photo, compressed anew, in two rows",
        "named; not kept together, since looks are no proof",
        compress_a_photo_anew,
        ("rows with near-identical photos", 2, "H3 = H20: 3_front.jpg"),
    ),
    Case(
        "the same photo, mirrored and half the size, in two rows",
        "named; not kept together, since looks are no proof",
        mirror_and_shrink_a_photo,
        ("rows with near-identical photos", 2, "H3 = H20: 3_front.jpg"),
    ),
    Case(
        "one photo for two rooms of a house",
        "named",
        use_a_photo_for_two_rooms,
        ("one photo in two columns of a row", 1, "H7: front = kitchen"),
    ),
    Case(
        "one photo in more than ten rows",
        "named; kept on one side of every split; to be emptied if it is a placeholder",
        use_a_placeholder,
        ("one photo in many rows", 15, "H10 = H11 = H12 = H13 = H14 = 10 more: 10_kitchen.jpg"),
    ),
    Case(
        "equal columns, another target",
        "named",
        contradict,
        ("contradicting targets", 2, "H3 = H20: equal features, "),
    ),
    Case(
        "a label that tells the target",
        "named; used, to be removed if it is not known at prediction",
        leak_by_a_column,
        ("columns that give the target away", 28, "style alone: R² 0.9"),
    ),
    Case(
        "a number that tells the target",
        "named; used, to be removed if it is not known at prediction",
        leak_by_a_number,
        ("columns that give the target away", 28, "rooms alone: R² 1.000"),
    ),
    Case(
        "rows sorted by the target",
        "named; the order is never fed to a model",
        sort_by_price,
        ("row order that gives the target away", 28, "target of the row before: correlation 1.00"),
    ),
    Case(
        "photo files that are larger for a higher target",
        "named; a file's size, time, dimensions and EXIF data are never fed to a model",
        leak_by_file_size,
        ("photo files that give the target away", 28, "file size: correlation 1.00 (front)"),
    ),
    Case(
        "photos that were taken in the order of the target",
        "named; a file's size, time, dimensions and EXIF data are never fed to a model",
        leak_by_exif_time,
        ("photo files that give the target away", 28, "time in the EXIF data: correlation 1.00 (front)"),
    ),
    Case(
        "a photo is missing, another is cut off",
        "named; masked, and reported with the row",
        remove_and_break_photos,
        ("missing or broken photos", 2, "H5: front: 5_front.jpg: no such file"),
    ),
    Case(
        "a photo is of one colour",
        "named",
        blank_a_photo,
        ("photos that show nothing", 1, "H5: front: 5_front.jpg: of one colour"),
    ),
    Case(
        "a column has one value",
        "named; dropped when a model is fitted",
        write_the_same_everywhere,
        ("constant columns", 28, "style: loft in every row"),
    ),
]


OUTLIERS = [
    Case(
        "a price ten times too high",
        "named, with the price that would fit; kept",
        shift_the_decimal_point,
        (
            "targets far from what the columns say",
            1,
            r"H11: 3,694,800, expected about \d+,000, perhaps 369,480 \(a factor of 10\)",
        ),
    ),
    Case(
        "an area in another unit",
        "named; kept, clipped smoothly",
        write_square_feet,
        (
            "cells far from what the row's other numbers say",
            1,
            r"H11: area 16,760, expected about \d+, perhaps 167.6 \(a factor of 100\)",
        ),
    ),
]


@documented("The audit", ALONE)
def test_what_is_wrong_is_found_with_its_rows_and_nothing_else(homes, case):
    case.given(homes)
    audit = homes.audit()
    problem, num_rows, example = case.expected
    assert problems(audit) == [problem]
    finding = find(audit, problem)
    assert finding.num_rows == num_rows
    assert finding.examples()[0].startswith(example)
    assert audit.sentences == [f"{problem}: {num_rows} ({'; '.join(finding.examples(3))}): {finding.action}"]
    assert "NaN" not in json.dumps(audit.to_dict())


@documented("The audit", OUTLIERS)
def test_a_number_far_from_the_rest_of_its_row_is_found_and_nothing_else(many_homes, case):
    case.given(many_homes)
    audit = many_homes.audit()
    problem, num_rows, example = case.expected
    assert problems(audit) == [problem]
    assert find(audit, problem).num_rows == num_rows
    assert re.fullmatch(example, find(audit, problem).examples()[0])


def test_a_clean_table_and_the_sample_raise_no_alarm(many_homes, tmp_path):
    audit = many_homes.audit()
    assert (audit.findings, audit.num_rows, audit.num_photos, audit.not_checked) == ((), 70, 140, ())
    audit = audit_table(*READERS["sample"](tmp_path / "sample", rows=60))
    assert (audit.findings, audit.num_rows) == ((), 60)
    assert 230 < audit.num_photos <= 240


def test_only_what_no_split_takes_care_of_flatters(homes):
    for spoil, flatters in [
        (repeat_a_row, False),
        (copy_a_photo, False),
        (repeat_a_row_nearly, True),
        (compress_a_photo_anew, True),
        (leak_by_a_number, True),
        (sort_by_price, False),
    ]:
        fresh = Homes(homes.folder)
        spoil(fresh)
        assert [finding.flatters for finding in fresh.audit().findings] == [flatters], spoil.__name__


def test_the_table_is_not_changed_and_its_row_labels_do_not_matter(homes):
    homes.copy_row(3, 20)
    homes.table.index = [7] * len(homes.table)
    before = homes.table.copy()
    assert homes.audit().sentences == ["rows that repeat an earlier row: 1 (H3 = H20): kept on one side of every split"]
    pd.testing.assert_frame_equal(homes.table, before)


SPLIT = [
    Case("a row of the training part in the test part", "named; not mended", lambda homes: homes.copy_row(3, 25)),
    Case(
        "a photo of the training part in the test part",
        "named; not mended",
        lambda homes: homes.write(25, "kitchen", PHOTOS[3, "front"]),
    ),
    Case(
        "a photo of the training part, compressed anew, in the test part",
        "named; not mended",
        lambda homes: homes.write(25, "kitchen", encode(draw(2 * 3 + 1), quality=50)),
    ),
]


@documented("The audit", SPLIT)
def test_what_is_on_both_sides_of_a_split_is_found_in_a_column_and_in_two_files(homes, case):
    case.given(homes)
    declare_sides(homes)
    by_column = find(homes.audit(split="part"), "shared across the split")
    assert [found.ids for found in by_column.cases] == [("H3", "H25")]
    assert by_column.cases[0].note.endswith("(test, train)")
    assert by_column.flatters
    training, test = homes.table[:20], homes.table[20:].drop(columns="price")
    audit = audit_table(training, SCHEMA, against=test)
    assert problems(audit) == ["shared across the split"]
    by_file = find(audit, "shared across the split")
    assert [found.ids for found in by_file.cases] == [("H3", "H25 of the other file")]
    assert audit.num_rows == len(homes.table)
