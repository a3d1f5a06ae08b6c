"""Photos are decoded once, also by other processes and later runs, and those of many rows are never all in memory."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from preprocessing_helpers import noise, write

from mixed_data.audit.photo_facts import read_photos
from mixed_data.files import record_store
from mixed_data.files.record_store import RecordStore
from mixed_data.files.user_cache import user_cache
from mixed_data.prediction.missing_patterns import PATTERNS, hide
from mixed_data.preprocessing import (
    Inputs,
    MixedDataPreprocessor,
    photo_decoding,
    photo_store,
    photo_vectors,
    stored_photos,
)
from mixed_data.preprocessing.photo_memory import clear_photo_memory
from mixed_data.preprocessing.photo_reader import PhotoReader
from mixed_data.preprocessing.photo_sources import VectorSource
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder
from mixed_data.preprocessing.stored_photos import StoredPhotos, take_rows, zeros_like
from mixed_data.schema import Schema

pytestmark = pytest.mark.usefixtures("empty_photo_cache")  # and of vectors: each test has other files

NUM_ROWS = 30


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    """Rows with two photos each, but for a missing, a damaged and a repeated one."""
    files = [str(write(tmp_path / f"{number}.png", noise(12, 16, number))) for number in range(2 * NUM_ROWS)]
    table = pd.DataFrame({"front": files[:NUM_ROWS], "kitchen": files[NUM_ROWS:]})
    table.loc[3, "front"] = None
    table.loc[4, ["front", "kitchen"]] = None
    Path(table["kitchen"][5]).write_bytes(b"\xff\xd8\xff no photo")
    table.loc[6, "front"] = table.loc[7, "kitchen"]
    return table


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return what was decoded so far."""
    found: list[object] = []
    decode = photo_decoding._decode
    monkeypatch.setattr(photo_decoding, "_decode", lambda photo, *how: found.append(photo) or decode(photo, *how))
    return found


@dataclass
class Corners:
    """A backbone that sees the first pixels, and how many photos it is shown."""

    block_sizes: tuple[int, ...]
    size: tuple[int, int] = (8, 8)
    num_computed: int = 0

    @property
    def digest(self) -> str:
        return f"{self.block_sizes}"

    def compute(self, photos: np.ndarray) -> np.ndarray:
        self.num_computed += len(photos)
        return photos.reshape(len(photos), -1)[:, : sum(self.block_sizes)] / 255


KINDS = {
    "photos": {},
    "montages": {"montage": True},
    "vectors": {"embedder": PhotoEmbedder((Corners((5, 2)),))},
    "vectors of two": {"embedder": PhotoEmbedder((Corners((3,)), Corners((4, 2))))},
}


def read(
    table: pd.DataFrame, embedder: PhotoEmbedder | None = None, **options: object
) -> tuple[np.ndarray, np.ndarray, list[list[str]]]:
    return PhotoReader(["front", "kitchen"], size=8, **options).fit(table).transform(table, embedder)


def read_from_disk(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, kind: str = "photos") -> StoredPhotos:
    monkeypatch.setattr(stored_photos, "STORED_ABOVE_BYTES", 0)
    images = read(table, **KINDS[kind])[0]
    assert isinstance(images, StoredPhotos)
    return images


@pytest.mark.parametrize("kind", KINDS)
def test_photos_on_disk_are_those_in_memory(table, monkeypatch, kind):
    images, mask, row_warnings = read(table, **KINDS[kind])
    assert isinstance(images, np.ndarray)
    monkeypatch.setattr(stored_photos, "STORED_ABOVE_BYTES", images.nbytes)
    assert isinstance(read(table, **KINDS[kind])[0], np.ndarray)
    monkeypatch.setattr(stored_photos, "STORED_ABOVE_BYTES", images.nbytes - 1)
    on_disk, same_mask, same_warnings = read(table, **KINDS[kind])
    assert isinstance(on_disk, StoredPhotos)
    np.testing.assert_array_equal(np.asarray(on_disk), images)
    np.testing.assert_array_equal(same_mask, mask)
    assert same_warnings == row_warnings
    assert mask.sum() == {"montages": NUM_ROWS - 1}.get(kind, 2 * NUM_ROWS - 4)
    for name in ("shape", "ndim", "dtype", "nbytes"):
        assert getattr(on_disk, name) == getattr(images, name)


@pytest.mark.parametrize(
    "rows",
    [
        2,
        -1,
        np.int64(4),
        slice(3, 9),
        slice(None, None, -2),
        slice(0, 0),
        [],
        [7, 7, 0],
        np.array([[3, 4], [4, 29]]),
        np.arange(NUM_ROWS) % 3 == 0,
        (slice(2, 6), 1),
        "mask",
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["photos", "vectors of two"])
def test_indexing_gives_what_an_array_gives(table, monkeypatch, rows, kind):
    images, mask, _ = read(table, **KINDS[kind])
    on_disk = read_from_disk(table, monkeypatch, kind)
    rows = mask if isinstance(rows, str) else np.array(rows, int) if isinstance(rows, list) else rows
    if isinstance(rows, tuple):
        rows = (*rows[:-1], rows[-1] % images.shape[1])
    found = on_disk[rows]
    np.testing.assert_array_equal(found, images[rows])
    assert (found.shape, found.dtype) == (images[rows].shape, images.dtype)
    found[...] = 1  # belongs to the caller
    np.testing.assert_array_equal(on_disk[rows], images[rows])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_taken_and_hidden_without_reading_them(table, monkeypatch, kind):
    images, mask, _ = read(table, **KINDS[kind])
    on_disk = read_from_disk(table, monkeypatch, kind)
    rows = np.array([4, 29, 6])
    reads: list[int] = []
    read_records = RecordStore.read
    monkeypatch.setattr(RecordStore, "read", lambda *how: reads.append(len(how[1])) or read_records(*how))
    taken, hidden = take_rows(on_disk, rows), zeros_like(on_disk)
    cells = dict.fromkeys(("tabular", "tabular_mask", "level_counts"), np.ones((NUM_ROWS, 1)))
    inputs = Inputs({**cells, "images": on_disk, "image_mask": mask}, [[] for _ in range(NUM_ROWS)])
    of_rows = inputs.take(rows)
    variants = {pattern: hide(inputs, pattern).take(rows) for pattern in PATTERNS}
    assert reads == []
    np.testing.assert_array_equal(np.asarray(taken), images[rows])
    np.testing.assert_array_equal(np.asarray(hidden), np.zeros_like(images))
    assert isinstance(of_rows["images"], StoredPhotos)
    np.testing.assert_array_equal(of_rows["images"][1:], images[rows[1:]])
    assert reads
    for pattern, variant in variants.items():
        expected = 0 if "image" in PATTERNS[pattern] else images[rows]
        np.testing.assert_array_equal(np.asarray(variant["images"]), np.broadcast_to(expected, images[rows].shape))


@pytest.mark.parametrize("kept", ["in memory", "on disk", "as vectors"])
def test_photos_beyond_those_of_training_are_not_read(tmp_path, monkeypatch, kept):
    first, second = (write(tmp_path / f"{number}.png", noise(12, 16, number)) for number in (1, 2))
    reader = PhotoReader(["front"], size=8).fit(pd.DataFrame({"front": [first]}))
    monkeypatch.setattr(stored_photos, "STORED_ABOVE_BYTES", 0 if kept == "on disk" else 10**9)
    opened: list[str] = []
    read_file = photo_store.read_photo_file
    monkeypatch.setattr(photo_store, "read_photo_file", lambda path, *how: opened.append(path) or read_file(path, *how))

    def embed(photos: Iterable[str], **how: object) -> dict[str, np.ndarray]:
        opened.extend(photos)
        return {photo: np.ones(1, "float32") for photo in opened}

    embedder = SimpleNamespace(num_features=1, embed=embed, cached=False) if kept == "as vectors" else None
    images = reader.transform(pd.DataFrame({"front": [f"{first};{second}"]}), embedder)[0]
    assert isinstance(images, StoredPhotos) == (kept == "on disk")
    assert opened == [first]


def test_a_photo_is_decoded_once_for_all_that_read_it(table, monkeypatch, decoded):
    first = read(table)[0]
    assert len(decoded) == 2 * NUM_ROWS - 4  # two cells name one photo, three are empty, one is damaged
    del decoded[:]
    clear_photo_memory()  # as in another process
    damaged = [Path(table["kitchen"][5]).read_bytes()]
    np.testing.assert_array_equal(read(table)[0], first)
    assert decoded == damaged
    read_from_disk(table, monkeypatch)
    assert decoded == 2 * damaged


def test_another_name_is_the_same_photo_and_another_content_or_decoding_is_not(tmp_path, decoded):
    path, other = tmp_path / "a.png", tmp_path / "b.png"
    write(path, noise(12, 16, 1))
    other.write_bytes(path.read_bytes())
    expected = read(pd.DataFrame({"front": [str(path)], "kitchen": [None]}))[0]
    np.testing.assert_array_equal(read(pd.DataFrame({"front": [str(other)], "kitchen": [None]}))[0], expected)
    assert len(decoded) == 1
    table = pd.DataFrame({"front": [str(path)], "kitchen": [None]})
    read(table, resize="stretch")
    read(table, max_pixels=1000)
    assert len(decoded) == 3
    write(path, noise(12, 16, 2))
    assert (read(table)[0] != expected).any()
    assert len(decoded) == 4


def test_policies_of_resizing_and_the_audit_share_a_photo_that_has_the_shape_wanted(tmp_path, decoded):
    square, wide = (str(write(tmp_path / f"{width}.png", noise(12, width, width))) for width in (12, 16))
    table = pd.DataFrame({"front": [square], "kitchen": [wide]})
    images = {resize: read(table, resize=resize)[0] for resize in ("stretch", "crop", "pad")}
    assert len(decoded) == 1 + 3
    for resize, found in images.items():
        for view, path in enumerate((square, wide)):
            expected = photo_decoding.load_photo(path, 8, 8, resize=resize, remember=False)
            np.testing.assert_array_equal(found[0, view], expected)
    del decoded[:]
    read_photos([square, wide])
    PhotoReader(["front", "kitchen"], size=64).fit(table).transform(table)
    assert len(decoded) == 1 + 2


@pytest.mark.parametrize("kind", ["photos", "montages", "vectors of two"])
def test_a_disk_that_cannot_be_used_is_told_and_done_without(table, tmp_path, monkeypatch, caplog, kind):
    expected = read(table, **KINDS[kind])
    (tmp_path / "file").touch()
    monkeypatch.setenv("MIXED_DATA_CACHE", str(tmp_path / "file"))
    clear_photo_memory()
    photo_vectors._memory.clear()
    np.testing.assert_array_equal(read(table, **KINDS[kind])[0], expected[0])
    what = "Vectors of photos cannot be kept" if "vectors" in kind else "store of decoded photos cannot be used"
    assert what in caplog.text
    monkeypatch.setattr(stored_photos, "STORED_ABOVE_BYTES", 0)
    images, mask, row_warnings = read(table, **KINDS[kind])
    assert isinstance(images, np.ndarray)
    np.testing.assert_array_equal(images, expected[0])
    np.testing.assert_array_equal(mask, expected[1])
    assert row_warnings == expected[2]
    assert "all are held in memory" in caplog.text


@pytest.mark.parametrize("kind", ["photos", "vectors"])
def test_bytes_and_readers_that_remember_nothing_write_nothing(table, monkeypatch, kind):
    monkeypatch.setattr(stored_photos, "STORED_ABOVE_BYTES", 0)
    contents = table.map(lambda path: Path(path).read_bytes(), na_action="ignore")
    reader = PhotoReader(["front", "kitchen"], size=8).fit(table)
    embedder = KINDS[kind].get("embedder")
    of_bytes = reader.transform(contents, embedder)[0]
    reader.remember = False
    forgetful = embedder and replace(embedder, cached=False, remember=False)
    np.testing.assert_array_equal(reader.transform(table, forgetful)[0], of_bytes)
    assert not user_cache().exists()


def test_a_montage_is_made_of_photos_on_disk(table, decoded, monkeypatch):
    expected = read(table, montage=True)[0]
    assert expected.shape == (NUM_ROWS, 1, 8, 8, 3)
    clear_photo_memory()
    del decoded[:]
    np.testing.assert_array_equal(read_from_disk(table, monkeypatch, "montages"), expected)
    assert len(decoded) == 1


def test_places_are_those_of_the_stores_that_are_read_also_where_many_are_opened(table, monkeypatch):
    expected = read(table, **KINDS["vectors of two"])[0]
    monkeypatch.setenv("MIXED_DATA_CACHE", str(user_cache() / "another"))
    monkeypatch.setenv("MIXED_DATA_CACHE_GB", "0")
    monkeypatch.setattr(record_store, "_SMALLEST_SEGMENT", 0)
    monkeypatch.setattr(record_store, "_MOST_OPEN", 1)
    monkeypatch.setattr(VectorSource, "num_at_once", 8)
    np.testing.assert_array_equal(read_from_disk(table, monkeypatch, "vectors of two"), expected)


def test_a_vector_on_disk_is_computed_once_and_again_where_it_was_damaged(table, monkeypatch):
    backbones = Corners((5, 2)), Corners((4,))
    monkeypatch.setitem(KINDS, "counted", {"embedder": PhotoEmbedder(backbones)})
    expected = np.asarray(read_from_disk(table, monkeypatch, "counted"))
    np.testing.assert_array_equal(read_from_disk(table, monkeypatch, "counted"), expected)
    assert [each.num_computed for each in backbones] == [2 * NUM_ROWS - 5] * 2  # a damaged photo is not shown
    for file in user_cache().glob("records/vectors-*/*.records"):
        file.write_bytes(bytes(file.stat().st_size))
    np.testing.assert_array_equal(read_from_disk(table, monkeypatch, "counted"), expected)
    assert [each.num_computed for each in backbones] == [2 * (2 * NUM_ROWS - 5)] * 2


def test_photos_on_disk_are_not_sent_to_other_processes(table, monkeypatch):
    with pytest.raises(TypeError, match="cannot"):
        copy.deepcopy(read_from_disk(table, monkeypatch))


def test_a_preprocessor_gives_them_to_any_model(table, monkeypatch):
    schema = Schema(target="price", images=["front", "kitchen"])
    preprocessor = MixedDataPreprocessor(schema, image_size=8).fit(table)
    expected = preprocessor.transform(table)["images"]
    monkeypatch.setattr(stored_photos, "STORED_ABOVE_BYTES", 0)
    np.testing.assert_array_equal(np.mean(preprocessor.transform(table)["images"], axis=0), expected.mean(axis=0))
