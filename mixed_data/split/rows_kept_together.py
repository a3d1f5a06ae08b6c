"""Which rows stay on one side of every split: one house in two rows must not be in training and in the test.

Rows are linked when they share a byte-identical photo, repeat each other, or carry the same declared group.
`find_links` says which and why, `find_groups` turns that into one group number per row for `hold_out` and `k_fold`.
"""

from __future__ import annotations

import os
import stat
from array import array
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
    numbers: dict[str, int] = {}
    in_row, photo = array("q"), array("q")  # of each naming of a photo; a set of rows per photo would take 200 bytes
    for column in schema.images:
        for row, cell in enumerate(table[column]):
            for path in split_paths(cell):
                in_row.append(row)
                photo.append(numbers.setdefault(path, len(numbers)))
    photos = np.array(photo, dtype=np.int64)
    rows_of = np.array(in_row, dtype=np.int64)[np.argsort(photos, kind="stable")]
    starts = np.concatenate([[0], np.cumsum(np.bincount(photos, minlength=len(numbers)))])
    links = []
    for paths in equal_files(numbers):
        parts = [rows_of[starts[number] : starts[number + 1]] for number in map(numbers.__getitem__, paths)]
        if sum(map(len, parts)) > 1 and len(together := np.unique(np.concatenate(parts))) > 1:
            links.append(Link("photo", tuple(together.tolist()), Path(paths[0]).name))
    return sorted(links, key=lambda link: link.rows)


def equal_files(paths: Iterable[str]) -> Iterator[list[str]]:
    """Sort readable files, each named once, into lists of equal bytes; only files of equal size need to be read.

    A file like no other has a list of its own; a missing, unreadable or empty file is in none.
    """
    files, sizes = [], array("q")
    for path in paths:
        with suppress(OSError, ValueError):  # ValueError: a null character in the path
            status = os.stat(path)
            # Pipes and devices, which reading would not end, have no size; a folder has one.
            if status.st_size and stat.S_ISREG(status.st_mode):
                files.append(path)
                sizes.append(status.st_size)
    contents = np.zeros(len(files), [("size", "<i8"), ("digest", "V32")])  # 100 bytes less than a text in a dict
    contents["size"] = sizes
    readable = np.ones(len(files), dtype=bool)
    for place in np.flatnonzero(pd.Series(contents["size"]).duplicated(keep=False)):
        try:
            contents["digest"][place] = np.void(bytes.fromhex(digest_file(files[place])))
        except OSError:
            readable[place] = False
    places = np.flatnonzero(readable)
    _, kinds = np.unique(contents[places].view("S40"), return_inverse=True)
    order, counts = places[np.argsort(kinds, kind="stable")], np.bincount(kinds)
    ends = np.cumsum(counts)
    starts = ends - counts
    firsts = order[starts]
    for kind in np.lexsort((firsts, pd.factorize(contents["size"])[0][firsts])):
        yield [files[place] for place in order[starts[kind] : ends[kind]]]


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
