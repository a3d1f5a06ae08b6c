"""Rows whose category or code stood in few training rows: said in words, and as a number for the intervals."""

from __future__ import annotations

import numpy as np

from mixed_data.preprocessing.row_reader import Inputs, RowReader

RARITY = "rarity"
"""Name of what `measure_rarity` gives, among the numbers that go with the size of an error."""

FEW_ROWS = 3
"""A level in at most so many training rows is rare. On the houses, those of such zipcodes are met half as well."""


def measure_rarity(inputs: Inputs, *, seen: bool = False) -> np.ndarray:
    """Tell rows of levels that stood in many training rows from those of levels that stood in few.

    Args:
        inputs: of the rows.
        seen: whether they are training rows themselves, which must not count.

    Returns:
        float64 ``(n,)``, 1 / (1 + the number of training rows with the row's rarest level): 1 for a level that was not
        seen; 0 for rows without categories and codes.
    """
    counts = inputs["level_counts"]
    if not counts.shape[1]:
        return np.zeros(len(counts))
    fewest = counts.min(axis=1).astype("float64") - seen
    return np.where(inputs["tabular_mask"][:, 0], 1 / (1 + np.maximum(fewest, 0)), 0.0)


def find_rare_levels(inputs: Inputs, preprocessor: RowReader) -> list[list[str]]:
    """Say of each row which of its levels stood in few training rows; of levels that stood in none, others speak.

    A column where most training rows are of such levels, such as the number of a plot, is passed over: there the
    warning would tell no row from the others.
    """
    found: list[list[str]] = [[] for _ in inputs["level_counts"]]
    for column, counts in zip(preprocessor.tabular_.level_columns_, inputs["level_counts"].T, strict=True):
        if 2 * sum(count for count in column.counts if count <= FEW_ROWS) > sum(column.counts):
            continue
        for row in np.flatnonzero((counts > 0) & (counts <= FEW_ROWS)):
            rows = "training row" if counts[row] == 1 else "training rows"
            found[row].append(f"{column.name} is a level of only {counts[row]} {rows}")
    return found
