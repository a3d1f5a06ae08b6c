"""Several backbones, and backbones that are files: options, vectors side by side, and bundles that carry them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from embedding_helpers import count_cached
from estimator_helpers import SCHEMA, fit, make_eye
from onnx_helpers import SIDE, WIDTH, make_onnx
from reliability import Case, documented

from mixed_data.bundle import BundleError
from mixed_data.estimator import MixedDataRegressor, load, photo_backbones
from mixed_data.estimator.photo_backbones import load_embedder
from mixed_data.files.checked_json import read_json, write_json
from mixed_data.files.digests import digest_file
from mixed_data.network import PrincipalComponents
from mixed_data.preprocessing import MixedDataPreprocessor, photo_vectors
from mixed_data.preprocessing.backbone_options import BackboneSettings, resolve_backbones

OPTIONS = {"backbone": "MobileNetV2", "image_weights": "imagenet", "backbone_scaling": None, "flip_average": True}


@pytest.fixture
def eye(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a small network in the place of all of `keras.applications`."""
    monkeypatch.setattr(photo_backbones, "build_backbone", lambda name, weights, size, **_: make_eye(size))
    photo_backbones.load_backbone.cache_clear()
    photo_vectors._memory.clear()


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """An ONNX file and a Keras file that read photos of 16 x 16 pixels."""
    (tmp_path / "tokens.onnx").write_bytes(make_onnx("tokens", num_prefix=1))
    photos = keras.Input((SIDE, SIDE, 3))
    keras.Model(photos, keras.layers.GlobalAveragePooling2D()(photos)).save(tmp_path / "mean.keras")
    return [str(tmp_path / "tokens.onnx"), str(tmp_path / "mean.keras")]


def make_regressor(**options: Any) -> MixedDataRegressor:
    preprocessor = MixedDataPreprocessor(SCHEMA, image_size=8)
    settings = {"image_branch": "pretrained", "image_weights": None, "members": 2, "units": 4}
    return MixedDataRegressor(SCHEMA, preprocessor=preprocessor, **{**settings, **options})


# Options


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [("MobileNetV2", "imagenet", "")]),
        ({"image_weights": None}, [("MobileNetV2", None, "")]),
        ({"image_weights": Path("m.h5")}, [("MobileNetV2", "m.h5", "")]),
        ({"backbone": ["A", "B"]}, [("A", "imagenet", ""), ("B", "imagenet", "")]),
        ({"backbone": ["A", "B"], "image_weights": ["a.h5", "b.h5"]}, [("A", "a.h5", ""), ("B", "b.h5", "")]),
        ({"backbone": Path("d.onnx"), "backbone_scaling": "torch"}, [("d.onnx", None, "torch")]),
        (
            {"backbone": ("a.onnx", "A", "b.keras"), "image_weights": "a.h5", "backbone_scaling": "tf"},
            [("a.onnx", None, "tf"), ("A", "a.h5", ""), ("b.keras", None, "tf")],
        ),
        (
            {"backbone": ["a.onnx", "b.onnx"], "backbone_scaling": ["tf", "clip"]},
            [("a.onnx", None, "tf"), ("b.onnx", None, "clip")],
        ),
    ],
)
def test_weights_go_to_models_of_keras_and_scalings_to_files(given: dict[str, Any], expected: list[Any]) -> None:
    found = resolve_backbones({**OPTIONS, **given})
    assert [(one.name, one.weights, one.scaling) for one in found] == expected
    assert all(one.flip_average for one in found)


WRONG = [
    Case("an empty list of backbones", "refused", {"backbone": []}, "backbone must name one backbone or several"),
    Case("a backbone twice", "refused", {"backbone": ["A", "A"]}, "none of them twice"),
    Case(
        "a backbone that is a number", "refused", {"backbone": 3}, "backbone must be a text or a list of texts, got 3"
    ),
    Case(
        "None in the place of a backbone",
        "refused",
        {"backbone": None},
        "backbone must be a text or a list of texts, got None",
    ),
    Case("a file of which nobody says how it expects its pixels", "refused", {"backbone": "d.onnx"}, "torch .*DINOv2"),
    Case("a scaling for a model of Keras", "refused", {"backbone_scaling": "tf"}, "is for .keras and .onnx files"),
    Case(
        "an unknown scaling",
        "refused",
        {"backbone": "d.onnx", "backbone_scaling": "imagenet"},
        r"backbone_scaling must be raw \(0 to 255\), .*, got 'imagenet'",
    ),
    Case(
        "two scalings for three files",
        "refused",
        {"backbone": ["a.onnx", "b.onnx", "c.keras"], "backbone_scaling": ["tf", "raw"]},
        "one for each of the files",
    ),
    Case(
        "one file of weights for two models of Keras",
        "refused",
        {"backbone": ["A", "B"], "image_weights": "a.weights.h5"},
        r"'imagenet', or one file for each .* \['A', 'B'\], in their order, got \['a.weights.h5'\]",
    ),
    Case(
        "weights for a backbone that is a file",
        "refused",
        {"backbone": "a.onnx", "backbone_scaling": "tf", "image_weights": "a.weights.h5"},
        "one file for each of the models of keras.applications",
    ),
]


@documented("Networks that read photos", WRONG)
def test_options_that_do_not_belong_together_are_refused_before_anything_is_read(case: Case) -> None:
    with pytest.raises(ValueError, match=f"MixedDataRegressor: .*{case.expected}"):
        make_regressor(**{**OPTIONS, **case.given}).fit(pd.DataFrame({"nothing": []}), [])


def test_a_file_that_is_not_there_is_named_with_where_it_was_looked_for(
    sales: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"there is no file 'no.onnx' .looked in {tmp_path}"):
        fit(make_regressor(backbone="no.onnx", backbone_scaling="raw"), sales[:8])


# Vectors


def test_vectors_of_several_backbones_stand_side_by_side_each_read_at_its_own_size(
    eye: None, files: list[str], sales: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    names = ["MobileNetV2", *files]
    regressor = fit(make_regressor(backbone=names, backbone_scaling="raw"), sales[:20])
    embedder = regressor.embedder_
    assert embedder.block_sizes == (3, 3, WIDTH, WIDTH, 3)
    assert [backbone.size for backbone in embedder.backbones] == [(8, 8), (SIDE, SIDE), (SIDE, SIDE)]
    (components,) = [layer for layer in regressor.model_.layers if isinstance(layer, PrincipalComponents)]
    assert tuple(components.blocks) == embedder.block_sizes
    together = regressor.read_rows(sales[:20])["images"]
    alone = [
        fit(make_regressor(backbone=name, backbone_scaling=None if name in "MobileNetV2" else "raw"), sales[:20])
        for name in names
    ]
    parts = [one.read_rows(sales[:20])["images"] for one in alone]
    np.testing.assert_array_equal(together, np.concatenate(parts, axis=2))
    assert len({one.embedder_.digest for one in (*alone, regressor)}) == 4


def test_one_more_backbone_leaves_the_vectors_of_the_others_as_they_are(
    eye: None, files: list[str], sales: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_regressor(backbone=["MobileNetV2"])
    first.embed_photos(sales[:10])
    assert count_cached() == 20
    told: list[tuple[int, int]] = []
    both = make_regressor(backbone=["MobileNetV2", files[0]], backbone_scaling="raw")
    both.embed_photos(sales[:10], lambda done, total: told.append((done, total)))
    assert count_cached() == 40
    assert told == [(16, 20), (20, 20)]  # of one backbone


def test_a_photo_that_one_backbone_cannot_use_is_none(eye: None, files: list[str], tmp_path: Path) -> None:
    settings = [BackboneSettings("MobileNetV2"), BackboneSettings(files[0], scaling="raw")]
    (tmp_path / "broken.png").write_bytes(b"no photo")
    path = str(tmp_path / "broken.png")
    found = load_embedder(settings, (8, 8)).embed([path, path], resize="crop", max_pixels=100)
    assert isinstance(found.pop(path), photo_vectors.PhotoError)
    assert not found


def test_a_file_that_was_changed_is_read_again(files: list[str]) -> None:
    settings = [BackboneSettings(files[0], scaling="raw")]
    before = load_embedder(settings, (8, 8))
    assert load_embedder(settings, (8, 8)).backbones[0] is before.backbones[0]
    Path(files[0]).write_bytes(make_onnx("vector"))
    assert load_embedder(settings, (8, 8)).block_sizes == (WIDTH,) != before.block_sizes


# Bundles


def test_a_bundle_carries_its_backbones_and_needs_no_other_file(
    eye: None,
    files: list[str],
    sales: pd.DataFrame,
    without_training: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["MobileNetV2", *map(Path, files)]
    regressor = fit(make_regressor(backbone=names, backbone_scaling=("torch", "unit")), sales[:20])
    expected = regressor.predict(sales[:5])
    regressor.save(tmp_path / "bundle")
    found = sorted(path.name for path in (tmp_path / "bundle").glob("backbone_*"))
    assert found == ["backbone_0.keras", "backbone_0.onnx", "backbone_1.onnx", "backbone_2.keras", "backbone_2.onnx"]
    for file in files:
        Path(file).unlink()
    loaded = load(tmp_path / "bundle")
    photo_vectors._memory.clear()
    np.testing.assert_array_equal(loaded.predict(sales[:5]), expected)
    assert loaded.embedder_.digest == regressor.embedder_.digest
    assert loaded.backbone == ["MobileNetV2", *files]
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BundleError, match=r"reading backbone_1.onnx needs onnxruntime; type: pip install"):
        load(tmp_path / "bundle")


def test_another_network_in_the_place_of_a_backbone_is_noticed_by_the_golden_rows(
    files: list[str], sales: pd.DataFrame, without_training: list[dict[str, Any]], tmp_path: Path
) -> None:
    fit(make_regressor(backbone=files[0], backbone_scaling="raw"), sales[:20]).save(tmp_path / "bundle")
    file, manifest = tmp_path / "bundle" / "backbone_0.onnx", read_json(tmp_path / "bundle" / "manifest.json")
    file.write_bytes(make_onnx("tokens", num_prefix=1, outputs=("twice",)))
    manifest["regressor"]["backbones"][0]["file"] = manifest["files"][file.name] = digest_file(file)
    write_json(tmp_path / "bundle" / "manifest.json", manifest)
    with pytest.raises(BundleError, match="the golden rows are predicted differently"):
        load(tmp_path / "bundle")
