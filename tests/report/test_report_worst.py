"""The worst rows of the report: their order, their photos, and the facts that may explain them."""

from __future__ import annotations

import base64
import io
import os

import numpy as np
import pandas as pd
from PIL import Image
from report_helpers import NUM_ROWS, make_rows, make_run

from mixed_data.files.written_values import Unit
from mixed_data.report.run_contents import read_run
from mixed_data.report.worst_rows import describe_worst, find_reasons, rank_rows
from mixed_data.split import find_links

DOLLARS = Unit("price", is_dollars=True)


def reasons(folder, rows, row, **changes):
    """Write a run of these rows, change cells of its predictions, and ask for the reasons of one row."""
    make_run(folder, rows=rows)
    predictions = pd.read_csv(folder / "predictions.csv")
    for name, value in changes.items():
        predictions.loc[row, name] = value
    predictions.to_csv(folder / "predictions.csv", index=False)
    run = read_run(folder)
    return list(find_reasons(run, row, DOLLARS, find_links(run.cells, run.schema)))


def test_half_and_double_are_equally_wrong_and_the_worst_comes_first():
    target = np.full(4, 100.0)
    assert rank_rows(target, np.array([101.0, 49.0, 200.0, 300.0])).tolist() == [3, 1, 2, 0]
    assert rank_rows(target * [0, 1, 1, 1], np.array([30.0, 49.0, 160.0, 90.0])).tolist() == [2, 1, 0, 3]


def test_a_price_with_a_zero_too_many_is_suspected(tmp_path):
    rows = make_rows(tmp_path)
    others = rows.index[(rows["zipcode"] == rows["zipcode"][3]) & (rows.index != 3)]
    median = rows.loc[others, "price"].median()
    prediction = rows.loc[3, "price"]
    rows.loc[3, "price"] *= 10
    factor = rows.loc[3, "price"] / median
    (reason,) = reasons(tmp_path, rows, 3, prediction=prediction)
    where = f"the median of the {len(others)} other held-out rows with zipcode {rows['zipcode'][3]}"
    assert reason == f"price is {factor:.2g} × {where}: perhaps a zero too many"
    rows.loc[3, "price"] /= 100
    (reason,) = reasons(tmp_path, rows, 3, prediction=prediction)
    assert reason == f"price is {factor:.1f}\u00a0% of {where}: perhaps a zero is missing"
    (reason,) = reasons(tmp_path, rows, 3, prediction=rows.loc[3, "price"] * 3)
    assert reason.endswith(f"with zipcode {rows['zipcode'][3]}")


def test_a_rare_code_is_compared_with_all_rows(tmp_path):
    rows = make_rows(tmp_path)
    rows.loc[3, "zipcode"] = "99999"
    median = rows.drop(3)["price"].median()
    rows.loc[3, "price"] = median * 6
    (reason,) = reasons(tmp_path, rows, 3, prediction=median * 6)
    assert reason == "price is 6 × the median of the 59 other held-out rows"
    rows.loc[3, "price"] = median * 4  # as rows of all places may differ
    assert reasons(tmp_path, rows, 3, prediction=median * 4) == []


def test_warnings_of_the_row_are_a_reason(tmp_path):
    found = reasons(tmp_path, make_rows(tmp_path), 2, warnings="zipcode is '02139', not seen in training")
    assert found == ["zipcode is '02139', not seen in training"]


def test_a_shared_photo_at_another_price_is_a_conflict(tmp_path):
    rows = make_rows(tmp_path)
    rows.loc[4, "front"] = rows.loc[3, "front"]
    rows.loc[3, "price"], rows.loc[4, "price"] = 400_000.0, 500_000.0
    (reason,) = reasons(tmp_path, rows, 3)
    assert reason == "shares the photo 3_front.jpg with L4, where price is $500,000"
    rows.loc[4, "price"] = 430_000.0
    assert reasons(tmp_path, rows, 3) == []


def test_a_number_far_outside_of_the_others_is_named(tmp_path):
    rows = make_rows(tmp_path)
    rows.loc[3, "area"] = 9583.0
    low, high = rows["area"].quantile([0.25, 0.75])
    assert reasons(tmp_path, rows, 3) == [f"area is 9,583, and half of all rows have {low:,.6g} to {high:,.6g}"]


def test_an_ordinary_row_has_no_reason(tmp_path):
    assert reasons(tmp_path, make_rows(tmp_path), 3) == []


def test_an_id_is_shown_as_it_stands_in_the_file(tmp_path):
    rows = make_rows(tmp_path)
    rows["id"] = [f"{number:03d}" for number in range(NUM_ROWS)]
    rows.loc[7, "id"] = "NA"
    folder = make_run(tmp_path, rows=rows)
    predictions = pd.read_csv(folder / "predictions.csv", dtype={"id": str}, keep_default_na=False)
    predictions.loc[[7, 8], "prediction"] = predictions.loc[[7, 8], "target"] * [100, 99]
    predictions.to_csv(folder / "predictions.csv", index=False)
    worst = describe_worst(read_run(folder), DOLLARS, [])
    assert [(row["id"], row["error"]) for row in worst[:2]] == [("NA", "100.0 × too high"), ("008", "99.0 × too high")]
    assert worst[1]["cells"] == [("area", f"{rows['area'][8]:.0f}"), ("zipcode", rows["zipcode"][8])]
    assert worst[1]["target"] == f"${rows['price'][8]:,.0f}"


def test_photos_become_small_jpegs_and_what_is_none_a_note(tmp_path):
    rows = make_rows(tmp_path)
    (tmp_path / "page.jpg").write_text("<html>")
    os.mkfifo(tmp_path / "pipe.jpg")
    rows["kitchen"] = f"{tmp_path}/page.jpg;{tmp_path}/pipe.jpg;{tmp_path}/none.jpg" + f";{tmp_path}/none.jpg" * 4
    row = describe_worst(read_run(make_run(tmp_path, rows=rows)), DOLLARS, [])[0]
    photo = Image.open(io.BytesIO(base64.b64decode(row["photos"][0]["source"].removeprefix("data:image/jpeg;base64,"))))
    assert (photo.format, photo.size) == ("JPEG", (160, 120))
    problems = [photo["problem"] for photo in row["photos"]]
    assert problems[1].startswith("a web page (HTML) in place of the picture")
    assert problems[2:4] == ["a pipe, socket or device, not a file", "no such file"]
    assert (len(row["photos"]), row["num_more_photos"]) == (6, 2)
