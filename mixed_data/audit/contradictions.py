"""One thing with two targets: no model can be right about both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from mixed_data.audit.findings import LOOK, Case, Finding, Subject, count_rows
from mixed_data.audit.repeated_rows import NearRows
from mixed_data.audit.shared_photos import MANY_ROWS, list_shared


def find_contradictions(subject: Subject, photos: pd.DataFrame, near: Sequence[NearRows]) -> Iterator[Finding]:
    """Find rows that share a photo or all features, but whose targets differ by more than 1 %.

    Equal features count where they are too rare for chance, see `find_near_rows`; a photo where it is no placeholder.

    Args:
        subject: the rows.
        photos: with labels, see `mixed_data.audit.shared_photos.label_photos`.
        near: what `find_near_rows` found.
    """
    reasons = {found.rows: "equal features" for found in near if found.column == subject.schema.target}
    for label, reason in (("alike", "photos alike"), ("same", "one photo")):
        shared = list_shared(subject, photos, label)
        reasons |= {case.rows: reason for case in shared if len(case.rows) <= MANY_ROWS}
    if cases := tuple(_describe(subject, reasons)):
        yield Finding("contradicting targets", count_rows(cases), cases, LOOK)


def _describe(subject: Subject, reasons: dict[tuple[int, ...], str]) -> Iterator[Case]:
    for rows, reason in sorted(reasons.items()):
        if targets := subject.target_range(rows):
            yield subject.case(rows, f"{reason}, {targets}")
