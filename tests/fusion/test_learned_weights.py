"""A learned weight ends at the best one where that is known: by any optimizer, from any start, for every seed.

The inputs are the target plus noise of known covariance S, so that the best weights are those of the least variance,
S^-1 1 / (1' S^-1 1): without correlation, inverse variances. Also run by ``make backends`` under JAX and PyTorch.
"""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from fusion_helpers import make_model
from keras import ops

from mixed_data.fusion import WeightedFusion, WeightedProduct, WeightedSum

NUM_ROWS, WIDTH, BATCH_SIZE, EPOCHS = 4096, 16, 32, 1
SEEDS = range(5)
CORRELATIONS = (0.0, 0.2)
DEVIATIONS = {2: [0.5, 1.0], 5: [0.6, 0.7, 0.8, 1.0, 1.2]}
STARTS = {2: [0.0, 1.0, 0.37], 5: [[1, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0.4, 0.1, 0.5, 0]]}
RATES = {keras.optimizers.SGD: 0.5, keras.optimizers.Adam: 0.03, keras.optimizers.AdamW: 0.03}


def make_covariance(deviations: list[float], correlation: float) -> np.ndarray:
    correlations = np.where(np.eye(len(deviations)), 1.0, correlation)
    return correlations * np.outer(deviations, deviations)


def best_weights(covariance: np.ndarray) -> np.ndarray:
    weights = np.linalg.solve(covariance, np.ones(len(covariance)))
    assert np.all(weights > 0)  # Otherwise the best weights in [0, 1] were others.
    return weights / weights.sum()


def make_copies(covariance: np.ndarray, seed: int) -> np.ndarray:
    """The target and then its noisy copies, float32 (1 + number, n, d)."""
    generator = np.random.default_rng(seed)
    target = generator.normal(size=(NUM_ROWS, WIDTH))
    noise = generator.multivariate_normal(np.zeros(len(covariance)), covariance, target.shape, method="cholesky")
    return np.moveaxis(np.concatenate([target[..., None], target[..., None] + noise], axis=-1), -1, 0).astype("float32")


def squares_of_logs(target: keras.KerasTensor, prediction: keras.KerasTensor) -> keras.KerasTensor:
    return ops.mean(ops.square(ops.log(target) - ops.log(prediction)), axis=-1)


@pytest.mark.parametrize("optimizer", RATES)
@pytest.mark.parametrize("num_inputs", DEVIATIONS)
@pytest.mark.parametrize("fusion", [WeightedSum, WeightedProduct])
def test_learned_weights_are_the_best_for_every_seed_start_and_correlation(
    fusion: type[WeightedFusion], num_inputs: int, optimizer: type[keras.optimizers.Optimizer]
) -> None:
    """All at once, a member each; of the product the logs are the noisy copies."""
    covariances = [make_covariance(DEVIATIONS[num_inputs], correlation) for correlation in CORRELATIONS]
    copies = [make_copies(covariance, seed) for covariance, seed in itertools.product(covariances, SEEDS)]
    starts = STARTS[num_inputs]
    members = len(copies) * len(starts)
    target, *inputs = np.repeat(np.stack(copies, axis=2), len(starts), axis=2)
    loss = "mse"
    if fusion is WeightedProduct:
        target, loss = np.exp(target), squares_of_logs
        positive = [np.exp(copy) - 1e-6 for copy in inputs]
        inputs = [value + np.log(-np.expm1(-value)) for value in positive]  # log(1 + exp(x)) is this value again.
    layer = fusion(members=members)
    model = make_model(layer, inputs)
    layer.set_weights([np.array(starts * len(copies), "float32")])
    rate = RATES[optimizer] * (members if optimizer is keras.optimizers.SGD else 1)  # The loss is a mean over members.
    schedule = keras.optimizers.schedules.CosineDecay(rate, EPOCHS * NUM_ROWS // BATCH_SIZE)
    model.compile(optimizer(schedule), loss, jit_compile=keras.backend.backend() == "jax")
    model.fit(inputs, target, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
    expected = np.repeat([best_weights(covariance) for covariance in covariances], members // 2, axis=0)
    np.testing.assert_allclose(layer.fusion_weights(), expected, atol=0.02)
