"""Readers: from files to a DataFrame and its ``Schema``.

To add one, write a module with a function ``read_<name>(root, **options) -> (table, schema)`` and name it here. Image
columns of the table hold absolute paths, several in one cell separated by ";"; the index counts the rows.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from mixed_data.readers.houses import read_houses
from mixed_data.readers.sample import read_sample
from mixed_data.readers.table import read_rows, read_table
from mixed_data.schema import Schema

READERS: dict[str, Callable[..., tuple[pd.DataFrame, Schema]]] = {
    "houses": read_houses,
    "sample": read_sample,
    "table": read_table,
}
"""Name -> function of a folder that returns a table and its schema."""

UNITS = {"houses": "US dollars", "sample": "US dollars", "table": ""}
"""Reader -> unit of the target; "" where it is not known."""

__all__ = ["READERS", "UNITS", "read_houses", "read_rows", "read_sample", "read_table"]
