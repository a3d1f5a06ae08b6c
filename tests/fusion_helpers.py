"""What the tests of the fusion layers share: the table of NumPy oracles, inputs, models, training steps.

A new entry of FUSIONS gets a row in ORACLES; the contract of test_fusion.py then runs over it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from mixed_data.fusion import FUSIONS, Fusion, WeightedProduct, WeightedSum

Arrays = list[np.ndarray]
Weights = dict[str, np.ndarray]
THREE = (0.2, 0.3, 0.5)
NUM_VIEWS = 3
both_weighted = pytest.mark.parametrize("fusion", [WeightedSum, WeightedProduct])
two_or_three = pytest.mark.parametrize("num_inputs", [2, 3])
alone_or_members = pytest.mark.parametrize("members", [None, 4], ids=["alone", "members"])


def positive(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x.astype(np.float64)) + 1e-6


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def dense(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    return x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]


def softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


def gated(w: Weights, *inputs: np.ndarray) -> np.ndarray:
    together = np.concatenate(inputs, axis=-1)
    hidden = [np.tanh(dense(w, f"hidden_{i}", x)) for i, x in enumerate(inputs)]
    if len(inputs) == 2:
        gate = sigmoid(dense(w, "gate_0", together))
        return gate * hidden[0] + (1 - gate) * hidden[1]
    return sum(sigmoid(dense(w, f"gate_{i}", together)) * h for i, h in enumerate(hidden))


def low_rank_bilinear(w: Weights, *inputs: np.ndarray) -> np.ndarray:
    """The factors of the paper: one matrix (features + 1, units) for each input and each r."""
    rank, units = len(w["scale"]), len(w["bias"])
    total = w["bias"]
    for r in range(rank):
        product = w["scale"][r]
        for i, x in enumerate(inputs):
            factor = np.vstack([w[f"factors_{i}/kernel"], w[f"factors_{i}/bias"]])[:, r * units : (r + 1) * units]
            product = product * (np.concatenate([x, np.ones((*x.shape[:-1], 1))], axis=-1) @ factor)
        total = total + product
    return total


def attention(w: Weights, table: np.ndarray, views: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Row by row, over the views that are there."""
    rows = []
    for features, all_views, present in zip(table, views, mask, strict=True):
        seen = all_views[present]
        query = dense(w, "query", features)
        weights = softmax((seen @ w["key/kernel"]) @ query / np.sqrt(len(query)))
        rows.append(np.concatenate([features, weights @ seen if present.any() else w["missing"]]))
    return np.stack(rows)


# For each entry of FUSIONS and number of inputs: keyword arguments, and the same in NumPy, from the weights by name.
ORACLES: dict[str, dict[int, tuple[dict[str, Any], Callable[..., np.ndarray]]]] = {
    "concat": {
        2: ({}, lambda w, a, b: np.concatenate([a, b], axis=-1)),
        3: ({}, lambda w, a, b, c: np.concatenate([a, b, c], axis=-1)),
    },
    "weighted_sum": {
        2: ({"alpha": 0.1}, lambda w, a, b: 0.1 * a + 0.9 * b),
        3: ({"alpha": THREE}, lambda w, a, b, c: 0.2 * a + 0.3 * b + 0.5 * c),
    },
    "weighted_product": {
        2: ({"alpha": 0.3}, lambda w, a, b: positive(a) ** 0.3 * positive(b) ** 0.7),
        3: ({"alpha": THREE}, lambda w, a, b, c: positive(a) ** 0.2 * positive(b) ** 0.3 * positive(c) ** 0.5),
    },
    "gated": {2: ({}, gated), 3: ({"units": 4}, gated)},
    "film": {2: ({}, lambda w, a, b: (1 + dense(w, "gamma", a)) * b + dense(w, "beta", a))},
    "low_rank_bilinear": {2: ({}, low_rank_bilinear), 3: ({"rank": 2, "units": 4}, low_rank_bilinear)},
    "attention": {3: ({"units": 4}, attention)},
    "late": {
        2: (
            {},
            lambda w, a, b: w["alpha"] * dense(w, "prediction_0", a) + (1 - w["alpha"]) * dense(w, "prediction_1", b),
        ),
        3: (
            {"alpha": THREE},
            lambda w, a, b, c: sum(
                t * dense(w, f"prediction_{i}", x) for i, (t, x) in enumerate(zip(THREE, (a, b, c), strict=True))
            ),
        ),
    },
}
CASES = [(name, num_inputs) for name, rows in ORACLES.items() for num_inputs in rows]
every_case = pytest.mark.parametrize(("name", "num_inputs"), CASES)
every_fusion = pytest.mark.parametrize("name", FUSIONS)


def make_arrays(num_inputs: int, rows: int = 16, width: int = 5, members: int | None = None) -> Arrays:
    generator = np.random.default_rng(num_inputs)
    shape = (rows, width) if members is None else (rows, members, width)
    return [generator.normal(size=shape).astype("float32") for _ in range(num_inputs)]


def make_inputs(name: str, num_inputs: int | None = None, members: int | None = None, width: int = 5) -> Arrays:
    """Inputs that suit this entry of FUSIONS; where it takes views, row 0 has them all, row 1 none."""
    arrays = make_arrays(num_inputs or min(ORACLES[name]), width=width, members=members)
    if FUSIONS[name].takes_views:
        generator = np.random.default_rng(0)
        views = generator.normal(size=(*arrays[0].shape[:-1], NUM_VIEWS, width)).astype("float32")
        mask = generator.random(views.shape[:-1]) < 0.7
        mask[:2] = np.array([True, False]).reshape(2, *[1] * (mask.ndim - 1))
        return [arrays[0], views, mask]
    return arrays


def make_layer(name: str, arrays: Arrays, **arguments: Any) -> Fusion:
    """Build an entry of FUSIONS and give all its weights random values between 0.1 and 0.9."""
    layer = FUSIONS[name](name="merge", **arguments)
    layer.build([array.shape for array in arrays])
    generator = np.random.default_rng(1)
    layer.set_weights([generator.uniform(0.1, 0.9, weight.shape) for weight in layer.get_weights()])
    return layer


def twin(layer: Fusion, arrays: Arrays, **changes: Any) -> Fusion:
    """The same layer with other arguments and the same weights."""
    other = type(layer).from_config({**layer.get_config(), **changes})
    other.build([array.shape for array in arrays])
    other.set_weights(layer.get_weights())
    return other


def weights_of(layer: Fusion, member: int | None = None) -> Weights:
    """The weights by name, in float64; of one member, if there are any."""
    values = {
        variable.path.split("/", 1)[1]: keras.ops.convert_to_numpy(variable).astype(np.float64)
        for variable in layer.weights
    }
    return values if member is None else {name: value[member] for name, value in values.items()}


def run(layer: keras.Layer, arrays: Arrays) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(arrays))


def make_model(layer: Fusion, arrays: Arrays, *, head: bool = False) -> keras.Model:
    inputs = [keras.Input(array.shape[1:], dtype=array.dtype.name) for array in arrays]
    outputs = layer(inputs)
    return keras.Model(inputs, keras.layers.Dense(1)(outputs) if head else outputs)


def train(model: keras.Model, arrays: Arrays, target: np.ndarray, steps: int = 1) -> None:
    for _ in range(steps):
        model.train_on_batch(arrays, target)


def compile_model(model: keras.Model, optimizer: keras.optimizers.Optimizer, *, eager: bool = False) -> keras.Model:
    """Compile for the mean squared error; ``eager`` is the quickest for one or two steps."""
    # TensorFlow would take longer to compile a step with XLA than to run it; JAX is slow without.
    on_jax = keras.backend.backend() == "jax"
    model.compile(optimizer=optimizer, loss="mse", jit_compile=on_jax, run_eagerly=eager and not on_jax)
    return model
