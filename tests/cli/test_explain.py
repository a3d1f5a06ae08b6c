"""``explain``: reasons as JSON, and a picture per row."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mixed_data.cli import explain_command, main
from mixed_data.readers.table import read_rows
from mixed_data.runtime import Predictor


@pytest.fixture
def bundle(hold_out_run):
    return hold_out_run.folder / "bundle"


@pytest.fixture
def explain(bundle, tmp_path):
    def explain(data, *more: str, out: str = "reasons") -> int:
        return main(["explain", str(bundle), "--data", str(data), "--out", str(tmp_path / out), *more])

    return explain


def read(tmp_path, out: str = "reasons") -> list[dict]:
    return json.loads((tmp_path / out / "reasons.json").read_text("utf-8"))["rows"]


def test_chosen_rows_are_explained_as_the_predictor_does_in_the_order_asked(
    explain, bundle, listings, tmp_path, capsys
):
    assert explain(listings, "--rows", "4,0,4", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    predictor, written = Predictor(bundle), read(tmp_path)
    rows = read_rows(listings, predictor.schema).iloc[[4, 0]]
    expected = predictor.explain(rows)
    assert [entry["reasons"] for entry in written] == json.loads(json.dumps([one.to_dict() for one in expected]))
    assert [(entry["row"], entry["line"], entry["picture"]) for entry in written] == [
        (4, 6, "row_4.png"),
        (0, 2, "row_0.png"),
    ]
    heat = predictor.heat_map(rows.iloc[1:], "front")
    assert written[1]["heat_maps"][0]["view"] == "front"
    np.testing.assert_array_equal(written[1]["heat_maps"][0]["values"], heat.values)
    for entry in written:
        with Image.open(tmp_path / "reasons" / entry["picture"]) as picture:
            assert (picture.format, picture.width) == ("PNG", 1280)
    assert (said["num_explained"], said["num_skipped"]) == (2, 0)
    assert said["pictures"] == [str(tmp_path / "reasons" / entry["picture"]) for entry in written]


def test_a_photo_that_cannot_be_read_is_a_warning_of_its_row(explain, listings, tmp_path, capsys):
    assert explain(listings, "--rows", "5,3", "--no-heat-maps") == 0
    gone, none = read(tmp_path)
    assert any("5_kitchen.png: no such file" in warning for warning in gone["reasons"]["warnings"])
    assert [view["present"] for view in gone["reasons"]["views"]] == [True, False]
    assert "front: no photo given" in none["reasons"]["warnings"]
    assert gone["heat_maps"] == none["heat_maps"] == []
    assert "2 rows explained" in capsys.readouterr().out


def test_a_bad_row_is_refused_skipped_or_explained_without_the_cell(explain, listings, tmp_path, capsys):
    table = pd.read_csv(listings, dtype=str)[:3].drop(columns=["front", "kitchen"])
    table = table.assign(front=None, kitchen=None)
    table.loc[1, "rooms"] = "many"
    table.to_csv(tmp_path / "bad.csv", index=False)
    assert explain(tmp_path / "bad.csv") == 1
    assert "line 3" in capsys.readouterr().err
    assert not (tmp_path / "reasons").exists()
    assert explain(tmp_path / "bad.csv", "--on-bad-row", "skip") == 0
    assert [entry.get("skipped") for entry in read(tmp_path)] == [None, "rooms is 'many', no usable number", None]
    assert not (tmp_path / "reasons" / "row_1.png").exists()
    assert explain(tmp_path / "bad.csv", "--on-bad-row", "mask", "--rows", "1", out="masked") == 0
    assert "read as missing" in read(tmp_path, "masked")[0]["reasons"]["warnings"][0]


def test_a_row_that_is_not_there_is_refused_in_words(explain, listings, capsys):
    assert explain(listings, "--rows", "3,40") == 1
    expected = "--rows 40: there is no such row; they are counted from 0, and the last of 40 is 39"
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--rows", "3,x"], ["--rows", "-1"], ["--rows", ""], ["--coverage", "2"]])
def test_what_is_no_position_and_no_share_is_mistyped(explain, listings, capsys, more):
    with pytest.raises(SystemExit, match="2"):
        explain(listings, *more)
    assert f"argument {more[0]}: expected" in capsys.readouterr().err


def test_many_rows_are_not_explained_unless_they_are_named(explain, listings, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(explain_command, "MOST_ROWS", 39)
    assert explain(listings) == 1
    assert "the table has 40 rows, and each takes seconds; name those to explain" in capsys.readouterr().err
    assert not (tmp_path / "reasons").exists()


def test_a_folder_that_cannot_be_made_is_refused_before_any_work(explain, listings, tmp_path, capsys):
    (tmp_path / "reasons").write_text("a file")
    with pytest.raises(SystemExit, match="2"):
        explain(listings)
    assert "is a file; name a folder" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        explain(listings, out="no/such")
    assert "there is no folder" in capsys.readouterr().err
