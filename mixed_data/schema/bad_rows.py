"""Rows that cannot be used as they are: refuse the table, leave them out, or count their bad cells as missing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mixed_data.files.first_few import NUM_SHOWN, first_few
from mixed_data.schema.bad_cells import BadCells, RowNames, SchemaError, describe_bad_cell
from mixed_data.schema.column_problems import names_of_one_column
from mixed_data.schema.declared_roles import Schema

logger = logging.getLogger(__name__)

BAD_ROW_POLICIES = ("error", "skip", "mask")
"""What to do with a row that has a cell its column cannot use: text among numbers, a target that is none.

- "error": refuse the whole table and list what is wrong with it.
- "skip": leave the row out. In a table of predictions it keeps its place, without a prediction, with the reason.
- "mask": count the cell as missing, say so in the row's warnings, and use the row; without a target, as "skip".

A missing or repeated column and a file that cannot be read are errors under each of them.
"""

_HINT = "to go on without them: --on-bad-row skip leaves these rows out, mask counts the cells as missing"


@dataclass(frozen=True)
class CheckedRows:
    """All rows of a table, and what is wrong with some of them.

    Attributes:
        table: every row in its place, n of them; cells that cannot be used are missing.
        is_skipped: bool (n,), True for a row that is to be left out.
        notes: position of a row to what is wrong with it, one text per cell; rows in order are not in it.
        counts: how many rows were skipped or have masked cells, with the first reasons, in words; empty under "error".
        lines: the line of the file on which each row starts, if it is known.
        first: position of the first row in the file, where these are a part of it.
        file: in which they stand, where there are several; else "".
    """

    table: pd.DataFrame
    is_skipped: NDArray[np.bool_]
    notes: Mapping[int, Sequence[str]]
    counts: Sequence[str] = ()
    lines: Sequence[int] | None = None
    first: int = 0
    file: str = ""

    @property
    def usable_places(self) -> list[str]:
        """Where the rows that are not skipped stand, such as "line 7": as errors name them, without their ids."""
        places = RowNames(lines=self.lines, first=self.first, file=self.file)
        return [places.of(int(row)) for row in np.flatnonzero(~self.is_skipped)]

    @property
    def usable(self) -> pd.DataFrame:
        """The rows that are not skipped, with their index."""
        return self.table[~self.is_skipped]

    def cut(self, start: int, stop: int) -> CheckedRows:
        """Return the rows from one position to before another."""
        here = slice(start, stop)
        return CheckedRows(
            self.table[here],
            self.is_skipped[here],
            {row - start: notes for row, notes in self.notes.items() if start <= row < stop},
            lines=None if self.lines is None else self.lines[here],
            first=self.first + start,
            file=self.file,
        )

    def complete(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """Give every row of the table its line, in order.

        Args:
            predictions: made for `usable`, with its index; see `MixedDataRegressor.predict_rows`.

        Returns:
            one line per row of `table`, with its index. A skipped row has no prediction (``NaN``), ``images_used`` 0
            and "skipped: " with the reason in ``warnings``; masked cells come first in the ``warnings`` of their row.
        """
        usable = predictions.set_axis(np.flatnonzero(~self.is_skipped), axis="index")
        lines = usable.reindex(range(len(self.table))).set_axis(self.table.index, axis="index")
        lines["images_used"] = lines["images_used"].fillna(0).astype("int64")
        warnings = lines["warnings"].fillna("").tolist()
        for row, notes in self.notes.items():
            reason = "; ".join(notes)
            if self.is_skipped[row]:
                warnings[row] = f"skipped: {reason}"
            else:
                warnings[row] = f"{reason}; {warnings[row]}" if warnings[row] else reason
        lines["warnings"] = warnings
        return lines


def check_rows(
    table: pd.DataFrame,
    schema: Schema,
    *,
    on_bad_row: str = "error",
    needs_target: bool = True,
    lines: Sequence[int] | None = None,
    broken: Mapping[int, str] | None = None,
) -> CheckedRows:
    """Check a table against its schema, and apply a policy to the rows that have something bad.

    Whatever the policy, the other rows stay as they are. How many rows were skipped or have masked cells is logged,
    with the first reasons.

    Args:
        table: rows to check, with a unique index; numbers may be text. It is not changed.
        schema: the roles of the columns.
        on_bad_row: one of `BAD_ROW_POLICIES`.
        needs_target: as for `Schema.validate`.
        lines: the line of the file on which each row starts, to name rows by.
        broken: position of a row to what is wrong with it as a whole; such a row is skipped.

    Returns:
        the rows with their notes.

    Raises:
        SchemaError: the table does not fit the schema, under "error" also a row; or no row is left.
        ValueError: the policy is unknown.

    Example:
        >>> table = pd.DataFrame({"area": ["70", "abc", "95"], "price": [1.0, 2.0, None]})
        >>> checked = check_rows(table, Schema(target="price", numeric=["area"]), on_bad_row="mask")
        >>> checked.notes
        {1: ["area is 'abc', no usable number: read as missing"], 2: ['price is empty']}
        >>> checked.is_skipped.tolist(), checked.usable["area"].tolist()
        ([False, False, True], ['70', nan])
    """
    checks = RowChecks(schema, on_bad_row=on_bad_row, needs_target=needs_target)
    checked = checks.check(table, lines=lines, broken=broken)
    return replace(checked, counts=checks.report())


class RowChecks:
    """The check of `check_rows` for a table that comes in parts: what is wrong with any of them is said at the end.

    Args:
        schema: the roles of the columns.
        on_bad_row: one of `BAD_ROW_POLICIES`.
        needs_target: as for `Schema.validate`.

    Attributes:
        num_rows: how many rows were checked.
        num_skipped: how many of them are to be left out.

    Raises:
        ValueError: the policy is unknown.
    """

    def __init__(self, schema: Schema, *, on_bad_row: str = "error", needs_target: bool = True) -> None:
        if on_bad_row not in BAD_ROW_POLICIES:
            raise ValueError(f"on_bad_row must be one of {', '.join(BAD_ROW_POLICIES)}, got {on_bad_row!r}")
        self._schema, self._on_bad_row, self._needs_target = schema, on_bad_row, needs_target
        self._column_problems: list[str] = []
        self._bad_cells = BadCells()
        self.num_rows = self.num_skipped = self._num_masked = 0
        self._skipped: list[str] = []  # the first reasons
        self._masked: list[str] = []

    def check(
        self,
        table: pd.DataFrame,
        *,
        lines: Sequence[int] | None = None,
        broken: Mapping[int, str] | None = None,
        first: int = 0,
        file: str = "",
    ) -> CheckedRows:
        """Apply the policy to the next rows, of which the first is at this position of its file; see `check_rows`."""
        schema, needs_target = self._schema, self._needs_target
        if not self.num_rows:
            self._column_problems = schema.find_column_problems(table, needs_target=needs_target)
        self.num_rows += len(table)
        bad = schema.find_bad_cells(table, needs_target=needs_target)
        if self._is_refused:
            ids = table[schema.id] if schema.id in names_of_one_column(table) else None
            for (role, name), is_bad in bad.items():
                names = RowNames(ids, lines, first, file)
                self._bad_cells.add(role, table[name], is_bad, names, schema.formats.get(name))
            return CheckedRows(table, np.zeros(len(table), dtype=bool), {}, lines=lines, first=first, file=file)
        checked = replace(self._apply(table, bad, broken or {}), lines=lines, first=first, file=file)
        self._count(checked, RowNames(table.get(schema.id), lines, first, file))
        return checked

    def join(self, later: RowChecks) -> None:
        """Take in what another has found in the rows that follow."""
        if not self.num_rows:
            self._column_problems = later._column_problems
        self.num_rows += later.num_rows
        self.num_skipped += later.num_skipped
        self._num_masked += later._num_masked
        self._bad_cells.join(later._bad_cells)
        for ours, theirs in ((self._skipped, later._skipped), (self._masked, later._masked)):
            ours += theirs[: NUM_SHOWN - len(ours)]

    def report(self) -> list[str]:
        """Say and log how many rows were skipped or have masked cells, with the first reasons.

        Raises:
            SchemaError: see `check_rows`.
        """
        if self._is_refused:
            problems = self._column_problems + self._bad_cells.describe(self._schema.roles_needed(self._needs_target))
            if problems:
                raise SchemaError(*problems, hint="" if self._column_problems else _HINT)
            return []
        fates = [(self._skipped, self.num_skipped, "skipped")]
        if self._on_bad_row == "mask":
            fates.append((self._masked, self._num_masked, "used with cells read as missing"))
        counts = []
        for reasons, total, fate in fates:
            shown = "".join(f"\n- {line}" for line in first_few(reasons, total=total))
            if total == self.num_rows and fate == "skipped":
                raise SchemaError(f"no row is left, all {total} were skipped:{shown}")
            counts.append(f"{total} of {self.num_rows} rows {fate}{f':{shown}' if total else ''}")
            logger.log(logging.WARNING if total else logging.INFO, "%s", counts[-1])
        return counts

    @property
    def _is_refused(self) -> bool:
        """Whether whatever is bad makes the table one that is refused."""
        return self._on_bad_row == "error" or bool(self._column_problems)

    def _apply(
        self, table: pd.DataFrame, bad: Mapping[tuple[str, str], NDArray[np.bool_]], broken: Mapping[int, str]
    ) -> CheckedRows:
        """Empty the bad cells, and skip the rows that the policy does not keep."""
        emptied = table.copy()
        is_skipped = np.isin(np.arange(len(table)), list(broken))
        notes = {row: [reason] for row, reason in broken.items()}
        for (role, name), is_bad in bad.items():
            is_fatal = self._on_bad_row == "skip" or role == "target"
            for row in map(int, np.flatnonzero(is_bad)):
                if row not in broken:
                    note = describe_bad_cell(role, name, table[name].iloc[row], self._schema.formats.get(name))
                    notes.setdefault(row, []).append(note if is_fatal else f"{note}: read as missing")
            is_skipped |= is_bad & is_fatal
            emptied[name] = table[name].mask(is_bad)
        return CheckedRows(emptied, is_skipped, dict(sorted(notes.items())))

    def _count(self, checked: CheckedRows, names: RowNames) -> None:
        num_skipped = int(checked.is_skipped.sum())
        self.num_skipped += num_skipped
        self._num_masked += len(checked.notes) - num_skipped
        for row, notes in checked.notes.items():
            reasons = self._skipped if checked.is_skipped[row] else self._masked
            if len(reasons) < NUM_SHOWN:
                reasons.append(f"{names.of(row)}: {'; '.join(notes)}")
