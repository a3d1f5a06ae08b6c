"""Reasons of a network that was trained here are true: the short form of `benchmarks.explanation_truth`.

Of made-up houses the price is what the area, a red patch in the front photo and a blue one in the back photo say. Where
they lie is known. A green patch, elsewhere in each photo, says nothing.
"""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import spearmanr

from benchmarks.explanation_truth import find_peak, is_hit, shuffle_weights, wilson
from mixed_data.estimator import MixedDataRegressor
from mixed_data.explain.heat_maps import draw_heat
from mixed_data.explain.reasons import explain_rows
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.runtime import Predictor
from mixed_data.schema import Schema

NUM_ROWS, NUM_TRAINING_ROWS, SIDE, PATCH = 240, 200, 32, 8
EFFECTS = {"area": 0.01, "front": 0.8, "back": 0.5}  # of a square metre, and of a patch at full strength
SCHEMA = Schema(target="price", numeric=("area",), images=tuple(list(EFFECTS)[1:]))


@pytest.fixture(scope="module")
def houses(tmp_path_factory) -> pd.DataFrame:
    """Rows with the strength and the place of each patch."""
    folder, random = tmp_path_factory.mktemp("truth"), np.random.default_rng(0)
    rows = pd.DataFrame({"area": random.uniform(50, 150, NUM_ROWS)})
    for view, channel in (("front", 0), ("back", 2)):
        strength = random.uniform(0, 1, NUM_ROWS) * (random.random(NUM_ROWS) < 0.7)
        rows[view], rows[f"{view} strength"] = "", strength
        places = np.array([random.choice((SIDE // PATCH) ** 2, 2, replace=False) for _ in range(NUM_ROWS)])
        corners = PATCH * np.stack(np.divmod(places, SIDE // PATCH), axis=2)
        rows[f"{view} top"], rows[f"{view} left"] = corners[:, 0].T
        for row, ((top, left), (other_top, other_left)) in enumerate(corners):
            pixels = random.integers(80, 120, (SIDE, SIDE, 3))
            pixels[top : top + PATCH, left : left + PATCH, channel] += round(120 * strength[row])
            pixels[other_top : other_top + PATCH, other_left : other_left + PATCH, 1] += 120
            rows.loc[row, view] = str(folder / f"{row}_{view}.png")
            Image.fromarray(pixels.astype("uint8")).save(rows.loc[row, view])
    return rows.assign(price=1e5 * np.exp(sum(list_terms(rows).values())))


def list_terms(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return what each part adds to the logarithm of the price."""
    names = {"area": "area", "front": "front strength", "back": "back strength"}
    return {part: EFFECTS[part] * rows[name].to_numpy() for part, name in names.items()}


@pytest.fixture(scope="module")
def trained(houses, tmp_path_factory):
    settings = {"epochs": 40, "batch_size": 16, "units": 16, "image_dropout": 0.2, "learning_rate": 4e-3}
    preprocessor = MixedDataPreprocessor(SCHEMA, image_size=SIDE)
    regressor = MixedDataRegressor(SCHEMA, preprocessor=preprocessor, target_transform="log", **settings)
    training = houses[:NUM_TRAINING_ROWS]
    bundle = tmp_path_factory.mktemp("truth") / "bundle"
    regressor.fit(training, training["price"]).save(bundle)
    return Predictor(bundle).model


@pytest.fixture(scope="module")
def shuffled(trained):
    """The same with all weights shuffled."""
    model = copy.copy(trained)
    model.readers_ = tuple(map(copy.copy, trained.readers_))
    shuffle_weights(model, seed=0)
    return model


@pytest.fixture(scope="module")
def new(houses) -> pd.DataFrame:
    return houses[NUM_TRAINING_ROWS:]


def compare(model, rows: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Return rank correlation and slope of each part's logarithm on its true term."""
    terms = list_terms(rows)
    terms |= {"table": terms["area"], "photos": terms["front"] + terms["back"]}
    found = {}
    for name, term in terms.items():
        parts = [one for row in explain_rows(model, rows) for one in (*row.modalities, *row.columns, *row.views)]
        added = np.log([part.factor for part in parts if part.name == name])
        found[name] = (float(spearmanr(added, term)[0]), float(np.polyfit(term, added, 1)[0]))
    return found


def find_hits(model, rows: pd.DataFrame, view: str) -> list[bool]:
    """Tell of each photo with a clear patch whether the peak of its heat map lies in it."""
    hits = []
    for row in np.flatnonzero(rows[f"{view} strength"] > 0.4):
        top, left = rows[[f"{view} top", f"{view} left"]].iloc[row]
        mask = np.zeros((SIDE, SIDE), dtype=bool)
        mask[top : top + PATCH, left : left + PATCH] = True
        hits.append(is_hit(find_peak(draw_heat(model, rows.iloc[[row]], view)), mask))
    return hits


def test_factors_are_those_of_the_true_terms_in_order_and_in_size(trained, new):
    found = compare(trained, new)
    assert min(found[name][0] for name in ("table", "photos", "area")) > 0.9, found
    assert min(found[name][0] for name in ("front", "back")) > 0.75, found
    assert all(0.7 < slope < 1.3 for _, slope in found.values()), found


def test_factors_of_a_shuffled_network_are_not(shuffled, new):
    found = compare(shuffled, new)
    assert all(abs(slope) < 0.3 for _, slope in found.values()), found
    assert all(abs(found[name][0]) < 0.5 for name in ("photos", "front", "back")), found  # of one column any order is 1


@pytest.mark.parametrize("view", ["front", "back"])
def test_peaks_of_heat_maps_lie_in_the_patch_and_those_of_a_shuffled_network_do_not(trained, shuffled, new, view):
    hits = find_hits(trained, new, view)
    assert len(hits) >= 10
    assert wilson(hits) > 2 * (PATCH / SIDE) ** 2
    assert np.mean(hits) >= 0.7
    assert np.mean(find_hits(shuffled, new, view)) < np.mean(hits) - 0.2
