"""What decides the role of a column that nobody named: its name and its cells; every guess carries its reason.

People call ``Schema.infer``, whose docstring lists the rules.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from itertools import islice

import numpy as np
import pandas as pd

from mixed_data.schema.cell_values import canonical_text
from mixed_data.schema.photo_paths import PICTURE_ENDING, is_address, is_picture, split_paths
from mixed_data.schema.written_dates import clear_order, count_orders
from mixed_data.schema.written_numbers import FormatCounts, count_formats, parse_numbers

LEFT_OUT = "left out"
"""The role of a column that has none."""

CLEAR_SHARE = 0.9
"""From this share of the cells on, a column is what they say; the others are mistakes."""

Guess = tuple[str, str]
"""A role, or ``LEFT_OUT``, and the reason."""

_TARGET_NAMES = ("target", "price")
_ID_NAME = re.compile(r"(?:.*[ _.-])?(?i:id|uuid)|.*[a-z]I[dD]")
_INDEX_NAME = re.compile(r"index|row|unnamed: 0", re.IGNORECASE)
_CODE_NAME = re.compile(r"(?:.*[^a-z])?(?:zip|plz|postal|(?:zip|post|postal)[ _.-]?codes?)", re.IGNORECASE)
_NAMED_ID, _NAMED_INDEX, _SHORT_TEXT, _COUNTS = _ID_GUESSES = (  # The best first.
    ("id", "named like an id, every value different"),
    ("id", "named like an index, every value different"),
    ("id", "short text, every value different"),
    ("id", "counts the rows"),
)
_NAME_IT = "if they lead to photos, name the column with --images"
_PICTURE_FILE = re.compile(rf".*{PICTURE_ENDING.pattern}(?:[?#].*)?[\"'`]*", re.IGNORECASE | re.DOTALL)
_PHOTO_NAME = re.compile(r"photo|image|picture|pics?(?![a-z])|img|foto|bild", re.IGNORECASE)
_PHOTO_KEY = re.compile(r"[0-9]+|[^0-9.+-].{,59}")  # 17, IMG_0017; no measure and no date
_PATH = re.compile(r"(?:[A-Za-z]:|\.{0,2}|[^\s\\/]*[^\W\d][^\\/]*)(?:[\\/]+[^\\/]+)+")  # folders, the first no number
_WITH_UNIT = re.compile(r"[-+]?[0-9][0-9.,'’ ]*((?:sq\.? ?)?[^\W\d_]{1,12}[²³23]?\.?)")  # 50 m², 1,200 sq ft
_SPANS = (timedelta, np.timedelta64)
_MIN_ROWS_TO_COUNT = 20  # In fewer rows, values such as 1, 2, 3 may well be rooms.
_MIN_CODE_LENGTH = 4
_MAX_ID_LENGTH = 60


def find_targets(names: Iterable[str], taken: Collection[str]) -> list[str]:
    """List the columns that are named like a target and not taken by another role."""
    return [name for name in names if name.strip().lower() in _TARGET_NAMES and name not in taken]


def split_names(text: str, table: pd.DataFrame) -> list[str]:
    """List the columns that a text with commas names; where a comma is part of a name, the longest name counts."""
    columns, parts, names = set(table), text.split(","), []
    while parts:
        joined = {length: ",".join(parts[:length]).strip() for length in range(len(parts), 0, -1)}
        length = next((length for length, name in joined.items() if name in columns), 1)
        names.append(joined[length])
        del parts[:length]
    return names


def guess_roles(table: pd.DataFrame, given: Mapping[str, Guess], *, may_be_image: bool) -> dict[str, Guess]:
    """Guess the role of every column that has none yet; at most one becomes the id.

    Args:
        table: rows to look at, columns named by distinct texts.
        given: the roles that are known, by column.
        may_be_image: False when the image columns are all known.

    Returns:
        column to role and reason, in the order of the table.
    """
    guesses = {
        name: given[name] if name in given else _guess_role(name, table[name], may_be_image) for name in table.columns
    }
    _keep_one_id(guesses)
    return guesses


def _keep_one_id(guesses: dict[str, Guess]) -> None:
    """Leave out all candidates for the id but the best, or all where an id is given."""
    chosen = next((name for name, guess in guesses.items() if guess == ("id", "given")), None)
    candidates = [name for guess in _ID_GUESSES for name in guesses if guesses[name] == guess]
    chosen = chosen or next(iter(candidates), None)
    for name in candidates:
        if name != chosen:
            guesses[name] = (LEFT_OUT, f"{guesses[name][1]}; {chosen!r} is the id")


def _guess_role(name: str, column: pd.Series, may_be_image: bool) -> Guess:
    """Return (role, reason) by the rules that ``Schema.infer`` documents."""
    present = canonical_text(column).dropna()
    num_distinct = present.nunique()
    if present.empty:
        return LEFT_OUT, "every cell is empty"
    num_pictures = _count(_is_picture_file, present)
    if num_pictures >= CLEAR_SHARE * len(present):
        reason = f"{num_pictures} of {len(present)} cells end like picture files"
        return ("images", reason) if may_be_image else (LEFT_OUT, f"{reason}, but the images are given")
    if guess := _guess_hidden_photos(name, present) or _guess_no_single_values(column, present):
        return guess
    if num_distinct == 1 and len(present) == len(column):
        return LEFT_OUT, f"every cell is {present.iloc[0]!r:.80}"
    if _ID_NAME.fullmatch(name.strip()):
        return _NAMED_ID if num_distinct == len(column) else _guess_label(present)
    if _INDEX_NAME.fullmatch(name.strip()) and num_distinct == len(column):
        return _NAMED_INDEX
    if guess := _guess_number(name, column, present) or _guess_date(column, present):
        return guess
    if guess := _guess_spoilt_number(column, present):
        return guess
    num_pictures = sum("." in cell and _is_picture_file(cell) for cell in present)
    if num_pictures > (1 - CLEAR_SHARE) * len(present):
        return LEFT_OUT, f"only {num_pictures} of {len(present)} cells end like picture files; {_NAME_IT}"
    if num_distinct == len(column) and present.str.len().max() <= _MAX_ID_LENGTH:
        return _SHORT_TEXT
    return _guess_label(present)


def _guess_hidden_photos(name: str, present: pd.Series) -> Guess | None:
    """Leave out what may lead to photos and is neither an id nor a label, and say how to use it."""
    num_needed = CLEAR_SHARE * len(present)
    has_photo_name = bool(_PHOTO_NAME.search(name))
    is_distinct = present.nunique() > num_needed
    is_id = bool(_ID_NAME.fullmatch(name.strip()))
    what = ""
    if _count(is_picture, present) >= num_needed:
        what = "the cells are pictures as text, no paths"
    elif _count(is_address, present) >= num_needed:
        what = "the cells are addresses"
    elif (has_photo_name or (is_distinct and not is_id)) and _count(_PATH.fullmatch, present) >= num_needed:
        what = "the cells look like paths without the ending of a picture"
    elif has_photo_name and is_distinct and not is_id and _count(_PHOTO_KEY.fullmatch, present) >= num_needed:
        what = "named like photos, nearly every value different" if len(present) >= _MIN_ROWS_TO_COUNT else ""
    return (LEFT_OUT, f"{what}; {_NAME_IT}") if what else None


def _guess_no_single_values(column: pd.Series, present: pd.Series) -> Guess | None:
    """Leave out spans of time, and what has parts or is an object, instead of making labels of how Python shows it."""
    examples = {type(cell): cell for cell in column}
    kinds = {kind for kind, cell in examples.items() if issubclass(kind, _SPANS) or not _is_single(cell)}
    if not kinds or sum(type(cell) in kinds for cell in column) < CLEAR_SHARE * len(present):
        return None
    if all(issubclass(kind, _SPANS) for kind in kinds):
        return LEFT_OUT, "spans of time; write them as numbers, such as days"
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    return LEFT_OUT, f"the cells ({names}) are no number, text or date; write their parts into columns of their own"


def _is_single(cell: object) -> bool:
    return bool(pd.api.types.is_scalar(cell)) or isinstance(cell, os.PathLike)


def _guess_number(name: str, column: pd.Series, present: pd.Series) -> Guess | None:
    if len(column) >= _MIN_ROWS_TO_COUNT and _counts_up(column.iloc[:_MIN_ROWS_TO_COUNT]) and _counts_up(column):
        return _COUNTS
    if _CODE_NAME.fullmatch(name.strip()):
        return "codes", "named like a zipcode"
    if present.nunique() < len(present) and _are_padded_codes(present):
        return "codes", f"{len(present.iloc[0])} digits each, some with a leading zero"
    counts = count_formats(column)
    num_numbers = _count_numbers(column, counts)
    if num_numbers >= CLEAR_SHARE * len(present):
        num_odd = max(counts.signs[","], counts.units.total() - counts.units[""])
        others = ", some with separators or signs" if num_odd > (1 - CLEAR_SHARE) * len(present) else ""
        return "numeric", f"{num_numbers} of {len(present)} cells are numbers{others}"
    return None


def _guess_spoilt_number(column: pd.Series, present: pd.Series) -> Guess | None:
    """Leave out numbers with words or units among them, of which an id or as many labels as rows would be made."""
    if present.nunique() <= len(present) / 2:
        return None
    num_numbers = _count_numbers(column, count_formats(column))
    if len(present) / 2 <= num_numbers < len(present):
        odd = next((cell for cell in present if not count_formats(pd.Series([cell])).units.total()), "")
        return (
            LEFT_OUT,
            f"only {num_numbers} of {len(present)} cells are numbers; correct or empty others such as {odd!r:.80}",
        )
    units = Counter(found.group(1) for found in map(_WITH_UNIT.fullmatch, present) if found)
    for unit, count in units.most_common(1):
        if count >= CLEAR_SHARE * len(present):
            return LEFT_OUT, f"numbers with the unit {unit!r}; write the numbers alone"
    return None


def _count_numbers(column: pd.Series, counts: FormatCounts) -> int:
    no_texts = column[[not isinstance(cell, str) for cell in column]]
    return counts.units.total() + int(np.isfinite(parse_numbers(no_texts)[0]).sum())


def _counts_up(column: pd.Series) -> bool:
    return bool((np.diff(parse_numbers(column)[0]) == 1).all())


def _guess_date(column: pd.Series, present: pd.Series) -> Guess | None:
    orders = count_orders(column)
    num_dates = len(present) - orders["no"]
    if num_dates < CLEAR_SHARE * len(present):
        return None
    if orders["?"] and clear_order(orders) is None:
        return LEFT_OUT, "dates that do not tell whether the day or the month stands first; write them as 2020-12-31"
    return "dates", f"{num_dates} of {len(present)} cells are dates"


def _guess_label(present: pd.Series) -> Guess:
    reason = f"{present.nunique()} different values in {len(present)} cells"
    if present.nunique() > CLEAR_SHARE * len(present):
        return LEFT_OUT, f"free text: {reason}"
    return "categorical", reason


def _count(is_one: Callable[[str], object], present: pd.Series) -> int:
    """Count the cells that are such, exactly where they may be enough for the column to be so.

    In a long column of something else there is no need to look at every cell.
    """
    others = (cell for cell in present if not is_one(cell))
    too_many = int((1 - CLEAR_SHARE) * len(present)) + 2
    return len(present) - sum(1 for _ in islice(others, too_many))


def _is_picture_file(cell: str) -> bool:
    paths = split_paths(cell)
    return bool(paths) and all(map(_PICTURE_FILE.fullmatch, paths))


def _are_padded_codes(texts: pd.Series) -> bool:
    length = len(texts.iloc[0])
    if length < _MIN_CODE_LENGTH or not texts.str.fullmatch(f"[0-9]{{{length}}}").all():
        return False
    return bool(texts.str.startswith("0").any())
