"""Which rows are for training and which are held out, never with one group on both sides.

Rows that share a photo or repeat each other (``mixed_data.split.find_groups``) are one house seen twice: with one of
them in training, the other is no test. scikit-learn splits, this module checks.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import GroupKFold, GroupShuffleSplit

_RowPositions = NDArray[np.int64]


def hold_out(
    groups: ArrayLike, *, test_size: float = 0.25, random_state: int = 0
) -> tuple[_RowPositions, _RowPositions]:
    """Split the rows once, into training and held-out rows.

    Args:
        groups: group of each row, shape ``(n,)``, numbers or text without missing values.
        test_size: share of the groups that is held out, above 0 and below 1, rounded up to whole groups. With groups of
            unequal size the share of the rows differs.
        random_state: seed; the same groups and seed give the same split.

    Returns:
        positions of the training rows and of the held-out rows: two sorted int64 arrays, which together hold every row
        once.

    Raises:
        ValueError: ``groups`` is no vector, has missing values or fewer than two groups, or ``test_size`` is not a
            share or leaves no group for training.

    Example:
        >>> train_rows, test_rows = hold_out([0, 0, 1, 2, 3])
        >>> train_rows.tolist(), test_rows.tolist()
        ([0, 1, 2, 4], [3])
    """
    codes = _check_groups(groups, num_needed=2, purpose="a hold-out split")
    num_groups = codes.max() + 1
    if not 0 < test_size < 1 or math.ceil(test_size * num_groups) == num_groups:
        raise ValueError(
            f"test_size must be a share above 0 and below 1 that leaves some of the {num_groups} groups for "
            f"training, got {test_size}"
        )
    splitter = GroupShuffleSplit(n_splits=1, test_size=test_size, random_state=random_state)
    return next(splitter.split(codes, groups=codes))


def k_fold(groups: ArrayLike, folds: int, *, random_state: int = 0) -> list[tuple[_RowPositions, _RowPositions]]:
    """Split the rows ``folds`` times, so that every row is held out exactly once.

    Args:
        groups: group of each row, shape ``(n,)``, numbers or text without missing values.
        folds: number of splits, at least 2. Folds hold as equal a number of groups as possible.
        random_state: seed; the same groups and seed give the same folds. Repeat with other seeds for repeated K-fold.

    Returns:
        one pair per fold: positions of its training rows and of its held-out rows, sorted int64 arrays.

    Raises:
        ValueError: ``groups`` is no vector, has missing values or fewer groups than ``folds``, or ``folds`` is below 2.

    Example:
        >>> [held_out.tolist() for _, held_out in k_fold(["a", "a", "b", "c"], 3)]
        [[3], [2], [0, 1]]
    """
    if folds < 2:
        raise ValueError(f"folds must be at least 2, got {folds}; use hold_out for a single split")
    codes = _check_groups(groups, num_needed=folds, purpose=f"{folds} folds")
    splitter = GroupKFold(n_splits=folds, shuffle=True, random_state=random_state)
    return list(splitter.split(codes, groups=codes))


def _check_groups(groups: ArrayLike, *, num_needed: int, purpose: str) -> _RowPositions:
    """Enumerate the groups from 0 by first appearance, so that a split does not depend on their names."""
    vector = np.asarray(groups)
    if vector.ndim != 1:
        raise ValueError(f"groups must have shape (n,), one group per row, got {vector.shape}")
    codes, names = pd.factorize(vector)
    if np.any(codes < 0):
        raise ValueError(
            f"every row needs a group, but {np.sum(codes < 0)} of {len(codes)} have none; "
            "mixed_data.split.find_groups gives each row one"
        )
    if len(names) < num_needed:
        raise ValueError(
            f"{purpose} needs at least {num_needed} groups, but the {len(codes)} rows form {len(names)}; "
            "rows that share a photo, repeat each other or have the same group value count as one group; "
            "use fewer folds, or see which rows are linked with mixed_data.split.find_links"
        )
    return codes
