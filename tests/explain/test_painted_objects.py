"""The yardstick of `benchmarks.explanation_truth`: which pixels of a sample photo show a thing."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.painted_objects import OBJECTS, ONE_OBJECT, paint_again
from mixed_data.readers.sample.drawn_photos import draw_photo
from mixed_data.readers.sample.market import FACTORS, VIEWS

_SWITCHES = {"front": "pool", "bedroom": "fireplace", "bathroom": "bathtub", "kitchen": "kitchen_island"}


@pytest.mark.parametrize("view", VIEWS)
def test_the_mask_holds_the_object_and_recording_changes_no_pixel(view):
    traits = {factor.name: 1 for factor in FACTORS} | {"upkeep": 0.5, "window_size": 0.4}
    photo, mask = paint_again(3, 7, view, traits, painters=[ONE_OBJECT[view]])
    drawn = draw_photo(view, traits, np.random.default_rng([3, 7, VIEWS.index(view)]))
    assert np.array_equal(np.asarray(photo), np.asarray(drawn))
    assert 0.03 < mask.mean() < 0.25
    traits[_SWITCHES[view]] = 0
    assert not paint_again(3, 7, view, traits, painters=[ONE_OBJECT[view]])[1].any()
    assert ONE_OBJECT[view] in OBJECTS[view][1]


def test_a_mirrored_photo_has_a_mirrored_mask_on_the_water():
    for house in range(12):
        photo, mask = paint_again(3, house, "front", {"storeys": 2, "upkeep": 0.5, "pool": 1}, painters=["_draw_pool"])
        red, _, blue = np.asarray(photo, dtype=int)[mask].mean(axis=0)
        assert blue > red + 40, house
