"""Batches, seeds, weight decay, and when training ends."""

from __future__ import annotations

import gc
import random
import weakref
from typing import Any

import keras
import numpy as np
import pytest
from network_helpers import fit, make_network, read

from mixed_data.fusion import AttentionPooling, Film, LateFusion, LowRankBilinear, WeightedSum
from mixed_data.members import MemberDense
from mixed_data.network.training import TrainingSettings, make_optimizer, seeded
from mixed_data.network.training_batches import Batches
from mixed_data.preprocessing import Inputs

NAMES = ["tabular", "images", "image_mask"]


def make_inputs(rows: int = 10) -> Inputs:
    """Make inputs whose every row carries its own number in all three arrays."""
    numbers = np.arange(rows)
    arrays = {
        "tabular": np.stack([numbers, -numbers], axis=1).astype("float32"),
        "images": np.broadcast_to(numbers[:, None, None, None, None], (rows, 2, 4, 4, 3)).astype("uint8"),
        "image_mask": np.stack([numbers % 2, numbers % 3], axis=1).astype(bool),
    }
    return Inputs(arrays, [[] for _ in numbers])


def make_stub(*, orders: int = 1, members: int = 1, names: Any = NAMES) -> keras.Model:
    """Make what says how many orders the inputs have, and how many members predict."""
    shapes = {"tabular": (2,), "images": (2, 4, 4, 3), "image_mask": (2,)}
    inputs = {name: keras.Input((orders, *shapes[name]), name=name) for name in names}
    flat = keras.layers.Flatten()(inputs[names[0]])
    return keras.Model(inputs, keras.layers.Dense(members)(flat))


def make_batches(*, rows: Any = range(10), seed: int | None = 0, batch_size: int = 4, **network: Any) -> Batches:
    return Batches(
        make_inputs(),
        10.0 * np.arange(10),
        np.array(rows),
        network=make_stub(**network),
        batch_size=batch_size,
        seed=seed,
    )


def epoch_of_members(batches: Batches) -> np.ndarray:
    """Return the rows of one epoch in their order, for each order one line, and begin the next epoch."""
    rows = np.concatenate([batches[index][0]["tabular"][:, :, 0] for index in range(len(batches))])
    batches.on_epoch_end()
    return rows.T.astype(int)


def epoch(batches: Batches) -> list[int]:
    """Return the rows of one epoch in their order, the same for all members, and begin the next epoch."""
    (rows,) = epoch_of_members(batches)
    return rows.tolist()


# Batches


def test_batches_give_each_row_once_per_epoch_in_a_new_order() -> None:
    batches = make_batches()
    first, second = epoch(batches), epoch(batches)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert list(range(10)) not in (first, second)


def test_every_member_sees_each_row_once_per_epoch_in_an_order_of_its_own() -> None:
    batches = make_batches(orders=3, members=3)
    orders = [order for _ in range(4) for order in epoch_of_members(batches).tolist()]
    assert len(orders) == 12
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 12


def test_members_that_share_pixels_see_one_order() -> None:
    batches = make_batches(orders=1, members=3)
    arrays, target = batches[0]
    assert arrays["images"].shape == (4, 1, 2, 4, 4, 3)
    np.testing.assert_array_equal(target, 10 * np.repeat(arrays["tabular"][:, :, 0], 3, axis=1))


def test_batches_keep_the_last_partial_batch() -> None:
    batches = make_batches(orders=2, members=2)
    assert [batches[index][1].shape for index in range(len(batches))] == [(4, 2), (4, 2), (2, 2)]
    assert len(make_batches(batch_size=5)) == 2
    assert len(make_batches(batch_size=100)) == 1


def test_batches_keep_photos_mask_and_target_with_their_row() -> None:
    inputs = make_inputs()
    batches = make_batches(orders=3, members=3)
    for index in range(len(batches)):
        arrays, target = batches[index]
        rows = arrays["tabular"][:, :, 0].astype(int)
        assert list(arrays) == NAMES
        for name in NAMES:
            np.testing.assert_array_equal(arrays[name], inputs[name][rows])
            assert arrays[name].dtype == inputs[name].dtype
        np.testing.assert_array_equal(target, 10.0 * rows)
        assert target.dtype == np.float32


def test_order_of_the_batches_depends_on_the_seed_only() -> None:
    np.random.seed(1)  # noqa: NPY002 - must not matter
    first = make_batches(seed=3)
    orders = [epoch(first) for _ in range(3)]
    np.random.seed(2)  # noqa: NPY002
    again, other = make_batches(seed=3), make_batches(seed=4)
    assert [epoch(again) for _ in range(3)] == orders
    assert epoch(other) != orders[0]


@pytest.mark.parametrize("orders", [1, 3])
def test_batches_without_a_seed_keep_the_order(orders: int) -> None:
    batches = make_batches(rows=[7, 1, 4, 2, 2], seed=None, orders=orders, members=orders)
    for _ in range(2):
        assert epoch_of_members(batches).tolist() == [[7, 1, 4, 2, 2]] * orders


def test_batches_use_the_given_rows_and_inputs_only_and_leave_them_alone() -> None:
    rows = np.array([8, 3, 5])
    network = make_stub(names=["tabular"], orders=2, members=2)
    batches = Batches(make_inputs(), np.zeros(10), rows, network=network, batch_size=2, seed=0)
    for _ in range(5):
        assert [sorted(order) for order in epoch_of_members(batches)] == [[3, 5, 8]] * 2
    np.testing.assert_array_equal(rows, [8, 3, 5])
    assert list(batches[0][0]) == ["tabular"]


def test_keras_shows_every_member_each_row_exactly_once_per_epoch() -> None:
    # The loss is the sum of the predictions, and each row has a weight of its own: it counts how often it is seen.
    inputs = Inputs({"tabular": np.eye(10, dtype="float32")}, [[]] * 10)
    feature = keras.Input((3, 10), name="tabular")
    counts = MemberDense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Model({"tabular": feature}, keras.layers.Reshape((3,))(counts(feature)))
    batches = Batches(inputs, np.zeros(10), np.arange(1, 10), network=model, batch_size=4, seed=0)
    model.compile(keras.optimizers.SGD(1.0), lambda _, prediction: -keras.ops.sum(prediction), jit_compile=False)
    model.fit(batches, epochs=3, shuffle=False, verbose=0)
    np.testing.assert_array_equal(counts.get_weights()[0][..., 0], [[0] + [3] * 9] * 3)


# Seeds


def test_seeded_gives_python_and_numpy_their_state_back() -> None:
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    with seeded(0):
        inside = random.random(), np.random.random()  # noqa: NPY002
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002
    with seeded(0):
        assert (random.random(), np.random.random()) == inside  # noqa: NPY002


def test_seeded_gives_the_state_back_after_an_error() -> None:
    before = random.getstate()
    with pytest.raises(KeyError), seeded(0):
        raise KeyError
    assert random.getstate() == before


def test_seeded_makes_keras_weights_the_same() -> None:
    kernels = []
    for seed in (1, 1, 2):
        with seeded(seed):
            layer = keras.layers.Dense(3)
            layer.build((None, 4))
        kernels.append(layer.get_weights()[0])
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


def test_seeded_makes_keras_weights_the_same_whoever_else_draws_from_python() -> None:
    """As other threads of the process do, at any time."""
    kernels = []
    for num_draws in (0, 3):
        with seeded(0):
            for _ in range(num_draws):
                random.random()
            layer = keras.layers.Dense(3)
            layer.build((None, 4))
        kernels.append(layer.get_weights()[0])
    np.testing.assert_array_equal(*kernels)


# The optimizer


def test_weight_decay_shrinks_kernels_and_nothing_else() -> None:
    merges = [WeightedSum(), Film(), LowRankBilinear(), LateFusion(), AttentionPooling()]
    shapes = {WeightedSum: [(None, 4)] * 3, AttentionPooling: [(None, 4), (None, 3, 4), (None, 3)]}
    for merge in merges:
        merge.build(shapes.get(type(merge), [(None, 4)] * 2))
    norm = keras.layers.LayerNormalization()
    norm.build((None, 4))
    networks = [make_network(image_branch="cnn", members=2), make_network(image_branch="pretrained", members=2)]
    variables = [variable for part in (*networks, *merges, norm) for variable in part.trainable_variables]
    for variable in variables:
        start = [0.2, 0.3, 0.5] if variable.path.startswith("weighted_sum") else 0.5
        variable.assign(np.broadcast_to(start, variable.shape))
    before = [read(variable) for variable in variables]
    optimizer = make_optimizer(learning_rate=0.1, weight_decay=0.2, num_steps=10)
    optimizer.apply([keras.ops.zeros(variable.shape) for variable in variables], variables)
    for variable, old in zip(variables, before, strict=True):
        factor = 1 - 0.1 * 0.2 if variable.name == "kernel" else 1
        np.testing.assert_allclose(read(variable), old * factor, rtol=1e-6, err_msg=variable.path)
    names = {"kernel", "bias", "gamma", "beta", "alpha", "scale", "shift", "missing"}
    assert {variable.name for variable in variables} == names


def test_learning_rate_falls_from_its_start_to_zero() -> None:
    schedule = make_optimizer(learning_rate=0.3, weight_decay=0.0, num_steps=100)._learning_rate
    rates = [float(schedule(step)) for step in (0, 25, 50, 100)]
    np.testing.assert_allclose(rates, [0.3, 0.3 * (1 + np.cos(np.pi / 4)) / 2, 0.15, 0.0], atol=1e-6)


# Training


def make_linear_model() -> keras.Model:
    feature = keras.Input((1, 8), name="tabular")
    output = MemberDense(1, kernel_initializer="zeros", name="linear")(feature)
    return keras.Model({"tabular": feature}, keras.layers.Reshape((1,))(output))


def train_linear_model(model: keras.Model, **options: Any) -> tuple[dict[str, list[float]], float]:
    """Train on 16 rows with too high a rate, and return the history and the loss of 8 other rows afterwards.

    The validation loss of the twelve epochs goes 1.2 1.6 1.3 0.9 1.0 1.3 … 2.2.
    """
    features = np.random.default_rng(0).normal(size=(24, 8)).astype("float32")
    inputs = Inputs({"tabular": features}, [[]] * 24)
    target = features[:, 0] + np.random.default_rng(5).normal(size=24)
    rows = {
        "training_rows": np.arange(16),
        "validation_rows": np.arange(16, 24),
        **{name: options.pop(name) for name in ("validation_rows", "callbacks") if name in options},
    }
    settings = TrainingSettings(
        **{
            "epochs": 12,
            "batch_size": 8,
            "learning_rate": 0.3,
            "weight_decay": 0.01,
            "loss": "mse",
            "patience": 3,
            "random_state": 0,
            **options,
        }
    )
    history = fit(model, inputs, target, settings, **rows)
    prediction = inputs["tabular"] @ model.get_weights()[0][0, :, 0] + model.get_weights()[1][0]
    return history, float(np.mean((prediction - target)[16:] ** 2))


def test_training_stops_when_patience_is_over_and_keeps_the_best_weights() -> None:
    history, loss = train_linear_model(make_linear_model())
    best = int(np.argmin(history["val_loss"]))
    assert len(history["val_loss"]) == len(history["loss"]) == best + 1 + 3 == 7
    assert loss == pytest.approx(history["val_loss"][best], rel=1e-5)
    assert loss != pytest.approx(history["val_loss"][-1], rel=1e-3)


def test_training_keeps_the_best_weights_also_when_the_epochs_run_out_first() -> None:
    history, loss = train_linear_model(make_linear_model(), patience=100)
    assert len(history["val_loss"]) == 12
    assert np.argmin(history["val_loss"]) == 3
    assert loss == pytest.approx(min(history["val_loss"]), rel=1e-5)


def test_training_without_validation_rows_trains_all_epochs() -> None:
    calls: list[int] = []
    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda index, logs: calls.append(index))
    history, _ = train_linear_model(make_linear_model(), validation_rows=np.arange(0), epochs=3, callbacks=[count])
    assert list(history) == ["loss"]
    assert calls == [0, 1, 2]


def test_the_inputs_of_a_training_that_is_over_do_not_stay_in_memory() -> None:
    features, model = np.ones((24, 8), dtype="float32"), make_linear_model()
    watched = weakref.ref(features)
    settings = TrainingSettings(2, 8, learning_rate=0.1, weight_decay=0.0, loss="mse", patience=3, random_state=0)
    rows = {"training_rows": np.arange(16), "validation_rows": np.arange(16, 24)}
    fit(model, Inputs({"tabular": features}, [[]] * 24), np.zeros(24), settings, **rows)
    del features
    gc.collect()
    assert watched() is None


def test_training_depends_on_its_seed_and_not_on_the_state_of_the_caller() -> None:
    losses = []
    for seed, state in ((0, 1), (0, 2), (1, 1)):
        random.seed(state)
        losses.append(train_linear_model(make_linear_model(), random_state=seed, epochs=4)[0]["loss"])
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


@pytest.mark.parametrize("validation_rows", [[], [16, 17]])
def test_training_that_diverges_stops_at_once_and_says_so(
    validation_rows: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    epochs: list[int] = []
    count = keras.callbacks.LambdaCallback(on_epoch_begin=lambda index, logs: epochs.append(index))
    with pytest.raises(ValueError, match=r"diverged.*lower learning_rate than 1e\+30"):
        train_linear_model(
            make_linear_model(), learning_rate=1e30, callbacks=[count], validation_rows=np.array(validation_rows, int)
        )
    assert len(epochs) == 1
    assert capsys.readouterr().out == ""


def test_training_that_diverges_later_goes_back_to_its_best_epoch() -> None:
    def poison(index: int, logs: object) -> None:
        if index == 4:
            model.get_layer("linear").bias.assign([[np.nan]])

    model = make_linear_model()
    history, loss = train_linear_model(model, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=poison)])
    assert np.isfinite(history["val_loss"]).tolist() == [True, True, True, True, False]
    assert loss == pytest.approx(np.nanmin(history["val_loss"]), rel=1e-5)
