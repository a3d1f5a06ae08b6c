"""What a bundle wants to know of a row, as forms, checks and the description of the service need it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixed_data.preprocessing.categorical_column import CategoricalColumn
from mixed_data.preprocessing.date_column import DateColumn
from mixed_data.preprocessing.numeric_column import NumericColumn
from mixed_data.runtime import Predictor
from mixed_data.schema.cell_values import canonical_text
from mixed_data.schema.written_dates import days_of, parse_dates
from mixed_data.schema.written_numbers import parse_numbers

NUM_EXAMPLES = 3
_MOST_LEVELS = 1000
_UNIT_IN_NAME = re.compile(r"(?P<label>.*\S)\s*[\[(](?P<unit>[^\])]{1,12})[\])]")
_DIGITS = 3


@dataclass(frozen=True)
class Field:
    """One column that a row may have.

    Attributes:
        name: of the column.
        role: "numeric", "categorical", "code" or "date".
        label: for people; the name without its unit.
        unit: such as "m2"; empty where nobody said.
        decimal: the sign that its numbers are written with; empty where they are none.
        is_used: whether anything was learned from the column.
        range: smallest and largest training value, of dates as text; None where that is not known.
        usual: the median training value, or the most frequent level.
        levels: of a category or code, the most frequent first; none for numbers and dates.
        examples: three made-up cells.
    """

    name: str
    role: str
    label: str
    unit: str
    decimal: str
    is_used: bool
    range: tuple[Any, Any] | None
    usual: Any
    levels: tuple[str, ...]
    examples: tuple[Any, ...]


class ServedFields:
    """The columns, photos and target of a bundle.

    Args:
        predictor: of the bundle.

    Attributes:
        fields: name -> column, in the order of the schema.
        photos: name of an image column -> the most photos that one row has of it.
        views: name of each photo.
        heat_views: those that a heat map can be drawn over.
        target: what is predicted: its name, label and unit.
        unit: of the target.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._schema, reader = predictor.schema, predictor.model.preprocessor_
        self._columns = {column.name: column for column in reader.tabular_.columns_}
        self.fields = {name: self._describe(name) for name in self._schema.features}
        self.photos = dict(zip(self._schema.images, reader.images_.num_photos_, strict=True))
        self.views = list(predictor.views)
        has_heat = predictor.model.modalities != "tabular" and not reader.images_.montage
        self.heat_views = self.views if has_heat else []
        name = self._schema.target or "prediction"
        label, unit = split_unit(name)
        self.unit = predictor.unit or unit
        self.target = {"name": name, "label": label, "unit": self.unit}

    @property
    def names(self) -> list[str]:
        """All that a row may have: columns, then photos."""
        return [*self.fields, *self.photos]

    def role_of(self, name: str) -> str:
        """Return the role of a column as `Schema` calls it."""
        schema = self._schema
        roles = ("numeric", "categorical", "codes", "dates", "images")
        return next(role for role in roles if name in getattr(schema, role))

    def to_dict(self) -> dict[str, Any]:
        """Return what the page needs to show a form, as plain values."""
        fields = [vars(field) | {"range": field.range and list(field.range)} for field in self.fields.values()]
        return {
            "fields": [
                {name: value for name, value in field.items() if name != "examples"} | {"levels": list(field["levels"])}
                for field in fields
            ],
            "photos": [
                {"name": name, "label": name.replace("_", " "), "count": count} for name, count in self.photos.items()
            ],
            "views": self.views,
            "heat_views": self.heat_views,
            "target": self.target,
            "examples": self.examples(),
            "has_intervals": self._predictor.has_intervals,
            "has_comparables": self._predictor.has_comparables,
        }

    def examples(self) -> list[dict[str, Any]]:
        """Return three made-up rows: cells around what was learned, never a row of training; without photos."""
        return [{name: field.examples[number] for name, field in self.fields.items()} for number in range(NUM_EXAMPLES)]

    def find_out_of_range(self, table: pd.DataFrame) -> list[list[str]]:
        """Name the numbers and dates of each row that are smaller or larger than all of training."""
        found: list[list[str]] = [[] for _ in range(len(table))]
        for name, column in self._columns.items():
            if isinstance(column, NumericColumn):
                values, _ = parse_numbers(table[name], self._schema.number_format(name))
                lowest, highest = column.lowest, column.highest
            elif isinstance(column, DateColumn):
                dates, _ = parse_dates(table[name], self._schema.formats.get(name))
                values = days_of(dates)
                lowest, highest = _date_ends(column)
            else:
                continue
            for row in np.flatnonzero((values < lowest) | (values > highest)):
                found[row].append(name)
        return found

    def find_unseen(self, table: pd.DataFrame) -> list[list[str]]:
        """Name the categories and codes of each row whose level stood in no training row."""
        found: list[list[str]] = [[] for _ in range(len(table))]
        for name, column in self._columns.items():
            if isinstance(column, CategoricalColumn):
                texts = canonical_text(table[name]).tolist()
                for row, (text, count) in enumerate(zip(texts, column.count(texts), strict=True)):
                    if text is not None and not count:
                        found[row].append(name)
        return found

    def _describe(self, name: str) -> Field:
        role = {"codes": "code", "dates": "date"}.get(self.role_of(name), self.role_of(name))
        label, unit = split_unit(name)
        decimal = ""
        if role == "numeric":
            written = self._schema.number_format(name)
            unit, decimal = unit or written.unit, written.decimal or "."
        column = self._columns.get(name)
        about: dict[str, Any] = {"range": None, "usual": None, "levels": (), "examples": (None,) * NUM_EXAMPLES}
        if isinstance(column, NumericColumn):
            about = _describe_number(column)
        elif isinstance(column, DateColumn):
            about = _describe_date(column)
        elif isinstance(column, CategoricalColumn):
            about = _describe_levels(column)
        return Field(name, role, label, unit, decimal, column is not None, **about)


def split_unit(name: str) -> tuple[str, str]:
    """Split the name of a column into a label for people and a unit, "area [m2]" into "area" and "m2"."""
    found = _UNIT_IN_NAME.fullmatch(name)
    label, unit = (found["label"], found["unit"]) if found else (name, "")
    return label.replace("_", " "), unit


def _describe_number(column: NumericColumn) -> dict[str, Any]:
    ends = (column.lowest, column.highest)
    is_whole = all(value.is_integer() for value in (*ends, column.median))
    step = column.scale or 0.0
    low, high = column.median - step, column.median + step
    if column.log_above is not None:
        low, high = (float(column.median * np.exp(min(way * step, 50.0))) for way in (-1, 1))
    cells = [_shorten(min(max(value, ends[0]), ends[1]), ends, is_whole) for value in (low, column.median, high)]
    return {"range": ends, "usual": column.median, "levels": (), "examples": tuple(cells)}


def _shorten(value: float, ends: tuple[float, float], is_whole: bool) -> float:
    """Write a number with few digits, as long as it stays in its range."""
    if is_whole:
        return float(round(value))
    short = float(f"{value:.{_DIGITS}g}")
    return short if ends[0] <= short <= ends[1] else value


def _describe_date(column: DateColumn) -> dict[str, Any]:
    ends = _date_ends(column)
    age = column.parts[0]
    middle, step = (column.latest - age.median, age.scale or 0.0) if _has_age(column) else (column.latest, 0.0)
    days = [min(max(day, ends[0]), ends[1]) for day in (middle - step, middle, middle + step)]
    texts = [str(np.datetime64(int(day), "D")) for day in (*ends, *days)]
    return {"range": tuple(texts[:2]), "usual": texts[3], "levels": (), "examples": tuple(texts[2:])}


def _has_age(column: DateColumn) -> bool:
    return column.parts[0].name.endswith("(age in days)")


def _date_ends(column: DateColumn) -> tuple[float, float]:
    """Return the first and the last day of training, in days since 1970."""
    oldest = column.parts[0].highest if _has_age(column) else 0.0
    return column.latest - oldest, column.latest


def _describe_levels(column: CategoricalColumn) -> dict[str, Any]:
    levels: Sequence[tuple[str, int]] = list(zip(column.groups[0].levels, column.counts, strict=True))
    names = tuple(name for name, _ in sorted(levels, key=lambda level: (-level[1], level[0])))
    examples = tuple(names[number % len(names)] if names else None for number in range(NUM_EXAMPLES))
    return {
        "range": None,
        "usual": names[0] if names else None,
        "levels": names[:_MOST_LEVELS],
        "examples": examples,
    }
