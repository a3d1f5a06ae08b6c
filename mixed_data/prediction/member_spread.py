"""What the members of an ensemble say of a row: its prediction, and how hard it is."""

from __future__ import annotations

import numpy as np

from mixed_data.prediction.rare_levels import measure_rarity
from mixed_data.preprocessing.row_reader import Inputs

_SMALLEST_SPREAD = 0.02
"""Standard deviations of the target that are added to the members' spread, so that its logarithm is one."""


def describe_members(scaled: np.ndarray, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """Average the members of an ensemble.

    Args:
        scaled: float64 ``(n, members)``, predictions on the scale of the transformed target.
        inputs: of the rows.

    Returns:
        The members' mean, ``(n,)``; and ``(n, 3)``, that, the logarithm of their standard deviation, and the rarity of
        the row's levels.
    """
    mean = scaled.mean(axis=1)
    return mean, np.column_stack([mean, np.log(scaled.std(axis=1) + _SMALLEST_SPREAD), measure_rarity(inputs)])
