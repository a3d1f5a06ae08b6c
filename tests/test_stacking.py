"""A network and trees together."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from mixed_data.estimator import MixedDataRegressor
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.readers import READERS
from mixed_data.schema import Schema
from mixed_data.stacking import StackedRegressor


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return READERS["sample"](tmp_path_factory.mktemp("sample"), rows=50)


def make_network(schema, **arguments):
    preprocessor = MixedDataPreprocessor(schema, image_size=16)
    return MixedDataRegressor(schema, preprocessor=preprocessor, epochs=1, **arguments)


@pytest.fixture(scope="module")
def stack(sample):
    table, schema = sample
    return StackedRegressor(make_network(schema)).fit(table[:40], table["price"][:40])


def test_the_answer_is_the_mean_of_network_and_boosting_on_the_log_scale(sample, stack):
    table, _ = sample
    voting = stack.stack_.regressor_
    network, boosting = voting.estimators_
    transformer = stack.stack_.transformer_
    assert transformer.log_
    mean = (network.predict(table[40:]) + boosting.predict(table[40:])) / 2
    np.testing.assert_allclose(stack.predict(table[40:]), transformer.inverse_transform(mean[:, None]).ravel())


def test_the_trees_are_told_what_the_photos_alone_predict_for_rows_not_seen(sample, stack):
    table, _ = sample
    boosting = stack.stack_.regressor_.estimators_[1]
    assert boosting.passthrough
    (photos,) = boosting.estimators_
    assert photos.modalities == "image"
    held_out = np.sort(np.concatenate([rows for _, rows in boosting.cv]))
    assert held_out.tolist() == list(range(40))
    trees = boosting.final_estimator_.estimators_[0]
    beside = trees[0]
    passed_on = np.column_stack([photos.predict(table[40:]), table[40:].to_numpy(dtype=object)])
    features = beside.transform(passed_on)
    np.testing.assert_allclose(features[:, 0], photos.predict(table[40:]).astype(float))
    np.testing.assert_allclose(features[:, 1:], beside.features_.transform(table[40:]))


def test_a_row_is_predicted_alike_whatever_comes_with_it(sample, stack):
    table, _ = sample
    np.testing.assert_array_equal(stack.predict(table[40:])[3:4], stack.predict(table[43:44]))


def test_it_is_cloned_with_its_network_and_gives_the_same_again(sample, stack):
    table, _ = sample
    again = clone(stack).fit(table[:40], table["price"][:40])
    np.testing.assert_array_equal(again.predict(table[40:]), stack.predict(table[40:]))


@pytest.mark.parametrize("schema", [None, Schema(target="price", numeric=["area"])])
def test_without_columns_and_photos_there_is_nothing_to_stack(sample, schema):
    table, full = sample
    network = make_network(full).set_params(schema=schema)
    with pytest.raises(ValueError, match="columns and photos"):
        StackedRegressor(network).fit(table, table["price"])
