"""Columns that say nothing."""

from __future__ import annotations

from mixed_data.audit.findings import Finding, Subject, report
from mixed_data.schema.cell_values import canonical_text


def find_constant_columns(subject: Subject) -> list[Finding]:
    """Find features, and a target, with the same value in every row; empty in every row is such a value, too."""
    num_rows = len(subject.table)
    if num_rows < 2:
        return []
    columns = {name: canonical_text(subject.table[name]) for name in subject.schema.features}
    cases = [
        subject.case([], f"{name}: {column.iloc[0] or 'nothing'} in every row")
        for name, column in columns.items()
        if column.nunique(dropna=False) == 1
    ]
    found = report("constant columns", cases, "dropped when a model is fitted", num_rows=num_rows)
    if subject.schema.target is not None and (subject.target == subject.target[0]).all():
        case = subject.case([], f"{subject.schema.target}: {subject.target[0]:,.6g} in every row")
        found += report("constant target", [case], "kept; there is nothing to learn", num_rows=num_rows)
    return found
