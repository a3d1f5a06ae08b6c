"""Progress bars: on standard error of a terminal only."""

from __future__ import annotations

import io
import re

import keras
import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from rich.progress import Progress
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.util import tensor_util

from mixed_data.cli import main, terminal_bars
from mixed_data.cli.progress_bars import EpochProgress, log_epochs
from mixed_data.cli.terminal_bars import bars_for_loops, show_bar
from mixed_data.estimator import MixedDataRegressor, out_of_fold
from mixed_data.files.progress import listening, track

# --- the progress bar -----------------------------------------------------------------------------------------------


def test_the_progress_bar_moves_by_epochs_and_is_full_after_early_stopping():
    with Progress(console=Console(file=io.StringIO())) as progress:
        task = progress.add_task("table, fold 0", total=None, loss="-")
        bar = EpochProgress(progress, task)
        bar.set_params({"epochs": 5})
        bar.on_train_begin()
        bar.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.25})
        assert (progress.tasks[0].completed, progress.tasks[0].total) == (1, 5)
        assert progress.tasks[0].fields["loss"] == "0.250"
        bar.on_epoch_end(1, {"loss": 0.125})
        assert progress.tasks[0].fields["loss"] == "0.125"
        bar.on_train_end()
        assert progress.tasks[0].finished


def test_the_bar_of_a_download_is_on_standard_error_of_a_terminal_only(tmp_path, monkeypatch, capsys):
    def download_houses(root, *, report):
        report(1_000, 2_000)
        return root

    monkeypatch.setattr("mixed_data.readers.verified_download.download_houses", download_houses)
    assert main(["download", "houses", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["download", "houses", "--root", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "Houses" in err
    assert "Houses" not in out


# --- TensorBoard ----------------------------------------------------------------------------------------------------


def test_each_fit_writes_its_epochs_for_tensorboard(tmp_path):
    watch = log_epochs(lambda name, fold: [name], tmp_path)
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mae")
    kept = []
    for name in ("table", "film, all rows"):
        seen, log = watch(name, 2)
        assert seen == name
        fitted = model.fit(np.ones((4, 1)), np.ones(4), epochs=2, verbose=0, callbacks=[log])
        kept.append(fitted.history["loss"])
    folders = sorted(path.name for path in tmp_path.iterdir())
    assert folders == ["film_all_rows_fold_2", "table_fold_2"]
    for folder, losses in zip(reversed(folders), kept, strict=True):
        written = event_accumulator.EventAccumulator(str(tmp_path / folder / "train"))
        written.Reload()
        for tag, expected in (("epoch_loss", losses), ("epoch_learning_rate", [0.01, 0.01])):
            events = [tensor_util.make_ndarray(event.tensor_proto) for event in written.Tensors(tag)]
            assert events == pytest.approx(expected)


def test_train_says_how_to_see_the_curves(folds_run, listings, tmp_path, monkeypatch, capsys):
    watched = []

    def run_study(*_, watch, **__):
        watched.extend(type(callback).__name__ for callback in watch("table", 0))
        return folds_run.study

    monkeypatch.setattr("mixed_data.runs.train_run.run_study", run_study)
    monkeypatch.setattr("mixed_data.runs.train_run.write_run", lambda *_: None)
    logs = str(tmp_path / "my logs")
    words = ["train", "--dataset", "table", "--data", str(listings), "--tensorboard", logs]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    assert watched == ["EpochProgress", "TensorBoard"]
    assert f"curves of the losses: tensorboard --logdir '{logs}'" in capsys.readouterr().out


def test_without_tensorboard_nothing_is_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mixed_data.cli.train_command.find_spec", lambda name: None)
    assert main(["train", "--dataset", "table", "--data", "no such file", "--tensorboard", str(tmp_path)]) == 2
    assert "pip install 'mixed_data[tensorboard]'" in capsys.readouterr().err


# --- bars of loops --------------------------------------------------------------------------------------------------


def pretend_terminal(monkeypatch):
    """Let rich take what is captured for a terminal, which a console finds out when it is made."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    console = Console(stderr=True)
    monkeypatch.setattr(terminal_bars, "_terminal", lambda: console)


@pytest.mark.parametrize(
    ("command", "bar"), [("predict", "predicting"), ("evaluate", "predicting"), ("audit", "photos")]
)
def test_long_work_has_a_bar_with_the_remaining_time_on_a_terminal_only(
    command, bar, hold_out_run, listings, tmp_path, monkeypatch, capsys
):
    words = {
        "audit": ["audit", "--dataset", "table", "--data", str(listings)],
        "evaluate": ["evaluate", str(hold_out_run.folder / "bundle"), "--data", str(listings)],
        "predict": ["predict", str(hold_out_run.folder / "bundle"), "--data", str(listings)],
    }[command]
    words += ["--out", str(tmp_path / "out")]
    assert main(words) == 0
    assert capsys.readouterr().err == ""
    pretend_terminal(monkeypatch)
    for more in (["--quiet"], ["--json"], ["--quiet", "--json"]):
        assert main([*words, *more]) == 0
        assert bar_lines(capsys.readouterr().err, bar) == ""
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert bar in bar_lines(err, bar)
    assert re.search(r"\d:\d\d:\d\d|-:--:--", err)
    assert bar_lines(out, bar) == ""


def bar_lines(text, bar):
    return "\n".join(line for line in text.splitlines() if bar in line and "/" in line and "━" in line)


def test_fits_for_intervals_say_how_far_they_are(monkeypatch):
    monkeypatch.setattr(out_of_fold, "fit_and_predict", lambda *_: pd.DataFrame({"row": [0]}))
    heard = []
    regressor = MixedDataRegressor(intervals=False)
    with listening(lambda *said: heard.append(said)):
        found = out_of_fold.predict_out_of_fold(regressor, pd.DataFrame(), np.zeros(2), None, [(0, 1), (1, 0)])
    assert heard == [("fits for intervals", done, 2) for done in (0, 1, 2)]
    assert len(found) == 2


def test_a_bar_may_be_shown_while_another_one_is(monkeypatch, capsys):
    pretend_terminal(monkeypatch)
    with bars_for_loops(), show_bar("outer") as step:
        step(0, 2)
        for _ in track("ab", "inner", 2):
            pass
    err = capsys.readouterr().err
    assert "outer" in err
    assert "inner" in err
