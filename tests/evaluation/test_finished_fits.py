"""The fits that a stopped run has finished: what is kept of them, and what is read again."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mixed_data.estimator import MixedDataRegressor
from mixed_data.evaluation.finished_fits import FinishedFits, Fit, StandIn

ROWS = pd.DataFrame(
    {"prediction": [0.1, 1e300], "images_used": [0, 3], "warnings": ["", "a; b"], "fold": 1}, index=[4, 9]
)


def test_models_that_are_not_the_main_one_leave_their_weights(tmp_path):
    fitted = StandIn({"tabular": 0.1, "image": 0.9}, np.array([[0.1, 0.9]]))
    fits = FinishedFits(tmp_path, "main")
    assert fits.is_empty
    kept = fits.keep("film", 1, Fit(ROWS, fitted, 2.5))
    assert not fits.is_empty
    for again in (kept, fits.read("film", 1, [4, 9])):
        pd.testing.assert_frame_equal(again.rows, ROWS)
        assert again.seconds == 2.5
        assert again.model.fusion_weights_ == fitted.fusion_weights_
        np.testing.assert_array_equal(again.model.member_weights_, fitted.member_weights_)
    assert fits.read("film", 0, [4, 9]) is None
    assert fits.read("film", 1, [9, 4]) is None


def test_what_was_predicted_with_modalities_hidden_is_kept_too(tmp_path):
    hidden = pd.DataFrame({"prediction": [1.5, 2.5], "pattern": ["no table", "all"]}, index=[9, 4])
    fits = FinishedFits(tmp_path, "main")
    fits.keep("film", 1, Fit(ROWS, StandIn({}, None), 2.5, hidden))
    pd.testing.assert_frame_equal(fits.read("film", 1, [4, 9]).hidden, hidden)
    (file,) = tmp_path.glob("film-*.json")
    file.write_text(file.read_text().replace('"row": [', '"row": [5, '))
    assert fits.read("film", 1, [4, 9]) is None


def test_the_main_model_is_kept_whole(tmp_path, monkeypatch):
    bundles, loaded = [], MixedDataRegressor(units=1)
    monkeypatch.setattr(
        "mixed_data.evaluation.finished_fits.save_bundle", lambda model, path, for_runtime: bundles.append(path)
    )
    monkeypatch.setattr("mixed_data.evaluation.finished_fits.load", lambda path: path == bundles[0] and loaded)
    fits = FinishedFits(tmp_path, "main")
    model = MixedDataRegressor(units=7)
    assert fits.keep("main", 1, Fit(ROWS, model, 2.5)).model is model
    assert fits.read("main", 1, [4, 9]).model is loaded
    assert bundles[0].parent == tmp_path


def test_a_main_model_that_was_changed_since_is_no_finished_fit(fitted_stack, tmp_path):
    fits = FinishedFits(tmp_path, "best")
    fits.keep("best", 1, Fit(ROWS, fitted_stack.stack, 2.5))
    assert fits.read("best", 1, [4, 9]) is not None
    (weights,) = tmp_path.glob("best-*.bundle/stack.json")
    weights.write_text(weights.read_text().replace("0.", "0.1", 1))
    assert fits.read("best", 1, [4, 9]) is None
