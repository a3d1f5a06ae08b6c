"""`--on-bad-row` on the command line: nothing lost, nothing reordered, and no other row's number changed by a bit."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from mixed_data.cli import main, make_parser
from mixed_data.cli.command_inputs import read_data

BAD_ROWS = [2, 5]


@pytest.fixture
def files(listings: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Eight listings, and the same with two bad cells."""
    rows = pd.read_csv(listings, dtype=str, keep_default_na=False).head(8)
    for view in ("front", "kitchen"):
        rows[view] = [str(listings.parent / name) if name else "" for name in rows[view]]
    rows.to_csv(tmp_path / "good.csv", index=False)
    rows.loc[2, "area [m2]"] = "12,50,0"
    rows.loc[5, "rooms"] = "many"
    rows.to_csv(tmp_path / "bad.csv", index=False)
    return tmp_path / "good.csv", tmp_path / "bad.csv"


def predict(bundle: Path, data: Path, *options: str) -> tuple[list[str], pd.DataFrame]:
    out = data.with_suffix(".predictions.csv")
    assert main(["predict", str(bundle), "--data", str(data), "--out", str(out), *options]) == 0
    return out.read_text(encoding="utf-8").splitlines()[1:], pd.read_csv(out, keep_default_na=False)


@pytest.mark.parametrize("policy", ["skip", "mask"])
def test_predict_keeps_every_row_in_its_place_and_the_others_to_the_last_bit(
    policy, hold_out_run, files, capsys, caplog
):
    expected, _ = predict(hold_out_run.folder / "bundle", files[0])
    found, table = predict(hold_out_run.folder / "bundle", files[1], "--on-bad-row", policy)
    assert table["listing_id"].tolist() == [f"L{row}" for row in range(8)]
    assert [row for row in range(8) if found[row] != expected[row]] == BAD_ROWS
    warnings = table["warnings"][BAD_ROWS].tolist()
    if policy == "skip":
        assert found[2] == """L2,,,,0,"skipped: area [m2] is '12,50,0', no usable number\","""
        assert "6 predictions in" in capsys.readouterr().out
        assert "2 of 8 rows skipped:\n- line 4 (id 'L2'): area [m2] is '12,50,0'" in caplog.text
    else:
        assert warnings[0].startswith(
            "area [m2] is '12,50,0', no usable number: read as missing; area [m2] is missing: imp"
        )
        assert (table["prediction"].astype(float) > 0).all()
        assert "8 predictions in" in capsys.readouterr().out
        assert "2 of 8 rows used with cells read as missing:\n- line 4 (id 'L2'): area [m2]" in caplog.text
    assert "rooms is 'many', no usable number" in warnings[1]


def test_evaluate_scores_the_rows_that_are_not_skipped(hold_out_run, files, tmp_path, capsys, caplog):
    bundle, out = str(hold_out_run.folder / "bundle"), tmp_path / "metrics.json"
    rows = pd.read_csv(files[0], dtype=str, keep_default_na=False)
    rows.drop(index=BAD_ROWS).to_csv(files[0], index=False)
    metrics = []
    for data, options in ((files[0], []), (files[1], ["--on-bad-row", "skip"])):
        assert main(["evaluate", bundle, "--data", str(data), "--out", str(out), *options]) == 0
        metrics.append(json.loads(out.read_text()))
    assert metrics[0] == metrics[1]
    assert metrics[0]["n"] == 6
    assert "4 of 8 rows have warnings" in capsys.readouterr().out
    assert "2 of 8 rows skipped:" in caplog.text
    rows.assign(price="sold").to_csv(files[0], index=False)
    assert main(["evaluate", bundle, "--data", str(files[0]), "--on-bad-row", "mask"]) == 1
    assert "error: no row is left, all 8 were skipped:" in capsys.readouterr().err


def test_a_skipped_line_without_cells_keeps_its_place_too(hold_out_run, files):
    lines = files[0].read_text(encoding="utf-8").splitlines()
    lines.insert(3, "L99,120")
    files[1].write_text("\n".join(lines), encoding="utf-8")
    expected, _ = predict(hold_out_run.folder / "bundle", files[0])
    found, table = predict(hold_out_run.folder / "bundle", files[1], "--on-bad-row", "mask")
    assert found[:2] + found[3:] == expected
    assert table["warnings"][2] == "skipped: the line has 2 cells, not 8"


@pytest.mark.parametrize("command", ["train", "compare"])
@pytest.mark.parametrize(("policy", "num_rows"), [("skip", 6), ("mask", 8)])
def test_train_and_compare_read_their_table_with_the_policy(command, policy, num_rows, files):
    schema = files[1].parent / "schema.json"
    schema.write_text('{"target": "price", "numeric": ["area [m2]", "rooms"], "id": "listing_id"}')
    arguments = [command, "--dataset", "table", "--data", str(files[1]), "--schema", str(schema)]
    data = read_data(make_parser().parse_args([*arguments, "--on-bad-row", policy]))
    assert len(data.table) == num_rows
    how_many = "2 of 8 rows skipped" if policy == "skip" else "0 of 8 rows skipped"
    assert data.counts[0].startswith(how_many)
    with pytest.raises(ValueError, match=r"line 7 \(id 'L5'\), column 'rooms': got 'many'"):
        read_data(make_parser().parse_args(arguments))


def test_the_option_is_for_people_s_own_tables_and_knows_three_policies(capsys):
    assert main(["train", "--on-bad-row", "skip"]) == 2
    assert "--on-bad-row is for --dataset table, not for --dataset sample" in capsys.readouterr().err
    for command in (
        ["train"],
        ["compare"],
        ["predict", "b", "--data", "d", "--out", "o"],
        ["evaluate", "b", "--data", "d"],
    ):
        with pytest.raises(SystemExit) as caught:
            main([*command, "--on-bad-row", "ignore"])
        assert caught.value.code == 2
