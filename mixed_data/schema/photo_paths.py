"""The picture paths that one cell holds."""

from __future__ import annotations

import os

from mixed_data.schema.cell_values import is_missing

PATH_SEPARATOR = ";"


def split_paths(cell: object) -> list[str]:
    """List the picture paths of one cell; several are separated by ";".

    Args:
        cell: text, an ``os.PathLike``, or a missing value.

    Returns:
        the paths in their order, without outer blanks; empty when the cell is missing.

    Raises:
        ValueError: the cell is neither text, nor a path, nor missing.

    Example:
        >>> split_paths("front.jpg; kitchen.jpg;")
        ['front.jpg', 'kitchen.jpg']
    """
    if is_missing(cell):
        return []
    if not isinstance(cell, str | os.PathLike):
        raise ValueError(
            f"expected the path of a picture as text, got {cell!r} ({type(cell).__name__}); "
            f"write several paths as one text, separated by {PATH_SEPARATOR!r}"
        )
    parts = str(os.fspath(cell)).split(PATH_SEPARATOR)
    return [path for part in parts if (path := part.strip())]
