"""A bundle in another form predicts what the bundle predicts, read by that form's own runtime as its README says."""

from __future__ import annotations

import json
import re
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from estimator_helpers import (
    NO_PHOTOS,
    NO_TABLE,
    SCHEMA,
    FittedStack,
    eagerly,
    fit,
    little_work,
    make_regressor,
)
from hostile_helpers import sign

from mixed_data.cli import main
from mixed_data.cli.option_values import EXPORT_FORMATS
from mixed_data.estimator import MixedDataRegressor
from mixed_data.export import EXPORTERS, export_bundle
from mixed_data.export import exported_forms as forms
from mixed_data.export.exported_arrays import find_ends
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.preprocessing.target_scale import TargetScale
from mixed_data.runtime import Predictor

GRAPHS = ("onnx", "saved_model", "litert")


@pytest.fixture(scope="module")
def bundles(saved_bundle: Path, sales: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundles by what is special about them."""
    folder = tmp_path_factory.mktemp("bundles")
    small = MixedDataPreprocessor(SCHEMA, image_size=32)
    table = sales[:40].assign(price=sales["price"][:40] - 1e5)  # some are negative: the scale is linear
    regressors = {
        "pretrained": MixedDataRegressor(
            *(SCHEMA,),
            preprocessor=MixedDataPreprocessor(SCHEMA, image_size=24, resize="stretch"),
            fusion="attention",
            image_branch="pretrained",
            image_weights=None,
            members=3,
            epochs=1,
            units=8,
        ),
        "image only": MixedDataRegressor(SCHEMA, preprocessor=small, modalities="image", epochs=1, units=4),
        "table only": make_regressor(modalities="tabular", fusion="late", members=2),
    }
    with little_work(), eagerly():
        for name, regressor in regressors.items():
            fit(regressor, table).save(folder / name)
    return {"cnn": saved_bundle} | {name: folder / name for name in regressors}


@pytest.fixture
def rows(sales: pd.DataFrame) -> pd.DataFrame:
    """Rows of every pattern, some of whose photos are in another place of the row, as a CSV has them."""
    rows = sales[50:58].astype({"zipcode": object}).reset_index(drop=True).drop(columns=["bright", "price"])
    rows.loc[2:3, list(NO_PHOTOS)] = None
    rows.loc[4:5, list(NO_TABLE)] = None
    rows.loc[6, [*NO_PHOTOS, *NO_TABLE]] = None
    rows.loc[7, "front"] = None
    return rows


def read_as_its_readme_says(folder: Path, monkeypatch: pytest.MonkeyPatch, rows: pd.DataFrame) -> dict[str, Any]:
    """Run the lines of Python of the README beside an export, and return the names that they left."""
    (block,) = re.findall(r"^```python\n(.*?)^```", (folder / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(folder)
    rows.to_csv(folder / "rows.csv", index=False)
    names: dict[str, Any] = {"__name__": "readme"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s).*tf\.lite\.Interpreter is deprecated")
        exec(compile(block, "README.md", "exec"), names)
    return names


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        *((form, kind) for form in GRAPHS for kind in ("cnn", "pretrained")),
        ("onnx", "image only"),
        ("onnx", "table only"),
        ("litert", "table only"),
    ],
)
def test_a_graph_predicts_as_the_bundle_whatever_a_row_lacks(
    form: str, kind: str, bundles: dict[str, Path], rows: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = export_bundle(bundles[kind], form, tmp_path / "out")
    predicted = read_as_its_readme_says(tmp_path / "out", monkeypatch, rows)["prediction"]
    expected = Predictor(bundles[kind]).predict(rows)
    assert predicted.dtype == np.float32
    scale = np.abs(expected).max() if kind != "cnn" else np.abs(expected)
    assert np.max(np.abs(predicted - expected) / scale) <= 1e-5
    assert len(np.unique(predicted)) >= 3
    assert found["largest_difference"] <= 1e-5
    names = [one["name"] for one in found["inputs"]]
    assert names == [name for name in ("tabular", "tabular_mask", "images", "image_mask") if name in names]
    assert json.loads((tmp_path / "out" / "export.json").read_text("utf-8")) == json.loads(json.dumps(found))


def test_a_row_alone_and_among_others_is_predicted_alike(
    bundles: dict[str, Path], rows: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_bundle(bundles["pretrained"], "onnx", tmp_path / "out")
    names = read_as_its_readme_says(tmp_path / "out", monkeypatch, rows)
    session, given = names["session"], names["given"]
    alone = [
        session.run(["prediction"], {name: array[row : row + 1] for name, array in given.items()})[0][0]
        for row in range(len(rows))
    ]
    scale = np.abs(names["prediction"]).max()
    np.testing.assert_allclose(alone, names["prediction"], rtol=1e-6, atol=1e-6 * scale)
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = session.run(["prediction"], {name: array[order] for name, array in given.items()})[0]
    np.testing.assert_allclose(shuffled, names["prediction"][order], rtol=1e-6, atol=1e-6 * scale)


def test_it_is_written_which_column_view_and_pixel_is_where(bundles: dict[str, Path], tmp_path: Path) -> None:
    export_bundle(bundles["pretrained"], "onnx", tmp_path / "out")
    found = json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))
    inputs = {one["name"]: one for one in found["inputs"]}
    predictor = Predictor(bundles["pretrained"])
    columns = predictor.model.preprocessor_.get_feature_names_out().tolist()
    assert inputs["tabular"]["columns"] == columns
    assert inputs["tabular"]["shape"] == ["n", len(columns)]
    assert inputs["images"]["shape"] == ["n", 2, 24, 24, 3]
    assert inputs["images"]["views"] == inputs["image_mask"]["views"] == ["front", "back"]
    assert inputs["images"]["pixels"]["resize"] == "stretch"
    assert (inputs["images"]["dtype"], found["outputs"][0]["target"]) == ("uint8", "price")
    assert len(found["bundle_digest"]) == 64
    kept = {one.key: json.loads(one.value) for one in onnx.load(tmp_path / "out" / "model.onnx").metadata_props}
    assert kept == {"inputs": found["inputs"], "outputs": found["outputs"]}


@pytest.mark.parametrize("form", GRAPHS)
def test_a_stack_is_refused_and_the_form_that_holds_it_is_named(
    form: str, stack_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(stack_bundle), "--format", form, "--out", str(tmp_path / "out")]) == 1
    assert "is a stack, boosted trees and kernel machines" in (error := capsys.readouterr().err)
    assert "--format mlflow takes every bundle" in error
    assert list(tmp_path.glob("*out*")) == []


def test_a_folder_that_is_not_empty_and_a_changed_bundle_are_refused(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("")
    words = ["export", str(bundles["cnn"]), "--format", "onnx", "--out"]
    assert main([*words, str(tmp_path / "out")]) == 1
    assert "exists and is not empty" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine"]
    changed = shutil.copytree(bundles["cnn"], tmp_path / "changed")
    (changed / "target.json").write_text("{}")
    assert main(["export", str(changed), "--format", "onnx", "--out", str(tmp_path / "new")]) == 1
    assert "changed since it was saved" in capsys.readouterr().err


def test_an_export_that_predicts_otherwise_is_not_written(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixed_data.export.joined_onnx.find_ends", lambda _: (-1e-3, 1e-3))
    with pytest.raises(ValueError, match="predicts the golden rows differently, by"):
        export_bundle(bundles["cnn"], "onnx", tmp_path / "out")
    assert list(tmp_path.glob("*out*")) == []


def test_a_backbone_with_pixels_of_its_own_kind_is_refused(bundles: dict[str, Path], tmp_path: Path) -> None:
    bundle = shutil.copytree(bundles["pretrained"], tmp_path / "bundle")
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    manifest["regressor"]["photo_readers"][0]["settings"]["flip_average"] = True  # of a mean colour, the same
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    sign(bundle)
    with pytest.raises(ValueError, match=r"laid out in its own way .*--format mlflow takes every bundle"):
        export_bundle(bundle, "onnx", tmp_path / "out")


def test_json_holds_what_the_folder_says(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", str(bundles["table only"]), "--format", "onnx", "--out", str(tmp_path / "out"), "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"out": str(tmp_path / "out"), **json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))}


def test_without_mlflow_it_is_said_what_to_install(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert main(["export", str(bundles["cnn"]), "--format", "mlflow", "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err == "error: export needs mlflow; type: pip install 'mixed_data[mlflow]'\n"


@pytest.mark.parametrize("values", [[1e5, 2e5, 9e6], [-1.0, 2.0, 5.0], [1e30, 2e30, 9e37]])
def test_the_ends_of_a_prediction_are_those_of_the_target_or_of_float32(values: list[float]) -> None:
    target = TargetScale().fit(values)
    ends = np.array(find_ends(target))
    made = target.inverse_transform(ends)
    assert np.isfinite(made.astype("float32")).all()
    is_farthest = np.isclose(np.abs(ends), target.farthest_)
    at_limit = np.abs(np.log(np.abs(made)) / np.log(float(np.finfo("float32").max))) > 0.9
    assert (is_farthest | at_limit).all()


def test_the_command_names_every_format() -> None:
    assert tuple(EXPORTERS) == EXPORT_FORMATS
    assert all(exporter.__module__ == forms.__name__ for exporter in EXPORTERS.values())


@pytest.fixture(scope="module")
def stack_bundle(fitted_stack: FittedStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stack") / "bundle"
    fitted_stack.stack.save(path)
    return path
