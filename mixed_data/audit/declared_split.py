"""The same thing on both sides of a split that somebody declared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from mixed_data.audit.findings import Case, Finding, Subject, count_rows
from mixed_data.audit.repeated_rows import NearRows
from mixed_data.audit.shared_photos import list_shared

_ACTION = "not mended: remove these rows from one side, or split anew by group"


def find_shared_across(subject: Subject, photos: pd.DataFrame, near: Sequence[NearRows]) -> Iterator[Finding]:
    """Find rows and photos that are on more than one side of the declared split.

    Args:
        subject: the rows, with their sides.
        photos: with labels, see `mixed_data.audit.shared_photos.label_photos`.
        near: what `find_near_rows` found.
    """
    if subject.sides is None:
        return
    notes = {case.rows: f"photos alike: {case.note}" for case in list_shared(subject, photos, "alike")}
    notes |= {case.rows: f"same photos: {case.note}" for case in list_shared(subject, photos, "same")}
    notes |= {link.rows: f"group {link.shared}" for link in subject.links if link.reason == "group"}
    notes |= {found.rows: f"equal but for {found.column}" for found in near}
    notes |= {link.rows: "equal rows" for link in subject.links if link.reason == "row"}
    cases = tuple(_describe(subject, rows, note) for rows, note in sorted(notes.items()) if _crosses(subject, rows))
    if cases:
        yield Finding("shared across the split", count_rows(cases), cases, _ACTION, flatters=True)


def _crosses(subject: Subject, rows: Sequence[int]) -> bool:
    return subject.sides is not None and len(set(subject.sides[list(rows)])) > 1


def _describe(subject: Subject, rows: Sequence[int], note: str) -> Case:
    sides = [] if subject.sides is None else sorted({str(side) for side in subject.sides[list(rows)]})
    return subject.case(rows, f"{note} ({', '.join(sides)})")
