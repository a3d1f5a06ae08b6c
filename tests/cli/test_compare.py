"""The command `compare`: what it prints and writes, and that it goes on where it was stopped."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import shlex
import shutil
from pathlib import Path

import joblib
import pandas as pd
import pytest
from comparison_helpers import COLUMNS
from run_helpers import CommandRun, two_inner_folds

from mixed_data.cli import main, make_parser
from mixed_data.cli.option_lists import NETWORK_OPTIONS, PREPROCESSING_OPTIONS
from mixed_data.cli.printed_tables import print_models
from mixed_data.cli.process_start import worker_processes
from mixed_data.evaluation.repeated_folds import Protocol
from mixed_data.runs import compare_run
from mixed_data.runs.compare_run import compare_models

FILES = ["ablation.json", "comparison.json", "config.json", "findings.json", "held_out.csv"]
FILES += ["missing.json", "predictions.csv", "report.html", "verdict.json", "weights.json"]
MODELS = ["median", "ridge", "knn", "boosting", "table", "weighted_sum", "placebo"]


def call(arguments: list[str]) -> tuple[int, str, str]:
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = main(arguments)
    return code, output.getvalue(), errors.getvalue()


@pytest.fixture(scope="module")
def compared(listings: Path, tmp_path_factory: pytest.TempPathFactory) -> CommandRun:
    """A comparison of the smallest networks, two folds, no views; beside it, in "stopped", as it was after its fits."""
    folder = tmp_path_factory.mktemp("runs") / "compared"
    arguments = ["compare", "--dataset", "table", "--data", str(listings), "--networks", "table", "--no-views"]
    arguments += ["--epochs=1", "--image-size=16", "--units=4", "--target-transform=log"]
    arguments += ["--repeats=1", "--folds=2", "--out", str(folder)]
    from estimator_helpers import eagerly

    def keep_and_go_on(*given, **options):
        shutil.copytree(folder, folder.with_name("stopped"))
        return reach_verdict(*given, **options)

    reach_verdict = compare_run.reach_verdict
    with eagerly(), two_inner_folds(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare_run, "reach_verdict", keep_and_go_on)
        code, output, errors = call(arguments)
    assert code == 0, errors
    return CommandRun(arguments, folder, output, errors)


def read_json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_compare_leaves_these_files(compared):
    assert sorted(path.name for path in compared.folder.iterdir()) == FILES


def test_the_audit_comes_first_then_the_models_then_the_answers_and_last_the_folder(compared):
    text = compared.output
    assert text.startswith("audit: ")
    assert "line 9 (id 'L7') = line 10 (id 'L8')" in text.split("40 rows, 1 × grouped 2-fold")[0]
    places = [text.index(part) for part in ("audit: ", " model ", "weighted_sum without one of its parts")]
    places += [text.index("learned weights of weighted_sum: tabular 0."), text.index("\nDo the photos help?\n  ")]
    assert places == sorted(places)
    assert f"Results: {compared.folder} " in text.splitlines()[-1]
    assert text.splitlines()[-1].endswith(f"Report: {compared.folder / 'report.html'}")
    assert "learned weights of placebo: " in text


def test_every_model_is_printed_with_its_figures(compared):
    comparison = read_json(compared.folder / "comparison.json")
    assert [entry["model"] for entry in comparison] == MODELS
    lines = compared.output.splitlines()
    for entry in comparison:
        (line,) = (line for line in lines if f" {entry['model']} " in line and f"{entry['rmse_log']:.3f}" in line)
        assert f" {entry['mape']:.1f} " in line
        assert entry["n"] == 40


def test_the_answers_are_printed_as_they_are_written(compared):
    audit, *entries = read_json(compared.folder / "verdict.json")
    assert "line 9 (id 'L7') = line 10 (id 'L8')" in audit["answer"]
    assert [entry["second"] for entry in entries] == ["table", "placebo", "boosting"]
    for entry in entries:
        assert f"\n{entry['question']}\n  {entry['answer']}\n" in compared.output
    for entry in read_json(compared.folder / "ablation.json"):
        (line,) = (line for line in compared.output.splitlines() if entry["answer"] in line)
        assert f" {entry['model']} " in line


def test_predictions_name_model_repeat_fold_row_and_id(compared, listings):
    written, table = pd.read_csv(compared.folder / "predictions.csv"), pd.read_csv(listings)
    assert list(written) == COLUMNS
    with_ends = written[["lower", "upper"]].notna().all(axis=1)
    assert with_ends.tolist() == (written["model"] == "weighted_sum").tolist()
    assert written["model"].unique().tolist() == MODELS
    with_levels = written[written["level_rows"].notna()]
    assert with_levels["model"].unique().tolist() == ["table", "weighted_sum", "placebo"]
    assert ".0\n" not in (compared.folder / "predictions.csv").read_text(), "counts are whole numbers"
    counts = [with_levels["level_rows"][with_levels["model"] == name].tolist() for name in ("table", "placebo")]
    assert counts[0] == counts[1]
    assert written["id"].tolist() == table["listing_id"].tolist() * len(MODELS)
    assert written["target"].tolist() == table["price"].tolist() * len(MODELS)


def test_config_tells_how_to_start_the_same_comparison_again(compared):
    config = read_json(compared.folder / "config.json")
    of_the_data = {"directory", "processors", "table", "photos"}
    of_the_run = {"command", "options", "schema", "bad_rows", "versions", "main", "unit", "settings"}
    assert set(config) == {*of_the_run, *of_the_data}
    assert (config["main"], config["unit"], config["settings"]["views"]) == ("weighted_sum", "", "False")
    assert config["options"]["repeats"] == 1
    assert config["command"].startswith("python -m mixed_data compare ")


def test_compare_is_quiet_in_a_pipe(compared):
    assert compared.errors == ""
    assert "\r" not in compared.output
    assert "\x1b" not in compared.output


def stop(*arguments: object, **options: object) -> None:
    raise KeyboardInterrupt


def test_a_stopped_comparison_is_resumed_by_the_printed_command(compared, tmp_path, monkeypatch):
    from mixed_data.evaluation import repeated_folds

    arguments = [*compared.arguments[:-1], str(tmp_path / "run")]
    shutil.copytree(compared.folder.with_name("stopped"), tmp_path / "run")
    monkeypatch.setattr(repeated_folds, "evaluate_held_out", lambda *_, **__: pytest.fail("something was fitted"))
    with two_inner_folds():
        with monkeypatch.context() as patch:
            patch.setattr("mixed_data.runs.compare_run.reach_verdict", stop)
            code, _, errors = call(["compare", "--resume", str(tmp_path / "run")])
        assert code == 130
        assert sorted(os.listdir(tmp_path / "run")) == ["checkpoints", "config.json"]
        assert len(list(tmp_path.rglob("*-fold0.json"))) == 2 * len(MODELS)
        code, _, refused = call(arguments)
        assert code == 1
        assert f"choose another --out, go on with --resume {tmp_path / 'run'} or remove it" in refused
        code, _, refused = call(["train", "--resume", str(tmp_path / "run")])
        assert code == 2
        assert "was begun by `python -m mixed_data compare`" in refused
        advice = shlex.split(errors.splitlines()[-1])
        assert advice == ["next:", "python", "-m", "mixed_data", "compare", "--resume", str(tmp_path / "run")]
        code, _, errors = call(advice[4:])
    assert (code, errors) == (0, "")
    assert sorted(os.listdir(tmp_path / "run")) == FILES
    for name in ("predictions.csv", "held_out.csv", "verdict.json", "ablation.json", "findings.json", "weights.json"):
        assert (tmp_path / "run" / name).read_bytes() == (compared.folder / name).read_bytes()
    scores, whole = (read_json(folder / "comparison.json") for folder in (tmp_path / "run", compared.folder))
    assert [{**entry, "seconds": 0} for entry in scores] == [{**entry, "seconds": 0} for entry in whole]


def test_a_finished_comparison_has_nothing_left_to_do(compared):
    before = {name: (compared.folder / name).read_bytes() for name in FILES}
    code, output, errors = call(["compare", "--resume", str(compared.folder)])
    assert (code, errors) == (0, "")
    assert "is finished; nothing is left to do" in output
    assert {name: (compared.folder / name).read_bytes() for name in FILES} == before
    code, _, errors = call(compared.arguments)
    assert code == 1
    assert "exists and is not empty; choose another --out or remove it" in errors


def test_the_options_have_the_defaults_of_the_protocol_and_those_of_train():
    defaults, train = (vars(make_parser().parse_args([command])) for command in ("compare", "train"))
    protocol = Protocol()
    assert {name: defaults[name] for name in vars(protocol)} == vars(protocol)
    shared = ["dataset", "root", "data", "schema", "target", "images", "id", "group", "rows", "seed", "photo_signal"]
    shared += ["fusion", "random_state", "out", *NETWORK_OPTIONS, *PREPROCESSING_OPTIONS]
    assert {name: defaults[name] for name in shared} == {name: train[name] for name in shared}
    assert (defaults["jobs"], defaults["views"]) == (1, True)
    parameters = inspect.signature(compare_models).parameters
    of_the_function = ["fusion", "networks", "views", "repeats", "folds", "random_state", "out", "resume"]
    assert {name: parameters[name].default for name in of_the_function} == {
        name: defaults[name] for name in of_the_function
    }


def test_a_spread_is_printed_where_there_is_one(capsys):
    entries = [{"model": "a", "mape": 25.06, "mape_sd": 0.24, "rmse_log": 0.3514, "rmse_log_sd": None}]
    print_models("title", [*entries, {"model": "b", "mape": None, "mape_sd": float("nan"), "cod": 7.0}], "a")
    first, second = (line for line in capsys.readouterr().out.splitlines() if "│ a " in line or "│ b " in line)
    assert [cell.strip() for cell in first.split("│")[1:-1]] == ["a", "25.1 ± 0.2", "", "0.351", "", "", ""]
    assert [cell.strip() for cell in second.split("│")[1:-1]] == ["b", "", "", "", "", "7.0", ""]


# --- workers --------------------------------------------------------------------------------------------------------


def test_one_job_runs_in_this_process():
    with worker_processes(1):
        assert joblib.Parallel()([joblib.delayed(os.getpid)()]) == [os.getpid()]
