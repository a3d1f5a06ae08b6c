"""`compare` from Python: what it returns and leaves, and that a stopped comparison goes on only as it began."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from comparison_helpers import HOUSE_SCHEMA, Counter, make_table
from sklearn.dummy import DummyRegressor

from mixed_data.evaluation.compared_models import Candidate
from mixed_data.evaluation.run_folder import RunFolder
from mixed_data.fusion import FUSIONS
from mixed_data.metrics import regression_metrics
from mixed_data.runs.claimed_folder import read_config
from mixed_data.runs.compare_run import compare_models

SETTINGS = {"networks": ["table"], "views": False, "repeats": 2, "folds": 3, "random_state": 5}


@pytest.fixture(autouse=True)
def _count_fits(monkeypatch):
    """Compare two models that count their fits, instead of networks."""
    models = {"median": Candidate(DummyRegressor()), "weighted_sum": Candidate(Counter())}
    monkeypatch.setattr("mixed_data.runs.compare_run.make_candidates", lambda *arguments, **options: models)
    Counter.fits, Counter.fits_left = 0, 1_000


@pytest.fixture
def table(tmp_path_factory):
    return make_table(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def stopped(table, tmp_path) -> Path:
    """A comparison that was stopped after four fits of its second model."""
    Counter.fits_left = 4
    with pytest.raises(KeyboardInterrupt) as caught:
        compare_models(table, HOUSE_SCHEMA, out=tmp_path / "run", **SETTINGS)
    assert not hasattr(caught.value, "__notes__")  # no command goes on with what Python began
    assert Counter.fits == 4
    Counter.fits_left = 1_000
    return tmp_path / "run"


def test_a_comparison_is_returned_as_it_is_written(table, tmp_path):
    references = pd.DataFrame({"oracle": table["price"] * 1.01})
    started = {"command": "typed", "unit": "euros"}
    found = compare_models(
        table, HOUSE_SCHEMA, out=tmp_path / "new" / "run", references=references, started=started, **SETTINGS
    )
    assert isinstance(found.folder, RunFolder)
    assert found.folder.path == tmp_path / "new" / "run"
    for file, value in (("comparison", found.scores), ("verdict", found.verdict), ("ablation", found.ablation)):
        assert json.loads(getattr(found.folder, file).read_text()) == value
    assert [entry["model"] for entry in found.scores] == ["median", "weighted_sum", "oracle"]
    expected = regression_metrics(table["price"], references["oracle"])
    assert found.scores[-1] == {"model": "oracle", **expected}
    config = read_config(found.folder)
    assert (found.main, config["main"], config["unit"], config["command"]) == (
        "weighted_sum",
        "weighted_sum",
        "euros",
        "typed",
    )
    assert not found.folder.checkpoints.exists()
    assert found.folder.report.is_file()


@pytest.mark.parametrize(
    ("options", "has_stack"), [({}, False), ({"image_branch": "cnn"}, False), ({"image_branch": "pretrained"}, True)]
)
def test_the_stack_is_compared_where_a_pretrained_backbone_reads_the_photos(table, monkeypatch, options, has_stack):
    def stop(*arguments, networks, **more):
        asked.extend(networks)
        raise ZeroDivisionError

    asked = []
    monkeypatch.setattr("mixed_data.runs.compare_run.make_candidates", stop)
    with pytest.raises(ZeroDivisionError):
        compare_models(table, HOUSE_SCHEMA, **options)
    assert ("best" in asked) is has_stack
    assert {"table", "image", *FUSIONS} == set(asked) - {"best"}


def test_what_cannot_be_compared_leaves_no_folder(table, tmp_path):
    for wrong in ({"repeats": 0}, {"folds": 1}, {"folds": 45}):
        with pytest.raises(ValueError, match=r"repeats|folds"):
            compare_models(table, HOUSE_SCHEMA, out=tmp_path / "run", **{**SETTINGS, **wrong})
    with pytest.raises(ValueError, match="area"):
        compare_models(table.drop(columns="area"), HOUSE_SCHEMA, out=tmp_path / "run", **SETTINGS)
    assert os.listdir(tmp_path) == []
    assert Counter.fits == 0


def test_a_folder_with_something_else_in_it_is_left_alone(table, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    for folder in (tmp_path, tmp_path / "letter.txt"):
        with pytest.raises(FileExistsError, match="choose another --out or remove it"):
            compare_models(table, HOUSE_SCHEMA, out=folder, **SETTINGS)
    with pytest.raises(ValueError, match="holds no run that could be resumed"):
        compare_models(table, HOUSE_SCHEMA, resume=tmp_path, **SETTINGS)
    assert os.listdir(tmp_path) == ["letter.txt"]
    assert Counter.fits == 0


def test_a_stopped_comparison_goes_on_to_the_same_result(table, stopped, tmp_path):
    with pytest.raises(FileExistsError, match="go on with --resume"):
        compare_models(table, HOUSE_SCHEMA, out=stopped, **SETTINGS)
    noted = table.assign(note="a column without a role may change")
    resumed = compare_models(noted, HOUSE_SCHEMA, resume=stopped, **SETTINGS)
    assert Counter.fits == 6
    whole = compare_models(table, HOUSE_SCHEMA, out=tmp_path / "whole", **SETTINGS)
    assert Counter.fits == 12
    for name in ("predictions", "weights", "verdict", "ablation", "findings"):
        assert getattr(resumed.folder, name).read_bytes() == getattr(whole.folder, name).read_bytes()
    assert sorted(os.listdir(stopped)) == sorted(os.listdir(tmp_path / "whole"))


def test_other_settings_and_data_are_refused_by_name(table, stopped):
    price = table["price"].where(table["name"] != table["name"].iloc[-1], 1.0)
    for other, changed in (
        ({"random_state": 6}, "random_state"),
        ({"repeats": 3, "folds": 4}, "repeats, folds"),
        ({"networks": ["image", "table"]}, "networks"),
        ({"fusion": "film"}, "main"),
        ({"epochs": 3}, "epochs"),
        ({"table": table.assign(price=price)}, "table"),
        ({"table": table[::-1]}, "table"),
    ):
        settings = {"table": table, **SETTINGS, **other}
        with pytest.raises(ValueError, match=rf"not what they were when it began: {changed}\. Bring them back"):
            compare_models(schema=HOUSE_SCHEMA, resume=stopped, **settings)
    photo = Path(table["front"].iloc[7])
    for change in (lambda: photo.write_bytes(b"another photo"), photo.unlink):
        change()
        with pytest.raises(ValueError, match=r"when it began: photos\."):
            compare_models(table, HOUSE_SCHEMA, resume=stopped, **SETTINGS)
    assert Counter.fits == 4
    assert sorted(os.listdir(stopped)) == ["checkpoints", "config.json"]
