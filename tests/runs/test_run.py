"""A whole run: the folder it leaves, and that its numbers come out again."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from mixed_data.metrics import regression_metrics
from mixed_data.report import read_run, write_card
from mixed_data.runs.bundle_scores import evaluate_bundle, open_scored_rows
from mixed_data.runs.claimed_folder import choose_folder
from mixed_data.runs.train_run import Plan, run_study
from mixed_data.schema import Schema

METRIC_NAMES = {"n", "mape", "median_ape", "mae", "rmse", "rmse_log", "r2", "ppe10", "ppe20"}
METRIC_NAMES |= {"median_ratio", "cod", "prd", "prb"}  # DESIGN.md, section 5
BASELINES = ["median", "ridge", "knn", "boosting"]
FILES = ["bundle", "comparison.json", "config.json", "findings.json", "held_out.csv", "importance.json", "metrics.json"]
FILES += ["missing.json", "model_predictions.csv", "predictions.csv", "report.html", "weights.json"]


@pytest.fixture(params=["hold_out_run", "folds_run"])
def folder(request):
    return request.getfixturevalue(request.param).folder


def read(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def scored_rows(bundle, data):
    with open_scored_rows(bundle, data) as (_, parts):
        return pd.concat([rows for _, rows in parts])


def test_a_run_leaves_these_files(folder):
    assert sorted(path.name for path in folder.iterdir()) == FILES


def test_metrics_have_the_names_of_the_contract_and_are_those_of_the_predictions(folder):
    metrics = read(folder, "metrics.json")
    assert set(metrics) == METRIC_NAMES
    predictions = pd.read_csv(folder / "predictions.csv")
    assert metrics == pytest.approx(regression_metrics(predictions["target"], predictions["prediction"]))


def test_predictions_are_one_line_per_held_out_row_in_its_order(folder, listings):
    predictions, held_out = pd.read_csv(folder / "predictions.csv"), pd.read_csv(folder / "held_out.csv")
    ends = [name for name in ("lower", "upper") if name in predictions]
    assert list(predictions) == ["id", "target", "prediction", *ends, "images_used", "level_rows", "fold", "warnings"]
    assert predictions["id"].tolist() == held_out["listing_id"].tolist()
    assert predictions["target"].tolist() == held_out["price"].tolist()
    rows = predictions["id"].str[1:].astype(int)
    assert rows.is_monotonic_increasing
    assert predictions["target"].tolist() == pd.read_csv(listings)["price"].iloc[rows].tolist()
    assert predictions["images_used"].tolist() == [1 if row in (3, 5) else 2 for row in rows]


def test_every_column_and_photo_of_the_held_out_rows_was_shuffled(folder):
    held_out = pd.read_csv(folder / "held_out.csv")
    found = {entry["part"]: entry for entry in read(folder, "importance.json")}
    kinds = {
        **dict.fromkeys(["area [m2]", "rooms", "zipcode", "style"], "column"),
        "front": "photos",
        "kitchen": "photos",
    }
    assert {name: entry["kind"] for name, entry in found.items()} == kinds
    num_gone = (held_out["listing_id"] == "L5").sum()  # its kitchen is no file
    assert found["kitchen"]["num_rows"] == len(held_out) - num_gone
    assert found["area [m2]"]["num_rows"] == len(held_out)
    assert (
        found["area [m2]"]["mape"]["low"] < found["area [m2]"]["mape"]["increase"] < found["area [m2]"]["mape"]["high"]
    )


def test_level_rows_count_the_training_rows_of_the_rarest_level(folder, listings):
    levels = pd.read_csv(listings, dtype=str).set_index("listing_id")[["zipcode", "style"]]
    predictions = pd.read_csv(folder / "predictions.csv").set_index("id")
    for _, held_out in predictions.groupby("fold"):
        training = levels.drop(index=held_out.index)
        counts = [levels.loc[held_out.index, name].map(training[name].value_counts()) for name in levels]
        assert held_out["level_rows"].tolist() == np.min(counts, axis=0).tolist()
    again = scored_rows(folder / "bundle", folder / "held_out.csv")
    assert again["level_rows"].tolist() == predictions["level_rows"].tolist()


def test_predictions_have_intervals_where_the_plan_asks_for_them(hold_out_run, folds_run):
    predictions = pd.read_csv(hold_out_run.folder / "predictions.csv")
    assert (predictions["lower"] < predictions["prediction"]).all()
    assert (predictions["prediction"] < predictions["upper"]).all()
    assert not {"lower", "upper"} & set(pd.read_csv(folds_run.folder / "predictions.csv"))


def test_a_quarter_is_held_out_or_with_folds_every_row_once(hold_out_run, folds_run):
    held_out = pd.read_csv(hold_out_run.folder / "predictions.csv")
    assert len(held_out) in (9, 10, 11)  # a quarter of 39 groups, two rows of which share a photo
    assert held_out["fold"].tolist() == [0] * len(held_out)
    folds = pd.read_csv(folds_run.folder / "predictions.csv")
    assert folds["id"].tolist() == [f"L{row}" for row in range(40)]
    assert sorted(folds["fold"].unique()) == [0, 1]


def test_rows_that_share_a_photo_stay_together_and_are_reported(hold_out_run, folds_run):
    ids = set(pd.read_csv(hold_out_run.folder / "predictions.csv")["id"])
    assert len(ids & {"L7", "L8"}) in (0, 2)
    folds = pd.read_csv(folds_run.folder / "predictions.csv").set_index("id")["fold"]
    assert folds["L7"] == folds["L8"]
    for text in ("\n".join(folds_run.study.findings), hold_out_run.output):
        assert "L7" in text
        assert "L8" in text


def test_the_comparison_names_every_model_on_the_same_rows(hold_out_run, folds_run):
    for run, names in [
        (hold_out_run, [*BASELINES, "table", "weighted_sum"]),
        (folds_run, [*BASELINES, "weighted_sum", "oracle"]),
    ]:
        comparison, metrics = read(run.folder, "comparison.json"), read(run.folder, "metrics.json")
        assert [entry["model"] for entry in comparison] == names
        assert {entry["n"] for entry in comparison} == {metrics["n"]}
        for entry in comparison:
            assert set(entry) - {"model", "seconds"} == METRIC_NAMES
            assert ("seconds" in entry) == (entry["model"] != "oracle")
            if entry["model"] == "weighted_sum":
                assert {name: entry[name] for name in METRIC_NAMES} == metrics
    assert comparison[-1]["mape"] == pytest.approx(1.0)


def test_every_network_is_announced_before_each_of_its_fits(folds_run):
    assert folds_run.watched == [("weighted_sum", 0), ("weighted_sum", 1), ("weighted_sum, all rows", 0)]


def test_evaluate_gives_the_metrics_and_predictions_of_the_run_again(folder):
    metrics, warnings = evaluate_bundle(folder / "bundle", folder / "held_out.csv")
    rows = scored_rows(folder / "bundle", folder / "held_out.csv")
    assert (warnings.num_rows, warnings.num_doubtful) == (len(rows), (rows["warnings"] != "").sum())
    assert metrics == pytest.approx(read(folder, "metrics.json"), rel=1e-6)
    predictions = pd.read_csv(folder / "predictions.csv")
    np.testing.assert_allclose(rows["prediction"], predictions["prediction"], rtol=1e-6)
    assert rows["images_used"].tolist() == predictions["images_used"].tolist()


def test_the_bundle_knows_the_metrics_of_its_run(folder):
    assert read(folder / "bundle", "manifest.json")["metrics"] == read(folder, "metrics.json")


def test_with_folds_the_bundle_is_a_further_model_fitted_on_all_rows(folds_run, tmp_path):
    held_out = pd.read_csv(folds_run.folder / "held_out.csv")
    held_out.drop(columns="fold").to_csv(tmp_path / "rows.csv", index=False)
    rows = scored_rows(folds_run.folder / "bundle", tmp_path / "rows.csv")
    by_fold = pd.read_csv(folds_run.folder / "predictions.csv")["prediction"]
    assert (np.abs(rows["prediction"] / by_fold - 1) > 1e-6).all()


@pytest.mark.parametrize("fold", [7, "first", "../folds/0"])
def test_a_fold_that_the_bundle_does_not_have_is_refused(fold, folds_run, tmp_path):
    held_out = pd.read_csv(folds_run.folder / "held_out.csv")
    held_out.assign(fold=fold).to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(ValueError, match=f"says fold '{fold}', but there is no"):
        evaluate_bundle(folds_run.folder / "bundle", tmp_path / "rows.csv")


def test_a_column_that_is_named_like_the_fold_is_refused_with_folds_only(folds_run):
    table = folds_run.table.assign(fold="left")
    schema = Schema(target="price", numeric=["area [m2]"], categorical=["fold"])
    with pytest.raises(ValueError, match="column name 'fold' for itself; rename yours"):
        run_study(table, schema, Plan(folds=2))
    with pytest.raises(ValueError, match="no image column"):
        run_study(table, schema, Plan())


def test_the_folder_of_a_run_is_new_or_empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = choose_folder(None, "sample")
    assert chosen.match("runs/????????-??????-sample")
    assert not chosen.exists()
    (tmp_path / "taken").mkdir()
    assert choose_folder(tmp_path / "taken", "sample") == tmp_path / "taken"
    (tmp_path / "taken" / "file").touch()
    for out in (tmp_path / "taken", tmp_path / "taken" / "file"):
        with pytest.raises(FileExistsError, match="choose another --out or remove it"):
            choose_folder(out, "sample")


def test_the_card_says_what_the_files_say(folder):
    run, card = read_run(folder), (folder / "bundle" / "README.md").read_text(encoding="utf-8")
    rows = int(re.search(r"^- ([\d,]+) rows", card, re.MULTILINE)[1])
    created = re.search(r"Made with mixed_data on (\S+)\.", card)[1]
    assert card == write_card(run, num_training_rows=rows, created=created)


def test_a_bundle_fitted_on_all_rows_says_that_its_scores_on_them_flatter(folds_run, tmp_path, caplog):
    held_out = folds_run.folder / "held_out.csv"
    evaluate_bundle(folds_run.folder / "bundle", held_out)
    assert "flatter" not in caplog.text
    pd.read_csv(held_out).drop(columns="fold").to_csv(tmp_path / "rows.csv", index=False)
    evaluate_bundle(folds_run.folder / "bundle", tmp_path / "rows.csv")
    assert "these scores flatter" in caplog.text
