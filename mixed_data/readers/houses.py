"""The Houses data set: 535 real houses with four photos, four attributes and a price each.

Where it comes from, its terms and its known defects: ``datasets/README.md``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from mixed_data.files.first_few import first_few
from mixed_data.schema import Schema
from mixed_data.schema.written_numbers import parse_numbers

FOLDER_NAME = "Houses Dataset"
_TABLE_NAME = "HousesInfo.txt"

_COLUMNS = ["bedrooms", "bathrooms", "area", "zipcode", "price"]
_ROOMS = ("frontal", "bedroom", "bathroom", "kitchen")


def read_houses(root: str | os.PathLike[str]) -> tuple[pd.DataFrame, Schema]:
    """Read the Houses data set as it is published.

    Line N of ``HousesInfo.txt``, counted from 1, belongs to the photos ``N_frontal.jpg``, ``N_bedroom.jpg``,
    ``N_bathroom.jpg`` and ``N_kitchen.jpg``. N becomes the id ``house`` and is never a feature: neighbouring lines are
    neighbouring houses, and the line number alone predicts the price better than a small network does from the photos.

    Args:
        root: the folder that holds "Houses Dataset", or that folder itself.

    Returns:
        the table, one row per line in the order of the file, with the columns ``house`` (int), ``bedrooms``,
        ``bathrooms`` (may be 1.5), ``area`` (square feet), ``zipcode`` (text), ``frontal_photo``, ``bedroom_photo``,
        ``bathroom_photo``, ``kitchen_photo`` (absolute paths, not opened here) and ``price`` (US dollars); and its
        schema.

    Raises:
        ValueError: the folder is not there, or lines are not five numbers (all of them are reported).

    Reference:
        Ahmed, E. H. and Moustafa, M., House Price Estimation from Visual and Textual Features, IJCCI 2016,
        doi:10.5220/0006040700620068, arXiv:1609.08399.
    """
    folder = _find_folder(Path(root).expanduser().absolute())
    table = _read_lines(folder / _TABLE_NAME)
    table.insert(0, "house", range(1, len(table) + 1))
    for room in _ROOMS:
        table[f"{room}_photo"] = [str(folder / f"{house}_{room}.jpg") for house in table["house"]]
    table["price"] = table.pop("price")
    return table, Schema(
        id="house",
        numeric=("bedrooms", "bathrooms", "area"),
        codes=("zipcode",),
        images=tuple(f"{room}_photo" for room in _ROOMS),
        target="price",
        reasons={"house": "line number in the file; row order gives the price away, so never a feature"},
    )


def _find_folder(root: Path) -> Path:
    for folder in (root / FOLDER_NAME, root):
        if (folder / _TABLE_NAME).is_file():
            return folder
    raise ValueError(
        f"expected the folder {FOLDER_NAME!r} with {_TABLE_NAME} and the photos in root, but {str(root)!r} "
        f"{'has none' if root.is_dir() else 'does not exist'}; `python -m mixed_data download houses` gets "
        f"the data; then give the folder that holds {FOLDER_NAME!r} as root"
    )


def _read_lines(path: Path) -> pd.DataFrame:
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    problems = {
        number: f"{len(cells)} values" for number, cells in enumerate(lines, start=1) if len(cells) != len(_COLUMNS)
    }
    # A short line is padded only to look for bad numbers in the others; it is reported below.
    table = pd.DataFrame([(cells + [""] * 5)[:5] for cells in lines], columns=_COLUMNS)
    for column in ("bedrooms", "bathrooms", "area", "price"):
        text = table[column]
        table[column], is_bad = parse_numbers(text)
        for row in is_bad.nonzero()[0]:
            problems.setdefault(int(row) + 1, f"{text[row]!r:.80} for {column}")
    if problems:
        shown = "; ".join(first_few(f"line {number}: {problem}" for number, problem in sorted(problems.items())))
        raise ValueError(
            f"expected the five numbers {', '.join(_COLUMNS)} in each line of {path}, got {shown} "
            f"({len(problems)} of {len(lines)} lines); `python -m mixed_data download houses` gets the file"
        )
    return table
