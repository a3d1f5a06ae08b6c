"""Numbers and dates of a European file go all the way on the command line, and --decimal says what no cell tells."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import eagerly

from mixed_data.cli import main

NUM_ROWS = 40
OPTIONS = ["--epochs", "1", "--networks", "table", "--no-intervals"]


def european(number: float, decimals: int = 0) -> str:
    return f"{number:,.{decimals}f}".translate(str.maketrans(",.", ".,"))


def predict(bundle: Path, rows: Path, *options: str) -> list[float]:
    out = rows.with_name("predictions.csv")
    out.unlink(missing_ok=True)
    assert main(["predict", str(bundle), "--data", str(rows), "--out", str(out), *options]) == 0
    return pd.read_csv(out)["prediction"].tolist()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train on a European file; return the rows as numbers and dates, the file, and the run."""
    folder = tmp_path_factory.mktemp("european")
    random = np.random.default_rng(0)
    area, width = random.integers(700, 3000, NUM_ROWS), random.integers(40, 200, NUM_ROWS) / 10
    sold = pd.Series(pd.Timestamp("2014-05-01") + pd.to_timedelta(random.integers(0, 400, NUM_ROWS), unit="D"))
    rows = pd.DataFrame({"area": area, "width": width, "sold": sold, "price": 200 * area + 1000 * width})
    texts = {
        "area": rows["area"].map(european),
        "width": [european(number, 1) for number in width],
        "sold": sold.dt.strftime("%d.%m.%Y"),
        "price": [f"€ {european(price)},-" for price in rows["price"]],
    }
    pd.DataFrame(texts).to_csv(folder / "listings.csv", sep=";", index=False)
    options = ["--dataset", "table", "--data", str(folder / "listings.csv"), *OPTIONS, "--out", str(folder / "run")]
    with eagerly():
        assert main(["train", *options]) == 0
    return rows, folder / "listings.csv", folder / "run"


def test_a_run_scores_its_own_held_out_rows_as_before(trained, tmp_path):
    rows, _, run = trained
    held_out = pd.read_csv(run / "held_out.csv")
    assert set(held_out["area"]) <= set(rows["area"])
    assert set(held_out["price"]) <= set(rows["price"])
    again = tmp_path / "again.json"
    assert main(["evaluate", str(run / "bundle"), "--data", str(run / "held_out.csv"), "--out", str(again)]) == 0
    expected = json.loads((run / "metrics.json").read_text())
    assert json.loads(again.read_text()) == pytest.approx(expected, rel=1e-5)  # computed without Keras
    report = (run / "report.html").read_text("utf-8")
    assert "sold" in report


def test_a_prediction_does_not_depend_on_how_the_file_writes_its_numbers(trained, tmp_path):
    rows, listings, run = trained
    expected = predict(run / "bundle", listings)
    texts = pd.read_csv(listings, sep=";", dtype=str)
    american = texts.assign(area=[f"{area:,}" for area in rows["area"]], width=rows["width"])
    american["sold"] = rows["sold"].dt.strftime("%m/%d/%Y")
    files = {
        "plain.csv": lambda path: rows.to_csv(path, index=False),
        "semicolons.csv": lambda path: rows.to_csv(path, index=False, sep=";"),
        "american.csv": lambda path: american.to_csv(path, index=False),
        "numbers.parquet": rows.to_parquet,
        "texts.parquet": texts.to_parquet,
        "dates.parquet": lambda path: rows.assign(sold=rows["sold"].dt.date).to_parquet(path),
    }
    for name, write in files.items():
        write(tmp_path / name)
        assert predict(run / "bundle", tmp_path / name) == expected, name


def test_a_file_that_may_mean_two_numbers_needs_the_option(trained, tmp_path, capsys):
    run = trained[2]
    new = pd.DataFrame({"area": ["1,200", "2,500", "1,000"], "width": 5, "sold": "2014-05-01"})
    new.to_csv(tmp_path / "new.csv", index=False, sep=";")
    options = ["--data", str(tmp_path / "new.csv"), "--out", str(tmp_path / "predictions.csv")]
    assert main(["predict", str(run / "bundle"), *options]) == 1
    assert "got '1,200' (1200 or 1.2: in training numbers are written 1.234)" in capsys.readouterr().err
    new.assign(area=[1200, 2500, 1000]).to_csv(tmp_path / "plain.csv", index=False)
    expected = predict(run / "bundle", tmp_path / "plain.csv")
    assert predict(run / "bundle", tmp_path / "new.csv", "--decimal", ".") == expected


def test_train_audit_and_evaluate_take_the_option(tmp_path, capsys):
    path = tmp_path / "listings.csv"
    path.write_text("area;price\n" + "".join(f"1.{row};{row}.000\n" for row in range(101, 131)), "utf-8")
    options = ["--dataset", "table", "--data", str(path)]
    for command in (["audit", *options], ["train", *options, *OPTIONS, "--out", str(tmp_path / "refused")]):
        assert main(command) == 1
        assert "nothing in the table tells the decimal sign; say it with --decimal" in capsys.readouterr().err
    assert main(["audit", *options, "--decimal", ","]) == 0
    run = tmp_path / "run"
    with eagerly():
        assert main(["train", *options, *OPTIONS, "--decimal", ",", "--out", str(run)]) == 0
    assert pd.read_csv(run / "held_out.csv")["price"].min() >= 101_000
    out = tmp_path / "again.json"
    for data, more in ((run / "held_out.csv", []), (path, []), (path, ["--decimal", ","])):
        assert main(["evaluate", str(run / "bundle"), "--data", str(data), "--out", str(out), *more]) == 0
    assert json.loads(out.read_text())["n"] == 30
