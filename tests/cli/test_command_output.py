"""``--quiet``, ``--verbose`` and ``--json`` of every command; ``-`` and Parquet in place of a CSV file."""

from __future__ import annotations

import io
import json
import logging
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mixed_data.cli import COMMANDS, main, make_parser
from mixed_data.files import whole_files


@pytest.fixture
def bundle(hold_out_run):
    return str(hold_out_run.folder / "bundle")


@pytest.fixture
def held_out(hold_out_run):
    return str(hold_out_run.folder / "held_out.csv")


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def no_fit(folds_run, monkeypatch):
    """Let `train` and `compare` find what was found before."""
    from mixed_data.cli import compare_command
    from mixed_data.runs import compare_run, train_run

    monkeypatch.setattr(train_run, "run_study", lambda *_, **__: folds_run.study)
    monkeypatch.setattr(train_run, "write_run", lambda *_: None)
    run = SimpleNamespace(mean_weights={}, findings=["one"])
    found = SimpleNamespace(main="film", scores=[{"model": "film", "mape": np.nan}], verdict=[], ablation=[], run=run)
    monkeypatch.setattr(compare_run, "compare_models", lambda *_, **__: found)
    monkeypatch.setattr(compare_command, "_print_found", lambda *_: sys.stdout.write("the tables"))


@pytest.fixture
def words(no_fit, bundle, held_out, listings, tmp_path, monkeypatch):
    """Command -> how it is typed so that it works, and does so in no time."""
    download = "mixed_data.readers.verified_download.download_houses"
    monkeypatch.setattr(download, lambda root, *, report: report(1, 2) or root)
    table = ["--dataset", "table", "--data", str(listings)]
    predicted = ["--data", held_out, "--out", str(tmp_path / "p.csv")]
    return {
        "train": ["train", *table, "--networks", "weighted_sum", "--out", str(tmp_path / "run")],
        "compare": ["compare", *table, "--out", str(tmp_path / "comparison")],
        "audit": ["audit", *table],
        "evaluate": ["evaluate", bundle, "--data", held_out],
        "predict": ["predict", bundle, *predicted],
        "info": ["info", bundle],
        "download": ["download", "houses", "--root", str(tmp_path)],
    }


KEYS = {
    "train": "folder bundle report main metrics comparison weights missing findings next tensorboard seconds",
    "compare": "folder report main comparison verdict ablation weights findings seconds",
    "audit": "findings num_rows num_photos not_checked",
    "evaluate": "metrics num_warnings out",
    "predict": "num_predictions num_skipped num_warnings coverage out",
    "info": "bundle kind format_version created about schema metrics metric_intervals fusion_weights parameters "
    "has_intervals has_comparables num_folds versions num_files bytes largest_files",
    "download": "folder next",
}


@pytest.mark.parametrize("command", KEYS)
def test_json_is_one_document_and_all_else_is_on_standard_error(command, words, capsys):
    assert main([*words[command], "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert list(found) == KEYS[command].split()
    assert printed.err.strip()
    assert "\x1b" not in printed.err


@pytest.mark.parametrize("command", KEYS)
def test_quiet_prints_nothing(command, words, capsys):
    assert main([*words[command], "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("command", KEYS)
def test_quiet_json_prints_the_document_only(command, words, capsys):
    assert main([*words[command], "--quiet", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)
    assert printed.err == ""


def test_the_documents_say_what_was_found(words, hold_out_run, tmp_path, capsys):
    def run(command):
        assert main([*words[command], "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert run("evaluate")["metrics"] == pytest.approx(read_json(hold_out_run.folder / "metrics.json"), rel=1e-5)
    predicted = run("predict")
    assert (predicted["num_predictions"], predicted["num_skipped"]) == (len(pd.read_csv(tmp_path / "p.csv")), 0)
    assert (predicted["coverage"], predicted["out"]) == (0.9, str(tmp_path / "p.csv"))
    assert run("train")["bundle"] == str(tmp_path / "run" / "bundle")
    assert run("compare")["comparison"] == [{"model": "film", "mape": None}]
    assert run("audit")["num_rows"] == 40


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_these_options(command):
    (subparsers,) = (action for action in make_parser()._actions if action.choices)
    flags = {flag for action in subparsers.choices[command]._actions for flag in action.option_strings}
    assert {"--quiet", "--verbose", "--json", "--debug"} <= flags


def test_what_went_wrong_is_a_document_too(tmp_path, capsys):
    for words, exit_code in (
        (["info", str(tmp_path), "--json"], 1),
        (["info", str(tmp_path), "--json", "--quiet"], 1),
        (["train", "--fusion", "best", "--json"], 2),
    ):
        assert main(words) == exit_code
        printed = capsys.readouterr()
        found = json.loads(printed.out)
        assert found["exit_code"] == exit_code
        assert printed.err == f"error: {found['error']}\n"
    with pytest.raises(SystemExit):
        main(["train", "--epochs", "0", "--json"])
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {
        "error": "argument --epochs: expected a whole number from 1, got '0'",
        "exit_code": 2,
    }
    assert printed.err.splitlines()[-1].endswith("expected a whole number from 1, got '0'")


def test_quiet_and_verbose_exclude_each_other(capsys):
    with pytest.raises(SystemExit):
        main(["info", "bundle", "--quiet", "--verbose"])
    assert "--verbose: not allowed with argument --quiet" in capsys.readouterr().err


def test_verbose_says_more_than_usual_and_quiet_less(monkeypatch, caplog, tmp_path):
    def download_houses(root, *, report):
        for level in (logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger("mixed_data.readers").log(level, "said")
        logging.getLogger("mixed_data.schema.bad_rows").info("0 of 3 rows left out")
        return root

    monkeypatch.setattr("mixed_data.readers.verified_download.download_houses", download_houses)
    counts = []
    for more in (["--quiet"], [], ["--verbose"]):
        caplog.clear()
        assert main(["download", "houses", "--root", str(tmp_path), *more]) == 0
        counts.append(len(caplog.records))
    assert counts == [1, 3, 4]
    assert logging.getLogger("mixed_data").level == logging.NOTSET


# --- standard input and output, Parquet -----------------------------------------------------------------------------


def type_in(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


@pytest.fixture
def expected(bundle, held_out, tmp_path):
    assert main(["predict", bundle, "--data", held_out, "--out", str(tmp_path / "expected.csv")]) == 0
    return pd.read_csv(tmp_path / "expected.csv")


def test_rows_come_from_standard_input_and_predictions_go_to_standard_output(
    bundle, held_out, expected, monkeypatch, capsys
):
    with open(held_out, "rb") as file:
        type_in(monkeypatch, file.read())
    capsys.readouterr()
    assert main(["predict", bundle, "--data", "-", "--out", "-"]) == 0
    printed = capsys.readouterr()
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(printed.out)), expected)
    assert f"{len(expected)} predictions on standard output" in printed.err


def test_parquet_comes_from_standard_input_and_goes_into_a_file(bundle, held_out, expected, tmp_path, monkeypatch):
    pd.read_csv(held_out, dtype=str).to_parquet(tmp_path / "rows.parquet")
    type_in(monkeypatch, (tmp_path / "rows.parquet").read_bytes())
    out = tmp_path / "p.parquet"
    assert main(["predict", bundle, "--data", "-", "--out", str(out)]) == 0
    pd.testing.assert_frame_equal(
        pd.read_parquet(out).assign(warnings=expected["warnings"]), expected, check_dtype=False, rtol=1e-12
    )
    assert main(["predict", bundle, "--data", str(out), "--out", str(out)]) == 2


def test_photo_paths_of_standard_input_start_from_the_working_directory(bundle, listings, monkeypatch, tmp_path):
    rows = listings.read_bytes()
    for folder, most in ((listings.parent, 2), (tmp_path, 0)):
        monkeypatch.chdir(folder)
        type_in(monkeypatch, rows)
        assert main(["predict", bundle, "--data", "-", "--out", str(tmp_path / "p.csv")]) == 0
        assert pd.read_csv(tmp_path / "p.csv")["images_used"].max() == most


def test_metrics_go_to_standard_output(bundle, held_out, hold_out_run, monkeypatch, capsys):
    with open(held_out, "rb") as file:
        type_in(monkeypatch, file.read())
    assert main(["evaluate", bundle, "--data", "-", "--out", "-"]) == 0
    expected = read_json(hold_out_run.folder / "metrics.json")
    assert json.loads(capsys.readouterr().out) == pytest.approx(expected, rel=1e-5)


def test_a_mistake_in_standard_input_is_named_so(bundle, monkeypatch, capsys):
    type_in(monkeypatch, b"")
    assert main(["predict", bundle, "--data", "-", "--out", "-"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "standard input is empty" in printed.err


def test_parquet_without_pyarrow_is_refused_before_anything_is_read(bundle, monkeypatch, capsys):
    monkeypatch.setattr(whole_files, "find_spec", lambda name: None)
    assert main(["predict", bundle, "--data", "none.csv", "--out", "p.parquet"]) == 1
    assert "writing p.parquet needs pyarrow; type: pip install 'mixed_data[parquet]'" in capsys.readouterr().err
