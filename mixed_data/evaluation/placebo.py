"""The placebo: the same network with the photos shuffled among the rows, so that they say nothing of their own row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from mixed_data.schema import Schema

Split = tuple[np.ndarray, np.ndarray]
Prepare = Callable[[pd.DataFrame, Schema, Split, Sequence[int]], pd.DataFrame]
"""(table, schema, (training rows, held-out rows), seed) -> the table that the model gets to see."""


def shuffle_photos(table: pd.DataFrame, schema: Schema, split: Split, seed: Sequence[int]) -> pd.DataFrame:
    """Give every row another row's photos, all of them together; a `Prepare`.

    Training rows exchange theirs among each other, and so do held-out rows. What a network then gains over the one
    without photos is the share of its size and shape, not of what the photos show.

    Args:
        table: all rows; not changed.
        schema: names the image columns.
        split: positions of the training rows and of the held-out rows.
        seed: of the shuffles.

    Returns:
        A copy with shuffled image columns.
    """
    random = np.random.default_rng(seed)
    giver = np.arange(len(table))
    for rows in split:
        giver[rows] = random.permutation(rows)
    return table.assign(**table[[*schema.images]].iloc[giver].set_axis(table.index, axis="index"))
