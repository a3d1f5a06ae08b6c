"""Schema: which column of a table plays which role, and whether a table fits.

Roles are given by hand, loaded from JSON, or inferred. An inferred role is a guess, so every guess carries its reason:
``print(schema.explain())``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mixed_data.files.checked_json import read_json, write_json
from mixed_data.files.first_few import cut
from mixed_data.schema.bad_cells import BadCells, RowNames, SchemaError, find_bad_cells
from mixed_data.schema.column_problems import (
    find_missing_columns,
    find_only_target,
    find_table_problems,
    names_of_one_column,
)
from mixed_data.schema.inferred_roles import LEFT_OUT, guess_roles, split_names
from mixed_data.schema.pandas_frames import to_pandas
from mixed_data.schema.written_dates import DATE_FORMATS
from mixed_data.schema.written_numbers import PLAIN, UNKNOWN, NumberFormat

_SINGLE_ROLES = ("target", "id", "group")
_MANY_ROLES = ("numeric", "categorical", "codes", "dates", "images")


@dataclass(frozen=True)
class Schema:
    """Name the role of every column that is used; all other columns of a table are ignored.

    Columns are matched by name, never by position. Lists are accepted and become tuples.

    Args:
        target: the number to predict.
        numeric: columns of numbers.
        categorical: columns of labels.
        codes: categories whose leading characters mean something: zipcode 85255 lies in 852, and that in 85.
        dates: columns of dates, read as the year, the day of the year and the age in days.
        images: columns of picture paths; one cell may hold several paths separated by ";".
        group: rows with the same value stay on one side of every split.
        id: what a person calls a row; never a feature.
        reasons: column to why it got its role or was left out; not part of equality.
        formats: column to how its texts write 1234.5 ("1,234.5", "1.234,5", "1.234,5 €") or 31 December 2020
            ("31/12/2020", "12/31/2020"), where that has to be known; not part of equality. See `learn_formats`.

    Raises:
        SchemaError: a column has two roles, is repeated, or its name is not text.

    Example:
        >>> schema = Schema(target="price", numeric=["area"], codes=["zipcode"], images=["front"])
        >>> schema.features
        ('area', 'zipcode')
    """

    target: str | None = None
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    group: str | None = None
    id: str | None = None
    reasons: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    dates: tuple[str, ...] = ()
    formats: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for role in _MANY_ROLES:
            columns = getattr(self, role)
            if isinstance(columns, str) or not isinstance(columns, Sequence):
                raise SchemaError(f"{role}: expected a list such as ['area'], got {columns!r}; put it in a list")
            object.__setattr__(self, role, tuple(columns))
        for name in ("reasons", "formats"):
            given = getattr(self, name)
            if not isinstance(given, Mapping):
                raise SchemaError(f"{name}: expected column to text, got {given!r}; leave it out")
            object.__setattr__(self, name, dict(given))
        problems = []
        seen: dict[str, str] = {}
        for role, name in self._roles():
            if not isinstance(name, str):
                problems.append(f"{role}: expected a column name as text, got {name!r}; rename the column")
            elif name in seen:
                problems.append(f"column {name!r} is both {seen[name]} and {role}; name it once")
            else:
                seen[name] = role
        # A schema without some of its columns is made with `replace`, which hands all formats on.
        object.__setattr__(self, "formats", {name: text for name, text in self.formats.items() if name in seen})
        if problems := problems or list(self._find_format_problems()):
            raise SchemaError(*problems)

    @property
    def features(self) -> tuple[str, ...]:
        """The tabular columns a model sees: numeric, then categorical, codes and dates."""
        return self.numeric + self.categorical + self.codes + self.dates

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns that hold numbers: numeric, then the target."""
        return self.numeric if self.target is None else (*self.numeric, self.target)

    @classmethod
    def infer(
        cls,
        table: pd.DataFrame,
        *,
        target: str | None = None,
        images: Sequence[str] | None = None,
        id: str | None = None,
        group: str | None = None,
    ) -> Schema:
        """Guess the roles from names and values, and note the reason of every guess.

        The rules, in this order, for a column that is not named in the call:

        1. empty in every row: left out;
        2. at least 90 % of the cells end like picture files: images; are addresses, pictures as text, or, all
           different, paths without an ending: left out, for they may lead to photos;
        3. lists, objects or spans of time: left out; the same value in every row: left out;
        4. named like an id ("id", "house_id") or an index, all values different: id; named like an id, with
           repeated values: categorical, even if they are numbers;
        5. a running count of the rows (20 or more): id; never a feature, row order may give the target away;
        6. named like a zipcode ("zip", "postal_code", "plz"), or text of one fixed length of at least 4
           digits, some with a leading zero, values repeated: codes. Never by digits alone: 1985 is a year;
        7. at least 90 % of the cells are numbers, as a person may write them ("1,200", "$ 1200", "45 %"): numeric
           (``validate`` reports what is none, row by row);
        8. at least 90 % of the cells are dates: dates; left out if nothing tells the order of "1/2/2020";
        9. more than 10 % of the cells end like picture files, or half are numbers, or nearly all are numbers with a
           unit ("50 m2"), and most are different: left out, for labels of these would be mistakes;
        10. short text (60 characters at most), all values different: id;
        11. more than 90 % of the values are different: left out as free text;
        12. anything else: categorical.

        Of several ids the best is kept (named so, index, text, count), and the others are left out.

        Args:
            table: rows to look at; picture paths and numbers may be text.
            target: the column to predict; without it, the only column named "target" or "price".
            images: the columns of picture paths, also as one text with commas, which may be part of a name; without it,
                guessed. ``()`` for none.
            id: the column that names a row; without it, guessed.
            group: the column whose rows stay together; never guessed.

        Raises:
            SchemaError: the table has no rows or repeated column names, a named column does not exist, or the target is
                not clear.
        """
        table = to_pandas(table)
        if isinstance(images, str):
            images = split_names(images, table)
        given = [("target", target), ("id", id), ("group", group), *(("images", name) for name in images or ())]
        if problems := [*find_table_problems(table), *find_missing_columns(given, table)]:
            raise SchemaError(*problems)
        guesses = {name: (role, "given") for role, name in given if name is not None}
        if target is None:
            target = find_only_target(table, guesses)
            guesses[target] = ("target", "the only column named target or price")
        guesses = guess_roles(table, guesses, may_be_image=images is None)

        def columns_of(role: str) -> tuple[str, ...]:
            return tuple(name for name, (guess, _) in guesses.items() if guess == role)

        return cls(
            target=target,
            numeric=columns_of("numeric"),
            categorical=columns_of("categorical"),
            codes=columns_of("codes"),
            dates=columns_of("dates"),
            images=columns_of("images") if images is None else tuple(images),
            group=group,
            id=id or next(iter(columns_of("id")), None),
            reasons={name: reason for name, (_, reason) in guesses.items()},
        )

    def explain(self) -> str:
        """Return one line per column: role, name, reason; the columns left out come last.

        Example:
            >>> print(Schema(target="price", numeric=["area"]).explain())
            target   price  given
            numeric  area   given
        """
        reasons = {name: f"{self.reasons.get(name, 'given')}{self._show_format(name)}" for _, name in self._roles()}
        lines = [(role, name, reasons[name]) for role, name in self._roles()]
        used = {name for _, name, _ in lines}
        lines += [(LEFT_OUT, name, reason) for name, reason in self.reasons.items() if name not in used]
        lines = [(role, cut(name), why) for role, name, why in lines]
        widths = [max((len(line[part]) for line in lines), default=0) for part in (0, 1)]
        return "\n".join(f"{role:{widths[0]}}  {name:{widths[1]}}  {why}" for role, name, why in lines)

    def validate(self, table: pd.DataFrame, *, needs_target: bool = True, lines: Sequence[int] | None = None) -> None:
        """Check a table against the schema and report every problem at once.

        Empty feature cells are fine (they are imputed), and so are columns the schema does not name. Rows are named by
        their line or position, and by their id.

        Args:
            table: rows to check; numbers may be text.
            needs_target: True for training and evaluation: target, id and group must be there, and the target must be a
                number in every row. False for prediction, which needs features and images only.
            lines: the line of the file on which each row starts; without, rows are counted from 0.

        Raises:
            SchemaError: the table does not fit; ``problems`` lists all of it, five cells per column at most.
        """
        problems = self.find_column_problems(table, needs_target=needs_target)
        ids = table[self.id] if self.id in names_of_one_column(table) else None
        bad = BadCells()
        for (role, name), is_bad in self.find_bad_cells(table, needs_target=needs_target).items():
            bad.add(role, table[name], is_bad, RowNames(ids, lines), self.formats.get(name))
        if problems := problems + bad.describe(self.roles_needed(needs_target)):
            raise SchemaError(*problems)

    def find_column_problems(self, table: pd.DataFrame, *, needs_target: bool = True) -> list[str]:
        """Say what is wrong with a table as a whole: rows, columns and names, whatever stands in the cells.

        Args:
            table: as for `validate`.
            needs_target: as for `validate`.

        Returns:
            one text per problem, with its remedy.
        """
        roles = self.roles_needed(needs_target)
        # A table may go without an id, but not with two.
        names = {name for _, name in roles} | ({self.id} if self.id is not None else set())
        problems = [*find_table_problems(table, names), *find_missing_columns(roles, table)]
        if needs_target and self.target is None:
            problems.append("the schema names no target; give it one, such as Schema(target='price')")
        return problems

    def number_format(self, name: str) -> NumberFormat:
        """Return how a column writes its numbers, as far as that is known."""
        return NumberFormat.from_text(self.formats[name]) if name in self.formats else UNKNOWN

    def find_bad_cells(
        self, table: pd.DataFrame, *, needs_target: bool = True
    ) -> dict[tuple[str, str], NDArray[np.bool_]]:
        """Find the cells that their column's role cannot use.

        Args:
            table: as for `validate`.
            needs_target: as for `validate`.

        Returns:
            (role, column) to bool (n,), True for a bad cell; only columns that have one.
        """
        once = names_of_one_column(table)
        bad = {
            (role, name): find_bad_cells(role, table[name], self.formats.get(name), needs_files=needs_target)
            for role, name in self.roles_needed(needs_target)
            if name in once
        }
        return {column: is_bad for column, is_bad in bad.items() if is_bad.any()}

    def without(self, *names: str) -> Schema:
        """Return the same schema without some of its features, codes and images; other columns keep their roles."""
        kept: dict[str, Any] = {
            role: [name for name in getattr(self, role) if name not in names] for role in _MANY_ROLES
        }
        kept["reasons"] = {name: why for name, why in self.reasons.items() if name not in names}
        return replace(self, **kept)

    def without_images(self) -> Schema:
        """Return the same schema for a model that sees the table only."""
        return self.without(*self.images)

    def only_images(self) -> Schema:
        """Return the same schema for a model that sees the pictures only."""
        return self.without(*self.features)

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists and texts, ready for JSON; ``from_dict`` gives an equal schema."""
        values = asdict(self)
        return values | {role: list(values[role]) for role in _MANY_ROLES}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Schema:
        """Build a schema from what ``to_dict`` returned or a person wrote; what is not there has its default.

        Raises:
            SchemaError: a key is unknown, or the roles contradict each other.
        """
        known = [entry.name for entry in fields(cls)]
        if not isinstance(values, Mapping):
            raise SchemaError(f"expected a mapping of role to columns, got {values!r}; write {{'target': ...}}")
        if unknown := [key for key in values if key not in known]:
            raise SchemaError(f"unknown keys {unknown}; a schema has only {', '.join(known)}")
        schema = cls(**values)
        if unknown := [name for name in values.get("formats", ()) if name not in schema.formats]:
            raise SchemaError(f"formats: {unknown} have no role; correct the names, or give them one")
        return schema

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the schema as JSON that a person can read and edit."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Schema:
        """Read a schema that ``save`` or a person wrote.

        Raises:
            SchemaError: the file is not there, is no JSON, or is no schema.
        """
        try:
            return cls.from_dict(read_json(path))
        except FileNotFoundError:
            raise SchemaError(f"there is no schema file {path}; write one with Schema.save(path)") from None
        except SchemaError as error:
            raise SchemaError(*(f"{path}: {problem}" for problem in error.problems)) from None
        except ValueError as error:
            raise SchemaError(f"{error}; correct or rewrite it") from None

    def _find_format_problems(self) -> Iterator[str]:
        for name, text in self.formats.items():
            if name in self.dates and text not in DATE_FORMATS:
                yield f"formats: expected one of {', '.join(DATE_FORMATS)} for {name!r}, got {text!r:.80}"
            elif name in self.numbers:
                try:
                    NumberFormat.from_text(text)
                except ValueError as error:
                    yield f"formats of {name!r}: {error}"

    def _show_format(self, name: str) -> str:
        text = self.formats.get(name)
        return "" if text in (None, str(PLAIN)) else f", written as {text}"

    def _roles(self) -> list[tuple[str, str]]:
        """List (role, column) in the order in which people read them."""
        single = [(role, getattr(self, role)) for role in _SINGLE_ROLES if getattr(self, role) is not None]
        return single + [(role, name) for role in _MANY_ROLES for name in getattr(self, role)]

    def roles_needed(self, needs_target: bool) -> list[tuple[str, str]]:
        """List (role, column) of what must be there for training, or else for prediction, as people read them."""
        return [(role, name) for role, name in self._roles() if needs_target or role not in _SINGLE_ROLES]
