"""What the regressor's settings become, and that they reach network and training (seen without training)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd
import pytest
from estimator_helpers import NUM_ROWS, SCHEMA, fit, make_regressor, network_of

from mixed_data.estimator import MixedDataRegressor, settings
from mixed_data.schema import Schema


def test_few_rows_are_all_trained_on_and_get_more_image_dropout(
    sales: pd.DataFrame, without_training: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = []
    for few in (NUM_ROWS + 1, NUM_ROWS):
        monkeypatch.setattr(settings, "FEW_ROWS", few)
        regressor = fit(make_regressor(validation_fraction=None), sales)
        rates.append(network_of(regressor).get_layer("cnn_dropout").rate)
    assert [len(call["validation_rows"]) for call in without_training] == [0, 8]
    assert rates == [0.8, 0.6]


@pytest.mark.parametrize(
    ("options", "few", "many"),
    [
        ({}, (1, 0.8, 20, "mae", 0.0), (1, 0.6, 20, "huber", 0.0)),
        ({"modalities": "image"}, (1, 0.8, 20, "mae", 0.0), (1, 0.6, 20, "huber", 0.0)),
        ({"modalities": "tabular"}, (8, 0.3, 40, "mae", 0.2), (8, 0.3, 20, "huber", 0.2)),
        ({"image_branch": "pretrained"}, (8, 0.3, 60, "mae", 0.2), (8, 0.3, 30, "huber", 0.2)),
        ({"image_branch": "patches"}, (8, 0.9, 40, "mae", 0.0), (8, 0.9, 20, "huber", 0.0)),
        ({"modality_dropout": 0.1}, (1, 0.8, 30, "mae", 0.1), (1, 0.6, 30, "huber", 0.1)),
        (
            {"members": 3, "image_dropout": 0.0, "epochs": 1, "loss": "mse", "modality_dropout": 0.5},
            (3, 0.0, 1, "mse", 0.5),
            (3, 0.0, 1, "mse", 0.5),
        ),
        (
            {"image_branch": "pretrained", "modality_dropout": 0.0},
            (8, 0.3, 40, "mae", 0.0),
            (8, 0.3, 20, "huber", 0.0),
        ),
    ],
    ids=["both", "image", "tabular", "pretrained", "patches", "pixels that are hidden", "given", "zero given"],
)
def test_what_is_left_open_is_chosen_by_branch_and_number_of_rows(
    options: dict[str, Any], few: tuple[Any, ...], many: tuple[Any, ...]
) -> None:
    names = ("members", "image_dropout", "epochs", "loss", "modality_dropout")
    for num_rows, expected in ((10, few), (999, few), (1000, many)):
        resolved = settings.resolve_settings(MixedDataRegressor(SCHEMA, **options).get_params(deep=False), num_rows)
        found = {**asdict(resolved[0]), **asdict(resolved[1])}
        assert {name: found[name] for name in names} == dict(zip(names, expected, strict=True))


@pytest.mark.parametrize("modalities", ["both", "tabular"])
def test_what_is_chosen_reaches_network_and_training(
    sales: pd.DataFrame, without_training: list[dict[str, Any]], modalities: str
) -> None:
    regressor = MixedDataRegressor(SCHEMA, modalities=modalities, dropout=0.25, modality_dropout=0.125)
    fit(regressor, sales)
    network = network_of(regressor)
    options = {name: without_training[0][name] for name in ("epochs", "loss")}
    assert options == {"epochs": 30 if modalities == "both" else 40, "loss": "mae"}
    assert network.get_layer("mlp_dropout").rate == 0.25
    assert regressor.model_.output_shape == (None, 1 if modalities == "both" else 8)
    if modalities == "both":
        assert network.get_layer("cnn_dropout").rate == 0.8
        assert network.get_layer("modality_dropout").rate == 0.125


def test_options_reach_the_training(sales: pd.DataFrame, without_training: list[dict[str, Any]]) -> None:
    options = {"epochs": 3, "batch_size": 5, "learning_rate": 0.2, "weight_decay": 0.3, "loss": "mse", "patience": 4}
    fit(make_regressor(**options, random_state=6), sales)
    assert {name: without_training[0][name] for name in options} == options
    assert without_training[0]["random_state"] == 6


def test_a_fit_and_a_prediction_each_check_their_table_once(
    sales: pd.DataFrame, without_training: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []
    validate = Schema.validate

    def count(schema: Schema, table: pd.DataFrame, **options: Any) -> None:
        checked.append(len(table))
        validate(schema, table, **options)

    monkeypatch.setattr(Schema, "validate", count)
    regressor = fit(make_regressor(validation_fraction=0.15), sales)
    assert checked == [NUM_ROWS]
    regressor.predict(sales[:5])
    assert checked == [NUM_ROWS, 5]
