"""The folder of a finished comparison: ids, targets, and JSON that reads back."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from comparison_helpers import COLUMNS, HOUSE_SCHEMA, Counter, make_table

from mixed_data.evaluation.baselines import make_baselines
from mixed_data.evaluation.compared_models import Candidate
from mixed_data.evaluation.comparison_files import write_results
from mixed_data.evaluation.repeated_folds import Protocol, run_repeats
from mixed_data.evaluation.run_folder import RunFolder
from mixed_data.schema import Schema

PROTOCOL = Protocol(repeats=2, folds=3)


@pytest.fixture
def table(tmp_path_factory):
    return make_table(tmp_path_factory.mktemp("photos"))


def test_results_are_written_with_ids_targets_and_readable_json(table, tmp_path):
    Counter.fits_left = 1_000
    models = {"ridge": Candidate(make_baselines(HOUSE_SCHEMA, {})["ridge"]), "counter": Candidate(Counter())}
    found = run_repeats(table, HOUSE_SCHEMA, models, PROTOCOL)
    write_results(
        RunFolder(tmp_path),
        found,
        table,
        HOUSE_SCHEMA,
        comparison=found.comparison,
        verdict=[{"a": 1}],
        ablation=[],
    )
    written = pd.read_csv(tmp_path / "predictions.csv")
    assert list(written) == COLUMNS
    assert written[["lower", "upper"]].isna().all(axis=None)  # of models that know no intervals
    assert written["id"].tolist() == [f"house {row}" for row in written["row"]]
    np.testing.assert_array_equal(written["target"], table["price"].to_numpy()[written["row"]])
    np.testing.assert_array_equal(written["prediction"], found.evidence.predictions["prediction"])
    contents = {
        name: json.loads((tmp_path / f"{name}.json").read_text())
        for name in ("comparison", "verdict", "ablation", "findings", "weights", "missing")
    }
    assert contents == {
        "comparison": found.comparison,
        "verdict": [{"a": 1}],
        "ablation": [],
        "findings": [str(finding) for finding in found.findings],
        "weights": found.mean_weights,
        "missing": [],
    }


def test_rows_without_an_id_are_called_by_their_position(table, tmp_path):
    schema = Schema(target="price", numeric=["area"])
    few = {"median": Candidate(make_baselines(schema, {})["median"])}
    found = run_repeats(table, schema, few, PROTOCOL)
    write_results(RunFolder(tmp_path), found, table, schema, comparison=[], verdict=[], ablation=[])
    written = pd.read_csv(tmp_path / "predictions.csv")
    assert (written["id"] == written["row"]).all()
