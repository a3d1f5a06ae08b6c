"""Batches that several processes fill: each row once, each place its own rows, and the loss of rows only."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from mixed_data.network.dealt_batches import NO_ROW, DealtBatches, MeanOfRows, compile_for_dealt, deal_rows
from mixed_data.network.distribution import Job
from mixed_data.network.training_batches import Batches

NUM_ROWS, BATCH_SIZE = 21, 8


class Devices:
    """In the place of `keras.distribution.DataParallel`."""

    def __init__(self, number: int) -> None:
        self.num_model_replicas = number


def make_network(orders: int = 1) -> keras.Model:
    feature = keras.Input((orders, 1), name="tabular")
    output = keras.layers.Dense(orders, kernel_initializer="ones")(keras.layers.Flatten()(feature))
    return keras.Model({"tabular": feature}, output)


def make_part(job: Job, *, orders: int = 1, seed: int | None = 0, rows: Any = range(NUM_ROWS)) -> DealtBatches:
    """Make a process's part of batches of rows whose only feature is their number."""
    places = job.places(BATCH_SIZE)
    numbers = np.arange(NUM_ROWS, dtype="float32")
    dealt = deal_rows(np.array(rows), BATCH_SIZE, places)
    network = make_network(orders)
    return DealtBatches({"tabular": numbers[:, None]}, numbers % 5, dealt, network=network, seed=seed, places=places)


def read_epochs(parts: list[DealtBatches], num_epochs: int = 3) -> np.ndarray:
    """Return the rows of each epoch, batch and place, ``(epochs, batches, orders, places)``; -1 for none."""
    epochs = []
    for _ in range(num_epochs):
        batches = []
        for index in range(len(parts[0])):
            found = [part[index] for part in parts]
            rows = np.concatenate([inputs["tabular"][:, :, 0] for inputs, _, _ in found]).T.astype(int)
            weights = np.concatenate([weights for _, _, weights in found])
            batches.append(np.where(weights > 0, rows, NO_ROW))
        epochs.append(batches)
        for part in parts:
            part.on_epoch_end()
    return np.array(epochs)


@pytest.mark.parametrize("orders", [1, 2])
@pytest.mark.parametrize("number", [2, 4])
def test_several_processes_fill_the_batches_that_one_fills(number, orders):
    expected = read_epochs([make_part(Job(Devices(1)), orders=orders)])
    parts = [make_part(Job(Devices(number), number, process_id), orders=orders) for process_id in range(number)]
    np.testing.assert_array_equal(read_epochs(parts), expected)


def test_each_row_is_seen_once_per_epoch_in_a_new_order_and_always_by_the_same_process():
    parts = [make_part(Job(Devices(4), 4, process_id), orders=2) for process_id in range(4)]
    epochs = read_epochs(parts)
    for epoch in epochs:
        for order in range(2):
            assert sorted(epoch[:, order].ravel()) == [*[NO_ROW] * 3, *range(NUM_ROWS)]
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0][:, 0], epochs[0][:, 1]), "each member has an order of its own"
    for place in range(BATCH_SIZE):
        assert {row % BATCH_SIZE for row in epochs[..., place].ravel() if row != NO_ROW} == {place}


def test_rows_keep_their_order_without_a_seed():
    (batches,) = read_epochs([make_part(Job(Devices(1)), seed=None)], 1)
    assert [row for row in batches.ravel() if row != NO_ROW] == [*range(NUM_ROWS)]


def test_a_number_of_devices_that_divides_no_batch_leaves_places_empty():
    parts = [make_part(Job(Devices(3), 3, process_id), seed=None) for process_id in range(3)]
    (batches,) = read_epochs(parts, 1)
    assert batches.shape[-1] == 9
    assert (batches[..., 8] == NO_ROW).all()
    assert sorted(batches[..., :8].ravel()) == [*[NO_ROW] * 3, *range(NUM_ROWS)]


def test_more_devices_than_rows_in_a_batch_are_an_error():
    with pytest.raises(
        ValueError, match="batch of 8 rows cannot be split among 9 devices; give a batch_size of at least 9"
    ):
        Job(Devices(9)).places(8)


@pytest.mark.parametrize("loss", ["mae", "huber", "msle"])
def test_the_loss_of_a_short_batch_is_the_mean_over_its_rows(loss):
    random = np.random.default_rng(0)
    target, predicted = (random.random((8, 3)).astype("float32") for _ in range(2))
    weights = np.array([1, 1, 1, 1, 1, 0, 0, 0], "float32")
    expected = np.mean(keras.ops.convert_to_numpy(keras.losses.get(loss)(target[:5], predicted[:5])))
    assert float(MeanOfRows(loss)(target, predicted, weights)) == pytest.approx(float(expected), rel=1e-6)


def test_the_loss_of_an_epoch_is_the_mean_over_its_rows():
    model = make_network()
    compile_for_dealt(model, keras.optimizers.SGD(0.0), "mse")
    model.jit_compile, model.run_eagerly = False, True
    found = model.evaluate(make_part(Job(Devices(1)), seed=None), verbose=0, return_dict=True)
    numbers = np.arange(NUM_ROWS)
    assert found == {"loss": pytest.approx(np.mean((numbers - numbers % 5) ** 2), rel=1e-6)}


def test_a_step_on_a_short_batch_is_the_step_on_its_rows():
    rows, numbers, weights = np.arange(5), np.arange(NUM_ROWS, dtype="float32"), []
    plain = {"network": make_network(), "batch_size": BATCH_SIZE, "seed": None}
    for batches in (
        make_part(Job(Devices(1)), rows=rows),
        Batches({"tabular": numbers[:, None]}, numbers % 5, rows, **plain),
    ):
        model = make_network()
        compile_for_dealt(model, keras.optimizers.SGD(0.01), "mse")
        model.jit_compile, model.run_eagerly = False, True
        model.fit(batches, epochs=1, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for dealt, plain in zip(*weights, strict=True):
        np.testing.assert_allclose(dealt, plain, rtol=1e-6)
