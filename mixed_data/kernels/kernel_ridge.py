"""Kernel ridge regression with its held-out predictions in closed form."""

from __future__ import annotations

import numpy as np

_PENALTIES = np.geomspace(0.005, 5, 10)


def squared_distances(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the squared Euclidean distance of each row to each other one, float64 ``(n, m)``."""
    of_rows, of_others = (np.einsum("ij,ij->i", part, part) for part in (rows, others))
    return np.maximum(of_rows[:, None] + of_others - 2 * rows @ others.T, 0.0)


def solve_ridge(kernel: np.ndarray, target: np.ndarray, groups: np.ndarray, penalty: float) -> tuple[np.ndarray, ...]:
    """Fit kernel ridge regression, and predict each row by the fit on all other groups, without making those fits.

    Args:
        kernel: float64 ``(n, n)``, of the training rows.
        target: float64 ``(n,)``.
        groups: int ``(n,)``; rows of one group are held out together.
        penalty: above 0.

    Returns:
        coefficients ``(n,)``, which a row's kernel is multiplied with to predict it; held-out predictions ``(n,)``; and
        the inverse of kernel and penalty ``(n, n)``.

    Reference:
        Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, equations 2.25 and 5.12; for groups the
        diagonal of the inverse becomes its block.
    """
    inverse = np.linalg.inv(kernel + penalty * np.eye(len(kernel)))
    coefficients = inverse @ target
    held_out = target - coefficients / np.diag(inverse)
    names, counts = np.unique(groups, return_counts=True)
    for name in names[counts > 1]:
        rows = np.flatnonzero(groups == name)
        held_out[rows] = target[rows] - np.linalg.solve(inverse[np.ix_(rows, rows)], coefficients[rows])
    return coefficients, held_out, inverse


def choose_penalty(kernel: np.ndarray, target: np.ndarray, groups: np.ndarray) -> float:
    """Return the penalty with the smallest mean square error of held-out predictions; arguments as `solve_ridge`."""
    errors = [np.mean((target - solve_ridge(kernel, target, groups, each)[1]) ** 2) for each in _PENALTIES]
    return float(_PENALTIES[int(np.argmin(errors))])
