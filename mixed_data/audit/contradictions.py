"""One thing with two targets, of which no model can be right about both, or on two sides of a declared split."""

from __future__ import annotations

import pandas as pd

from mixed_data.audit.findings import LOOK, Finding, Subject, report
from mixed_data.audit.repeated_rows import NearRows
from mixed_data.audit.shared_photos import MANY_ROWS, list_shared
from mixed_data.files.first_few import cut


def find_contradictions(subject: Subject, photos: pd.DataFrame, near: NearRows) -> list[Finding]:
    """Find rows that share a photo or all features, but whose targets differ by more than 1 %.

    Equal features count where they are too rare for chance, as `find_near_rows` found; a photo where it is no
    placeholder. The photos carry the labels of `mixed_data.audit.shared_photos.label_photos`.
    """
    reasons = {rows: "equal features" for rows, column in near.items() if column == subject.schema.target}
    for label, reason in (("alike", "photos alike"), ("same", "one photo")):
        shared = list_shared(subject, photos, label)
        reasons |= {case.rows: reason for case in shared if len(case.rows) <= MANY_ROWS}
    cases = (
        subject.case(rows, f"{reason}, {targets}")
        for rows, reason in sorted(reasons.items())
        if (targets := subject.target_range(rows))
    )
    return report("contradicting targets", cases, LOOK)


def find_shared_across(subject: Subject, photos: pd.DataFrame, near: NearRows) -> list[Finding]:
    """Find rows and photos, given as to `find_contradictions`, that are on more than one side of the declared split."""
    if subject.sides is None:
        return []
    notes = {case.rows: f"photos alike: {case.note}" for case in list_shared(subject, photos, "alike")}
    notes |= {case.rows: f"same photos: {case.note}" for case in list_shared(subject, photos, "same")}
    notes |= {link.rows: f"group {cut(link.shared)}" for link in subject.links if link.reason == "group"}
    notes |= {rows: f"equal but for {column}" for rows, column in near.items()}
    notes |= {link.rows: "equal rows" for link in subject.links if link.reason == "row"}
    sides = {rows: sorted({str(side) for side in subject.sides[list(rows)]}) for rows in sorted(notes)}
    cases = (
        subject.case(rows, f"{notes[rows]} ({', '.join(names)})") for rows, names in sides.items() if len(names) > 1
    )
    action = "not mended: remove these rows from one side, or split anew by group"
    return report("shared across the split", cases, action, flatters=True)
