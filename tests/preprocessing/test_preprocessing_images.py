"""Tables of photo paths become arrays, masks and warnings; the photos are real files made here."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from preprocessing_helpers import noise, write
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from mixed_data.preprocessing import ImagePreprocessor, photo_decoding, photo_reader
from mixed_data.preprocessing.photo_decoding import PhotoError, load_photo
from mixed_data.preprocessing.photo_memory import clear_photo_memory
from mixed_data.schema.photo_paths import show_path

pytestmark = pytest.mark.usefixtures("empty_photo_cache")


def load_square(path: str, size: int = 8) -> np.ndarray:
    return load_photo(path, size, size)


def views_table(folder: Path, num_rows: int, columns: Sequence[str] = ("frontal", "kitchen")) -> pd.DataFrame:
    cells = {
        column: [write(folder / f"{row}_{column}.png", noise(12, 16, 97 * row + place)) for row in range(num_rows)]
        for place, column in enumerate(columns)
    }
    return pd.DataFrame(cells)


def test_rows_and_views_keep_their_order_whatever_the_tables_order_of_columns(tmp_path):
    table = views_table(tmp_path, 5)
    preprocessor = ImagePreprocessor(["frontal", "kitchen"], size=8).fit(table)
    assert preprocessor.views_ == ["frontal", "kitchen"]
    rows = [3, 0, 4]
    shuffled = table.iloc[rows][["kitchen", "frontal"]].assign(price=1.0)
    images, mask, row_warnings = preprocessor.transform(shuffled)
    assert (images.dtype, images.shape, mask.dtype, mask.shape) == (np.uint8, (3, 2, 8, 8, 3), bool, (3, 2))
    assert mask.all()
    assert row_warnings == [[], [], []]
    for position, row in enumerate(rows):
        for view, column in enumerate(["frontal", "kitchen"]):
            np.testing.assert_array_equal(images[position, view], load_square(table[column][row], 8))


def test_a_bad_photo_is_masked_and_reported_and_no_other_photo_changes(tmp_path):
    table = views_table(tmp_path, 5)
    preprocessor = ImagePreprocessor(["frontal", "kitchen"], size=8).fit(table)
    before = preprocessor.transform(table)[0]
    broken = Path(table["kitchen"][1])
    broken.write_bytes(broken.read_bytes()[:200])
    table.loc[2, "frontal"] = str(tmp_path / "none.png")
    table["kitchen"] = table["kitchen"].astype(object)
    table.loc[3, "kitchen"] = None
    table.loc[4, "kitchen"] = 85255
    images, mask, row_warnings = preprocessor.transform(table)
    bad = np.zeros((5, 2), bool)
    bad[[1, 2, 3, 4], [1, 0, 1, 1]] = True
    np.testing.assert_array_equal(mask, ~bad)
    np.testing.assert_array_equal(images, np.where(bad[:, :, None, None, None], 0, before))
    assert row_warnings[0] == []
    assert row_warnings[1][0].startswith(f"kitchen: {show_path(str(broken))}: cannot be decoded: ")
    assert row_warnings[2:4] == [
        [f"frontal: {show_path(f'{tmp_path}/none.png')}: no such file"],
        ["kitchen: no photo given"],
    ]
    assert row_warnings[4][0].startswith("kitchen: expected the path of a picture as text, got 85255")


def test_photos_over_the_pixel_limit_are_masked(tmp_path):
    table = views_table(tmp_path, 1)
    images, mask, row_warnings = ImagePreprocessor(["frontal"], max_pixels=191).fit_transform(table)
    assert not images.any()
    assert not mask.any()
    assert row_warnings[0][0].endswith("0_frontal.png: too many pixels: 16 x 12 are more than max_pixels=191 allows")
    assert ImagePreprocessor(["frontal"], max_pixels=192).fit_transform(table)[1].all()


def test_transforming_again_decodes_nothing_and_changing_the_result_harms_nobody(tmp_path, monkeypatch):
    table = views_table(tmp_path, 3)
    preprocessor = ImagePreprocessor(["frontal", "kitchen"], size=8).fit(table)
    first = preprocessor.transform(table)[0]
    expected = first.copy()
    first[:] = 0
    monkeypatch.setattr(photo_decoding, "_decode", lambda *arguments: pytest.fail("a known photo was decoded"))
    np.testing.assert_array_equal(preprocessor.transform(table)[0], expected)


def test_the_order_of_the_threads_changes_nothing(tmp_path, monkeypatch):
    table = views_table(tmp_path, 20)
    table.loc[7, "kitchen"] = "none.png"
    preprocessor = ImagePreprocessor(["frontal", "kitchen"], size=8).fit(table)
    monkeypatch.setattr(photo_reader, "_MAX_THREADS", 1)
    expected = preprocessor.transform(table)
    clear_photo_memory()
    monkeypatch.setenv("MIXED_DATA_CACHE", str(tmp_path / "empty"))
    decode, threads, first = photo_decoding._decode, set(), Path(table["frontal"][0]).read_bytes()

    def slow_at_first(content, *arguments):
        threads.add(threading.get_ident())
        time.sleep(0.05 if content == first else 0.001)
        return decode(content, *arguments)

    monkeypatch.setattr(photo_decoding, "_decode", slow_at_first)
    monkeypatch.setattr(photo_reader, "_MAX_THREADS", 8)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    images, mask, row_warnings = preprocessor.transform(table)
    assert len(threads) > 1
    np.testing.assert_array_equal(images, expected[0])
    np.testing.assert_array_equal(mask, expected[1])
    assert row_warnings == expected[2]


def test_a_cell_with_several_photos_gives_several_views(tmp_path):
    a, b, c = (write(tmp_path / f"{name}.png", noise(8, 8, place)) for place, name in enumerate("abc"))
    train = pd.DataFrame({"plan": [None, None], "photos": [f"{a};{b};{c}", a]})
    preprocessor = ImagePreprocessor(["plan", "photos"], size=8).fit(train)
    assert preprocessor.views_ == ["plan", "photos[0]", "photos[1]", "photos[2]"]
    table = pd.DataFrame({"plan": [b, b, b], "photos": [c, f"{a}; none.png; {b}; {c}; {a}", ""]})
    images, mask, row_warnings = preprocessor.transform(table)
    assert mask.astype(int).tolist() == [[1, 1, 0, 0], [1, 1, 0, 1], [1, 0, 0, 0]]
    np.testing.assert_array_equal(images[0, 1], load_photo(c, 8, 8))
    np.testing.assert_array_equal(images[1, 3], load_square(b, 8))
    assert not images[~mask].any()
    assert row_warnings == [
        ["photos[1] to photos[2]: no photo given"],
        ["photos[1]: none.png: no such file", f"photos: more photos than in training, left out: {c}, {a}"],
        ["photos[0] to photos[2]: no photo given"],
    ]


def test_a_montage_tiles_the_photos_row_by_row(tmp_path):
    table = views_table(tmp_path, 3, ("frontal", "bedroom", "bathroom"))
    table.loc[1, "bedroom"] = "none.png"
    table.loc[2] = None
    preprocessor = ImagePreprocessor(["frontal", "bedroom", "bathroom"], size=9, montage=True).fit(table)
    images, mask, row_warnings = preprocessor.transform(table)
    assert preprocessor.views_ == ["montage"]
    expected = np.zeros((3, 1, 9, 9, 3), np.uint8)
    for row in (0, 1):
        expected[row, 0, :4, :4] = load_square(table["frontal"][row], 4)
        expected[row, 0, 4:8, :4] = load_square(table["bathroom"][row], 4)
    expected[0, 0, :4, 4:8] = load_square(table["bedroom"][0], 4)
    np.testing.assert_array_equal(images, expected)
    assert mask.tolist() == [[True], [True], [False]]
    missing = [f"{column}: no photo given" for column in table.columns]
    assert row_warnings == [[], ["bedroom: none.png: no such file"], missing]


@pytest.mark.parametrize(("num_photos", "grid"), [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 4)])
def test_the_montage_grid_is_the_smallest_square_that_holds_all(tmp_path, num_photos, grid):
    path = write(tmp_path / "white.png", np.full((8, 8, 3), 255, np.uint8))
    table = pd.DataFrame({"photos": [";".join([path] * num_photos)]})
    images = ImagePreprocessor(["photos"], size=(12, 24), montage=True).fit_transform(table)[0]
    assert (images == 255).mean() == pytest.approx(num_photos / grid**2)
    assert (images[0, 0, : 12 // grid, : 24 // grid] == 255).all()


def test_without_columns_or_rows_the_arrays_are_empty(tmp_path):
    table = views_table(tmp_path, 2)
    for montage in (False, True):
        images, mask, row_warnings = ImagePreprocessor(montage=montage).fit(table).transform(table)
        assert (images.shape, mask.shape, row_warnings) == ((2, 0, 64, 64, 3), (2, 0), [[], []])
    preprocessor = ImagePreprocessor(["frontal"], size=(4, 6)).fit(table)
    images, mask, row_warnings = preprocessor.transform(table.iloc[:0])
    assert (images.shape, mask.shape, row_warnings) == ((0, 1, 4, 6, 3), (0, 1), [])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"columns": "frontal"}, "columns must be a list"),
        ({"columns": ["frontal", 3]}, "columns must be a list"),
        ({"columns": ["frontal", "frontal"]}, "columns must not repeat"),
        ({"size": 0}, "size must be"),
        ({"size": (4, 4, 3)}, "size must be"),
        ({"size": True}, "size must be"),
        ({"size": 6.5}, "size must be"),
        ({"resize": "squash"}, "resize must be one of crop, pad, stretch"),
        ({"montage": "yes"}, "montage must be"),
        ({"max_pixels": -1}, "max_pixels must be"),
        (
            {"columns": ["frontal", "kitchen"], "size": 1, "montage": True},
            "montage of 2 photos needs a larger size",
        ),
        ({"columns": ["city"]}, r"lacks image column\(s\) \['city'\]; it has \['frontal', 'kitchen'\]"),
    ],
)
def test_fit_refuses_what_cannot_work(parameters, message):
    table = pd.DataFrame({"frontal": ["a.jpg"], "kitchen": ["b.jpg"]})
    with pytest.raises(ValueError, match=message):
        ImagePreprocessor(**{"columns": ["frontal"], **parameters}).fit(table)


def test_fit_reports_cells_that_are_no_paths_together():
    table = pd.DataFrame({"frontal": ["a.jpg", *range(8)]})
    with pytest.raises(ValueError, match=r"row 1, column 'frontal'.*row 5, column 'frontal'.*and 3 more"):
        ImagePreprocessor(["frontal"]).fit(table)


def test_fit_refuses_a_cell_with_absurdly_many_photos():
    with pytest.raises(ValueError, match="at most 1000 photos per row"):
        ImagePreprocessor(["frontal"]).fit(pd.DataFrame({"frontal": ["a.jpg;" * 1001]}))


def test_transform_names_missing_and_repeated_columns(tmp_path):
    table = views_table(tmp_path, 2)
    preprocessor = ImagePreprocessor(["frontal", "kitchen"], size=4)
    with pytest.raises(NotFittedError):
        preprocessor.transform(table)
    preprocessor.fit(table)
    with pytest.raises(ValueError, match=r"lacks image column\(s\) \['kitchen'\]"):
        preprocessor.transform(table[["frontal"]])
    with pytest.raises(ValueError, match=r"several columns named \['kitchen'\]"):
        preprocessor.transform(pd.concat([table, table[["kitchen"]]], axis=1))
    with pytest.raises(ValueError, match="pandas DataFrame, got ndarray"):
        preprocessor.transform(table.to_numpy())


def test_transform_learns_nothing_and_a_refit_forgets(tmp_path):
    preprocessor = ImagePreprocessor(["photos"], size=4).fit(pd.DataFrame({"photos": ["a.jpg;b.jpg"]}))
    state = json.dumps(preprocessor.get_state())
    preprocessor.transform(pd.DataFrame({"photos": ["a.jpg;b.jpg;c.jpg"]}))
    assert json.dumps(preprocessor.get_state()) == state
    assert preprocessor.fit(pd.DataFrame({"photos": ["a.jpg"]})).views_ == ["photos"]
    assert clone(preprocessor).get_params() == preprocessor.get_params()


@pytest.mark.parametrize("montage", [False, True])
def test_the_state_survives_json_and_gives_the_same_arrays(tmp_path, montage):
    table = views_table(tmp_path, 3)
    table.loc[0, "kitchen"] = f"{table['kitchen'][0]};{table['kitchen'][1]}"
    options = {"size": (np.int64(8), 10), "resize": "pad", "montage": montage, "max_pixels": 1000}
    preprocessor = ImagePreprocessor(["frontal", "kitchen"], **options).fit(table)
    state = json.loads(json.dumps(preprocessor.get_state()))
    restored = ImagePreprocessor.from_state(state)
    assert restored.views_ == preprocessor.views_
    assert restored.get_state() == state
    for ours, theirs in zip(restored.transform(table), preprocessor.transform(table), strict=True):
        np.testing.assert_equal(ours, theirs)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"format": "other"},
        {"surplus": 1},
        {"columns": "frontal"},
        {"columns": ["frontal", "kitchen"]},
        {"size": [8]},
        {"size": [8, -8]},
        {"resize": "os.system"},
        {"montage": 1},
        {"max_pixels": 1e9},
        {"num_photos": [0]},
        {"num_photos": [True]},
        {"num_photos": [10**12]},
    ],
)
def test_a_damaged_state_is_refused(change):
    state = ImagePreprocessor(["frontal"], size=8).fit(pd.DataFrame({"frontal": ["a.jpg"]})).get_state()
    with pytest.raises(ValueError):
        ImagePreprocessor.from_state({**state, **change})


# Vectors in place of pixels


class MeanColours:
    """An embedder whose vectors are the mean red, green and blue of 8 x 6 pixels, and what it was asked for."""

    num_features, cached = 3, False

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], dict[str, object]]] = []

    def embed(self, paths: Iterable[str], **decoding: object) -> dict[str, np.ndarray | PhotoError]:
        paths = list(paths)
        self.calls.append((paths, decoding))
        return {path: self.look(path, **decoding) for path in paths}

    @staticmethod
    def look(path: str, **decoding: object) -> np.ndarray | PhotoError:
        try:
            return load_photo(path, 8, 6, **decoding).mean(axis=(0, 1)).astype("float32")
        except PhotoError as error:
            return error


def test_an_embedder_puts_vectors_in_place_of_the_pixels_and_leaves_mask_and_warnings(tmp_path):
    a, b, c = (write(tmp_path / f"{name}.png", noise(12, 16, place)) for place, name in enumerate("abc"))
    (tmp_path / "broken.png").write_bytes(b"no photo")
    table = pd.DataFrame(
        {
            "plan": [a, None, str(tmp_path / "broken.png"), 7.5],
            "photos": [f"{b};{c}", "none.png", f"{a}; {a}; {b}", f"{c};"],
        }
    )
    options = {"size": (8, 6), "resize": "pad", "max_pixels": 300}
    preprocessor = ImagePreprocessor(["plan", "photos"], **options).fit(table[:2])
    images, mask, row_warnings = preprocessor.transform(table)
    embedder = MeanColours()
    vectors, vector_mask, vector_warnings = preprocessor.transform(table, embedder)
    assert (vectors.dtype, vectors.shape) == (np.float32, (4, 3, 3))
    np.testing.assert_array_equal(vector_mask, mask)
    assert vector_warnings == row_warnings
    assert mask.astype(int).tolist() == [[1, 1, 1], [0, 0, 0], [0, 1, 1], [0, 1, 0]]
    np.testing.assert_allclose(vectors, images.mean(axis=(2, 3)), rtol=1e-6)
    ((paths, decoding),) = embedder.calls
    assert set(paths) >= {a, b, c, "none.png", str(tmp_path / "broken.png")}
    assert decoding == {"resize": "pad", "max_pixels": 300}


def test_a_row_of_vectors_does_not_depend_on_the_other_rows(tmp_path):
    table = views_table(tmp_path, 6)
    table.loc[2, "kitchen"] = "none.png"
    preprocessor = ImagePreprocessor(["frontal", "kitchen"], size=8).fit(table)
    together = preprocessor.transform(table, MeanColours())[0]
    rows = [5, 2, 2, 0]
    np.testing.assert_array_equal(preprocessor.transform(table.iloc[rows], MeanColours())[0], together[rows])


def test_vectors_need_views_and_no_montage(tmp_path):
    table = views_table(tmp_path, 2)
    vectors, mask, row_warnings = ImagePreprocessor().fit(table).transform(table, MeanColours())
    assert (vectors.shape, vectors.dtype, mask.shape, row_warnings) == ((2, 0, 3), np.float32, (2, 0), [[], []])
    preprocessor = ImagePreprocessor(["frontal"], montage=True).fit(table)
    with pytest.raises(ValueError, match="montage=False"):
        preprocessor.transform(table, MeanColours())
