"""`train --jobs`: the results of a run whose fits are made one after the other."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import pytest
from estimator_helpers import eagerly
from run_helpers import CommandRun, run_command

from mixed_data.cli import main
from mixed_data.files.checked_json import read_json

NETWORK = ["--fusion=table", "--epochs=2", "--units=8", "--target-transform=log", "--quiet"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note for how many processes a run asks; its fits are made in this one."""
    found: list[int] = []

    def note(jobs: int) -> nullcontext[None]:
        found.append(jobs)
        return nullcontext()

    monkeypatch.setattr("mixed_data.cli.process_start.worker_processes", note)
    return found


def test_fits_that_run_elsewhere_come_to_the_same(
    hold_out_run: CommandRun, tmp_path: Path, started: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr("mixed_data.runs.fold_fits.fit_fold", noting(calls))
    monkeypatch.setattr("mixed_data.runs.fold_fits.fit_on_all_rows", None)  # it is for folds
    run_command([*hold_out_run.arguments, "--jobs", "2"], tmp_path)
    assert started == [2]
    assert calls[0] == "weighted_sum"  # the main one, which takes longest
    assert sorted(calls) == ["boosting", "knn", "median", "ridge", "table", "weighted_sum"]
    here, there = hold_out_run.folder, tmp_path / "run"
    for name in ("predictions.csv", "model_predictions.csv", "metrics.json", "weights.json", "importance.json"):
        assert (there / name).read_bytes() == (here / name).read_bytes(), name
    golden = [read_json(place / "bundle" / "manifest.json")["golden_predictions"] for place in (here, there)]
    assert golden[0] == golden[1]


def noting(calls: list[str]):
    from mixed_data.evaluation.held_out_scores import fit_fold

    def fit(name: str, *arguments: object, **options: object) -> object:
        calls.append(name)
        return fit_fold(name, *arguments, **options)

    return fit


def test_a_single_network_is_fitted_here_and_the_jobs_are_for_its_intervals(
    listings: Path, tmp_path: Path, started: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixed_data.runs.train_run.fit_elsewhere", None)
    data = ["--dataset", "table", "--data", str(listings), "--target", "price"]
    out = tmp_path / "run"
    with eagerly():
        arguments = [*data, "--networks", "table", *NETWORK, "--no-intervals", "--out", str(out), "--jobs=2"]
        assert main(["train", *arguments]) == 0
    assert started == [2]
    assert len(pd.read_csv(out / "predictions.csv"))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--tensorboard", "logs"], "--tensorboard watches the epochs of fits in this process; leave it out with"),
        (["--distribute"], "--distribute trains one network after the other; leave it out with --jobs"),
    ],
)
def test_options_that_do_not_go_with_jobs_are_refused(options: list[str], problem: str, capsys) -> None:
    assert main(["train", "--jobs", "2", *options]) == 2
    assert problem in capsys.readouterr().err
