"""The command line: what it prints and writes, and how it fails."""

from __future__ import annotations

import inspect
import json
import shlex

import numpy as np
import pandas as pd
import pytest

from mixed_data.bundle import BundleError
from mixed_data.cli import COMMANDS, main, make_parser
from mixed_data.cli.option_lists import DATASET_OPTIONS, NETWORK_OPTIONS, PREPROCESSING_OPTIONS
from mixed_data.cli.option_values import FUSION_NAMES, NETWORK_NAMES
from mixed_data.estimator import MixedDataRegressor
from mixed_data.evaluation.held_out_scores import make_networks
from mixed_data.fusion import FUSIONS
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.readers import READERS, UNITS
from mixed_data.schema import Schema, SchemaError


@pytest.fixture
def bundle(hold_out_run):
    return str(hold_out_run.folder / "bundle")


@pytest.fixture
def held_out(hold_out_run):
    return str(hold_out_run.folder / "held_out.csv")


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


# --- train ----------------------------------------------------------------------------------------------------------


def test_train_prints_the_roles_one_line_per_model_and_the_next_command(hold_out_run):
    lines = hold_out_run.output.splitlines()
    assert any(line.startswith("numeric") and "area [m2]" in line for line in lines)
    comparison = read_json(hold_out_run.folder / "comparison.json")
    for entry in comparison:
        (line,) = (line for line in lines if f" {entry['model']} " in line and f"{entry['mape']:.1f}" in line)
        assert f"{entry['rmse_log']:.3f}" in line
    assert any(line.startswith("learned weights of weighted_sum: tabular 0.") for line in lines)
    assert f"Results: {hold_out_run.folder}  Bundle: {hold_out_run.folder / 'bundle'}" in hold_out_run.output
    assert lines[-1].startswith("next: python -m mixed_data evaluate ")


def test_train_is_quiet_in_a_pipe(hold_out_run):
    assert hold_out_run.errors == ""
    assert "\r" not in hold_out_run.output
    assert "\x1b" not in hold_out_run.output


def test_the_printed_next_command_works(hold_out_run, capsys):
    *_, last = hold_out_run.output.splitlines()
    assert main(shlex.split(last.removeprefix("next: python -m mixed_data "))) == 0
    printed = capsys.readouterr().out
    for name, value in read_json(hold_out_run.folder / "metrics.json").items():
        assert name in printed
        assert f"{value:,.4f}"[:-5] in printed


def test_config_tells_how_to_start_the_same_run_again(hold_out_run):
    config = read_json(hold_out_run.folder / "config.json")
    of_the_data = {"directory", "processors", "table", "photos"}
    of_the_run = {"command", "options", "schema", "bad_rows", "versions", "main", "unit", "settings"}
    assert set(config) == {*of_the_run, *of_the_data}
    assert (config["main"], config["unit"]) == ("weighted_sum", "")
    assert config["settings"]["epochs"] == "1"
    assert config["settings"]["preprocessor"]["image_size"] == "32"
    arguments = [*hold_out_run.arguments, "--out", str(hold_out_run.folder)]
    assert shlex.split(config["command"]) == ["python", "-m", "mixed_data", *arguments]
    assert config["options"]["epochs"] == 1
    assert config["options"]["data"] == hold_out_run.arguments[4]
    assert config["schema"]["codes"] == ["zipcode"]
    assert {"mixed_data", "python", "keras", "numpy"} <= set(config["versions"])


# --- evaluate and predict -------------------------------------------------------------------------------------------


def test_evaluate_writes_the_metrics_of_the_run(hold_out_run, bundle, held_out, tmp_path, capsys):
    assert main(["evaluate", bundle, "--data", held_out, "--out", str(tmp_path / "metrics.json")]) == 0
    expected = read_json(hold_out_run.folder / "metrics.json")
    assert read_json(tmp_path / "metrics.json") == pytest.approx(expected, rel=1e-6)
    assert str(tmp_path / "metrics.json") in capsys.readouterr().out


@pytest.fixture
def new_listings(listings, tmp_path):
    """Rows as a service gets them: without target, in another order of columns, and partly doubtful."""
    (tmp_path / "broken.jpg").write_bytes(b"<html>not found</html>")
    photo = str(listings.parent / "0_front.png")
    rows = pd.DataFrame(
        {
            "kitchen": [photo, photo, photo, None],
            "unknown": "ignored",
            "front": [photo, "broken.jpg", photo, None],
            "zipcode": ["02139", "85255", "99999", None],
            "listing_id": ["new 0", "new 1", "new 2", "new 3"],
            "style": ["loft", "ranch", "loft", None],
            "area [m2]": [100.5, 80, 120, None],
            "rooms": [3, 2, 4, None],
        }
    )
    rows.to_csv(tmp_path / "new.csv", index=False)
    return tmp_path / "new.csv"


def test_predict_writes_one_line_per_row_in_order_and_says_what_was_doubtful(bundle, new_listings, tmp_path, capsys):
    assert main(["predict", bundle, "--data", str(new_listings), "--out", str(tmp_path / "p.csv")]) == 0
    written = pd.read_csv(tmp_path / "p.csv", keep_default_na=False)
    assert list(written) == ["listing_id", "prediction", "lower", "upper", "images_used", "warnings", "level_rows"]
    assert ((written["lower"] < written["prediction"]) & (written["prediction"] < written["upper"])).all()
    assert written["listing_id"].tolist() == ["new 0", "new 1", "new 2", "new 3"]
    assert written["images_used"].tolist() == [2, 1, 2, 0]
    assert (written["level_rows"] > 0).tolist() == [True, True, False, False]
    assert np.isfinite(written["prediction"]).all()
    assert written["prediction"].nunique() == 4
    fine, broken, unseen, empty = written["warnings"]
    assert fine == ""
    assert "broken.jpg" in broken
    assert "front" in broken
    assert "zipcode" in unseen
    assert "99999" in unseen
    for name in ("area [m2]", "rooms", "zipcode", "style", "front", "kitchen"):
        assert name in empty
    printed = capsys.readouterr().out
    assert "3 of 4 rows have warnings, the first: " in printed
    assert f"4 predictions in {tmp_path / 'p.csv'}" in printed


def test_a_rows_prediction_does_not_depend_on_the_rows_beside_it(bundle, new_listings, tmp_path):
    rows = pd.read_csv(new_listings, dtype=str)
    rows.iloc[[2, 0]].to_csv(tmp_path / "two.csv", index=False)
    for name in ("new", "two"):
        assert main(["predict", bundle, "--data", str(tmp_path / f"{name}.csv"), "--out", str(tmp_path / name)]) == 0
    alone, together = (pd.read_csv(tmp_path / name).set_index("listing_id") for name in ("two", "new"))
    np.testing.assert_allclose(alone["prediction"], together.loc[["new 2", "new 0"], "prediction"], rtol=1e-5)


def test_photo_paths_start_from_root_where_it_is_given(bundle, new_listings, listings, tmp_path):
    rows = pd.read_csv(new_listings, dtype=str).assign(front="1_front.png", kitchen="none.png")
    rows.to_csv(new_listings, index=False)
    for root, num_photos in ((listings.parent, 1), (tmp_path, 0)):
        command = ["predict", bundle, "--data", str(new_listings), "--out", str(tmp_path / "p.csv")]
        assert main([*command, "--root", str(root)]) == 0
        assert set(pd.read_csv(tmp_path / "p.csv")["images_used"]) == {num_photos}


# --- mistakes -------------------------------------------------------------------------------------------------------


def test_what_is_wrong_with_the_data_is_one_paragraph_and_exit_code_1(bundle, new_listings, tmp_path, capsys):
    rows = pd.read_csv(new_listings, dtype=str)
    rows.assign(rooms="many").drop(columns="style").to_csv(new_listings, index=False)
    command = ["predict", bundle, "--data", str(new_listings), "--out", str(tmp_path / "p.csv")]
    assert main(command) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert "the table has no column 'style'" in printed.err
    assert "line 2 (id 'new 0'), column 'rooms': got 'many'" in printed.err
    assert "Traceback" not in printed.err
    assert "\n\n" not in printed.err
    assert not (tmp_path / "p.csv").exists()
    with pytest.raises(SchemaError):
        main([*command, "--debug"])


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_the_table_is_not_written_over(command, bundle, tmp_path, capsys):
    table, link = tmp_path / "listings.csv", tmp_path / "link.csv"
    table.write_text("area\n1\n")
    link.symlink_to(table)
    for out in (table, link):
        assert main([command, str(bundle), "--data", str(table), "--out", str(out)]) == 2
        assert f"--out {out} is the table itself (--data), which would be lost" in capsys.readouterr().err
    assert table.read_text() == "area\n1\n"


def test_what_is_no_bundle_and_no_file_is_exit_code_1(bundle, held_out, tmp_path, capsys):
    for command in (
        ["evaluate", str(tmp_path), "--data", held_out],
        ["evaluate", bundle, "--data", str(tmp_path / "none.csv")],
        ["train", "--dataset", "table", "--data", str(tmp_path / "none.csv")],
        ["train", "--dataset", "houses", "--root", str(tmp_path)],
    ):
        assert main(command) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.count("error: ") == 1
        assert str(tmp_path) in printed.err
        assert "Traceback" not in printed.err
    with pytest.raises(BundleError):
        main(["evaluate", str(tmp_path), "--data", held_out, "--debug"])


def test_training_says_at_once_what_cannot_work(hold_out_run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(MixedDataRegressor, "fit", lambda *arguments, **options: pytest.fail("something was fitted"))
    command = [*hold_out_run.arguments, "--out"]
    for arguments, message in (
        ([str(hold_out_run.folder)], "exists and is not empty"),
        ([str(tmp_path / "c"), "--folds", "100"], "100 folds"),
        ([str(tmp_path / "d"), "--target", "rent"], "no column 'rent'"),
    ):
        assert main([*command, *arguments]) == 1
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--data", "listings.csv"], "--data is for --dataset table, not for --dataset sample"),
        (["train", "--dataset", "table"], "--dataset table needs --data FILE"),
        (["train", "--dataset", "houses", "--photo-signal", "2"], "--photo-signal is for --dataset sample"),
    ],
    ids=str,
)
def test_options_that_do_not_belong_together_are_exit_code_2(arguments, message, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


@pytest.mark.parametrize(
    "arguments",
    [[], ["trian"], ["train", "--epoch5", "3"], ["train", "--epochs", "many"], ["train", "--dataset", "none"]]
    + [["train", "--networks", "table, immage"], ["compare", "--fusion", "sum"]]
    + [["predict", "bundle"], ["evaluate", "--data", "a.csv"]],
    ids=str,
)
def test_a_mistyped_command_is_exit_code_2_and_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m mixed_data" in capsys.readouterr().err


# --- options --------------------------------------------------------------------------------------------------------


def parameters_of(function):
    return {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}


def test_the_options_of_the_network_are_those_of_the_regressor():
    parameters = parameters_of(MixedDataRegressor)
    elsewhere = {"schema", "preprocessor", "modalities"}  # from the data, from the other options, from --networks
    assert set(parameters) - elsewhere == {*NETWORK_OPTIONS, "fusion", "random_state"}
    defaults = make_parser().parse_args(["train"])
    assert (defaults.fusion, defaults.random_state) == (parameters["fusion"], parameters["random_state"])


def test_the_options_of_preprocessing_are_those_of_the_preprocessor():
    parameters = parameters_of(MixedDataPreprocessor)
    elsewhere = {"schema", "code_prefixes"}  # code_prefixes: a sequence, in Python only
    assert set(parameters) - elsewhere == set(PREPROCESSING_OPTIONS)


def test_the_networks_to_choose_from_are_those_that_there_are():
    assert tuple(FUSIONS) == FUSION_NAMES
    schema = Schema(target="price", numeric=["area"], images=["front"])
    assert set(make_networks(schema, NETWORK_NAMES, {"image_branch": "pretrained"})) == set(NETWORK_NAMES)


def test_the_options_of_a_data_set_are_those_of_its_reader():
    assert set(DATASET_OPTIONS) == set(READERS) == set(UNITS)
    for name, options in DATASET_OPTIONS.items():
        assert set(parameters_of(READERS[name])) == {"root", *options}


def test_every_option_reaches_the_network_and_the_preprocessor(monkeypatch, hold_out_run, tmp_path):
    from mixed_data.cli import progress_bars
    from mixed_data.runs import train_run

    plans = []
    monkeypatch.setattr(progress_bars, "embed_photos", lambda *arguments: None)
    monkeypatch.setattr(train_run, "run_study", lambda table, schema, plan, **options: plans.append(plan) or 1 / 0)
    given = {"image_branch": "cnn", "target_transform": "identity", "loss": "huber", "resize": "pad", "log": "never"}
    given |= {"backbone": ["VGG16", "VGG19"], "image_weights": "imagenet", "backbone_scaling": ["tf", "raw"]}
    given |= dict.fromkeys(("units", "members", "epochs", "batch_size", "patience", "image_size", "min_frequency"), 3)
    given |= dict.fromkeys(("dropout", "image_dropout", "modality_dropout", "validation_fraction"), 0.25)
    given |= {"learning_rate": 0.25, "weight_decay": 0.25, "normalize": True, "montage": True, "intervals": True}
    given |= {"ratios": False, "flip_average": False}
    assert set(given) == {*NETWORK_OPTIONS, *PREPROCESSING_OPTIONS}
    typed = {name: ",".join(value) if isinstance(value, list) else value for name, value in given.items()}
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in typed.items() if not isinstance(value, bool)]
    more = [
        "--normalize",
        "--montage",
        "--intervals",
        "--no-ratios",
        "--no-flip-average",
        "--fusion=film",
        "--networks=image, late",
    ]
    more += ["--fusion=film", "--networks=image, late", "--folds=4", "--test-size=0.5", "--random-state=7"]
    with pytest.raises(ZeroDivisionError):
        main([*hold_out_run.arguments, "--out", str(tmp_path), *flags, *more])
    (plan,) = plans
    assert (plan.main, plan.networks, plan.folds, plan.test_size, plan.random_state) == (
        "film",
        ["image", "late"],
        4,
        0.5,
        7,
    )
    preprocessor = plan.options["preprocessor"].get_params()
    options = {**plan.options, "intervals": plan.intervals}
    assert {name: options[name] for name in NETWORK_OPTIONS} | {
        name: preprocessor[name] for name in PREPROCESSING_OPTIONS
    } == given


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example_that_it_understands(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    example = capsys.readouterr().out.split("example:\n")[1].strip()
    arguments = shlex.split(example.replace("python train.py", "python -m mixed_data train"))
    assert arguments[:4] == ["python", "-m", "mixed_data", command]
    make_parser().parse_args(arguments[3:])
