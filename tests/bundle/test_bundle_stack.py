"""A stack's bundle: the same predictions and intervals, and trees that a stranger may have written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from estimator_helpers import NO_PHOTOS, NO_TABLE, SCHEMA, FittedStack, little_work, make_eye
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from mixed_data.bundle import BundleError, save_bundle
from mixed_data.estimator import MixedDataRegressor, StackedRegressor, load, photo_backbones
from mixed_data.preprocessing import MixedDataPreprocessor

TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


@pytest.fixture(scope="module")
def saved(fitted_stack: FittedStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a stack's bundle; tests copy it before they change anything."""
    path = tmp_path_factory.mktemp("stack") / "bundle"
    fitted_stack.stack.save(path, metrics={"mape": 1.5})
    return path


@pytest.fixture(scope="module")
def loaded(saved: Path) -> StackedRegressor:
    return load(saved)


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
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


def sign(folder: Path) -> None:
    """Write the digests of the files as they are now, as who changes a bundle on purpose would."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    for name in manifest["files"]:
        manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


def edit(file: Path, path: list[Any], value: Any) -> None:
    state = json.loads(file.read_text("utf-8"))
    place = state
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    file.write_text(json.dumps(state), "utf-8")


# The same predictions


def test_a_loaded_stack_predicts_the_same_to_the_bit_with_intervals(
    fitted_stack: FittedStack, loaded: StackedRegressor, rows: pd.DataFrame
) -> None:
    assert isinstance(loaded, StackedRegressor)
    expected = fitted_stack.stack.predict_rows(rows, coverage=0.8)
    pd.testing.assert_frame_equal(loaded.predict_rows(rows, coverage=0.8), expected, check_exact=True)
    assert expected["prediction"].nunique() > 8
    assert loaded.weights_ == fitted_stack.stack.weights_
    assert loaded.fusion_weights_ == fitted_stack.stack.fusion_weights_
    assert loaded.history_ == fitted_stack.stack.history_
    assert loaded.feature_names_in_.tolist() == fitted_stack.stack.feature_names_in_.tolist()


def test_a_loaded_stack_has_the_settings_of_the_one_that_was_saved(
    fitted_stack: FittedStack, loaded: StackedRegressor
) -> None:
    for name in ("intervals", "random_state", "network__target_transform", "network__epochs", "network__fusion"):
        assert loaded.get_params()[name] == fitted_stack.stack.get_params()[name], name


def test_a_loaded_stack_is_saved_and_loaded_again_the_same(
    loaded: StackedRegressor, rows: pd.DataFrame, tmp_path: Path
) -> None:
    save_bundle(loaded, tmp_path / "again")
    np.testing.assert_array_equal(load(tmp_path / "again").predict(rows), loaded.predict(rows))


def test_a_stacks_bundle_holds_two_networks_trees_and_weights_and_no_pickle(
    fitted_stack: FittedStack, saved: Path
) -> None:
    of_network = ["model.keras", "preprocessing.json", "target.json"]
    names = [f"{folder}/{name}" for folder in ("network", "photos") for name in of_network]
    names += ["features.json", "intervals.json", "manifest.json", "stack.json", "target.json", "trees.skops"]
    names += ["golden/golden.json", *(f"golden/{row}-{view}-0.jpg" for row in range(3) for view in range(2))]
    found = [file.relative_to(saved).as_posix() for file in saved.rglob("*") if file.is_file()]
    assert sorted(found) == sorted(names)
    manifest = json.loads((saved / "manifest.json").read_text("utf-8"))
    assert (manifest["kind"], manifest["version"], manifest["metrics"]) == ("stack", 5, {"mape": 1.5})
    stack = json.loads((saved / "stack.json").read_text("utf-8"))
    assert stack == {"random_state": 3, "weights": {name: list(w) for name, w in fitted_stack.stack.weights_.items()}}
    with zipfile.ZipFile(saved / "trees.skops") as archive:
        assert {Path(name).suffix for name in archive.namelist()} <= {".json", ".npy"}
        json.loads(archive.read("schema.json"))


def test_two_networks_and_the_models_of_folds_share_one_backbone(
    sales: pd.DataFrame, without_training: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(photo_backbones, "build_backbone", lambda name, weights, size, **_: make_eye(size))
    photo_backbones.load_backbone.cache_clear()
    preprocessor = MixedDataPreprocessor(SCHEMA, image_size=8)
    network = MixedDataRegressor(
        SCHEMA, preprocessor=preprocessor, image_branch="pretrained", image_weights=None, members=1, units=4
    )
    with little_work():
        stack = StackedRegressor(network).fit(sales[:16], sales["price"][:16])
    photo_backbones.load_backbone.cache_clear()
    save_bundle(stack, tmp_path / "bundle", folds=[stack])
    files = [file.relative_to(tmp_path / "bundle").as_posix() for file in (tmp_path / "bundle").rglob("*.keras")]
    networks = [f"{place}{name}/model.keras" for place in ("", "folds/0/") for name in ("network", "photos")]
    assert sorted(files) == sorted(["network/backbone_0.keras", *networks])
    for path in (tmp_path / "bundle", tmp_path / "bundle" / "folds" / "0"):
        loaded = load(path)
        np.testing.assert_array_equal(loaded.predict(sales[:5]), stack.predict(sales[:5]))
        for part in (loaded.network_, loaded.photos_):
            assert part.embedder_.cached  # as of a fitted one: no photo is read twice
    (tmp_path / "bundle" / "network" / "backbone_0.keras").unlink()
    with pytest.raises(BundleError, match="backbone 0, which reads the photos, is missing or was changed"):
        load(tmp_path / "bundle" / "folds" / "0")


# Trees that a stranger wrote


def set_nodes(name: str, value: float, *, of: str = "inner") -> Callable[[list[Any], str], list[Any]]:
    """Return what writes one number into the first node of a kind of the last tree of all fits."""

    def change(fits: list[Any], _: str) -> list[Any]:
        nodes = fits[-1]._predictors[-1][0].nodes
        nodes[name][np.flatnonzero((nodes["is_leaf"] == 0) == (of == "inner"))[0]] = value
        return fits

    return change


def fit_on(width: int) -> Callable[[list[Any], str], list[Any]]:
    def change(fits: list[Any], _: str) -> list[Any]:
        random = np.random.default_rng(0)
        trees = HistGradientBoostingRegressor(loss="absolute_error", max_iter=2)
        return [trees.fit(random.normal(size=(60, width)), random.normal(size=60))]

    return change


def empty_tree(fits: list[Any], _: str) -> list[Any]:
    tree = fits[0]._predictors[0][0]
    tree.nodes = tree.nodes[:0]
    return fits


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_nodes("left", 10_000), "a tree's node points outside the tree, or back"),
        (set_nodes("right", 10_000), "a tree's node points outside the tree, or back"),
        (set_nodes("left", 0), "a tree's node points outside the tree, or back"),
        (set_nodes("right", 2**32 - 1), "a tree's node points outside the tree, or back"),
        (set_nodes("feature_idx", 12), "a tree asks for a feature that is none of 12"),
        (set_nodes("feature_idx", -1), "a tree asks for a feature that is none of 12"),
        (set_nodes("is_categorical", 1), "categorical splits"),
        (set_nodes("value", np.nan, of="leaf"), "not finite"),
        (set_nodes("value", np.inf, of="inner"), "not finite"),
        (empty_tree, "none of 12"),
        (fit_on(11), "expected HistGradientBoostingRegressor on 12 features"),
        (lambda fits, _: [LinearRegression().fit(np.eye(12), np.arange(12))], "LinearRegression"),
        (lambda fits, _: [HistGradientBoostingRegressor()], "cannot be loaded"),
        (lambda fits, _: [], "expected a list of fits"),
        (lambda fits, _: fits[0], "expected a list of fits, got HistGradientBoostingRegressor"),
        (lambda fits, _: {"fits": fits}, "expected a list of fits, got dict"),
        (fit_on(12), "golden rows are predicted differently"),
    ],
    ids=[
        *["left outside", "right outside", "back to itself", "largest position", "unknown feature", "feature -1"],
        *["categories", "no number", "infinite", "empty tree", "other width", "other model", "not fitted"],
        *["no fits", "one fit", "dict", "other trees"],
    ],
)
def test_trees_that_others_wrote_are_refused_with_the_reason(
    copy: Path, change: Callable[[list[Any], str], list[Any]], message: str
) -> None:
    fits = skops.io.load(copy / "trees.skops", trusted=TRUSTED)
    skops.io.dump(change(fits, ""), copy / "trees.skops")
    with pytest.raises(BundleError, match=r"missing, added or changed since it was saved: trees\.skops"):
        load(copy)
    sign(copy)
    with pytest.raises(BundleError, match=message):
        load(copy)


class Foreign:
    """A type that no trees need."""


def run_anything(*arguments: object) -> None:
    pytest.fail("a bundle's code was run")


@pytest.mark.parametrize(
    ("content", "name"),
    [(Foreign(), "Foreign"), ([Foreign()], "Foreign"), (run_anything, "run_anything"), (os.system, "system")],
    ids=["object", "object in a list", "function", "system"],
)
def test_foreign_types_and_functions_in_the_trees_are_refused_by_name(copy: Path, content: Any, name: str) -> None:
    skops.io.dump(content, copy / "trees.skops")
    sign(copy)
    with pytest.raises(BundleError, match=f"cannot be loaded: .*{name}"):
        load(copy)


@pytest.mark.parametrize(
    "content", [b"", b"no archive", b"PK\x05\x06" + 18 * b"\0"], ids=["empty", "text", "empty zip"]
)
def test_what_is_no_archive_of_trees_is_refused(copy: Path, content: bytes) -> None:
    (copy / "trees.skops").write_bytes(content)
    sign(copy)
    with pytest.raises(BundleError, match="cannot be loaded"):
        load(copy)


# Other files that a stranger wrote


@pytest.mark.parametrize(
    ("file", "path", "value", "message"),
    [
        ("stack.json", ["weights"], {}, "weights.*nothing"),
        ("stack.json", ["weights"], {"all": [1.0, 1.0]}, "weights.*nothing"),
        ("stack.json", ["weights", "all"], [1.0], "weights"),
        ("stack.json", ["weights", "all"], [1.0, None], "'all' must be a list of finite numbers"),
        ("stack.json", ["weights", "some"], [1.0, 1.0], "weights.*some"),
        ("stack.json", ["random_state"], "0", "'random_state' must be an integer"),
        ("stack.json", ["weights", "nothing"], [5.0, 5.0], "golden rows are predicted differently"),
        ("features.json", ["codeorder"], None, "expected the parts"),
        ("target.json", ["mean"], 0.0, "golden rows are predicted differently"),
        ("manifest.json", ["kind"], "network", "expected a network, got"),
        ("manifest.json", ["kind"], "forest", "expected a bundle of 'network' or 'stack', got 'forest'"),
        ("manifest.json", ["networks", "photos"], {}, "'parameters' is missing"),
        ("manifest.json", ["networks", "../network"], {}, "expected a stack of two networks"),
        ("manifest.json", ["networks"], {}, "expected a stack of two networks"),
    ],
    ids=str,
)
def test_a_stack_that_others_wrote_is_refused_with_the_reason(
    copy: Path, file: str, path: list[Any], value: Any, message: str
) -> None:
    edit(copy / file, path, value)
    sign(copy)
    with pytest.raises(BundleError, match=message):
        load(copy)


def test_networks_that_changed_places_are_refused(copy: Path) -> None:
    (copy / "network").rename(copy / "aside")
    (copy / "photos").rename(copy / "network")
    (copy / "aside").rename(copy / "photos")
    sign(copy)
    with pytest.raises(BundleError, match=r"cannot be loaded|predicted differently"):
        load(copy)
