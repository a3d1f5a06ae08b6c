"""Progress bars: on standard error of a terminal only."""

from __future__ import annotations

import io

from rich.console import Console
from rich.progress import Progress

from mixed_data.cli import main
from mixed_data.cli.progress_bars import EpochProgress

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
