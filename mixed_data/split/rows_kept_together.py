"""Which rows stay on one side of every split: one house in two rows must not be in training and in the test.

Rows are linked when they share a byte-identical photo, repeat each other, or carry the same declared group.
`find_links` says which and why, `find_groups` turns that into one group number per row for `hold_out` and `k_fold`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import compress, pairwise
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

_KEY_BYTES = 16  # of a digest, which tell any two files apart
_NUM_DIGESTS = 4096


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
    def name_photos() -> Iterator[tuple[int, str]]:
        for column in schema.images:
            for row, cell in enumerate(table[column]):
                for path in split_paths(cell):
                    yield row, path

    numbers = number_files(lambda: (path for _, path in name_photos()))
    is_repeated = pd.Series(numbers).duplicated(keep=False).to_numpy() & (numbers >= 0)
    rows_of: dict[int, set[int]] = {}
    names: dict[int, str] = {}
    repeated = compress(name_photos(), is_repeated) if is_repeated.any() else ()
    for number, (row, path) in zip(numbers[is_repeated].tolist(), repeated, strict=True):
        rows_of.setdefault(number, set()).add(row)
        names.setdefault(number, Path(path).name)
    links = [Link("photo", tuple(sorted(rows)), names[number]) for number, rows in rows_of.items() if len(rows) > 1]
    return sorted(links, key=lambda link: link.rows)


def number_files(list_paths: Callable[[], Iterable[str]]) -> NDArray[np.int64]:
    """Enumerate files by their bytes; only those of a size that comes twice are read.

    Args:
        list_paths: names the files, some perhaps several times. It is called twice, because all paths at once would
            take 100 bytes each.

    Returns:
        for each path a number, equal for equal bytes, from 0 in the order of first appearance; -1 for a file that is
        missing, unreadable or empty.
    """
    files = np.fromiter(map(_look_at_file, list_paths()), [("size", "<i8"), ("key", f"S{_KEY_BYTES}")])
    is_read = pd.Series(files["size"]).duplicated(keep=False).to_numpy() & (files["size"] > 0)
    keys = files["key"].copy()
    del files
    if is_read.any():
        digest = lru_cache(_NUM_DIGESTS)(_digest_content)  # one file may be named in row after row
        for place, path in zip(np.flatnonzero(is_read), compress(list_paths(), is_read), strict=True):
            keys[place] = digest(path)
    _, firsts, kinds = np.unique(keys, return_index=True, return_inverse=True)
    firsts = firsts[kinds]
    is_known = keys != b""
    return np.where(is_known, np.cumsum(is_known & (firsts == np.arange(len(keys))))[firsts] - 1, -1)


def _look_at_file(path: str) -> tuple[int, bytes]:
    """Return the size of a file and, for the time being, a digest of its path; nothing of one that holds no photo."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a null character in the path
        return 0, b""
    # Pipes and devices, which reading would not end, have no size; a folder has one.
    if not status.st_size or not stat.S_ISREG(status.st_mode):
        return 0, b""
    return status.st_size, blake2b(os.fsencode(path), digest_size=_KEY_BYTES).digest()


def _digest_content(path: str) -> bytes:
    try:
        return bytes.fromhex(digest_file(path))[:_KEY_BYTES]
    except OSError:
        return b""


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
