"""Heat maps of a model that looks at one corner of a photo only."""

from __future__ import annotations

import numpy as np
import pytest
from explain_helpers import KnownModel, make_photo, make_row
from onnx_helpers import SETTINGS, WIDTH, make_onnx

from mixed_data.explain.heat_maps import _means_without, draw_heat
from mixed_data.preprocessing.onnx_backbone import OnnxBackbone
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder
from mixed_data.runtime.saved_models import SavedModel


class ByMaps(KnownModel):
    """Reads the same from maps of 8 x 8 cells and their means, as a frozen network does."""

    image_branch = "pretrained"

    def __init__(self):
        super().__init__()
        self.readers_ = (self,)

    def read_maps(self, pixels):
        cells = pixels.reshape(8, 8, 8, 8, 3).mean(axis=(1, 3, 4))[..., None] / 255
        corner = np.zeros((8, 8, 1))
        corner[:2, :2] = 1
        return [np.concatenate([cells * corner, cells / 10, np.ones((8, 8, 62))], axis=2)]

    def embed_photo(self, pixels):
        return np.sqrt(np.mean(self.read_maps(pixels[0])[0], axis=(0, 1)))


class TwoSizes(SavedModel):
    """Two frozen networks that read photos of their own sizes, the second one at 32 x 32 pixels; it alone counts."""

    kind = "two sizes"

    def __init__(self):
        known = KnownModel()
        self.modalities, self.image_branch, self.calibrator_ = "both", "pretrained", None
        self.preprocessor_, self.target_transformer_ = known.preprocessor_, known.target_transformer_
        self.readers_ = (
            OnnxBackbone(make_onnx("map"), **SETTINGS),
            OnnxBackbone(make_onnx("vector", shape=("n", 3, 32, 32)), **SETTINGS),
        )
        self.embedder_ = PhotoEmbedder(self.readers_, cached=False, remember=False)

    def predict_members(self, table, inputs):
        raise NotImplementedError

    def predict_together(self, table, inputs):
        return inputs["images"][:, 0, WIDTH:].astype("float64").sum(axis=1, keepdims=True)

    def describe_read(self, table, inputs):
        raise NotImplementedError

    def _read(self, folder):
        raise NotImplementedError


def test_each_network_that_reads_photos_gets_them_in_its_own_size():
    model, table = TwoSizes(), make_row()
    pixels = model.read_photo(table, "front")
    assert [one.shape for one in pixels] == [(16, 16, 3), (32, 32, 3)]
    vector = model.embed_photo(pixels)
    assert vector.tolist() == model.read_rows(table)["images"][0, 0].tolist()
    heat = draw_heat(model, make_row(front=make_photo(0, corner=255)), "front")
    assert np.abs(heat.values[:4, :4]).max() > 0


@pytest.mark.parametrize("model", [KnownModel(), ByMaps()], ids=["squares", "cells"])
def test_the_peak_lies_where_the_model_looks_and_nowhere_else_is_anything(model):
    heat = draw_heat(model, make_row(front=make_photo(200, corner=255)), "front")
    quarter = len(heat.values) // 4
    outside = heat.values.copy()
    outside[: quarter + 1, : quarter + 1] = 0
    assert heat.values.shape == (len(heat.values),) * 2
    assert np.unravel_index(heat.values.argmax(), heat.values.shape) < (quarter, quarter)
    assert np.abs(outside).max() < 0.1 * heat.values.max()
    assert heat.trustworthy
    assert "lowers the prediction" in heat.text


def test_values_are_what_the_prediction_loses_in_logarithms():
    model = KnownModel()
    heat = draw_heat(model, make_row(front=make_photo(255)), "front")
    # A square of 8 x 8 pixels is a quarter of the corner's 16 x 16 and goes from 255 to 128.
    expected = model.target_transformer_.std_ * (255 - 128) / 255 / 4
    assert heat.values[1, 1] == pytest.approx(expected)


def test_a_map_that_mixed_up_features_draw_as_high_is_called_not_trustworthy():
    class Blind(KnownModel):
        def embed_photo(self, pixels):
            return np.repeat(pixels[0].mean() / 255, 8)  # all features alike: mixing them up changes nothing

    heat = draw_heat(Blind(), make_row(), "front")
    assert not heat.trustworthy
    assert heat.text.startswith("not trustworthy here")


def test_what_cannot_be_drawn_is_refused_in_words():
    model = KnownModel()
    with pytest.raises(ValueError, match="no photo 'garden'; it reads front, kitchen"):
        draw_heat(model, make_row(), "garden")
    with pytest.raises(ValueError, match="no usable photo 'front': front: no photo given"):
        draw_heat(model, make_row(front=None), "front")
    with pytest.raises(ValueError, match="of one row, got 0"):
        draw_heat(model, make_row().iloc[:0], "front")
    with pytest.raises(ValueError, match="reads none"):
        draw_heat(KnownModel(modalities="tabular"), make_row(), "front")


def test_a_cell_is_left_out_of_the_mean_also_where_the_grid_does_not_divide_the_map():
    one = np.random.default_rng(0).random((5, 5, 3)).astype("float32")
    means = _means_without(one, 2)
    kept = np.ones((5, 5), dtype=bool)
    kept[2:, :2] = False  # 5 cells are cut at 2.5, which rounds to 2
    assert means.shape == (4, 3)
    assert means[2] == pytest.approx(one[kept].mean(axis=0))
