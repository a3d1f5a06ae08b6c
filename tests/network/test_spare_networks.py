"""A fit in a network that is built and traced already: the same numbers, and nobody else's network."""

from __future__ import annotations

import numpy as np
import pytest
from estimator_helpers import eagerly, make_regressor

from mixed_data.network import spare_networks
from mixed_data.network.fused_network import inner_network
from mixed_data.network.spare_networks import give_back


@pytest.fixture(autouse=True)
def none_is_spare(monkeypatch):
    monkeypatch.setattr(spare_networks, "_spare", [])


def fit(sales, *, rows=slice(0, 40), **options):
    options = {"epochs": 2, "validation_fraction": 0.0, "intervals": False, **options}
    return make_regressor(**options).fit(sales[rows], sales["price"][rows])


@pytest.mark.parametrize("options", [{}, {"image_branch": "patches", "members": 2, "modality_dropout": 0.2}])
def test_a_fit_in_a_spare_network_gives_the_same_bits(sales, options):
    """With graphs, which a spare network brings along; `fit` of this file has them where nothing says otherwise."""
    first = fit(sales, random_state=1, **options)
    expected, network = first.predict(sales), inner_network(first.model_)
    weights = [np.array(one) for one in network.get_weights()]
    other = fit(sales, random_state=2, rows=slice(10, 50), **options)
    assert inner_network(other.model_) is not network, "nobody gave it back"
    assert all((one == two).all() for one, two in zip(weights, network.get_weights(), strict=True))
    give_back(other.model_)
    again = fit(sales, random_state=1, **options)
    assert again.model_ is other.model_
    np.testing.assert_array_equal(again.predict(sales), expected)
    assert again.history_ == first.history_
    assert again.fusion_weights_ == first.fusion_weights_


def test_another_recipe_takes_no_spare_network(sales):
    with eagerly():
        first = fit(sales, modalities="tabular")
        give_back(first.model_)
        for other in ({"epochs": 3}, {"units": 5}, {"learning_rate": 0.5}, {"loss": "mse"}):
            assert fit(sales, modalities="tabular", **other).model_ is not first.model_
        assert fit(sales, modalities="tabular").model_ is first.model_


def test_a_network_is_taken_once_and_few_are_kept(sales):
    with eagerly():
        models = [fit(sales, modalities="tabular", units=units).model_ for units in (1, 2, 3)]
    for model in models[:2]:
        give_back(model)
    give_back(models[0])
    assert len(spare_networks._spare) == 2
    spare_networks._spare[:] = spare_networks._spare * 4
    give_back(models[2])
    assert len(spare_networks._spare) == spare_networks._MOST
    assert spare_networks._spare[-1][1] is models[2]
    with eagerly():
        assert fit(sales, modalities="tabular", units=3).model_ is models[2]
        assert fit(sales, modalities="tabular", units=3).model_ is not models[2]


def test_the_fits_behind_intervals_share_networks(sales):
    with eagerly():
        fitted = fit(sales, intervals=True, modalities="tabular")
    assert 1 <= len(spare_networks._spare) < 5
    assert all(model is not fitted.model_ for _, model in spare_networks._spare)
