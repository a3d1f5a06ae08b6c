"""What is compared, and that the placebo's photos are other rows' photos and nothing else is changed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mixed_data.evaluation.compared_models import make_candidates
from mixed_data.evaluation.model_names import is_ablation
from mixed_data.evaluation.placebo import shuffle_photos
from mixed_data.fusion import FUSIONS
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.schema import Schema

SCHEMA = Schema(target="price", numeric=["area"], images=["front", "kitchen"])
NUM_ROWS = 40


@pytest.fixture
def table():
    rows = range(NUM_ROWS)
    return pd.DataFrame(
        {
            "area": [float(row) for row in rows],
            "front": [None if row % 7 == 3 else f"{row}_front.jpg" for row in rows],
            "kitchen": [f"{row}_kitchen.jpg" for row in rows],
            "price": [1_000.0 + row for row in rows],
        },
        index=range(500, 500 + NUM_ROWS),
    )


@pytest.fixture
def split():
    rows = np.random.default_rng(0).permutation(NUM_ROWS)
    return rows[:30], rows[30:]


def test_the_placebo_gives_each_row_all_photos_of_another_row_of_its_side(table, split):
    shuffled = shuffle_photos(table, SCHEMA, split, [0, 0, 0])
    givers = shuffled["kitchen"].str.removesuffix("_kitchen.jpg").astype(int).to_numpy()
    assert (shuffled["front"].fillna("none") == table["front"].iloc[givers].fillna("none").to_numpy()).all()
    for rows in split:
        assert sorted(givers[rows]) == sorted(rows)
    assert np.mean(givers == np.arange(NUM_ROWS)) < 0.2


def test_the_placebo_leaves_everything_else_as_it_is(table, split):
    before = table.copy()
    shuffled = shuffle_photos(table, SCHEMA, split, [0, 0, 0])
    pd.testing.assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(shuffled.drop(columns=["front", "kitchen"]), table.drop(columns=["front", "kitchen"]))
    assert list(shuffled) == list(table)
    assert shuffled.dtypes.equals(table.dtypes)


def test_the_placebos_shuffle_depends_on_repeat_and_fold_and_on_nothing_else(table, split):
    photos = {
        seed: tuple(shuffle_photos(table, SCHEMA, split, list(seed))["kitchen"])
        for seed in ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0))
    }
    assert len(set(photos.values())) == 4
    assert photos[0, 0, 0] == tuple(shuffle_photos(table, SCHEMA, split, [0, 0, 0])["kitchen"])


def test_candidates_are_baselines_networks_the_placebo_and_one_network_without_each_view():
    candidates = make_candidates(SCHEMA, {"epochs": 3}, networks=["table", "image", "concat"], main="weighted_sum")
    baselines = ["median", "ridge", "knn", "boosting"]
    ablations = ["placebo", "without front", "without kitchen"]
    assert list(candidates) == [*baselines, "table", "image", "concat", "weighted_sum", *ablations]
    assert [name for name in candidates if is_ablation(name)] == ["table", "image", *ablations]
    assert [name for name, candidate in candidates.items() if candidate.prepare is not None] == ["placebo"]
    main = candidates["weighted_sum"].estimator.get_params(deep=False)
    assert (main["epochs"], main["intervals"]) == (3, True)
    main["intervals"] = False  # nobody asks for those of the others
    assert candidates["placebo"].estimator.get_params(deep=False) == main
    for name, images in (("without front", ("kitchen",)), ("without kitchen", ("front",))):
        schema = Schema(target="price", numeric=["area"], images=images)
        assert candidates[name].estimator.get_params(deep=False) == {**main, "schema": schema}


def test_intervals_are_learned_by_the_main_network_and_the_stack_unless_told_not_to():
    options = {"networks": ["table", "best"], "main": "concat"}
    for asked, expected in ((True, {"concat", "best"}), (False, set())):
        candidates = make_candidates(SCHEMA, {"image_branch": "pretrained"}, intervals=asked, **options)
        learning = {name for name, found in candidates.items() if getattr(found.estimator, "intervals", False)}
        assert learning == expected


def test_the_stack_can_be_the_main_model_and_loses_its_views_too():
    options = {"image_branch": "pretrained", "image_weights": None, "epochs": 3}
    candidates = make_candidates(SCHEMA, options, networks=["table"], main="best")
    assert list(candidates)[4:] == ["table", "best", "placebo", "without front", "without kitchen"]
    assert candidates["without front"].estimator.schema.images == ("kitchen",)
    assert candidates["best"].estimator.schema.images == ("front", "kitchen")
    assert candidates["without front"].estimator.image_weights is None


def test_the_main_network_is_compared_once_and_the_views_only_where_asked_for():
    candidates = make_candidates(SCHEMA, {}, networks=["weighted_sum"], main="weighted_sum", views=False)
    assert list(candidates)[4:] == ["weighted_sum", "placebo"]
    assert set(FUSIONS) > {"weighted_sum"}


def test_a_single_view_is_not_left_out_because_that_is_the_network_of_the_table():
    schema = Schema(target="price", numeric=["area"], images=["front"])
    assert list(make_candidates(schema, {}, networks=["table"], main="concat"))[4:] == ["table", "concat", "placebo"]


def test_without_photos_there_is_nothing_to_leave_out():
    assert list(make_candidates(SCHEMA.without_images(), {}, networks=["table"], main="table"))[4:] == ["table"]


def test_a_network_without_one_view_reads_the_photos_of_the_others_only(table):
    options = {"preprocessor": MixedDataPreprocessor(SCHEMA, image_size=8)}
    estimator = make_candidates(SCHEMA, options, networks=[], main="image")["without front"].estimator
    assert estimator.preprocessor.image_size == 8
    assert estimator.schema.images == ("kitchen",)


def test_an_unknown_main_network_is_refused():
    with pytest.raises(ValueError, match="got 'sum'"):
        make_candidates(SCHEMA, {}, networks=["table"], main="sum")
