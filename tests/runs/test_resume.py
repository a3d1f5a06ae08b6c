"""Runs that are stopped in any way go on to the same result, to the bit, and leave nothing half-written."""

from __future__ import annotations

import errno
import os
import shlex
import signal
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from estimator_helpers import eagerly
from network_helpers import Stopper
from reliability import Case, documented
from run_helpers import TINY_NETWORK

from mixed_data.cli import main
from mixed_data.evaluation.run_folder import RunFolder
from mixed_data.files.checked_json import read_json, write_json
from mixed_data.files.locks import locked
from mixed_data.network.epoch_checkpoint import EpochCheckpoint
from mixed_data.readers import read_table
from mixed_data.runs.claimed_folder import begin_run, is_finished, resume_run
from mixed_data.runs.run_config import describe_run
from mixed_data.runs.train_run import Plan, run_study, write_run

COMMAND = "python -m mixed_data train --dataset table"


@pytest.fixture(autouse=True)
def _every_epoch(monkeypatch):
    """Write a checkpoint after each epoch; few steps are quicker without graphs, which test_kill.py has."""
    monkeypatch.setattr(EpochCheckpoint, "seconds_between", 0.0)
    with eagerly():
        yield


# --- a whole run ----------------------------------------------------------------------------------------------------


def do_run(
    folder: Path, listings: Path, *, stop_at: tuple[str, int, int] | None = None, **plan: Any
) -> list[tuple[str, int, int]]:
    """Begin a run, or resume one; stop at the given epoch of the given network and fold. Return the epochs trained."""
    table, schema = read_table(data=listings)
    network = {"epochs": 4, "units": 8, "members": 1, "learning_rate": 0.05, **plan.pop("network")}
    plan = Plan(networks=["table"], main="table", options=network, intervals=False, **plan)
    started = {"command": COMMAND}
    config = describe_run(table, schema, main=plan.main, settings=plan.settings, started=started)
    trained = []

    def watch(name: str, fold: int) -> list[keras.callbacks.Callback]:
        note = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: trained.append((name, fold, epoch)))
        return [note, *([Stopper(stop_at[2])] if stop_at and stop_at[:2] == (name, fold) else [])]

    claim = resume_run if folder.exists() else begin_run
    with claim(RunFolder(folder), config, whole=plan.main) as fits:
        found = run_study(table, schema, plan, watch=watch, fits=fits)
        write_run(RunFolder(folder), found, config)
    return trained


@pytest.mark.parametrize(
    ("plan", "stop"),
    [
        ({"network": {"validation_fraction": 0.3, "patience": 1}}, ("table", 0, 1)),
        ({"network": {"validation_fraction": 0.0}, "folds": 2}, ("table, all rows", 0, 3)),
    ],
    ids=["hold-out", "folds"],
)
def test_a_run_that_was_stopped_ends_as_it_would_have(plan, stop, listings, tmp_path, monkeypatch):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    do_run(whole, listings, **plan)
    with pytest.raises(KeyboardInterrupt) as stopped:
        do_run(resumed, listings, stop_at=stop, **plan)
    assert stopped.value.__notes__ == [f"next: python -m mixed_data train --resume {shlex.quote(str(resumed))}"]
    assert not is_finished(RunFolder(resumed))
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.compose.TransformedTargetRegressor.fit", None)  # not one baseline is fitted again
        left = do_run(resumed, listings, **plan)
    assert left[0] == stop, "not one epoch is trained again"
    assert {epoch[:2] for epoch in left} == {stop[:2]}
    assert is_finished(RunFolder(resumed))
    assert sorted(os.listdir(resumed)) == sorted(os.listdir(whole))
    for name in ("metrics.json", "predictions.csv", "model_predictions.csv", "held_out.csv", "findings.json"):
        assert (resumed / name).read_bytes() == (whole / name).read_bytes(), name
    for place in ("bundle", *(f"bundle/folds/{fold}" for fold in range(plan.get("folds", 0)))):
        a, b = read_json(whole / place / "manifest.json"), read_json(resumed / place / "manifest.json")
        for name in ("regressor", "metrics", "golden_predictions"):
            assert a[name] == b[name]
        for expected, got in zip(weights_of(whole / place), weights_of(resumed / place), strict=True):
            np.testing.assert_array_equal(got, expected)


def weights_of(bundle: Path) -> list[np.ndarray]:
    return keras.saving.load_model(bundle / "model.keras", compile=False).get_weights()


def test_a_model_that_was_fitted_on_all_rows_is_not_fitted_again(listings, tmp_path, monkeypatch):
    plan = {"network": {"validation_fraction": 0.0}, "folds": 2}
    with monkeypatch.context() as patch:
        patch.setattr("mixed_data.runs.train_run.save_bundle", interrupt)
        with pytest.raises(KeyboardInterrupt):
            do_run(tmp_path / "run", listings, **plan)
    assert do_run(tmp_path / "run", listings, **plan) == []
    assert (tmp_path / "run/bundle/folds/1/manifest.json").is_file()


# --- the command line -----------------------------------------------------------------------------------------------


@pytest.fixture
def stopped(listings, tmp_path, monkeypatch, capsys) -> Path:
    """The folder of a run that Ctrl-C ended before its first fit."""
    monkeypatch.setattr("mixed_data.runs.train_run.run_study", interrupt)
    folder = tmp_path / "my run"
    assert main([*arguments_for(listings), "--out", str(folder)]) == 130
    return folder


def arguments_for(listings: Path) -> list[str]:
    arguments = ["train", "--dataset", "table", "--data", str(listings), "--networks", "table", "--fusion", "table"]
    return arguments + [f"--{name.replace('_', '-')}={value}" for name, value in TINY_NETWORK.items()]


def interrupt(*arguments: Any, **options: Any) -> None:
    raise KeyboardInterrupt


def terminate(*arguments: Any, **options: Any) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    signal.pause()


def fill_the_disk(*arguments: Any, **options: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


STOPS = [
    Case("Ctrl-C", "what is finished is kept; says how to go on; exit code 130", interrupt, 130),
    Case("SIGTERM", "like Ctrl-C; exit code 143", terminate, 143),
]


@documented("Crashes", STOPS)
def test_a_run_that_is_stopped_says_how_it_goes_on(case, listings, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mixed_data.runs.train_run.run_study", case.given)
    before = signal.getsignal(signal.SIGTERM)
    folder = tmp_path / "my run"
    assert main([*arguments_for(listings), "--out", str(folder)]) == case.expected
    assert signal.getsignal(signal.SIGTERM) is before
    stopped, advice = capsys.readouterr().err.splitlines()
    assert stopped == "stopped; what was finished is kept, and nothing is half-written"
    assert shlex.split(advice) == ["next:", "python", "-m", "mixed_data", "train", "--resume", str(folder)]
    assert (folder / "checkpoints").is_dir()


def hold_lock(folder: Path, listings: Path) -> Any:
    return locked(folder / "checkpoints/lock", folder)


def change_table(folder: Path, listings: Path) -> None:
    change_config(folder, table="0" * 64)


def change_versions(folder: Path, listings: Path) -> None:
    change_config(folder, versions=read_json(folder / "config.json")["versions"] | {"keras": "3.0.0"})


def change_code(folder: Path, listings: Path) -> None:
    change_config(folder, versions=read_json(folder / "config.json")["versions"] | {"code of mixed_data": "0" * 16})


def change_settings(folder: Path, listings: Path) -> None:
    change_config(folder, settings=read_json(folder / "config.json")["settings"] | {"epochs": "2"})


def begin_otherwise(folder: Path, listings: Path) -> None:
    change_config(folder, command=read_json(folder / "config.json")["command"].replace("train", "compare", 1))


def begin_in_python(folder: Path, listings: Path) -> None:
    change_config(folder, command="")


def lose_directory(folder: Path, listings: Path) -> None:
    change_config(folder, directory=str(folder / "gone"))


def lose_config(folder: Path, listings: Path) -> None:
    (folder / "config.json").unlink()


def finish(folder: Path, listings: Path) -> None:
    """Leave it as if it had been killed while it removed its checkpoints."""
    (folder / "report.html").touch()
    (folder / ".metrics.json.123.tmp").touch()
    (folder / ".bundle-abc").mkdir()


def change_config(folder: Path, **fields: Any) -> None:
    write_json(folder / "config.json", read_json(folder / "config.json") | fields)


RESUMES = [
    Case("--resume of a run that is still going on", "an error that names its process", hold_lock, "by process"),
    Case("--resume after the table or a photo was changed", "an error", change_table, ": table"),
    Case("--resume with other versions of the libraries", "an error", change_versions, "began: keras."),
    Case("--resume after the code of mixed_data was changed", "an error", change_code, "began: code of mixed_data."),
    Case("--resume with other settings", "an error", change_settings, "began: epochs."),
    Case("--resume where the first working directory is gone", "an error", lose_directory, "which is gone"),
    Case("--resume of a folder without a run", "an error", lose_config, "holds no run"),
    Case("--resume of a finished run", "says that nothing is left to do; exit code 0", finish, None),
]


@documented("Crashes", RESUMES)
def test_a_run_is_resumed_only_as_it_began(case, stopped, listings, capsys):
    lock = case.given(stopped, listings)
    kept = sorted(os.listdir(stopped / "checkpoints"))
    capsys.readouterr()
    if lock:
        with lock:
            code = main(["train", "--resume", str(stopped)])
    else:
        code = main(["train", "--resume", str(stopped)])
    output = capsys.readouterr()
    if case.expected is None:
        assert (code, output.err) == (0, "")
        assert "nothing is left to do" in output.out
        assert sorted(os.listdir(stopped)) == ["config.json", "report.html"]
    else:
        assert code == 1
        assert output.err.count("\n") == 1
        assert case.expected in output.err
        assert sorted(os.listdir(stopped / "checkpoints")) == kept


@pytest.mark.parametrize(
    ("change", "way"), [(begin_otherwise, "`python -m mixed_data compare`"), (begin_in_python, "Python")]
)
def test_a_run_is_resumed_by_what_began_it(change, way, stopped, listings, capsys):
    change(stopped, listings)
    capsys.readouterr()
    assert main(["train", "--resume", str(stopped)]) == 2
    assert f"was begun by {way}, not by `train`" in capsys.readouterr().err


def test_every_module_counts_as_code(listings, tmp_path, monkeypatch):
    def describe() -> str:
        return describe_run(*read_table(data=listings), main="table", settings={})["versions"]["code of mixed_data"]

    assert describe() == describe()
    monkeypatch.setattr("mixed_data.files.digests.__file__", str(tmp_path / "package/files/digests.py"))
    (tmp_path / "package/fusion").mkdir(parents=True)
    module = tmp_path / "package/fusion/film.py"
    found = [describe()]
    for code in ("a = 1", "a = 2"):
        module.write_text(code)
        found.append(describe())
    found.append((module.rename(module.with_name("gated.py")), describe())[1])
    assert len(set(found)) == 4


def test_other_processors_are_a_warning(stopped, caplog):
    change_config(stopped, processors=1_000)
    assert main(["train", "--resume", str(stopped)]) == 130
    assert "began with 1000 processors" in caplog.text


def test_no_other_option_goes_with_resume(stopped, capsys):
    assert main(["train", "--resume", str(stopped), "--epochs", "3", "--folds=5"]) == 2
    assert "leave out --epochs, --folds" in capsys.readouterr().err


def test_a_run_is_resumed_from_another_working_directory(stopped, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "mixed_data.runs.train_run.run_study", lambda *arguments, **options: seen.append(os.getcwd()) or interrupt()
    )
    began = os.getcwd()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["train", "--resume", "../my run"]) == 130
    assert seen == [began]
    assert os.getcwd() == str(tmp_path / "elsewhere")


def test_a_second_run_in_the_same_folder_is_refused(stopped, listings, capsys):
    capsys.readouterr()
    assert main([*arguments_for(listings), "--out", str(stopped)]) == 1
    assert "go on with --resume" in capsys.readouterr().err
    with pytest.raises(FileExistsError, match="another run has just begun"), begin_run(RunFolder(stopped), {}):
        pass


# --- nothing half-written -------------------------------------------------------------------------------------------

DISKS = [
    Case("disk full before anything is finished", "an error; nothing stays behind", fill_the_disk, "No space left"),
]


@documented("Crashes", DISKS)
def test_a_run_that_fails_at_once_leaves_nothing(case, listings, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mixed_data.runs.train_run.run_study", case.given)
    assert main([*arguments_for(listings), "--out", str(tmp_path / "run")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert case.expected in line
    assert not (tmp_path / "run").exists()
    (tmp_path / "mine").mkdir()
    assert main([*arguments_for(listings), "--out", str(tmp_path / "mine")]) == 1
    assert list((tmp_path / "mine").iterdir()) == []
