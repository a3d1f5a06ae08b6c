"""Photos that are there more than once, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pandas as pd

from mixed_data.audit.findings import KEPT_TOGETHER, LOOK, Case, Finding, Subject, report
from mixed_data.audit.lookalikes import describe_recall, label_alike
from mixed_data.audit.photo_facts import PhotoFile
from mixed_data.files.first_few import cut
from mixed_data.schema.photo_paths import is_picture, show_path
from mixed_data.split.rows_kept_together import number_files

MANY_ROWS = 10
"""A photo in more rows than this is taken for a placeholder."""


def label_photos(photos: pd.DataFrame, files: Mapping[str, PhotoFile]) -> pd.DataFrame:
    """Enumerate the photos by their bytes and by their looks.

    Of the lines of `list_photos`, those whose bytes can be read are returned, with ``same`` (equal bytes, equal number)
    and ``alike`` (equal or similar looks; a file that is no picture is like no other).
    """
    same = number_files(lambda: photos["path"])
    known = photos[same >= 0].copy()
    known["same"] = same[same >= 0]
    alike = label_alike(known.drop_duplicates("same")["path"].tolist(), files)
    known["alike"] = alike[known["same"]]
    return known


def list_shared(subject: Subject, photos: pd.DataFrame, label: str) -> list[Case]:
    """List the sets of two or more rows that share a photo by its label, "same" or "alike", each set once."""
    names: dict[tuple[int, ...], list[str]] = {}
    once = photos.drop_duplicates([label, "row"])
    shared = once[once[label].duplicated(keep=False)].sort_values(label, kind="stable")  # few: most are in one row
    labels, rows, paths = (shared[name].tolist() for name in (label, "row", "path"))
    starts = [place for place in range(len(labels)) if place == 0 or labels[place] != labels[place - 1]]
    for start, end in pairwise([*starts, len(labels)]):
        names.setdefault(tuple(sorted(rows[start:end])), []).append(cut(Path(paths[start]).name))
    notes = {rows: found[0] if len(found) == 1 else f"{len(found)} photos" for rows, found in names.items()}
    return [subject.case(rows, notes[rows]) for rows in sorted(notes)]


def find_shared_photos(subject: Subject, photos: pd.DataFrame) -> list[Finding]:
    """Find photos in several rows: the same bytes, then the same looks, then one photo twice in one row."""
    shared = list_shared(subject, photos, "same")
    few = [case for case in shared if len(case.rows) <= MANY_ROWS]
    many = [case for case in shared if len(case.rows) > MANY_ROWS]
    alike = [case for case in list_shared(subject, photos, "alike") if subject.is_split_apart(case.rows)]
    in_row = photos[photos.duplicated(["row", "alike"], keep=False)].groupby(["row", "alike"])["column"]
    twice = [subject.case([row], " = ".join(columns)) for (row, _), columns in in_row]
    placeholder = f"{KEPT_TOGETHER}; if it is a placeholder, empty these cells"
    no_proof = "not kept together, for looks are no proof: give them one value in a group column (--group)"
    if recall := describe_recall(photos["same"].nunique()):
        no_proof += f"; {recall}"
    return [
        *report("rows that share a photo", few, KEPT_TOGETHER),
        *report("one photo in many rows", many, placeholder),
        *report("rows with near-identical photos", alike, no_proof, flatters=True),
        *report("one photo in two columns of a row", twice, LOOK),
    ]


def find_unusable_photos(subject: Subject, photos: pd.DataFrame, files: Mapping[str, PhotoFile]) -> list[Finding]:
    """Find photos that are named but missing or broken, and photos that show nothing; an empty cell is neither."""
    broken, blank = [], []
    doubtful = [path for path, file in files.items() if file.problem or file.is_blank]
    lines = photos.loc[photos["path"].isin(doubtful), ["row", "column", "path"]]
    for row, column, path in lines.itertuples(index=False):
        file, name = files[path], show_path(path if is_picture(path) else Path(path).name)
        if file.problem:
            broken.append(subject.case([row], f"{column}: {name}: {file.problem}"))
        if file.is_blank:
            blank.append(subject.case([row], f"{column}: {name}: of one colour"))
    masked = "masked, and reported with the row"
    return [*report("missing or broken photos", broken, masked), *report("photos that show nothing", blank, LOOK)]
