"""Kernel ridge regression: what the closed form says of held-out groups is what fits without them predict."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from mixed_data.kernels import kernel_ridge
from mixed_data.kernels.kernel_ridge import choose_penalty, solve_ridge, squared_distances

NUM_ROWS = 40


def make_problem(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(NUM_ROWS, 3))
    target = np.sin(rows[:, 0]) + 0.3 * rows[:, 1] + random.normal(0, 0.2, NUM_ROWS)
    return np.exp(-0.5 * squared_distances(rows, rows)), target


def test_distances_are_squared_and_never_negative() -> None:
    random = np.random.default_rng(0)
    rows, others = random.normal(size=(5, 3)), random.normal(size=(4, 3))
    expected = [[sum((a - b) ** 2) for b in others] for a in rows]
    np.testing.assert_allclose(squared_distances(rows, others), expected, rtol=1e-12)
    far = rows + 1e8
    assert np.all(squared_distances(far, far) >= 0)


@pytest.mark.parametrize("penalty", [0.01, 1.0])
@pytest.mark.parametrize("sizes", [[1] * 40, [2] * 20, [1, 2, 3, 4, 30], [39, 1], [40]], ids=str)
def test_the_closed_form_is_what_refitting_without_each_group_predicts(sizes: list[int], penalty: float) -> None:
    kernel, target = make_problem()
    groups = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)) * 7 - 3, sizes))
    coefficients, held_out = solve_ridge(kernel, target, groups, penalty)[:2]
    machine = KernelRidge(alpha=penalty, kernel="precomputed")
    np.testing.assert_allclose(kernel @ coefficients, machine.fit(kernel, target).predict(kernel), atol=1e-8)
    for name in np.unique(groups):
        rows, others = np.flatnonzero(groups == name), np.flatnonzero(groups != name)
        expected = np.zeros(len(rows))
        if len(others):
            expected = machine.fit(kernel[np.ix_(others, others)], target[others]).predict(kernel[np.ix_(rows, others)])
        np.testing.assert_allclose(held_out[rows], expected, atol=1e-8)


def test_the_penalty_is_the_one_with_the_smallest_held_out_error() -> None:
    chosen = set()
    for seed, noise in ((0, 0.0), (1, 1.0), (2, 3.0)):
        kernel, target = make_problem(seed)
        target = target + np.random.default_rng(seed).normal(0, noise, NUM_ROWS)
        groups = np.arange(NUM_ROWS) // 2
        errors = {
            penalty: np.mean((target - solve_ridge(kernel, target, groups, penalty)[1]) ** 2)
            for penalty in kernel_ridge._PENALTIES
        }
        penalty = choose_penalty(kernel, target, groups)
        assert errors[penalty] == min(errors.values())
        chosen.add(penalty)
    assert len(chosen) > 1
