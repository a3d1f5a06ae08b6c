"""A table with hostile names and labels goes all the way: train, evaluate what was held out, predict."""

from __future__ import annotations

import csv
import gzip
import json

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import eagerly
from PIL import Image
from reliability import Case, documented

from mixed_data.cli import main

NUM_ROWS = 32
NAMES = [
    Case("columns named like those of the results", "trained, scored and predicted", ("prediction", "lower", "fold")),
    Case(
        "columns named like parts of the network", "trained, scored and predicted", ("tabular", "image_mask", "front")
    ),
    Case("an emoji and quotes in a name", "trained, scored and predicted", ('🏠 "size" [m²]/100%',)),
    Case("a line end in a name", "trained, scored and predicted", ("a\nb", "a\rb", "a\r\nb")),
    Case("separators in a name", "trained, scored and predicted", ("rooms, all", "a;b", "a\tb", "a|b", "sep=;")),
    Case("templates and mark-up in a name", "trained, scored and predicted", ("{{x}}", "%s", "[red]x[/]", "<b>", "\\")),
    Case("words for nothing as a name", "trained, scored and predicted", ("NaN", "None", "0")),
]
LABELS = ["a\rb", "c\r\nd", "=1+1", '"', "[/red]", "{0}", "007", "a;b, c", "\u2028y"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Train on a table that has all of these columns, numbers and labels in turn; return its file and the run."""
    folder = tmp_path_factory.mktemp("odd")
    random = np.random.default_rng(0)
    price = random.uniform(100, 900, NUM_ROWS).round()
    columns = {"warnings": [f"h\r{row}" for row in range(NUM_ROWS)], "area": price / 3 + 1}
    for place, name in enumerate(name for case in NAMES for name in case.given):
        columns[name] = random.choice(LABELS, NUM_ROWS) if place % 2 else random.integers(0, 9, NUM_ROWS)
    columns["photo, street"] = [f"{row}.png" for row in range(NUM_ROWS)]
    for row, level in enumerate(price / 4):
        pixels = random.integers(0, 30, (8, 8, 3)) + int(level)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{row}.png")
    table = pd.DataFrame({**columns, "target": price})
    table.to_csv(folder / "listings.csv", index=False, quoting=csv.QUOTE_ALL)
    options = ["--dataset", "table", "--data", str(folder / "listings.csv"), "--images", "photo, street"]
    options += ["--id", "warnings", "--epochs", "1", "--image-size", "8", "--no-intervals", "--networks", "table"]
    with eagerly():
        assert main(["train", *options, "--out", str(folder / "run")]) == 0
    return folder / "listings.csv", folder / "run"


@documented("Names of columns and labels", NAMES)
def test_a_column_may_have_any_name(case, run):
    schema = json.loads((run[1] / "config.json").read_text("utf-8"))["schema"]
    assert {name.strip() for name in case.given} <= {*schema["numeric"], *schema["categorical"]}


def test_a_run_reads_its_own_held_out_rows_whatever_their_labels_are(run, tmp_path):
    bundle, held_out = str(run[1] / "bundle"), str(run[1] / "held_out.csv")
    assert main(["evaluate", bundle, "--data", held_out, "--out", str(tmp_path / "again.json")]) == 0
    expected = json.loads((run[1] / "metrics.json").read_text())
    assert json.loads((tmp_path / "again.json").read_text()) == pytest.approx(expected, rel=1e-5)


def test_rows_to_predict_may_be_compressed_and_have_empty_lines_and_ids_of_any_name(run, tmp_path):
    listings, folder = run
    text = listings.read_bytes()
    columns = text.count(b'","', 0, text.index(b'"target"')) + 1
    (listings.parent / "new.csv.gz").write_bytes(gzip.compress(text + b"," * columns + b"\n"))
    out = tmp_path / "predictions.csv"
    assert main(["predict", str(folder / "bundle"), "--data", f"{listings.parent}/new.csv.gz", "--out", str(out)]) == 0
    predictions = pd.read_csv(out)
    assert predictions.columns.tolist() == ["id", "prediction", "images_used", "warnings", "level_rows"]
    assert predictions["id"].tolist() == [f"h\r{row}" for row in range(NUM_ROWS)]
    expected = pd.read_csv(folder / "predictions.csv").set_index("id")["prediction"]
    np.testing.assert_allclose(predictions.set_index("id")["prediction"][expected.index], expected, rtol=1e-5)
