"""A bundle gives the same predictions wherever it is loaded, or refuses to load."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.exceptions import NotFittedError

from mixed_data.bundle import BundleError, bundle_folder, save_bundle
from mixed_data.estimator import MixedDataRegressor, load
from mixed_data.readers.table import read_rows
from mixed_data.schema import Schema

ROOT = Path(__file__).resolve().parents[2]
LOST = {"file": "0" * 64, "suffix": ".keras", "settings": {}}
EYE = {"scaling": "raw", "size": [8, 8], "flip_average": True}
LOST_ONNX = {"file": "0" * 64, "suffix": ".onnx", "settings": EYE}


@pytest.fixture(scope="module")
def saved(hold_out_run) -> Path:
    """The bundle that the run wrote; tests copy it before they change anything."""
    return hold_out_run.folder / "bundle"


@pytest.fixture(scope="module")
def regressor(saved) -> MixedDataRegressor:
    return load(saved)


@pytest.fixture(scope="module")
def rows(hold_out_run, regressor) -> pd.DataFrame:
    return read_rows(hold_out_run.folder / "held_out.csv", regressor.preprocessor_.schema)


@pytest.fixture
def copy(saved, tmp_path) -> Path:
    return shutil.copytree(saved, tmp_path / "bundle")


def read_manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def edit_manifest(folder: Path, **changes: object) -> None:
    (folder / "manifest.json").write_text(json.dumps(read_manifest(folder) | changes), encoding="utf-8")


def read_golden(folder: Path) -> pd.DataFrame:
    return pd.DataFrame(json.loads((folder / "golden" / "golden.json").read_text(encoding="utf-8")))


def list_files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- the same predictions -------------------------------------------------------------------------------------------


def test_a_loaded_bundle_predicts_what_the_fitted_model_predicted(hold_out_run, regressor, rows):
    predictions = pd.read_csv(hold_out_run.folder / "predictions.csv")["prediction"]
    np.testing.assert_allclose(regressor.predict(rows), predictions, rtol=1e-6)


def test_saving_what_was_loaded_gives_identical_predictions_and_settings(regressor, rows, tmp_path):
    save_bundle(regressor, tmp_path / "again", metrics={"mape": 1.5})
    again = load(tmp_path / "again")
    np.testing.assert_array_equal(again.predict(rows), regressor.predict(rows))
    assert again.fusion_weights_ == regressor.fusion_weights_
    assert again.history_ == regressor.history_
    left, right = (dict(each.get_params()) for each in (again, regressor))
    assert left.pop("preprocessor").get_params() == right.pop("preprocessor").get_params()
    assert left == right
    assert read_manifest(tmp_path / "again")["metrics"] == {"mape": 1.5}


def test_save_and_load_are_also_methods(regressor, rows, tmp_path):
    regressor.save(tmp_path / "bundle")
    np.testing.assert_array_equal(MixedDataRegressor.load(tmp_path / "bundle").predict(rows), regressor.predict(rows))


def test_a_moved_bundle_loads_in_a_fresh_process_from_another_folder(copy, rows, regressor, hold_out_run, tmp_path):
    elsewhere = tmp_path / "another machine" / "model"
    elsewhere.parent.mkdir()
    copy.rename(elsewhere)
    code = """
import json, sys
from mixed_data.estimator import load
from mixed_data.readers.table import read_rows
regressor = load("model")
print(json.dumps(regressor.predict(read_rows(sys.argv[1], regressor.preprocessor_.schema)).tolist()))
"""
    result = subprocess.run(
        [sys.executable, "-c", code, str(hold_out_run.folder / "held_out.csv")],
        cwd=elsewhere.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    np.testing.assert_allclose(json.loads(result.stdout), regressor.predict(rows), rtol=1e-6)


# --- what is in it --------------------------------------------------------------------------------------------------


def test_a_bundle_holds_a_network_json_and_golden_rows_and_no_pickle(saved):
    golden = [f"golden/{row}.jpg" for row in range(3)]
    names = ["README.md", "golden/golden.json", "intervals.json", "manifest.json", "model.keras"]
    names += ["preprocessing.json", "target.json", "network.onnx", "backbone_0.onnx", "typical_photos.npz"]
    assert sorted(list_files(saved)) == sorted([*golden, *names])
    with zipfile.ZipFile(saved / "model.keras") as archive:
        assert sorted(archive.namelist()) == ["config.json", "metadata.json", "model.weights.h5"]


def test_a_bundle_tells_neither_rows_nor_folders_of_the_training(saved, listings):
    files = list_files(saved)
    golden = read_golden(saved)
    training = pd.read_csv(listings, dtype={"zipcode": str})
    assert len(golden) == 4
    assert golden.iloc[3].isna().all()
    assert "price" not in golden
    assert "listing_id" not in golden
    columns = ["area [m2]", "rooms", "zipcode", "style"]
    assert golden[columns].merge(training[columns].dropna()).empty
    photos = {path.read_bytes() for path in listings.parent.glob("*.png")}
    pixels = {np.asarray(Image.open(path).convert("RGB").resize((8, 8))).tobytes() for path in saved.rglob("*.jpg")}
    assert len(pixels) == 3
    assert not photos & set(files.values())
    text = b"".join(content for name, content in files.items() if name.endswith((".json", ".csv")))
    assert str(listings.parent).encode() not in text
    assert b"L1" not in text


def test_the_golden_rows_use_every_column_and_level(saved, regressor):
    golden = read_golden(saved)
    full = golden.iloc[:3]
    assert full.notna().all(axis=None)
    assert set(full["zipcode"]) == {"02139", "10001", "85255"}
    assert set(full["style"]) == {"loft", "ranch"}
    assert full["area [m2]"].nunique() == full["rooms"].nunique() == 3
    for name in regressor.preprocessor_.schema.images:
        golden[name] = [str(saved / "golden" / cell) if isinstance(cell, str) else None for cell in golden[name]]
    used = regressor.predict_rows(golden)
    assert used["images_used"].tolist() == [2, 2, 2, 0]
    assert used["prediction"].nunique() == 4


def test_a_bundle_may_be_read_by_other_users(saved):
    assert saved.stat().st_mode & 0o777 == 0o755


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model.keras", "preprocessing.json", "target.json", "golden/golden.json"])
def test_an_edited_or_missing_file_is_named(copy, name):
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content + b" ")
    with pytest.raises(BundleError, match=f"missing, added or changed since it was saved: {name}"):
        load(copy)
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"missing, added or changed since it was saved: {name}"):
        load(copy)


def test_an_added_file_is_named(copy):
    (copy / "golden" / "extra.jpg").touch()
    with pytest.raises(BundleError, match=r"missing, added or changed since it was saved: golden/extra.jpg$"):
        load(copy)


@pytest.mark.parametrize(
    "changes",
    [{"version": 2}, {"format": "other"}, {"version": None}],
    ids=str,
)
def test_another_format_or_version_is_refused_with_both(copy, changes):
    edit_manifest(copy, **changes)
    with pytest.raises(
        BundleError, match=r"expected a manifest of format 'mixed_data.bundle', version 6, got"
    ) as error:
        load(copy)
    assert str(next(iter(changes.values()))) in str(error.value)


def test_what_is_no_bundle_is_refused(tmp_path, saved):
    for path in (tmp_path, tmp_path / "none", saved / "manifest.json"):
        with pytest.raises(BundleError, match=r"is not a bundle: it has no manifest\.json"):
            load(path)
    for text in ("", "[]", '"text"', "{}"):
        (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
        with pytest.raises(BundleError, match="manifest"):
            load(tmp_path)


def test_golden_rows_that_are_predicted_differently_are_refused(copy):
    predictions = read_manifest(copy)["golden_predictions"]
    within = [*predictions[:3], predictions[3] + 0.9e-3 * max(predictions)]
    edit_manifest(copy, golden_predictions=within)
    load(copy)
    for wrong in ([*predictions[:3], predictions[3] + 1.1e-3 * max(predictions)], predictions[:3], []):
        edit_manifest(copy, golden_predictions=wrong)
        with pytest.raises(BundleError, match="golden"):
            load(copy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": {"colour": "red"}}, "colour"),
        ({"parameters": {"modalities": "smell"}}, "smell"),
        ({"backbones": [LOST]}, "backbone 0, which reads the photos, is missing"),
        ({"backbones": [LOST | {"suffix": "/../x.keras"}]}, "expected a file of .keras or .onnx, got '/../x.keras'"),
        ({"backbones": [LOST | {"settings": {"scaling": "raw"}}]}, "backbone 0, settings: 'scaling' is unknown"),
        ({"backbones": [LOST | {"suffix": ".onnx"}]}, "backbone 0, settings: 'scaling' is missing"),
        ({"backbones": [LOST_ONNX]}, "backbone 0, which reads the photos, is missing"),
        ({"backbones": [LOST_ONNX | {"settings": EYE | {"size": [8, 10**6]}}]}, "'size' must be height and width"),
        ({"backbones": [{}]}, r"backbone 0: 'file' is missing"),
        ({"backbones": [LOST] * 17}, "at most 16 backbones, got 17"),
        ({"backbones": None}, "'backbones' must be"),
        ({"history": []}, "'history' must be"),
        ({"colour": "red"}, "'colour' is unknown"),
    ],
    ids=str,
)
def test_what_a_stranger_wrote_of_the_network_is_refused_in_words(copy, changes, message):
    entry = read_manifest(copy)["regressor"]
    parameters = entry["parameters"] | changes.get("parameters", {})
    edit_manifest(copy, regressor={**entry, **changes, "parameters": parameters})
    with pytest.raises(BundleError, match=message):
        load(copy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"files": []}, "'files' must be"),
        ({"golden_predictions": ["a"]}, "'golden_predictions' must be"),
        ({"regressor": {"..": {}}}, "is missing"),
        ({"kind": "stack"}, "parameters: .*'epochs' is unknown"),
        ({"kind": []}, "'kind' must be"),
    ],
    ids=str,
)
def test_a_manifest_that_a_stranger_wrote_is_refused_in_words(copy, changes, message):
    edit_manifest(copy, **changes)
    with pytest.raises(BundleError, match=message):
        load(copy)


def test_a_network_with_code_in_it_is_refused(copy):
    inputs = keras.Input((1,))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs)).save(copy / "model.keras")
    files = read_manifest(copy)["files"]
    digest = hashlib.sha256((copy / "model.keras").read_bytes()).hexdigest()
    edit_manifest(copy, files=files | {"model.keras": digest})
    with pytest.raises(BundleError, match="Lambda"):
        load(copy)


# --- writing --------------------------------------------------------------------------------------------------------


def test_only_a_bundle_is_overwritten(regressor, copy, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    (tmp_path / "file").touch()
    (tmp_path / "web page").mkdir()
    (tmp_path / "web page" / "manifest.json").write_text('{"name": "app"}', encoding="utf-8")
    for path in (tmp_path / "photos", tmp_path / "file", tmp_path / "web page"):
        before = list_files(tmp_path)
        with pytest.raises(FileExistsError, match="exists and is not a bundle; choose another folder or remove it"):
            save_bundle(regressor, path)
        assert list_files(tmp_path) == before
    save_bundle(regressor, copy, metrics={"mape": 2.5})
    assert read_manifest(copy)["metrics"] == {"mape": 2.5}
    load(copy)


def test_an_unfitted_regressor_is_not_saved(tmp_path):
    with pytest.raises(NotFittedError):
        save_bundle(MixedDataRegressor(Schema(target="y", numeric=("x",))), tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("step", ["golden rows", "move"])
def test_a_failure_while_writing_leaves_the_old_bundle_and_nothing_else(regressor, copy, monkeypatch, error, step):
    before = list_files(copy)
    replace = os.replace

    def fail(*arguments: object) -> None:
        raise error

    def fail_to_move_in(source: Path, destination: Path) -> None:
        if destination == copy and "-old-" not in str(source):
            raise error
        replace(source, destination)

    if step == "move":
        monkeypatch.setattr(bundle_folder, "exchange", lambda new, path: False)  # as on systems that know none
        monkeypatch.setattr(bundle_folder.os, "replace", fail_to_move_in)
    else:
        monkeypatch.setattr(bundle_folder, "write_golden_rows", fail)
    with pytest.raises(type(error)):
        save_bundle(regressor, copy)
    assert list_files(copy) == before
    assert list(copy.parent.iterdir()) == [copy]


def test_losses_that_were_no_numbers_do_not_prevent_saving(regressor, tmp_path):
    history = regressor.history_
    try:
        regressor.history_ = {"loss": [0.5, float("nan")], "val_loss": [0.7, float("inf")]}
        save_bundle(regressor, tmp_path / "bundle")
    finally:
        regressor.history_ = history
    assert load(tmp_path / "bundle").history_ == {"loss": [0.5, None], "val_loss": [0.7, None]}
