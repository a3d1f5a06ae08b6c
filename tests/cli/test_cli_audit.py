"""The command `audit`: what it prints and writes, and its exit codes."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from mixed_data.cli import main

EXAMPLE = "line 9 (id 'L7') = line 10 (id 'L8'):"


@pytest.fixture
def arguments(listings):
    return ["audit", "--dataset", "table", "--data", str(listings)]


def test_the_table_names_problem_rows_examples_and_what_is_done(arguments, capsys):
    assert main(arguments) == 0
    output, errors = capsys.readouterr()
    assert "audit of 40 rows, 79 photos" in output
    line = next(line for line in output.splitlines() if EXAMPLE in line)
    assert [cell.strip() for cell in line.split("│")[1:4]] == ["rows that share a", "2", EXAMPLE]
    assert "7_front.png" in output
    assert "line 7 (id 'L5'): kitchen: 5_kitchen.png: no" in output
    assert "masked, and reported with" in output
    assert max(map(len, output.splitlines())) <= 110
    assert errors == ""


def test_the_file_has_every_case_and_strict_passes_what_the_splits_take_care_of(arguments, tmp_path, capsys):
    assert main([*arguments, "--out", str(tmp_path / "audit.json"), "--strict"]) == 0
    written = json.loads((tmp_path / "audit.json").read_text("utf-8"))
    assert (written["num_rows"], written["num_photos"]) == (40, 79)
    assert written["not_checked"] == ["outliers: it takes 50 rows that are not linked, there are 39"]
    shared = next(entry for entry in written["findings"] if entry["problem"] == "rows that share a photo")
    (case,) = shared["cases"]
    assert case == {"rows": [7, 8], "ids": ["L7", "L8"], "note": "7_front.png", "places": ["line 9", "line 10"]}
    assert (shared["num_rows"], shared["flatters"]) == (2, False)
    assert f"every case in {tmp_path / 'audit.json'}" in capsys.readouterr().out


def test_a_clean_table_says_so(tmp_path, capsys):
    table = pd.DataFrame({"area": [70, 95, 80], "price": [3, 1, 2]})
    table.to_csv(tmp_path / "clean.csv", index=False)
    assert main(["audit", "--dataset", "table", "--data", str(tmp_path / "clean.csv"), "--strict"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "audit of 3 rows, 0 photos: nothing found",
        "not looked for: outliers: it takes 50 rows that are not linked, there are 3",
    ]


@pytest.fixture
def halves(listings, tmp_path):
    """The listings in two files, and in one with a column that says which: L7 and L8 share a photo."""
    table = pd.read_csv(listings)
    for view in ("front", "kitchen"):
        table[view] = [path if pd.isna(path) else str(listings.parent / path) for path in table[view]]
    table.loc[:7].to_csv(tmp_path / "train.csv", index=False)
    table.loc[8:].drop(columns="price").to_csv(tmp_path / "test.csv", index=False)
    table.assign(part=["train"] * 8 + ["test"] * 32).to_csv(tmp_path / "all.csv", index=False)
    return tmp_path


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["--data", "all.csv", "--split", "part"], "line 10 (id 'L8')"),
        (["--data", "train.csv", "--against", "test.csv"], "line 2 of"),
    ],
    ids=["a column", "two files"],
)
def test_strict_fails_for_what_is_on_both_sides_of_a_split(halves, options, name, monkeypatch, capsys):
    monkeypatch.chdir(halves)
    arguments = ["audit", "--dataset", "table", *options]
    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert "shared across the" in output
    assert f"line 9 (id 'L7') = {name}" in output
    assert "* makes scores look too good" in output
    assert main([*arguments, "--strict"]) == 3


def test_the_policy_for_bad_rows_holds_for_both_files(halves, monkeypatch, capsys):
    monkeypatch.chdir(halves)
    test = pd.read_csv("test.csv", dtype=str)
    test.loc[0, "rooms"] = "many"
    test.to_csv("test.csv", index=False)
    arguments = ["audit", "--dataset", "table", "--data", "train.csv", "--against", "test.csv"]
    assert main(arguments) == 1
    assert "'rooms'" in capsys.readouterr().err
    assert main([*arguments, "--on-bad-row", "skip"]) == 0
    assert "L7) = " not in capsys.readouterr().out  # L8 is what was skipped


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "style"], "error: --split and --against are for --dataset table\n"),
        (["--dataset", "table", "--data", "x", "--split", "a", "--against", "y"], "both declare a split"),
    ],
)
def test_options_that_do_not_belong_together_are_a_usage_error(options, message, capsys):
    assert main(["audit", *options]) == 2
    assert message in capsys.readouterr().err


def test_a_column_that_is_not_there_is_an_error(arguments, capsys):
    assert main([*arguments, "--split", "part"]) == 1
    assert "error: expected a column of the table as split" in capsys.readouterr().err
