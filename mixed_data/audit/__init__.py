"""What silently ruins a study, looked for before it starts; each problem with its rows and what is done about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from mixed_data.audit.contradictions import find_contradictions, find_shared_across
from mixed_data.audit.findings import Audit, Case, Finding, Subject, make_subject, name_rows, report
from mixed_data.audit.lookalikes import describe_recall
from mixed_data.audit.outliers import explain_skipped, find_outliers
from mixed_data.audit.photo_facts import list_photos, read_photos
from mixed_data.audit.repeated_rows import describe_near_rows, find_near_rows, find_repeated_rows
from mixed_data.audit.shared_photos import find_shared_photos, find_unusable_photos, label_photos
from mixed_data.audit.target_leaks import find_leaks
from mixed_data.files.first_few import cut
from mixed_data.schema import Schema
from mixed_data.schema.cell_values import canonical_text
from mixed_data.schema.column_formats import check_and_read, read_cells
from mixed_data.split import Link

__all__ = ["Audit", "Case", "Finding", "audit_table"]


def audit_table(
    table: pd.DataFrame,
    schema: Schema,
    *,
    split: str | None = None,
    against: pd.DataFrame | None = None,
    links: Sequence[Link] | None = None,
    places: Sequence[str] = (),
    checked: bool = False,
) -> Audit:
    """Look for what silently ruins a study; nothing in the table is changed.

    Looked for are repeated and nearly repeated rows; photos that several rows share, by their bytes or by their looks,
    or that are twice in one row; equal features or photos with different targets; targets and cells far from what the
    rest of the row says; columns, row order and file properties that give the target away; photos that are missing,
    broken or of one colour; constant columns; and with ``split`` or ``against``, what is on both sides of a split.

    Only equal bytes, equal rows and a declared group bind rows together (`find_groups`). Looks do not: a hash is no
    proof, and a wrong link would make groups of strangers. Rows that look alike are named instead.

    Args:
        table: the rows.
        schema: roles of the columns; the target may be missing.
        split: a column that says which part of a split each row is in; it is no feature.
        against: other rows of the same schema, such as a test set, with or without the target. They are only compared
            with those of the table.
        links: what `find_links` found in ``table``, if it is known already.
        places: where the rows stand in their file, such as "line 7", those of ``table`` and then those of ``against``;
            rows are named so. Without it, by their id or else their position.
        checked: whether the table is known to fit the schema.

    Returns:
        what was found.

    Raises:
        ValueError: the table does not fit the schema, there is no column ``split``, or both it and ``against`` are
            given.

    Example:
        >>> table = pd.DataFrame({"area": [70, 95, 70.0], "price": [1.0, 2.0, 1.0]})
        >>> print(audit_table(table, Schema(numeric=("area",), target="price")).sentences[0])
        rows that repeat an earlier row: 1 (row 0 = row 2): kept on one side of every split
    """
    if split is not None and (against is not None or split not in table):
        raise ValueError(f"expected a column of the table as split, and no other rows beside it; got {split!r}")
    if split is not None:
        schema = schema.without(split)
    if not checked:
        schema, table = check_and_read(schema, table, needs_target=schema.target is not None)
    own = make_subject(table, schema, links, places[: len(table)])
    both = _declare_sides(own, split, against, places[len(table) :])
    photos = list_photos(both.table, schema)
    files = read_photos(photos["path"].unique())
    labelled = label_photos(photos, files)
    own_photos, own_labelled = (lines[lines["row"] < len(table)] for lines in (photos, labelled))
    near = find_near_rows(own)
    skipped = explain_skipped(own)
    findings = (
        *find_repeated_rows(own),
        *describe_near_rows(own, near),
        *find_shared_photos(own, own_labelled),
        *find_contradictions(own, own_labelled, near),
        *find_shared_across(both, labelled, near if against is None else find_near_rows(both)),
        *find_leaks(own, own_photos, files),
        *([] if skipped else find_outliers(own)),
        *find_unusable_photos(both, photos, files),
        *_find_constant_columns(own),
    )
    partly = describe_recall(labelled["same"].nunique())
    not_checked = (skipped, f"photos that look alike: {partly}" if partly else "")
    return Audit(findings, len(both.table), len(files), tuple(filter(None, not_checked)))


def _declare_sides(own: Subject, split: str | None, against: pd.DataFrame | None, places: Sequence[str]) -> Subject:
    """Return the rows of all sides of a declared split, the own ones first."""
    if split is not None:
        return replace(own, sides=canonical_text(own.table[split]).fillna("none").to_numpy(dtype=object))
    if against is None:
        return own
    schema = own.schema
    schema.validate(against, needs_target=False)
    against = read_cells(schema, against)
    wanted = {*schema.features, *schema.images, schema.target, schema.id, schema.group}
    others = against[[name for name in against if name in wanted]].reset_index(drop=True)
    both = make_subject(pd.concat([own.table, others], ignore_index=True), schema)
    sides = np.array(["table"] * len(own.table) + ["against"] * len(others), dtype=object)
    there = [f"{place} of the other file" for place in places or name_rows(others, schema)]
    names = [*own.names, *(name_rows(others, schema, there) if places else there)]
    return replace(both, names=names, places=[*own.places, *there] if places else (), sides=sides)


def _find_constant_columns(subject: Subject) -> list[Finding]:
    """Find features, and a target, with the same value in every row; empty in every row is such a value, too."""
    num_rows = len(subject.table)
    if num_rows < 2:
        return []
    columns = {name: canonical_text(subject.table[name]) for name in subject.schema.features}
    cases = [
        subject.case([], f"{name}: {cut(column.iloc[0] or 'nothing')} in every row")
        for name, column in columns.items()
        if column.nunique(dropna=False) == 1
    ]
    found = report("constant columns", cases, "dropped when a model is fitted", num_rows=num_rows)
    if subject.schema.target is not None and (subject.target == subject.target[0]).all():
        case = subject.case([], f"{subject.schema.target}: {subject.target[0]:,.6g} in every row")
        found += report("constant target", [case], "kept; there is nothing to learn", num_rows=num_rows)
    return found
