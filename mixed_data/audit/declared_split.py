"""The same thing on both sides of a split that somebody declared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from mixed_data.audit.findings import Finding, Subject, count_rows
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
    sides = {rows: sorted({str(side) for side in subject.sides[list(rows)]}) for rows in sorted(notes)}
    cases = tuple(
        subject.case(rows, f"{notes[rows]} ({', '.join(names)})") for rows, names in sides.items() if len(names) > 1
    )
    if cases:
        yield Finding("shared across the split", count_rows(cases), cases, _ACTION, flatters=True)
