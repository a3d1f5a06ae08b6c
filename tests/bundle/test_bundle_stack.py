"""A stack's bundle: the same predictions and intervals, and files that a stranger may have written."""

from __future__ import annotations

import copy
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import NO_PHOTOS, NO_TABLE, FittedStack
from hostile_helpers import Attack, change_arrays, put_member, refuse, sign

from mixed_data.bundle import BundleError, save_bundle
from mixed_data.estimator import StackedRegressor, load


@pytest.fixture(scope="module")
def stack(fitted_stack: FittedStack) -> StackedRegressor:
    """Give a stack of which both members count."""
    stack = copy.copy(fitted_stack.stack)
    stack.weights_ = {"all": 0.25, "no photos": 0.75, "no table": 0.125, "nothing": 0.5}
    return stack


@pytest.fixture(scope="module")
def saved(stack: StackedRegressor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a stack's bundle; tests copy it before they change anything."""
    path = tmp_path_factory.mktemp("stack") / "bundle"
    stack.save(path, metrics={"mape": 1.5})
    return path


@pytest.fixture(scope="module")
def loaded(saved: Path) -> StackedRegressor:
    return load(saved)


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "bundle")


@pytest.fixture
def rows(sales: pd.DataFrame) -> pd.DataFrame:
    """Rows of every pattern, and one with a code and a label that were not in training."""
    rows = sales[50:62].astype({"zipcode": object}).reset_index(drop=True)
    rows.loc[3:5, list(NO_PHOTOS)] = None
    rows.loc[6:8, list(NO_TABLE)] = None
    rows.loc[9:10, [*NO_PHOTOS, *NO_TABLE]] = None
    rows.loc[11, ["kind", "zipcode"]] = ["castle", "99999"]
    return rows


def edit(file: Path, path: list[Any], value: Any) -> None:
    state = json.loads(file.read_text("utf-8"))
    place = state
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    file.write_text(json.dumps(state), "utf-8")


# The same predictions


def test_a_loaded_stack_predicts_the_same_to_the_bit_with_intervals(
    stack: StackedRegressor, loaded: StackedRegressor, rows: pd.DataFrame
) -> None:
    assert isinstance(loaded, StackedRegressor)
    expected = stack.predict_rows(rows, coverage=0.8)
    pd.testing.assert_frame_equal(loaded.predict_rows(rows, coverage=0.8), expected, check_exact=True)
    assert expected["prediction"].nunique() > 8
    assert loaded.weights_ == stack.weights_
    assert loaded.fusion_weights_ == stack.fusion_weights_
    assert loaded.feature_names_in_.tolist() == stack.feature_names_in_.tolist()
    assert loaded.embedder_.cached  # as that of a fitted one: no photo is read twice


def test_a_loaded_stack_has_the_settings_of_the_one_that_was_saved(
    stack: StackedRegressor, loaded: StackedRegressor
) -> None:
    expected = stack.get_params()
    found = loaded.get_params()
    assert expected["random_state"] == 3
    assert expected["intervals"]
    for name, value in expected.items():
        if name not in ("preprocessor", "schema", "preprocessor__schema"):
            assert found[name] == value, name
    assert found["schema"].to_dict() == expected["schema"].to_dict()


def test_a_loaded_stack_is_saved_and_loaded_again_the_same(
    loaded: StackedRegressor, rows: pd.DataFrame, saved: Path, tmp_path: Path
) -> None:
    save_bundle(loaded, tmp_path / "again")
    np.testing.assert_array_equal(load(tmp_path / "again").predict(rows), loaded.predict(rows))
    for name in ("trees.npz", "kernels.npz", "stack.json", "features.json"):
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes()


def test_a_stacks_bundle_holds_arrays_weights_and_a_backbone_and_no_pickle(
    stack: StackedRegressor, saved: Path
) -> None:
    names = ["backbone_0.keras", "backbone_0.onnx", "features.json", "intervals.json", "kernels.npz", "manifest.json"]
    names += ["preprocessing.json", "stack.json", "target.json", "trees.npz"]
    names += ["golden/golden.json", *(f"golden/{row}.jpg" for row in range(3))]
    found = [file.relative_to(saved).as_posix() for file in saved.rglob("*") if file.is_file()]
    assert sorted(found) == sorted(names)
    manifest = json.loads((saved / "manifest.json").read_text("utf-8"))
    assert (manifest["kind"], manifest["version"], manifest["metrics"]) == ("stack", 6, {"mape": 1.5})
    assert manifest["fusion_weights"] == stack.fusion_weights_
    assert json.loads((saved / "stack.json").read_text("utf-8")) == {"weights": stack.weights_}
    for name in ("trees.npz", "kernels.npz"):
        with np.load(saved / name, allow_pickle=False) as arrays, zipfile.ZipFile(saved / name) as archive:
            assert len(arrays.files) == len(archive.namelist()) == 8
            assert all(arrays[array].dtype.kind in "fib" for array in arrays.files)


def test_the_models_of_folds_share_one_backbone(stack: StackedRegressor, sales: pd.DataFrame, tmp_path: Path) -> None:
    save_bundle(stack, tmp_path / "bundle", folds=[stack] * 2)
    files = [file.relative_to(tmp_path / "bundle").as_posix() for file in (tmp_path / "bundle").rglob("*.keras")]
    assert files == ["backbone_0.keras"]
    fold = tmp_path / "bundle" / "folds" / "1"
    np.testing.assert_array_equal(load(fold).predict(sales[:5]), stack.predict(sales[:5]))
    (tmp_path / "bundle" / "backbone_0.keras").unlink()
    with pytest.raises(BundleError, match="backbone 0, which reads the photos, is missing or was changed"):
        load(fold)


# Files that a stranger wrote; what can be wrong with their arrays is tested in tests/boosting and tests/kernels


def scale(name: str, factor: float) -> Attack:
    return change_arrays(lambda arrays: arrays.update({name: arrays[name] * factor}))


@pytest.mark.parametrize(
    ("file", "attack", "message"),
    [
        ("trees.npz", put_member("value.npy", b"\x80\4cos\nsystem\n."), r"trees\.npz: "),
        ("trees.npz", change_arrays(lambda a: a["feature"].fill(12)), "a feature that is none of 12"),
        ("trees.npz", scale("value", 2), "golden rows are predicted differently"),
        ("trees.npz", scale("value", 1e308), "."),
        ("kernels.npz", put_member("photos.npy", b""), r"kernels\.npz: "),
        ("kernels.npz", change_arrays(lambda a: a.update(mean=a["mean"][:, :3])), r"'mean' must be \(2, 6\)"),
        ("kernels.npz", change_arrays(lambda a: a.update(scales=a["scales"][1:])), "'scales' must be"),
        ("kernels.npz", scale("coefficients", 2), "golden rows are predicted differently"),
        ("kernels.npz", scale("coefficients", 1e300), "."),
        ("kernels.npz", scale("photos", np.float32(1e30)), "golden rows are predicted differently"),
        ("kernels.npz", lambda file: file.write_bytes(b"") and None, r"kernels\.npz: "),
        ("kernels.npz", Path.unlink, r"kernels\.npz"),
        ("trees.npz", Path.unlink, r"trees\.npz"),
        ("stack.json", Path.unlink, r"stack\.json"),
    ],
    ids=[
        *["a pickle of trees", "another feature", "other trees", "endless trees", "no photos", "another backbone"],
        *["other columns", "other machines", "endless machines", "photos far away", "empty", "no machines"],
        *["no trees", "no weights"],
    ],
)
def test_arrays_that_others_wrote_are_refused_with_the_reason(
    copied: Path, file: str, attack: Attack, message: str
) -> None:
    attack(copied / file)
    with pytest.raises(BundleError, match=rf"missing, added or changed since it was saved: {file}"):
        load(copied)
    sign(copied)
    with np.errstate(all="ignore"):
        refuse(copied, message)


@pytest.mark.parametrize(
    ("file", "path", "value", "message"),
    [
        ("stack.json", ["weights"], {}, "weights.*nothing"),
        ("stack.json", ["weights"], {"all": 1.0}, "weights.*nothing"),
        ("stack.json", ["weights", "all"], [1.0], "'all' must be a finite number"),
        ("stack.json", ["weights", "all"], None, "'all' must be a finite number"),
        ("stack.json", ["weights", "all"], 1.5, "expected weights between 0 and 1"),
        ("stack.json", ["weights", "all"], -1e-9, "expected weights between 0 and 1"),
        ("stack.json", ["weights", "some"], 1.0, "weights.*some"),
        ("stack.json", ["random_state"], 0, "'random_state' is unknown"),
        ("stack.json", ["weights", "all"], 1.0, "golden rows are predicted differently"),
        ("features.json", ["codeorder"], None, "expected the parts"),
        ("target.json", ["mean"], 0.0, "golden rows are predicted differently"),
        ("manifest.json", ["kind"], "network", "."),
        ("manifest.json", ["kind"], "forest", "expected a bundle of 'network' or 'stack', got 'forest'"),
        ("manifest.json", ["regressor", "photos"], {}, "'photos' is unknown"),
        ("manifest.json", ["regressor"], {"../network": {}}, "'../network' is unknown"),
        ("manifest.json", ["regressor"], {}, "'parameters' is missing"),
        ("manifest.json", ["regressor"], [], "'regressor' must be an object"),
        ("manifest.json", ["regressor", "backbones"], [], "'mean' must be"),
        ("manifest.json", ["regressor", "backbones"], [{}], "'file' is missing"),
        ("manifest.json", ["regressor", "parameters", "colour"], 1, "'colour' is unknown"),
        ("manifest.json", ["regressor", "parameters", "backbone"], 1, "'backbone' must be a text"),
        ("manifest.json", ["regressor", "parameters", "intervals"], "x", "'intervals' must be"),
    ],
    ids=str,
)
def test_a_stack_that_others_wrote_is_refused_with_the_reason(
    copied: Path, file: str, path: list[Any], value: Any, message: str
) -> None:
    edit(copied / file, path, value)
    sign(copied)
    refuse(copied, message)
