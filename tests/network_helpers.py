"""What the tests of branches, networks and training share. Also used under JAX and PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from mixed_data.network.fused_network import INPUT_NAMES, NetworkSettings, build_network
from mixed_data.network.training import Training, seeded

Arrays = dict[str, np.ndarray]
NUM_FEATURES, UNITS, NUM_ROWS = 5, 6, 8
# Two views, as pixels or as vectors.
IMAGE_SHAPES = {"cnn": (2, 16, 16, 3), "patches": (2, 9), "pretrained": (2, 9)}


class Stopper(keras.callbacks.Callback):
    """Stops the program, as Ctrl-C does, when so many epochs are finished."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch == self.epochs:
            raise KeyboardInterrupt


def make_network(
    *, num_features: int = NUM_FEATURES, image_shape: tuple[int, ...] = (), image_branch: str = "cnn", **options: Any
) -> keras.Model:
    settings = NetworkSettings(**{"units": UNITS, "image_branch": image_branch, **options})
    with seeded(0):
        return build_network(num_features, image_shape or IMAGE_SHAPES.get(image_branch, ()), settings)


def make_rows(image_branch: str = "cnn", modalities: str = "both", num_rows: int = NUM_ROWS) -> Arrays:
    """Make rows, without an axis of members; row 1 has all photos, the last row none, row 2 no table."""
    generator = np.random.default_rng(1)
    shape = (num_rows, *IMAGE_SHAPES[image_branch])
    images = generator.integers(0, 256, shape, dtype="uint8")
    mask = generator.random(shape[:2]) < 0.7
    mask[1], mask[-1] = True, False
    arrays = {
        "tabular": generator.normal(size=(num_rows, NUM_FEATURES)).astype("float32"),
        "tabular_mask": np.arange(num_rows)[:, None] != 2,
        "images": images if len(shape) == 5 else generator.normal(size=shape).astype("float32"),
        "image_mask": mask,
    }
    return {name: arrays[name] for name in INPUT_NAMES[modalities]}


def give_members(network: keras.Model, rows: Arrays) -> Arrays:
    """Give each member the rows in an order of its own, where the network takes that: member k begins with row k."""
    return {
        name: np.stack([np.roll(rows[name], -member, axis=0) for member in range(tensor.shape[1])], axis=1)
        for name, tensor in network.input.items()
    }


def run(layer: keras.Layer, arrays: Any, *, training: bool = False) -> Any:
    """Call a layer or model that takes ``training``, and return NumPy arrays."""
    return keras.tree.map_structure(keras.ops.convert_to_numpy, layer(arrays, training=training))


def fit(model: keras.Model, *arguments: Any, **rows: Any) -> dict[str, list[float]]:
    """Train as the regressor does."""
    training = Training(model, *arguments, **rows)
    return training.losses(model.fit(**training.arguments))


def read(variable: keras.Variable) -> np.ndarray:
    return keras.ops.convert_to_numpy(variable).copy()


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def randomize(model: keras.Model) -> None:
    """Give all weights that do not start at random a random value: none stays zero or one."""
    generator = np.random.default_rng(0)
    for weight in model.trainable_weights:
        if weight.name != "kernel" or not read(weight).any():
            weight.assign(generator.uniform(0.1, 0.7, weight.shape))


def copy_member(packed: keras.Model, alone: keras.Model, member: int) -> None:
    """Give a network of one member the weights of one member of another; what members share is copied as it is."""
    alone.set_weights(
        [
            values if values.shape == lone.shape else values[member : member + 1]
            for values, lone in zip(packed.get_weights(), alone.get_weights(), strict=True)
        ]
    )


def train_step(model: keras.Model, arrays: Arrays, target: Any, *, rate: float = 0.01, loss: Any = "mse") -> None:
    """One step of gradient descent. Only JAX is slower without compiling it."""
    on_jax = keras.backend.backend() == "jax"
    model.compile(keras.optimizers.SGD(rate), loss, jit_compile=on_jax, run_eagerly=not on_jax)
    model.train_on_batch(arrays, target)


@contextmanager
def precision(policy: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def photo_layout(data_format: str) -> Iterator[None]:
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(data_format)
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)


@contextmanager
def default_floats(dtype: str) -> Iterator[None]:
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before)
