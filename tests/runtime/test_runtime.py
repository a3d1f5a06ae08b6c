"""A bundle predicts without Keras what its regressor predicted, from files or bytes, and each row by itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import NO_PHOTOS, NO_TABLE, FittedStack, fit, make_regressor
from hostile_helpers import sign

from mixed_data.bundle import BundleError
from mixed_data.estimator import MixedDataRegressor
from mixed_data.files.user_cache import user_cache
from mixed_data.prediction.typical_photos import TypicalPhotos
from mixed_data.preprocessing.onnx_backbone import OnnxBackbone
from mixed_data.runtime import Predictor

FORBIDDEN = (
    "sklearn scipy keras tensorflow matplotlib cachetools pooch narwhals filelock joblib requests rich threadpoolctl "
    "imagehash jinja2 tf2onnx onnx h5py"
)


@pytest.fixture(scope="module")
def predictor(saved_bundle: Path) -> Predictor:
    return Predictor(saved_bundle)


@pytest.fixture(scope="module")
def stack_bundle(fitted_stack: FittedStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stack") / "bundle"
    fitted_stack.stack.save(path)
    return path


@pytest.fixture(scope="module")
def rows(sales: pd.DataFrame) -> pd.DataFrame:
    """Rows of every pattern."""
    rows = sales[50:62].astype({"zipcode": object}).reset_index(drop=True)
    rows.loc[3:5, list(NO_PHOTOS)] = None
    rows.loc[6:8, list(NO_TABLE)] = None
    rows.loc[9:10, [*NO_PHOTOS, *NO_TABLE]] = None
    return rows


def as_bytes(table: pd.DataFrame, views: list[str]) -> pd.DataFrame:
    """Put the content of every photo in the place of its path."""
    read = {view: [None if pd.isna(path) else Path(path).read_bytes() for path in table[view]] for view in views}
    return table.assign(**{view: pd.Series(cells, index=table.index, dtype=object) for view, cells in read.items()})


def test_a_network_predicts_as_its_regressor(
    predictor: Predictor, quick_regressor: MixedDataRegressor, rows: pd.DataFrame
) -> None:
    expected, found = quick_regressor.predict_rows(rows), predictor.predict_rows(rows)
    np.testing.assert_allclose(found["prediction"], expected["prediction"], rtol=1e-5)
    pd.testing.assert_frame_equal(found.drop(columns="prediction"), expected.drop(columns="prediction"))
    np.testing.assert_array_equal(predictor.predict(rows), found["prediction"])
    assert not predictor.has_intervals
    with pytest.raises(ValueError, match="knows no intervals"):
        predictor.predict_interval(rows)


def test_a_stack_predicts_as_its_regressor_with_intervals(
    stack_bundle: Path, fitted_stack: FittedStack, rows: pd.DataFrame
) -> None:
    predictor = Predictor(stack_bundle)
    coverage = 0.5
    expected = fitted_stack.stack.predict_rows(rows, coverage=coverage)
    found = predictor.predict_rows(rows, coverage=coverage)
    for name in ("prediction", "lower", "upper"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)
    assert found["warnings"].tolist() == expected["warnings"].tolist()
    np.testing.assert_array_equal(predictor.predict_interval(rows, coverage), found[["lower", "upper"]])


@pytest.mark.parametrize("kind", ["network", "stack"])
def test_a_row_alone_and_in_any_place_is_predicted_to_the_last_bit_alike(
    kind: str, saved_bundle: Path, stack_bundle: Path, rows: pd.DataFrame
) -> None:
    predictor = Predictor(saved_bundle if kind == "network" else stack_bundle)
    together = predictor.predict(rows)
    assert [predictor.predict(rows[row : row + 1])[0] for row in range(len(rows))] == together.tolist()
    order = np.random.default_rng(0).permutation(np.tile(np.arange(len(rows)), 5))
    np.testing.assert_array_equal(predictor.predict(rows.iloc[order]), together[order])


def test_typical_photos_are_what_the_network_reads_from_mean_photos(
    predictor: Predictor, quick_regressor: MixedDataRegressor, saved_bundle: Path
) -> None:
    found, mean = predictor.model.typical_photos_, quick_regressor.typical_photos_
    assert found.is_known.tolist() == mean.is_known.tolist() == [True, True]
    expected = [predictor.model.embed_photo([photo]) for photo in mean.images]
    np.testing.assert_allclose(found.images, expected, rtol=1e-4, atol=1e-5)
    again = MixedDataRegressor.load(saved_bundle).typical_photos_
    np.testing.assert_array_equal(again.images, found.images)


@pytest.mark.parametrize("kind", ["network", "stack"])
def test_rows_that_are_computed_together_are_predicted_alike(
    kind: str, saved_bundle: Path, stack_bundle: Path, rows: pd.DataFrame
) -> None:
    model = Predictor(saved_bundle if kind == "network" else stack_bundle).model
    inputs = model.read_rows(rows)
    alone = model.predict_members(rows, inputs)
    np.testing.assert_allclose(model.predict_together(rows, inputs), alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["network", "stack"])
def test_bytes_of_photos_are_predicted_as_their_files_and_leave_nothing_behind(
    kind: str, saved_bundle: Path, stack_bundle: Path, rows: pd.DataFrame
) -> None:
    predictor = Predictor(saved_bundle if kind == "network" else stack_bundle)
    uploaded = as_bytes(rows, list(predictor.schema.images))
    broken = uploaded.copy()
    broken.at[0, "front"] = uploaded.at[0, "front"][:-100]
    found = predictor.predict_rows(uploaded)
    assert not user_cache().exists()
    np.testing.assert_array_equal(found["prediction"], predictor.predict(rows))
    with pytest.warns(UserWarning, match="a photo of .* bytes: cannot be decoded"):
        predictor.predict(broken)
    assert predictor.predict_rows(broken)["images_used"].tolist()[0] == found["images_used"].tolist()[0] - 1


def test_a_row_without_photos_costs_no_convolution(
    predictor: Predictor, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    compute = OnnxBackbone.compute
    monkeypatch.setattr(OnnxBackbone, "compute", lambda self, photos: read.append(len(photos)) or compute(self, photos))
    found = predictor.predict_rows(rows)
    assert sum(read) == found["images_used"].sum() < len(rows) * len(predictor.views)


def test_a_montage_is_read_as_one_photo(sales: pd.DataFrame, tmp_path: Path, without_training: object) -> None:
    regressor = make_regressor().set_params(preprocessor__montage=True)
    fit(regressor, sales[:12])
    regressor.save(tmp_path / "bundle")
    predictor = Predictor(tmp_path / "bundle")
    assert predictor.views == ["montage"]
    np.testing.assert_allclose(predictor.predict(sales[:12]), regressor.predict(sales[:12]), rtol=1e-5)


def run_without_training_libraries(code: str, *arguments: str) -> str:
    """Run code where only NumPy, pandas, Pillow and onnxruntime can be imported; return what it prints."""
    prelude = f"import sys\nsys.modules.update(dict.fromkeys({FORBIDDEN.split()}))\n"
    command = [sys.executable, "-c", prelude + code, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("bundle", ["saved_bundle", "stack_bundle"])  # pixels, and vectors that are kept elsewhere
def test_only_numpy_pandas_pillow_and_onnxruntime_are_imported(
    bundle: str, rows: pd.DataFrame, request: pytest.FixtureRequest
) -> None:
    saved_bundle = request.getfixturevalue(bundle)
    file = saved_bundle.parent / "rows.json"
    rows[:3].to_json(file)
    code = f"""
import pandas as pd
from mixed_data.runtime import Predictor
rows = pd.read_json({str(file)!r}, dtype=False)
print(*Predictor({str(saved_bundle)!r}).predict(rows).tolist())
"""
    found = run_without_training_libraries(code)
    assert [float(word) for word in found.split()] == Predictor(saved_bundle).predict(rows[:3]).tolist()


def test_rows_are_explained_and_drawn_with_the_same_libraries(
    saved_bundle: Path, rows: pd.DataFrame, tmp_path: Path
) -> None:
    rows[:4].to_csv(tmp_path / "rows.csv", index=False)
    code = "from mixed_data.cli import main\nsys.exit(main(sys.argv[1:]))"
    files = ["--data", str(tmp_path / "rows.csv"), "--out", str(tmp_path / "reasons")]
    said = run_without_training_libraries(
        code, "explain", str(saved_bundle), *files, "--rows", "0,3", "--quiet", "--json"
    )
    assert json.loads(said)["num_explained"] == 2
    assert sorted(file.name for file in (tmp_path / "reasons").iterdir()) == ["reasons.json", "row_0.png", "row_3.png"]


def test_a_network_of_another_bundle_is_refused_in_words(
    saved_bundle: Path, stack_bundle: Path, tmp_path: Path
) -> None:
    bundle = shutil.copytree(saved_bundle, tmp_path / "bundle")
    shutil.copy(stack_bundle / "backbone_0.onnx", bundle / "network.onnx")
    sign(bundle)
    with pytest.raises(BundleError, match="do not belong together"):
        Predictor(bundle)
    TypicalPhotos(np.zeros((2, 3), dtype="float32"), np.ones(2, dtype=bool)).write(bundle / "typical_photos.npz")
    sign(bundle)
    with pytest.raises(BundleError, match=r"typical_photos\.npz: expected vectors of shape"):
        Predictor(bundle)
    (bundle / "typical_photos.npz").unlink()
    (bundle / "network.onnx").write_bytes(b"no network")
    sign(bundle)
    with pytest.raises(BundleError, match=r"network\.onnx is no ONNX network"):
        Predictor(bundle)
    (bundle / "network.onnx").unlink()
    sign(bundle)
    with pytest.raises(BundleError, match=r"network\.onnx is missing"):
        Predictor(bundle)
