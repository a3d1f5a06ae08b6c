"""A run that is killed, while it writes a model and at any moment; `benchmarks.kill_runs` does it for longer."""

from __future__ import annotations

import random
import shutil

import pytest
from reliability import Case, documented
from run_helpers import TINY_NETWORK

from benchmarks.kill_runs import MOMENTS, Life, find_broken, find_differences
from mixed_data.cli import main
from mixed_data.evaluation.run_folder import RunFolder
from mixed_data.runs.claimed_folder import tidy

KILLED = Case(
    "SIGKILL while a model is being written, and at a random moment",
    "no broken file; the resumed run ends with the same bits",
)


@documented("Crashes", [KILLED])
def test_a_killed_run_leaves_nothing_broken_and_ends_as_it_would_have(case, listings, tmp_path, monkeypatch):
    arguments = ["--dataset", "table", "--data", str(listings), "--networks", "table", "--no-intervals"]
    arguments += [f"--{name.replace('_', '-')}={value}" for name, value in TINY_NETWORK.items()]
    assert main(["train", *arguments, "--out", str(tmp_path / "whole")]) == 0
    life = Life(tmp_path / "life", arguments)
    for seconds, moment in [(60.0, MOMENTS["a kept model"]), (random.uniform(0, 8), "")]:
        elapsed = life.kill(seconds, moment)
        assert elapsed is not None or not moment, "the run ended before it wrote a model"
        assert list(find_broken(life.folder)) == [], f"killed after {elapsed} s"
    monkeypatch.setenv("MIXED_DATA_CACHE", str(life.folder / "cache"))
    has_begun = (life.run / "config.json").is_file()
    assert main(["train", *(["--resume", str(life.run)] if has_begun else [*arguments, "--out", str(life.run)])]) == 0
    assert list(find_differences(tmp_path / "whole", life.run)) == []


def test_checkpoints_that_are_being_removed_are_out_of_sight(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    (folder.checkpoints / "model").mkdir(parents=True)

    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", stop)
        with pytest.raises(KeyboardInterrupt):
            tidy(folder)
    assert not folder.checkpoints.exists()
    tidy(folder)
    assert list(tmp_path.iterdir()) == []
