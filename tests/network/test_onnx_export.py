"""Networks as ONNX files predict what Keras predicts, and the same network gives the same file."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from network_helpers import make_network, make_rows, randomize

from mixed_data.fusion import FUSIONS
from mixed_data.network.fused_network import make_predictor
from mixed_data.network.onnx_export import PREDICTION, export_photo_reader, export_predictor, split_predictor
from mixed_data.preprocessing.onnx_backbone import OnnxBackbone
from mixed_data.preprocessing.onnx_session import OnnxSession


def check(options: dict, tmp_path: Path) -> None:
    """Compare a network of random weights with its files."""
    keras.utils.set_random_seed(1)
    model = make_predictor(make_network(**options))
    randomize(model)
    rows = make_rows(options.get("image_branch", "cnn"), options.get("modalities", "both"))
    expected = model.predict_on_batch(rows)
    encoder, predictor = split_predictor(model)
    export_predictor(predictor, tmp_path / "network.onnx")
    if encoder is not None:
        export_photo_reader(encoder, tmp_path / "photos.onnx")
        size = encoder.input.shape[1:3]
        reader = OnnxBackbone.read(tmp_path / "photos.onnx", scaling="raw", size=size, flip_average=False)
        photos = rows["images"]
        vectors = np.array([reader.compute(row) for row in photos])
        rows = {**rows, "images": np.where(rows["image_mask"][..., None], vectors, np.float32(0))}
    session = OnnxSession((tmp_path / "network.onnx").read_bytes(), name="network.onnx")
    (found,) = session.run([PREDICTION], {one.name: rows[one.name] for one in session.inputs})
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion_predicts_as_keras_does_with_packed_members(fusion: str, tmp_path: Path) -> None:
    """From the photos' pixels where a fusion takes views, and once where it does not; else from their vectors."""
    reads_pixels = FUSIONS[fusion].takes_views or fusion == "weighted_sum"
    check({"fusion": fusion, "members": 3, "image_branch": "cnn" if reads_pixels else "pretrained"}, tmp_path)


@pytest.mark.parametrize("modalities", ["tabular", "image"])
def test_one_modality_predicts_as_keras_does(modalities: str, tmp_path: Path) -> None:
    check({"modalities": modalities}, tmp_path)


def test_what_is_captured_as_a_constant_becomes_a_weight_and_no_input(tmp_path: Path) -> None:
    photos = keras.Input((4, 4, 3), dtype="uint8")
    scaled = keras.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0])(photos)
    model = keras.Model(photos, keras.layers.GlobalAveragePooling2D()(scaled))
    export_photo_reader(model, tmp_path / "eye.onnx")
    session = OnnxSession((tmp_path / "eye.onnx").read_bytes(), name="eye.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
    assert [one.name for one in session.inputs] == ["photos"]
    (found,) = session.run(["vectors"], {"photos": pixels})
    np.testing.assert_allclose(found, model.predict_on_batch(pixels), rtol=1e-6)


def test_the_same_network_gives_the_same_file_whatever_was_built_before(tmp_path: Path) -> None:
    digests = set()
    for number in range(2):
        keras.layers.Dense(1)  # counts on in the names that Keras gives
        photos = keras.Input((8, 8, 3), dtype="uint8")
        x = keras.layers.Conv2D(2, 3, kernel_initializer="ones")(keras.layers.Rescaling(1 / 255)(photos))
        model = keras.Model(photos, keras.layers.GlobalAveragePooling2D()(keras.layers.Concatenate()([x, -x])))
        export_photo_reader(model, tmp_path / f"{number}.onnx")
        digests.add((tmp_path / f"{number}.onnx").read_bytes())
    assert len(digests) == 1


def test_an_image_branch_that_does_not_say_where_a_photo_ends_is_refused() -> None:
    images, mask = keras.Input((1, 2, 4, 4, 3), name="images"), keras.Input((1, 2), dtype="bool", name="image_mask")
    output = keras.layers.Flatten()(images)[:, :1] * keras.ops.cast(mask[:, 0, :1], "float32")
    network = keras.Model({"images": images, "image_mask": mask}, output)
    with pytest.raises(ValueError, match="needs a layer named 'photo_vector'"):
        split_predictor(make_predictor(network))
