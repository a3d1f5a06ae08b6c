"""Which rows stay on one side of every split: one house in two rows must not be in training and in the test.

Rows are linked when they share a byte-identical photo, repeat each other, or carry the same declared group.
`find_links` says which and why, `find_groups` turns that into one group number per row for `hold_out` and `k_fold`.
"""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mixed_data.files.digests import digest_file
from mixed_data.schema import Schema
from mixed_data.schema.cell_values import canonical_text
from mixed_data.schema.photo_paths import split_paths
from mixed_data.schema.written_dates import parse_dates
from mixed_data.schema.written_numbers import parse_numbers


@dataclass(frozen=True)
class Link:
    """Rows that belong together, and why.

    Attributes:
        reason: ``"photo"`` for a byte-identical photo, ``"row"`` for equal feature and target cells, ``"group"`` for
            the same value in the schema's group column.
        rows: positions of the rows, ascending, at least two.
        shared: name of the first of the photo's files, or the group value; empty for equal rows.
    """

    reason: Literal["photo", "row", "group"]
    rows: tuple[int, ...]
    shared: str = ""


def find_groups(table: pd.DataFrame, schema: Schema) -> NDArray[np.int64]:
    """Enumerate the groups of rows that must stay on one side of every split.

    Links chain: when row 0 shares a photo with row 1, and row 1 repeats row 2, all three are one group.

    Args:
        table: the rows, ``n`` of them; columns are matched by name.
        schema: roles of the columns.

    Returns:
        group of each row, int64 of shape ``(n,)``, numbered from 0 in the order of first appearance.

    Example:
        >>> table = pd.DataFrame({"area": [70, 95, 70.0], "price": [1.0, 2.0, 1.0]})
        >>> find_groups(table, Schema(numeric=("area",), target="price")).tolist()
        [0, 1, 0]
    """
    return join_links(find_links(table, schema), len(table))


def join_links(links: Iterable[Link], num_rows: int) -> NDArray[np.int64]:
    """Enumerate the groups that already known links make of the rows, as ``find_groups`` does."""
    return join_pairs((pair for link in links for pair in pairwise(link.rows)), num_rows)


def join_pairs(pairs: Iterable[tuple[int, int]], num_items: int) -> NDArray[np.int64]:
    """Enumerate the groups that pairs of items make, as ``find_groups`` does; pairs chain."""
    first, second = np.array(list(pairs), dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(num_items, num_items))
    _, labels = connected_components(graph, directed=False)
    return pd.factorize(labels)[0].astype(np.int64)


def find_links(table: pd.DataFrame, schema: Schema) -> list[Link]:
    """Find the rows that belong together, with the reason.

    A photo counts by its bytes, not by its name; a missing, unreadable or empty file links nothing. Rows are equal when
    all feature cells and the target mean the same (85255 is "85255"). A row without any feature is not compared,
    because an equal price alone is no duplicate. Without a target, equal features are enough.

    Args:
        table: the rows; columns are matched by name.
        schema: roles of the columns.

    Returns:
        the links by photo, then by row, then by group, each in the order of their rows.
    """
    return [*_photo_links(table, schema), *_row_links(table, schema), *_group_links(table, schema)]


def _photo_links(table: pd.DataFrame, schema: Schema) -> list[Link]:
    rows_of: defaultdict[str, set[int]] = defaultdict(set)
    for column in schema.images:
        for row, cell in enumerate(table[column]):
            for path in split_paths(cell):
                rows_of[path].add(row)
    sets = ((set().union(*(rows_of[path] for path in paths)), paths) for paths in equal_files(rows_of))
    links = [Link("photo", tuple(sorted(rows)), Path(paths[0]).name) for rows, paths in sets if len(rows) > 1]
    return sorted(links, key=lambda link: link.rows)


def equal_files(paths: Iterable[str]) -> Iterator[list[str]]:
    """Sort readable files, each named once, into lists of equal bytes; only files of equal size need to be read.

    A file like no other has a list of its own; a missing, unreadable or empty file is in none.
    """
    by_size: defaultdict[int, list[str]] = defaultdict(list)
    for path in paths:
        with suppress(OSError, ValueError):  # ValueError: a null character in the path
            status = os.stat(path)
            # Pipes and devices, which reading would not end, have no size; a folder has one.
            if status.st_size and stat.S_ISREG(status.st_mode):
                by_size[status.st_size].append(path)
    for candidates in by_size.values():
        if len(candidates) == 1:
            yield candidates
            continue
        by_digest: defaultdict[str, list[str]] = defaultdict(list)
        for path in candidates:
            with suppress(OSError):
                by_digest[digest_file(path)].append(path)
        yield from by_digest.values()


def _row_links(table: pd.DataFrame, schema: Schema) -> list[Link]:
    if not schema.features:
        return []
    codes = np.column_stack(list(code_cells(table, schema).values()))
    compared = np.flatnonzero((codes[:, : len(schema.features)] >= 0).any(axis=1))
    _, kinds = np.unique(codes[compared], axis=0, return_inverse=True)
    return [Link("row", rows) for rows in equal_rows(pd.Series(kinds, index=compared))]


def code_cells(table: pd.DataFrame, schema: Schema) -> dict[str, NDArray[np.int64]]:
    """Enumerate the values of each feature, then of the target, from 0; -1 stands for a missing cell."""
    cells: dict[str, Any] = {name: parse_numbers(table[name], schema.number_format(name))[0] for name in schema.numeric}
    cells |= {name: canonical_text(table[name]) for name in schema.categorical + schema.codes}
    cells |= {name: parse_dates(table[name], schema.formats.get(name))[0] for name in schema.dates}
    if schema.target:
        cells[schema.target] = parse_numbers(table[schema.target], schema.number_format(schema.target))[0]
    return {name: pd.factorize(values)[0].astype(np.int64) for name, values in cells.items()}


def _group_links(table: pd.DataFrame, schema: Schema) -> list[Link]:
    if schema.group is None:
        return []
    values = canonical_text(table[schema.group]).reset_index(drop=True)
    return [Link("group", rows, values[rows[0]]) for rows in equal_rows(values.dropna())]


def equal_rows(values: pd.Series) -> list[tuple[int, ...]]:
    """List the sets of two or more index labels that have the same value, each ascending."""
    repeated = values[values.duplicated(keep=False)]  # most values are there once
    return sorted(tuple(sorted(map(int, rows))) for rows in repeated.groupby(repeated).groups.values())
