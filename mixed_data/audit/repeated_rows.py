"""Rows that repeat each other, or nearly: in all cells but one, and in more than chance would make equal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mixed_data.audit.findings import KEPT_TOGETHER, Finding, Subject, report
from mixed_data.files.first_few import cut
from mixed_data.schema.cell_values import canonical_text
from mixed_data.split.rows_kept_together import code_cells, equal_rows

NearRows = Mapping[tuple[int, ...], str]
"""Positions, ascending, of rows that are equal in all cells but those of one column, and its name."""

# Rows are near-duplicates when their equal cells are so rare that fewer pairs than this are expected by chance.
_MAX_CHANCE = 0.1


def find_repeated_rows(subject: Subject) -> list[Finding]:
    """Find rows that repeat the features and the target of an earlier one."""
    cases = [subject.case(link.rows) for link in subject.links if link.reason == "row"]
    num_repeats = sum(len(case.rows) - 1 for case in cases)
    return report("rows that repeat an earlier row", cases, KEPT_TOGETHER, num_rows=num_repeats)


def find_near_rows(subject: Subject) -> NearRows:
    """Find rows that are equal in all features and the target but one, too rarely for chance.

    How often two rows would agree by chance is estimated from how frequent each of the equal values is, as in record
    linkage (Fellegi and Sunter 1969, A Theory for Record Linkage, doi:10.1080/01621459.1969.10501049). Columns count as
    independent, so that columns which say the same twice make a pair look rarer than it is.
    """
    columns = code_cells(subject.table, subject.schema)
    if len(columns) < 3:
        return {}
    codes = np.column_stack(list(columns.values())) + 1  # a missing cell is a value of its own
    # Columns are told apart by the upper bits, levels by the lower ones.
    numbered = codes + (np.arange(codes.shape[1], dtype=np.int64) << 32)
    digests = pd.util.hash_array(numbered.ravel()).reshape(codes.shape)
    of_row = digests.sum(axis=1)  # wraps around, which is fine for a digest
    counts = np.column_stack([np.bincount(column)[column] for column in codes.T])  # of rows with a cell's value
    found = {}
    for position, name in enumerate(columns):
        of_others = pd.Series(of_row - digests[:, position])
        for rows in equal_rows(of_others[of_others.duplicated(keep=False)]):
            others = np.delete(counts[rows[0]], position)
            if _is_rare(others, rows, len(codes)) and len(set(codes[list(rows), position])) > 1:
                found[rows] = name
    return found


def describe_near_rows(subject: Subject, near: NearRows) -> list[Finding]:
    """Describe near-duplicates that nothing keeps together; with different targets they are contradictions instead."""
    cases = []
    for rows, column in near.items():
        if subject.is_split_apart(rows) and not (column == subject.schema.target and subject.target_range(rows)):
            values = canonical_text(subject.table[column].iloc[list(rows)]).drop_duplicates()
            cases.append(subject.case(rows, f"but for {column} ({', '.join(cut(str(value)) for value in values[:3])})"))
    action = "not kept together: if they are one thing, give them one value in a group column (--group)"
    return report("near-duplicate rows", cases, action, flatters=True)


def _is_rare(counts: NDArray[np.int64], rows: Sequence[int], num_rows: int) -> bool:
    """Tell whether fewer than `_MAX_CHANCE` pairs with these values are expected by chance."""
    # The rows that have them are not counted themselves: half a row stands for what nobody else has.
    shares = (counts - len(rows) + 0.5) / num_rows
    return math.log(num_rows * (num_rows - 1) / 2) + float(np.log(shares).sum()) < math.log(_MAX_CHANCE)
