"""Facts about the whole preprocessor: table and photos together."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

from mixed_data.preprocessing import (
    ImagePreprocessor,
    Inputs,
    MixedDataPreprocessor,
    TabularPreprocessor,
    feature_columns,
)
from mixed_data.preprocessing.photo_decoding import PhotoError
from mixed_data.schema import Schema, SchemaError

SCHEMA = Schema(
    target="price",
    numeric=["area"],
    categorical=["pool"],
    codes=["zipcode"],
    images=["front", "rooms"],
    id="house",
)


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    generator = np.random.default_rng(0)

    def draw(name: str) -> str:
        pixels = generator.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
        return str(tmp_path / name)

    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    return pd.DataFrame(
        {
            "house": range(8),
            "area": [1500, 2400, 900, None, 4100, 1800, 2000, 1200],
            "pool": ["yes", "no", "no", "yes", "no", "no", "yes", "heated"],
            "zipcode": [85255, 85255, 85262, 92880, 92880, 92677, 92677, 36372],
            "front": [
                draw("1.png"),
                None,
                str(tmp_path / "broken.jpg"),
                *(draw(f"{n}.png") for n in range(3, 8)),
            ],
            "rooms": [f"{draw('a.png')};{draw('b.png')}", draw("c.png"), *[None] * 6],
            "price": np.linspace(100, 800, 8),
        }
    )


def preprocess(table: pd.DataFrame, **settings: Any) -> MixedDataPreprocessor:
    return MixedDataPreprocessor(SCHEMA, image_size=8, **settings).fit(table)


def assert_equal_inputs(left: Inputs, right: Inputs) -> None:
    assert list(left) == list(right) == ["tabular", "tabular_mask", "level_counts", "images", "image_mask"]
    for name in left:
        assert left[name].dtype == right[name].dtype
        assert left[name].shape == right[name].shape
        assert left[name].tobytes() == right[name].tobytes()
    assert left.row_warnings == right.row_warnings


def test_import_leaves_tensorflow_and_keras_out() -> None:
    code = (
        "import sys, mixed_data.preprocessing; "
        "print([name for name in ('tensorflow', 'keras', 'torch', 'jax') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_arrays_are_those_of_the_two_parts(table: pd.DataFrame) -> None:
    inputs = preprocess(table, log="never").transform(table)
    tabular = TabularPreprocessor(SCHEMA, log="never").fit(table)
    features, tabular_warnings = tabular.transform_with_warnings(table)
    images, mask, image_warnings = ImagePreprocessor(SCHEMA.images, size=8).fit(table).transform(table)
    counts = tabular.count_levels(*tabular.read(table))
    expected = {"tabular": features, "tabular_mask": np.ones((8, 1), bool), "level_counts": counts}
    expected |= {"images": images, "image_mask": mask}
    row_warnings = [left + right for left, right in zip(tabular_warnings, image_warnings, strict=True)]
    assert_equal_inputs(inputs, Inputs(expected, row_warnings))


def test_an_embedder_changes_the_images_and_nothing_else(table: pd.DataFrame) -> None:
    class Embedder:
        num_features, cached = 2, False

        def embed(self, paths: Iterable[str], **decoding: Any) -> dict[str, np.ndarray | PhotoError]:
            return {path: PhotoError("no photo") if "broken" in path else np.ones(2, "float32") for path in paths}

    preprocessor = preprocess(table)
    inputs, vectors = preprocessor.transform(table), preprocessor.transform(table, Embedder())
    np.testing.assert_array_equal(vectors["images"], np.repeat(inputs["image_mask"][..., None], 2, axis=2))
    assert vectors["images"].dtype == np.float32
    np.testing.assert_array_equal(vectors["tabular"], inputs["tabular"])
    np.testing.assert_array_equal(vectors["image_mask"], inputs["image_mask"])
    assert len(vectors.row_warnings) == len(inputs.row_warnings)
    assert vectors.row_warnings[:2] == inputs.row_warnings[:2]
    assert any(warning.endswith("broken.jpg: no photo") for warning in vectors.row_warnings[2])


def test_shapes_and_dtypes(table: pd.DataFrame) -> None:
    preprocessor = preprocess(table)
    inputs = preprocessor.transform(table)
    assert preprocessor.images_.views_ == ["front", "rooms[0]", "rooms[1]"]
    assert inputs["tabular"].shape == (8, len(preprocessor.get_feature_names_out()))
    shapes = {"images": (8, 3, 8, 8, 3), "image_mask": (8, 3), "tabular_mask": (8, 1), "level_counts": (8, 2)}
    assert {name: inputs[name].shape for name in shapes} == shapes
    assert [inputs[name].dtype for name in inputs] == [np.float32, bool, np.int64, np.uint8, bool]


@pytest.mark.parametrize("empty", [None, np.nan, "", "  ", "NA"])
def test_the_table_of_a_row_is_masked_only_where_not_one_cell_is_there(table: pd.DataFrame, empty: Any) -> None:
    cells = ["area", "pool", "zipcode"]
    rows = pd.concat([table.astype(dict.fromkeys(cells, object)).iloc[[0]]] * 5, ignore_index=True)
    rows.loc[1:, cells] = empty
    rows.loc[2, "area"] = 0
    rows.loc[3, "pool"] = "never seen"
    rows.loc[4, "zipcode"] = 0
    inputs = preprocess(table).transform(rows)
    assert inputs["tabular_mask"].tolist() == [[True], [False], [True], [True], [True]]
    assert np.isfinite(inputs["tabular"]).all()
    assert inputs["image_mask"].all()


def test_photos_target_and_id_do_not_count_as_cells_of_the_table(table: pd.DataFrame) -> None:
    rows = table.assign(area=None, pool=None, zipcode=None)
    assert not preprocess(table).transform(rows)["tabular_mask"].any()


def test_row_warnings_join_table_and_photos_in_row_order(table: pd.DataFrame) -> None:
    row_warnings = preprocess(table).transform(table).row_warnings
    assert len(row_warnings) == 8
    assert row_warnings[0] == []
    assert "area is missing: imputed 1800" in row_warnings[3]
    assert any("broken.jpg" in warning for warning in row_warnings[2])
    assert not any("area" in warning for row in (0, 1, 2, 4, 5, 6, 7) for warning in row_warnings[row])


@pytest.mark.parametrize("settings", [{}, {"montage": True, "resize": "pad"}])
def test_a_row_does_not_depend_on_the_other_rows_of_the_call(table: pd.DataFrame, settings: dict[str, Any]) -> None:
    preprocessor = preprocess(table, **settings)
    together = preprocessor.transform(table)
    for row in range(len(table)):
        assert_equal_inputs(preprocessor.transform(table.iloc[[row]]), together.take([row]))
    order = np.array([5, 3, 3, 0, 7])
    assert_equal_inputs(preprocessor.transform(table.iloc[order]), together.take(order))


def test_transform_never_learns(table: pd.DataFrame, tmp_path: Path) -> None:
    preprocessor = preprocess(table)
    preprocessor.save(tmp_path / "before.json")
    pickled = pickle.dumps(preprocessor)
    photos = ";".join([table["front"][0]] * 3)
    preprocessor.transform(table.assign(area=1e6, pool="lagoon", zipcode=10001, rooms=photos))
    preprocessor.save(tmp_path / "after.json")
    assert (tmp_path / "before.json").read_bytes() == (tmp_path / "after.json").read_bytes()
    assert pickle.dumps(preprocessor) == pickled


def test_transform_needs_neither_target_nor_id_and_ignores_order_and_extra_columns(
    table: pd.DataFrame,
) -> None:
    preprocessor = preprocess(table)
    other = table[["rooms", "zipcode", "front", "pool", "area"]].assign(agent="Ann")
    assert_equal_inputs(preprocessor.transform(other), preprocessor.transform(table))


def test_all_missing_columns_and_bad_cells_are_named_at_once(table: pd.DataFrame) -> None:
    preprocessor = preprocess(table)
    bad = table.drop(columns=["pool", "front"]).assign(area="big")
    for method in (preprocessor.transform, preprocessor.fit):
        with pytest.raises(SchemaError) as error:
            method(bad)
        for name in ("pool", "front", "area"):
            assert any(name in problem for problem in error.value.problems)


def test_checked_rows_are_read_once_and_alike(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    table = table.assign(area=table["area"].astype(object).where(table.index % 2 == 0, " 1e3 "))
    preprocessor = preprocess(table)
    expected, state = preprocessor.transform(table), preprocessor.get_state()
    read: list[object] = []
    for module, name in ((feature_columns, "parse_numbers"), (feature_columns, "canonical_text")):
        reader = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *of, reader=reader: (read.append(of[0].name), reader(*of))[1])
    monkeypatch.setattr(Schema, "validate", lambda *arguments, **options: pytest.fail("checked again"))
    assert_equal_inputs(preprocessor.transform_checked(table), expected)
    assert read == list(SCHEMA.features)
    assert clone(preprocessor).fit_checked(table).get_state() == state
    more = pd.concat([table.assign(area=1e6, front="a.png;b.png;c.png"), table], ignore_index=True)
    assert clone(preprocessor).fit_checked(more, np.arange(8, 16)).get_state() == state
    assert clone(preprocessor).fit_checked(more, np.arange(7, 15)).get_state() != state
    with pytest.raises(NotFittedError):
        clone(preprocessor).transform_checked(table)


def test_without_images_or_features_the_four_arrays_are_still_there(table: pd.DataFrame) -> None:
    inputs = MixedDataPreprocessor(SCHEMA.without_images(), image_size=8).fit_transform(table)
    assert inputs["images"].shape == (8, 0, 8, 8, 3)
    assert inputs["image_mask"].shape == (8, 0)
    assert inputs["tabular_mask"].all()
    inputs = MixedDataPreprocessor(SCHEMA.only_images(), image_size=8).fit_transform(table)
    assert inputs["tabular"].shape == (8, 0)
    assert inputs["tabular_mask"].tolist() == [[False]] * 8
    assert inputs["images"].shape == (8, 3, 8, 8, 3)


def test_a_plain_regressor_can_be_fed(table: pd.DataFrame) -> None:
    preprocessor = MixedDataPreprocessor(SCHEMA, image_size=8)
    model = Ridge().fit(preprocessor.fit_transform(table)["tabular"], table["price"])
    assert np.isfinite(model.predict(preprocessor.transform(table)["tabular"])).all()


def test_what_comes_out_is_a_dict_even_when_pandas_output_is_asked_for(table: pd.DataFrame) -> None:
    with config_context(transform_output="pandas"):
        assert isinstance(preprocess(table).fit_transform(table), Inputs)
    assert isinstance(make_pipeline(preprocess(table)).fit_transform(table), Inputs)


@pytest.mark.parametrize(
    "check",
    [
        # The other checks of parametrize_with_checks feed NumPy arrays, which have no named columns.
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
    ],
)
def test_scikit_learn_contract_holds(check: Any) -> None:
    check("MixedDataPreprocessor", MixedDataPreprocessor(SCHEMA))


def test_a_clone_keeps_the_settings_and_forgets_the_rest(table: pd.DataFrame) -> None:
    preprocessor = preprocess(table, min_frequency=3, code_prefixes=(2,), montage=True)
    copied = clone(preprocessor)
    assert copied.get_params() == preprocessor.get_params()
    with pytest.raises(NotFittedError):
        copied.transform(table)
    with pytest.raises(NotFittedError):
        copied.get_state()


def test_a_refit_forgets(table: pd.DataFrame) -> None:
    preprocessor = preprocess(table.assign(pool="no", rooms=None, area=range(8)))
    assert preprocessor.fit(table).get_state() == preprocess(table).get_state()


@pytest.mark.parametrize("schema", [None, {"numeric": ["area"]}])
def test_something_else_than_a_schema_is_refused(table: pd.DataFrame, schema: Any) -> None:
    with pytest.raises(ValueError, match="expected a Schema"):
        MixedDataPreprocessor(schema).fit(table)


# State


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"montage": True, "resize": "stretch", "log": "never"},
        {"min_frequency": 2, "ratios": False, "code_prefixes": ()},
    ],
)
def test_a_loaded_preprocessor_is_the_saved_one(table: pd.DataFrame, tmp_path: Path, settings: dict[str, Any]) -> None:
    preprocessor = preprocess(table, **settings)
    preprocessor.save(tmp_path / "state.json")
    loaded = MixedDataPreprocessor.load(tmp_path / "state.json")
    assert loaded.get_params() == preprocessor.get_params()
    assert loaded.get_state() == preprocessor.get_state()
    assert loaded.feature_names_in_.tolist() == preprocessor.feature_names_in_.tolist()
    assert loaded.n_features_in_ == 5
    assert loaded.images_.views_ == preprocessor.images_.views_
    assert_equal_inputs(loaded.transform(table), preprocessor.transform(table))
    assert_equal_inputs(clone(loaded).fit_transform(table), preprocessor.transform(table))


def test_an_oblong_image_size_survives_the_state(table: pd.DataFrame) -> None:
    preprocessor = MixedDataPreprocessor(SCHEMA, image_size=(6, 10)).fit(table)
    loaded = MixedDataPreprocessor.from_state(json.loads(json.dumps(preprocessor.get_state())))
    assert loaded.image_size == (6, 10)
    assert loaded.transform(table)["images"].shape == (8, 3, 6, 10, 3)


def test_the_file_is_readable_and_a_failed_save_leaves_the_old_one(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "preprocessing" / "state.json"
    path.parent.mkdir()
    preprocessor = preprocess(table)
    preprocessor.save(path)
    text = path.read_text(encoding="utf-8")
    assert json.loads(text)["tabular"]["columns"][0]["median"] == 1800.0
    assert '"name": "area"' in text

    def fail(source: object, destination: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no space left"):
        preprocess(table, min_frequency=5).save(path)
    assert path.read_text(encoding="utf-8") == text
    assert [entry.name for entry in path.parent.iterdir()] == ["state.json"]


@pytest.mark.parametrize("content", ["", "{", "pickle\x80", "[" * 100_000])
def test_a_file_that_is_no_json_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"state\.json is not a JSON file"):
        MixedDataPreprocessor.load(path)


def test_a_state_that_contradicts_itself_is_refused(table: pd.DataFrame) -> None:
    state = preprocess(table).get_state()
    for name, value in [("format", "x"), ("version", 0), ("tabular", None), ("images", {}), ("extra", 1)]:
        with pytest.raises(ValueError, match=f"(?i){name[:-1]}"):
            MixedDataPreprocessor.from_state({**state, name: value})
    other = MixedDataPreprocessor(SCHEMA.without_images()).fit(table).get_state()
    with pytest.raises(ValueError, match="image columns"):
        MixedDataPreprocessor.from_state({**state, "images": other["images"]})
    nameless = TabularPreprocessor().fit(np.eye(3)).get_state()
    with pytest.raises(ValueError, match="image columns"):
        MixedDataPreprocessor.from_state({**state, "tabular": nameless})
