"""What an audit looks at, and the form of what it finds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mixed_data.files.first_few import NUM_SHOWN, cut, first_few
from mixed_data.schema import Schema
from mixed_data.schema.cell_values import canonical_text
from mixed_data.schema.written_numbers import parse_numbers
from mixed_data.split import Link, find_links, join_links

_NUM_IN_SENTENCE = 3
_MAX_LENGTH_SHOWN = 60
KEPT_TOGETHER = "kept on one side of every split"
LOOK = "named only: look at these rows"


@dataclass(frozen=True)
class Case:
    """One occurrence of a problem.

    Attributes:
        rows: positions of the rows, ascending; empty where a whole column is meant.
        ids: what a person calls them, in the same order; their places or positions where they have no id.
        note: what is special about these, such as the name of a shared photo.
        places: where they stand in their file, such as "line 7", in the same order; empty where there is no file.
    """

    rows: tuple[int, ...]
    ids: tuple[str, ...]
    note: str = ""
    places: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write "59 = 72: 3 photos" or "line 60 (id '59') = line 73 (id '72'): 3 photos", with at most five rows."""
        names = [_name_row(*row) for row in zip_longest(self.ids[:NUM_SHOWN], self.places[:NUM_SHOWN], fillvalue="")]
        more = [f"{len(self.ids) - NUM_SHOWN} more"] if len(self.ids) > NUM_SHOWN else []
        return ": ".join(filter(None, (" = ".join([*names, *more]), self.note)))


@dataclass(frozen=True)
class Finding:
    """One class of problem that a table has.

    Attributes:
        problem: the class, such as "rows that share a photo".
        num_rows: how many rows have it.
        cases: every occurrence, the worst first.
        action: what the program does about it.
        flatters: whether it makes scores look too good and is not taken care of by the program.
    """

    problem: str
    num_rows: int
    cases: tuple[Case, ...]
    action: str
    flatters: bool = False

    def examples(self, num_shown: int = NUM_SHOWN) -> list[str]:
        """Describe the first cases, and say how many more there are."""
        return first_few(self.cases, num_shown)

    def __str__(self) -> str:
        """Write "rows that share a photo: 8 (59 = 72: 3 photos; and 3 more): kept on one side of every split"."""
        return f"{self.problem}: {self.num_rows:,} ({'; '.join(self.examples(_NUM_IN_SENTENCE))}): {self.action}"


@dataclass(frozen=True)
class Audit:
    """All that an audit found.

    Attributes:
        findings: one per class of problem that there is.
        num_rows: how many rows were looked at.
        num_photos: how many photo files.
        not_checked: what could not be looked for, and why.
    """

    findings: tuple[Finding, ...]
    num_rows: int
    num_photos: int
    not_checked: tuple[str, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """One line per class of problem."""
        return [str(finding) for finding in self.findings]

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists and texts, ready for JSON, with every case."""
        return asdict(self)


@dataclass(frozen=True)
class Subject:
    """The rows under audit, and what is already known about them.

    Attributes:
        table: the rows, ``n`` of them, numbered from 0.
        schema: roles of the columns.
        names: what a person calls each row.
        target: float64 ``(n,)``, NaN where there is none.
        links: rows that belong together.
        groups: int64 ``(n,)``, the groups that the links make.
        places: where each row stands in its file, ``n`` of them; empty where there is no file.
        sides: ``(n,)``, name of the part of a split that each row is in; None where no split was declared.
    """

    table: pd.DataFrame
    schema: Schema
    names: Sequence[str]
    target: NDArray[np.float64]
    links: Sequence[Link]
    groups: NDArray[np.int64]
    places: Sequence[str] = ()
    sides: NDArray[np.object_] | None = None

    def case(self, rows: Iterable[int], note: str = "") -> Case:
        """Return a case of these rows."""
        positions = tuple(sorted(int(row) for row in rows))
        places = tuple(self.places[row] for row in positions) if self.places else ()
        return Case(positions, tuple(self.names[row] for row in positions), note, places)

    def is_split_apart(self, rows: Sequence[int]) -> bool:
        """Tell whether nothing keeps all of these rows in one group."""
        return len(set(self.groups[list(rows)])) > 1

    def target_range(self, rows: Sequence[int]) -> str:
        """Write "97,000 to 154,900" where the targets differ by more than 1 %, else nothing."""
        known = self.target[list(rows)]
        known = known[~np.isnan(known)]
        if len(known) < 2 or not np.ptp(known) > 0.01 * np.abs(known).max():
            return ""
        return f"{write_number(known.min())} to {write_number(known.max())}"


def make_subject(
    table: pd.DataFrame, schema: Schema, links: Sequence[Link] | None = None, places: Sequence[str] = ()
) -> Subject:
    """Gather what is known about rows, with any labels; `links` of `find_links` are not looked for again."""
    table = table.reset_index(drop=True)
    links = find_links(table, schema) if links is None else links
    target = np.full(len(table), np.nan)
    if schema.target is not None and schema.target in table:
        target, _ = parse_numbers(table[schema.target], schema.number_format(schema.target))
    names = name_rows(table, schema, places)
    return Subject(table, schema, names, target, links, join_links(links, len(table)), places)


def name_rows(table: pd.DataFrame, schema: Schema, places: Sequence[str] = ()) -> list[str]:
    """Return what a person calls each row: its id, or else its place in the file, or its position."""
    ids = canonical_text(table[schema.id]) if schema.id in table else [None] * len(table)
    return [cut(id) if id else (places[row] if places else f"row {row}") for row, id in enumerate(ids)]


def _name_row(id: str, place: str) -> str:
    return f"{place} (id {id!r})" if place and place != id else id


def report(
    problem: str, cases: Iterable[Case], action: str, *, num_rows: int | None = None, flatters: bool = False
) -> list[Finding]:
    """Return one `Finding`, or none where there are no cases; by default it counts the rows that are in any of them."""
    cases = tuple(cases)
    if num_rows is None:
        num_rows = len({row for case in cases for row in case.rows})
    return [Finding(problem, num_rows, cases, action, flatters)] if cases else []


def write_number(value: float) -> str:
    """Write a number for people: a large one without decimals, a small one with six digits."""
    return f"{value:,.0f}" if 1e5 <= abs(value) < 1e15 else f"{value:,.6g}"
