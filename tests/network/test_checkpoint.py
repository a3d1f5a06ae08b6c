"""A training that was stopped goes on to the same weights, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from network_helpers import Stopper, fit, make_network, make_rows

from mixed_data.network.epoch_checkpoint import EpochCheckpoint
from mixed_data.network.training import TrainingSettings, seeded

EPOCHS = 6


@pytest.fixture(autouse=True)
def _every_epoch(monkeypatch):
    monkeypatch.setattr(EpochCheckpoint, "seconds_between", 0.0)


def train(path: Path, *callbacks: keras.callbacks.Callback, num_validation: int, **network: Any):
    """Train a small network with dropout."""
    rows = make_rows(network.get("image_branch", "cnn"), network.get("modalities", "both"), num_rows=40)
    target = rows["tabular"][:, 0] + np.random.default_rng(0).normal(size=40)
    with seeded(3):
        model = make_network(dropout=0.3, **network)
        losses = fit(
            model,
            rows,
            target,
            TrainingSettings(
                epochs=EPOCHS,
                batch_size=16,
                learning_rate=0.2 if num_validation else 0.01,
                weight_decay=0.01,
                loss="mse",
                patience=2,
                random_state=5,
            ),
            training_rows=np.arange(num_validation, 40),
            validation_rows=np.arange(num_validation),
            callbacks=[*callbacks, EpochCheckpoint(path)],
        )
    return model, losses


@pytest.mark.parametrize(
    ("num_validation", "network"),
    [(0, {"image_branch": "pretrained", "modality_dropout": 0.3}), (12, {"modalities": "tabular", "members": 2})],
    ids=["all epochs", "members and early stopping"],
)
def test_a_training_that_was_stopped_ends_as_it_would_have(num_validation, network, tmp_path):
    whole, losses = train(tmp_path / "whole", num_validation=num_validation, **network)
    assert (len(losses["loss"]) < EPOCHS) == bool(num_validation), "early stopping has something to remember"
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", Stopper(4), num_validation=num_validation, **network)
    trained = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: trained.append(epoch))
    # Of the one that was not stopped, nothing is left to do.
    for name, epochs in (("stopped", [*range(4, len(losses["loss"]))]), ("whole", [])):
        trained.clear()
        resumed, seen = train(tmp_path / name, watch, num_validation=num_validation, **network)
        assert trained == epochs
        assert seen == losses
        for expected, got in zip(whole.get_weights(), resumed.get_weights(), strict=True):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("content", [b"PK\x03\x04 half", b"", None], ids=["spoiled", "empty", "of another network"])
def test_a_file_that_does_not_help_is_no_file(content, tmp_path, caplog):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    file = tmp_path / "epochs-0.npz"
    if content is None:
        np.savez(file, **{"variable 0": np.zeros(3)})
    else:
        file.write_bytes(content)
    before = model.get_weights()
    assert EpochCheckpoint(tmp_path / "epochs").restore(model, None, 9) == 0
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert ("that training begins anew" in caplog.text) == (content is not None)
