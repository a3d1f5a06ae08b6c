"""What the tests of the fusion layers share: inputs, models, training steps."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from mixed_data.fusion import Fusion, WeightedProduct, WeightedSum

Arrays = list[np.ndarray]
THREE = (0.2, 0.3, 0.5)
both_weighted = pytest.mark.parametrize("fusion", [WeightedSum, WeightedProduct])
two_or_three = pytest.mark.parametrize("num_inputs", [2, 3])


def positive(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x.astype(np.float64)) + 1e-6


def make_arrays(num_inputs: int, rows: int = 16, width: int = 5) -> Arrays:
    generator = np.random.default_rng(num_inputs)
    return [generator.normal(size=(rows, width)).astype("float32") for _ in range(num_inputs)]


def run(layer: keras.Layer, arrays: Arrays) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(arrays))


def make_model(layer: Fusion, widths: list[int], *, head: bool = False) -> keras.Model:
    inputs = [keras.Input((width,)) for width in widths]
    outputs = layer(inputs)
    return keras.Model(inputs, keras.layers.Dense(1)(outputs) if head else outputs)


def train(model: keras.Model, arrays: Arrays, target: np.ndarray, steps: int = 1) -> None:
    for _ in range(steps):
        model.train_on_batch(arrays, target)


def compile_model(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> keras.Model:
    # Compiling the step with XLA would take longer than running it.
    model.compile(optimizer=optimizer, loss="mse", jit_compile=False)
    return model
