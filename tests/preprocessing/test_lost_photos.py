"""Photos that a table names and that cannot be used are counted by reason, column by column."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from picture_helpers import encode, file_with
from reliability import Case, documented

from mixed_data.preprocessing import ImagePreprocessor
from mixed_data.preprocessing.lost_photos import (
    LostPhoto,
    MissingPhotosError,
    PhotoWarning,
    check_photos,
    describe_lost_photos,
    find_lost_photos,
    warn_of_lost_photos,
    without_photo_warnings,
)
from mixed_data.preprocessing.photo_problems import PhotoError
from mixed_data.schema.photo_paths import show_path


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    """Ten rows: "front" lost in all, "back" lost in two of six, which both are no pictures, "plan" in order."""
    good = file_with(encode("PNG"), "good.png")(tmp_path)
    page = file_with(b"<html>404", "page.jpg")(tmp_path)
    fronts = [str(tmp_path / f"{row}.jpg") for row in range(8)] + ["https://localhost/8.jpg", page]
    backs = [good, page, None, f"{good};{page}", good, good, None, "", np.nan, None]
    return pd.DataFrame({"front": fronts, "back": backs, "plan": good}, index=range(100, 110))


def describe(table: pd.DataFrame) -> list[str]:
    return describe_lost_photos(find_lost_photos(table, list(table)), table)


def test_each_column_with_lost_photos_has_one_sentence_that_counts_them_by_reason(table, tmp_path):
    assert describe(table) == [
        "10 of 10 photos of 'front' cannot be used: 8 no such file, 1 an address, not a file here, 1 a web page (HTML) "
        f"in place of the picture; the first: {show_path(f'{tmp_path}/0.jpg')}: no such file",
        "2 of 6 photos of 'back' cannot be used: 2 a web page (HTML) in place of the picture; the first: "
        f"{show_path(f'{tmp_path}/page.jpg')}: a web page (HTML) in place of the picture: fetch the file itself again",
    ]


def test_what_is_found_before_decoding_is_what_reading_the_rows_finds(table):
    _, _, row_warnings = ImagePreprocessor(list(table), size=8).fit(table).transform(table)
    lost = [warning for row in row_warnings for warning in row if isinstance(warning, LostPhoto)]
    assert sorted(describe_lost_photos(lost, table)) == sorted(describe(table))
    others = {warning for row in row_warnings for warning in row if not isinstance(warning, LostPhoto)}
    assert others == {"back[1]: no photo given", "back[0] to back[1]: no photo given"}


class Blind:
    """In the place of a backbone: it reads nothing."""

    num_features, cached = 3, False

    def embed(self, paths: list[str], **decoding: object) -> dict[str, PhotoError]:
        return {path: PhotoError("no such file", "of the backbone") for path in paths}


def test_photos_that_a_backbone_cannot_read_are_counted_too(table):
    _, _, row_warnings = ImagePreprocessor(["plan"], size=8).fit(table).transform(table, Blind())
    assert [warning.kind for (warning,) in row_warnings] == ["no such file"] * 10


def test_relative_paths_that_lead_nowhere_say_where_they_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (sentence,) = describe(pd.DataFrame({"front": ["1.jpg", "2.jpg"]}))
    assert sentence.endswith(f"1.jpg: no such file (relative paths start from the working folder, {tmp_path})")
    file_with(encode("PNG"), "1.jpg")(tmp_path)
    (sentence,) = describe(pd.DataFrame({"front": ["1.jpg", "2.jpg"]}))
    assert sentence.endswith("the first: 2.jpg: no such file")


def test_the_same_photo_in_many_rows_is_counted_in_each(tmp_path):
    (sentence,) = describe(pd.DataFrame({"front": ["/none.jpg"] * 1200}))
    assert sentence.startswith("1,200 of 1,200 photos of 'front' cannot be used: 1,200 no such file;")


def views(**cells: list[str | None]) -> Callable[[Path], pd.DataFrame]:
    def make(folder: Path) -> pd.DataFrame:
        file_with(encode("PNG"), "good.png")(folder)
        paths = {name: [path and str(folder / path) for path in column] for name, column in cells.items()}
        return pd.DataFrame(paths, dtype=object)

    return make


@documented(
    "Photos that lead nowhere",
    [
        Case(
            "not one photo of a column is there",
            "refused before training",
            views(front=["1.png", "2.png"], back=["good.png", None]),
            "2 of 2 photos of 'front' cannot be used: 2 no such file; the first: ",
        ),
        Case(
            "a column names no photo",
            "refused before training",
            views(front=["good.png", None], back=[None, None]),
            "no cell of 'back' names a photo; correct the paths or the folder that they start from (--root), ",
        ),
    ],
)
def test_a_column_without_one_photo_is_refused_unless_that_is_allowed(case: Case, tmp_path: Path) -> None:
    table = case.given(tmp_path)
    with pytest.raises(MissingPhotosError) as caught:
        check_photos(table, ["front", "back"])
    assert case.expected in str(caught.value)
    assert str(caught.value).endswith("or go on without these photos (--allow-missing-photos)")
    check_photos(table, ["front", "back"], allow_missing_photos=True)


def test_a_column_with_one_photo_is_said_and_not_refused(tmp_path):
    table = views(front=["1.png"] * 9 + ["good.png"], back=["good.png"] + [None] * 9)(tmp_path)
    (sentence,) = check_photos(table, ["front", "back"])
    assert sentence.startswith("9 of 10 photos of 'front' cannot be used: 9 no such file; ")
    assert check_photos(table, ["back"]) == []
    assert check_photos(table, []) == []


def test_a_warning_is_given_once_where_it_was_asked_for_and_never_of_empty_cells(table):
    def ask(row_warnings):
        warn_of_lost_photos(row_warnings, table)

    preprocessor = ImagePreprocessor(list(table), size=8).fit(table)
    with pytest.warns(PhotoWarning) as caught:
        ask(preprocessor.transform(table)[2])
    assert str(caught[0].message) == "; ".join(describe(table))
    assert (len(caught), caught[0].filename) == (1, __file__)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ask(preprocessor.transform(table.assign(front=None, back=None))[2])
        with without_photo_warnings():
            ask(preprocessor.transform(table)[2])


def test_a_lost_photo_is_a_text_that_can_be_copied_and_sent_and_written():
    lost = LostPhoto.of("photos[1]", "photos", "/1.jpg", PhotoError("no such file", "there is no folder '/x'"))
    assert lost == "photos[1]: /1.jpg: no such file: there is no folder '/x'"
    for again in (lost, copy.deepcopy(lost), pickle.loads(pickle.dumps(lost))):  # noqa: S301
        assert (again, again.column, again.kind) == (lost, "photos", "no such file")
        assert again.photo == "/1.jpg: no such file: there is no folder '/x'"
    assert json.loads(json.dumps([lost])) == [lost]
