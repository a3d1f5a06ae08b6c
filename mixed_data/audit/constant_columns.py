"""Columns that say nothing."""

from __future__ import annotations

from collections.abc import Iterator

from mixed_data.audit.findings import Finding, Subject
from mixed_data.schema.cell_values import canonical_text


def find_constant_columns(subject: Subject) -> Iterator[Finding]:
    """Find features, and a target, with the same value in every row; empty in every row is such a value, too."""
    num_rows = len(subject.table)
    if num_rows < 2:
        return
    columns = {name: canonical_text(subject.table[name]) for name in subject.schema.features}
    values = {
        name: column.iloc[0] or "nothing" for name, column in columns.items() if column.nunique(dropna=False) == 1
    }
    if values:
        cases = tuple(subject.case([], f"{name}: {value} in every row") for name, value in values.items())
        yield Finding("constant columns", num_rows, cases, "dropped when a model is fitted")
    if subject.schema.target is not None and (subject.target == subject.target[0]).all():
        case = subject.case([], f"{subject.schema.target}: {subject.target[0]:,.6g} in every row")
        yield Finding("constant target", num_rows, (case,), "kept; there is nothing to learn")
