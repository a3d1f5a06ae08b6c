"""`train` and `compare` say before they train which photos cannot be used, and refuse where a column has not one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from comparison_helpers import HOUSE_SCHEMA, Counter, make_table
from estimator_helpers import eagerly
from reliability import Case, documented
from run_helpers import TINY_NETWORK
from sklearn.dummy import DummyRegressor

from mixed_data.cli import main
from mixed_data.estimator import MixedDataRegressor, StackedRegressor
from mixed_data.evaluation.compared_models import Candidate
from mixed_data.files.checked_json import read_json
from mixed_data.preprocessing.lost_photos import MissingPhotosError
from mixed_data.readers import read_table
from mixed_data.runs.compare_run import compare_models
from mixed_data.runs.train_run import Plan, run_study
from mixed_data.schema.photo_paths import show_path

SECTION = "Photos that lead nowhere"
REFUSED = "40 of 40 photos of 'kitchen' cannot be used: 40 no such file; the first: "


@pytest.fixture
def lost(listings: Path, tmp_path: Path) -> Path:
    """The listings in a folder of their own, where the fronts are and the kitchens are not."""
    table = pd.read_csv(listings, dtype=str, keep_default_na=False)
    table["front"] = [name and str(listings.parent / name) for name in table["front"]]
    table.to_csv(tmp_path / "listings.csv", index=False)
    return tmp_path / "listings.csv"


def no_fit(*arguments: object, **options: object) -> None:
    pytest.fail("something was fitted")


@documented(
    SECTION,
    [
        Case(
            "`train` with no photo of a column", "exit code 1 before anything is trained, counted by reason", ["train"]
        ),
        Case("`compare` with no photo of a column", "exit code 1 before anything is trained", ["compare"]),
        Case(
            "a pretrained backbone with no photo",
            "exit code 1 before it is loaded",
            ["train", "--image-branch=pretrained"],
        ),
        Case(
            "`train --preset best` with no photo", "exit code 1 before anything is trained", ["train", "--preset=best"]
        ),
    ],
)
def test_a_command_refuses_a_column_without_one_photo(case: Case, lost, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(MixedDataRegressor, "fit", no_fit)
    monkeypatch.setattr(StackedRegressor, "fit", no_fit)
    monkeypatch.setattr("sklearn.compose.TransformedTargetRegressor.fit", no_fit)
    command, *options = case.given
    out = tmp_path / "run"
    assert main([command, "--dataset", "table", "--data", str(lost), "--out", str(out), *options]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    first = show_path(f"{tmp_path}/0_kitchen.png")
    assert printed.err.startswith(f"error: {REFUSED}{first}: no such file; correct the paths or the folder")
    assert printed.err.endswith(f"(--allow-missing-photos)\nrelative paths start from {tmp_path}\n")
    assert not out.exists()


@pytest.mark.parametrize("root", [".", "elsewhere"])
def test_the_folder_that_paths_start_from_is_named(root, lost, monkeypatch, capsys):
    monkeypatch.chdir(lost.parent)
    assert main(["train", "--dataset", "table", "--data", lost.name, "--root", root]) == 1
    assert capsys.readouterr().err.endswith(f"\nrelative paths start from {lost.parent / root}\n")


@documented(
    SECTION,
    [
        Case(
            "the same with `--allow-missing-photos`",
            "trained; said before, and the option kept",
            ["--allow-missing-photos"],
        ),
        Case("the same with networks that read no photos", "trained", ["--networks=table", "--fusion=table"]),
    ],
)
def test_what_is_allowed_is_trained(case: Case, lost, tmp_path, capsys, caplog) -> None:
    said = []
    fit = MixedDataRegressor.fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MixedDataRegressor, "fit", lambda *given, **more: said.append(caplog.text) or fit(*given, **more))
        options = [f"--{name.replace('_', '-')}={value}" for name, value in TINY_NETWORK.items()]
        command = ["train", "--dataset", "table", "--data", str(lost), "--no-intervals", "--networks=table", *options]
        if "--fusion=table" not in case.given:
            command += ["--fusion=weighted_sum"]
        with eagerly():
            assert main([*command, *case.given, "--out", str(tmp_path / "run")]) == 0, capsys.readouterr().err
    first = show_path(f"{tmp_path}/0_kitchen.png")
    assert all(f"{REFUSED}{first}" in text for text in said)
    assert caplog.text.count("40 of 40 photos") == 1
    config = read_json(tmp_path / "run" / "config.json")
    assert config["options"]["allow_missing_photos"] is ("--allow-missing-photos" in case.given)
    assert "allow_missing_photos" not in config["settings"]


def test_a_run_that_was_allowed_is_resumed_as_it_began(lost, tmp_path, monkeypatch):
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mixed_data.runs.train_run.evaluate_held_out", interrupt)
    command = ["train", "--dataset", "table", "--data", str(lost), "--allow-missing-photos", "--out"]
    assert main([*command, str(tmp_path / "run")]) == 130
    assert main(["train", "--resume", str(tmp_path / "run")]) == 130


def study(table: pd.DataFrame, **options: bool) -> None:
    _, schema = read_table(data=table.attrs["file"])
    run_study(table, schema, Plan(intervals=False, **options))


def comparison(table: pd.DataFrame, **options: bool) -> None:
    _, schema = read_table(data=table.attrs["file"])
    compare_models(table, schema, out=table.attrs["file"].parent / "run", intervals=False, **options)


@documented(
    SECTION,
    [
        Case("`run_study` with no photo of a column", "an error before anything is trained", study),
        Case("`compare_models` with no photo of a column", "an error before anything is trained", comparison),
    ],
)
def test_a_run_in_python_refuses_a_column_without_one_photo(case: Case, lost, monkeypatch) -> None:
    table, _ = read_table(data=lost)
    table.attrs["file"] = lost
    monkeypatch.setattr(MixedDataRegressor, "fit", no_fit)
    monkeypatch.setattr("sklearn.compose.TransformedTargetRegressor.fit", no_fit)
    with pytest.raises(MissingPhotosError, match=REFUSED):
        case.given(table)
    assert not (lost.parent / "run").exists()
    with pytest.raises(pytest.fail.Exception, match="something was fitted"):
        case.given(table, allow_missing_photos=True)


def test_some_lost_photos_are_said_before_the_first_fit_and_only_once(tmp_path, monkeypatch, caplog):
    table = make_table(tmp_path)
    table["front"] = table["front"].astype(object)
    table.loc[table.index[:2], "front"] = str(tmp_path / "none.png")
    said = []
    fit = Counter.fit
    monkeypatch.setattr(Counter, "fit", lambda *given, **more: said.append(caplog.text) or fit(*given, **more))
    models = {"median": Candidate(DummyRegressor()), "weighted_sum": Candidate(Counter())}
    monkeypatch.setattr("mixed_data.runs.compare_run.make_candidates", lambda *arguments, **options: models)
    compare_models(table, HOUSE_SCHEMA, networks=["table"], views=False, repeats=1, folds=2, out=tmp_path / "run")
    assert len(said) == 2
    assert all("2 of 4 photos of 'front' cannot be used: 2 no such file" in text for text in said)
    assert caplog.text.count("cannot be used") == 1
