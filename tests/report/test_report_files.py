"""What the report reads of a run folder, and what it says of a file that is not what it should be."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from report_helpers import NUM_ROWS, make_comparison, make_run, write

from mixed_data.report.run_contents import read_run


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("comparison.json", "{}", "expected a list of"),
        ("comparison.json", "[{}]", "expected a list of"),
        ("comparison.json", "[", "is not a JSON file"),
        ("config.json", "{}", 'expected in "main" a model of comparison.json, got None'),
        ("config.json", '{"main": "tabel"}', "expected in \"main\" a model of comparison.json, got 'tabel'"),
        ("config.json", "[]", "expected an object"),
        ("findings.json", "[1]", "findings.json: expected a list of texts"),
        ("weights.json", '{"weighted_sum": {"tabular": 0.5}}', "weights.json: expected"),
        ("weights.json", '{"weighted_sum": 0.5}', "weights.json: expected"),
        ("verdict.json", "{}", "expected a list of objects with question and answer"),
        ("verdict.json", "[[]]", "expected a list of objects with question and answer"),
        ("missing.json", '[{"mape": 1.0}]', "expected a list of objects with pattern"),
        ("importance.json", '[{"part": "area"}]', "expected a list of objects with part and kind and mae and mape"),
        (
            "importance.json",
            '[{"part": 1, "kind": 1, "mae": {"increase": "1"}, "mape": null}]',
            "importance.json: expected",
        ),
        ("ablation.json", '[{"model": "table"}]', "expected a list of objects with model and answer"),
        ("predictions.csv", "id,target\n1,2\n", "has no column prediction"),
        ("predictions.csv", "id,target,prediction\n", "has no rows"),
        ("predictions.csv", "id,target,prediction\n1,2,abc\n", "column prediction: could not convert"),
        ("predictions.csv", "id,target,prediction\n1,2,\n", "a target or prediction is missing"),
        ("model_predictions.csv", "table\n1.0\n", "has 1 rows, predictions.csv 60"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content, message):
    folder = make_run(tmp_path)
    (folder / name).write_text(content)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_run(folder)


def test_rows_in_another_order_than_the_predictions_are_not_used(tmp_path):
    folder = make_run(tmp_path)
    cells = pd.read_csv(folder / "held_out.csv", dtype=str)
    cells.iloc[[1, 0, *range(2, NUM_ROWS)]].to_csv(folder / "held_out.csv", index=False)
    run = read_run(folder)
    assert run.cells is None
    assert run.no_cells == "held_out.csv does not hold the rows of predictions.csv"


def test_unreadable_rows_leave_a_reason_instead_of_an_error(tmp_path):
    folder = make_run(tmp_path)
    (folder / "held_out.csv").write_bytes(b"\xff\xfe")
    assert read_run(folder).no_cells.startswith("held_out.csv could not be read: ")


def test_a_run_without_a_schema_says_so(tmp_path):
    folder = make_run(tmp_path)
    write(folder / "config.json", {"main": "weighted_sum"})
    run = read_run(folder)
    assert (run.cells, run.no_cells) == (None, "config.json names no schema")


def test_the_weights_of_the_bundle_stand_in_for_weights_json(tmp_path):
    folder = make_run(tmp_path, extras=False)
    assert read_run(folder).weights == {}
    (folder / "bundle").mkdir()
    write(folder / "bundle" / "manifest.json", {"fusion_weights": {"tabular": 0.6, "image": 0.4}})
    weights = {"tabular": {"mean": 0.6, "sd": None}, "image": {"mean": 0.4, "sd": None}}
    assert read_run(folder).weights == {"weighted_sum": weights}


def test_a_comparison_keeps_the_first_repeat_as_rows_and_all_repeats_of_the_main_model(tmp_path):
    folder = make_comparison(tmp_path)
    lines = pd.read_csv(folder / "predictions.csv")
    own = lines[lines["model"] == "concat"]
    run = read_run(folder)
    assert run.num_repeats == 2
    assert run.num_folds == 5
    np.testing.assert_allclose(run.repeated[1], own.loc[own["repeat"] == 1, "prediction"])
    np.testing.assert_allclose(run.rows["prediction"], own.loc[own["repeat"] == 0, "prediction"])
    others = lines[(lines["model"] == "placebo") & (lines["repeat"] == 0)]
    np.testing.assert_allclose(run.others["placebo"], others["prediction"])
