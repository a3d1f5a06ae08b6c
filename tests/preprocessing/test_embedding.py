"""Vectors of photos: the same bits however they are had, and never those of another photo or backbone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import embedding_helpers
import keras
import numpy as np
import pandas as pd
import pytest
from embedding_helpers import (
    DECODING,
    HEIGHT,
    NUM_FEATURES,
    WIDTH,
    count_cached,
    draw_photos,
    find_vectors,
    make_backbone,
    make_embedder,
)

from mixed_data.files.user_cache import user_cache
from mixed_data.preprocessing import ImagePreprocessor, photo_vectors
from mixed_data.preprocessing.photo_decoding import PhotoError, load_photo
from mixed_data.preprocessing.photo_vectors import NUM_PHOTOS_PER_STEP

NUM_PHOTOS = NUM_PHOTOS_PER_STEP + 5


@pytest.fixture(autouse=True)
def _empty_memory() -> Iterator[None]:
    photo_vectors._memory.clear()
    yield
    photo_vectors._memory.clear()


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    return make_backbone()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return draw_photos(tmp_path_factory.mktemp("photos"), NUM_PHOTOS)


@pytest.fixture(scope="module")
def expected(backbone: keras.Model, photos: list[str]) -> dict[str, np.ndarray]:
    """The vectors as they are computed without any memory."""
    return make_embedder(backbone, cached=False).embed(photos, **DECODING)


def embed(
    backbone: keras.Model, paths: list[str], **options: Any
) -> tuple[dict[str, np.ndarray | PhotoError], list[tuple[int, int]]]:
    """Embed with a new embedder and an empty memory; return the vectors and what `on_progress` was told."""
    photo_vectors._memory.clear()
    told: list[tuple[int, int]] = []
    embedder = replace(make_embedder(backbone), on_progress=lambda done, total: told.append((done, total)))
    return embedder.embed(paths, **{**DECODING, **options}), told


def assert_same_bits(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert set(one) == set(other)
    for path in one:
        assert one[path].dtype == other[path].dtype == np.float32
        assert one[path].tobytes() == other[path].tobytes()


# The same bits


def test_a_vector_is_what_the_backbone_says_of_the_decoded_photo(
    backbone: keras.Model, photos: list[str], expected: dict[str, np.ndarray]
) -> None:
    pixels = np.stack([load_photo(path, HEIGHT, WIDTH) for path in photos])
    vectors = keras.ops.convert_to_numpy(backbone(pixels))
    np.testing.assert_allclose([expected[path] for path in photos], vectors, rtol=1e-5, atol=1e-6)
    assert len(np.unique(vectors, axis=0)) == NUM_PHOTOS
    assert make_embedder(backbone).num_features == NUM_FEATURES


def test_vectors_are_the_same_computed_remembered_or_read_from_disk(
    backbone: keras.Model, photos: list[str], expected: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_vectors() == []
    vectors, told = embed(backbone, photos)
    assert_same_bits(vectors, expected)
    assert told == [(NUM_PHOTOS_PER_STEP, NUM_PHOTOS), (NUM_PHOTOS, NUM_PHOTOS)]
    from_disk, told = embed(backbone, photos)
    assert_same_bits(from_disk, expected)
    assert told == []
    assert count_cached() == NUM_PHOTOS
    shutil.rmtree(user_cache())
    monkeypatch.setattr(photo_vectors, "digest_file", lambda *_: pytest.fail("a remembered photo was read"))
    assert_same_bits(make_embedder(backbone).embed(photos, **DECODING), expected)


@pytest.mark.parametrize("cached", [False, True])
def test_a_vector_does_not_depend_on_the_other_photos_of_the_call(
    backbone: keras.Model, photos: list[str], expected: dict[str, np.ndarray], cached: bool, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no photo")
    broken = str(tmp_path / "broken.png")
    for paths in (photos[3:4], photos[::-1], [*photos[:2], broken, photos[2]], photos[5:7] * 3):
        vectors = make_embedder(backbone, cached=cached).embed(paths, **DECODING)
        assert isinstance(vectors.pop(broken, PhotoError()), PhotoError)
        assert_same_bits(vectors, {path: expected[path] for path in paths if path != broken})


def test_the_backbone_always_sees_as_many_photos_at_once(
    backbone: keras.Model, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    predict, shapes = backbone.predict_on_batch, []

    def remember(batch: np.ndarray) -> np.ndarray:
        shapes.append(batch.shape)
        return predict(batch)

    monkeypatch.setattr(backbone, "predict_on_batch", remember)
    for paths in (photos[:1], photos):
        make_embedder(backbone, cached=False).embed(paths, **DECODING)
    assert shapes == [(NUM_PHOTOS_PER_STEP, HEIGHT, WIDTH, 3)] * 3


def test_what_is_remembered_cannot_be_changed_by_accident(backbone: keras.Model, photos: list[str]) -> None:
    for vectors in (embed(backbone, photos[:1])[0], embed(backbone, photos[:1])[0]):
        with pytest.raises(ValueError, match="read-only"):
            vectors[photos[0]][:] = 0


def test_another_process_computes_the_same_and_shares_the_cache(
    backbone: keras.Model, photos: list[str], expected: dict[str, np.ndarray]
) -> None:
    embed(backbone, photos[:10])
    folders = [str(Path(embedding_helpers.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    command = [sys.executable, embedding_helpers.__file__, *photos]
    process = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=120)
    *vectors, num_computed = process.stdout.split()
    assert vectors == [expected[path].tobytes().hex() for path in photos]
    assert int(num_computed) == NUM_PHOTOS - 10
    from_disk, told = embed(backbone, photos)
    assert_same_bits(from_disk, expected)
    assert told == []


# Never the vector of something else


def test_another_file_under_the_same_name_gets_a_new_vector(
    backbone: keras.Model, photos: list[str], expected: dict[str, np.ndarray], tmp_path: Path
) -> None:
    path = str(tmp_path / "photo.png")
    embedder = make_embedder(backbone)
    for photo in (photos[0], photos[1], photos[0]):
        shutil.copy(photo, path)
        vector = embedder.embed([path], **DECODING)[path]
        np.testing.assert_array_equal(vector, expected[photo])


def test_a_photo_under_two_names_is_computed_once(
    backbone: keras.Model, photos: list[str], expected: dict[str, np.ndarray], tmp_path: Path
) -> None:
    copies = [str(shutil.copy(photos[0], tmp_path / name)) for name in ("a.png", "b.jpg")]
    vectors, told = embed(backbone, [*copies, photos[0], copies[0]])
    assert told == [(1, 1)]
    for path in (*copies, photos[0]):
        np.testing.assert_array_equal(vectors[path], expected[photos[0]])
    assert embed(backbone, photos[:2])[1] == [(1, 1)]  # only the other one


def test_other_weights_another_structure_and_other_pixels_never_get_an_old_vector(
    backbone: keras.Model, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, other = photos[:3], make_backbone(seed=1)
    old, _ = embed(backbone, paths)
    scaled = keras.Model(backbone.input, backbone.output * 2.0)
    for model, options in ((other, {}), (scaled, {}), (backbone, {"resize": "pad"}), (backbone, {"max_pixels": 999})):
        told = embed(model, paths, **options)[1]
        assert told == [(3, 3)]
    for model, options in ((other, {}), (backbone, {"resize": "pad"})):
        for path, vector in make_embedder(model).embed(paths, **{**DECODING, **options}).items():
            assert not np.allclose(vector, old[path])
    monkeypatch.setattr(photo_vectors, "version", lambda package: "another Pillow")
    assert embed(backbone, paths)[1] == [(3, 3)]


def test_a_backbone_built_again_finds_the_old_vectors(backbone: keras.Model, photos: list[str]) -> None:
    old, _ = embed(backbone, photos)
    again = make_backbone()
    again.trainable = False
    vectors, told = embed(again, photos)
    assert_same_bits(vectors, old)
    assert told == []


# Photos that cannot be used


def test_photos_that_cannot_be_used_say_why_and_are_not_remembered(
    backbone: keras.Model, photos: list[str], expected: dict[str, np.ndarray], tmp_path: Path
) -> None:
    contents = {"text.png": b"no photo", "empty.png": b"", "half.png": Path(photos[0]).read_bytes()[:90]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    paths = [*(str(tmp_path / name) for name in ("missing.png", *contents)), str(tmp_path), photos[1]]
    for _ in range(2):
        vectors, _ = embed(backbone, paths)
        for path in paths[:-1]:
            with pytest.raises(PhotoError) as caught:
                load_photo(path, HEIGHT, WIDTH)
            assert isinstance(vectors[path], PhotoError)
            assert str(vectors[path]) == str(caught.value)
        np.testing.assert_array_equal(vectors[paths[-1]], expected[photos[1]])
    for path in paths[:4]:
        shutil.copy(photos[0], path)
    for path, vector in embed(backbone, paths[:4])[0].items():
        np.testing.assert_array_equal(vector, expected[photos[0]], err_msg=path)


def test_rows_with_bad_photos_are_masked_and_warned_of_as_with_pixels(
    backbone: keras.Model, photos: list[str], expected: dict[str, np.ndarray], tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no photo")
    table = pd.DataFrame(
        {
            "front": [photos[0], str(tmp_path / "none.png"), photos[2], None, photos[3]],
            "rooms": [f"{photos[4]};{photos[5]}", photos[0], str(tmp_path / "broken.png"), 7.5, ";".join(photos[6:9])],
        }
    )
    preprocessor = ImagePreprocessor(["front", "rooms"], size=(HEIGHT, WIDTH)).fit(table[:3])
    _, mask, row_warnings = preprocessor.transform(table)
    vectors, vector_mask, vector_warnings = preprocessor.transform(table, make_embedder(backbone))
    np.testing.assert_array_equal(vector_mask, mask)
    assert vector_warnings == row_warnings
    assert vectors.shape == (5, 3, NUM_FEATURES)
    assert vectors.dtype == np.float32
    assert not vectors[~mask].any()
    seen = [[photos[0], photos[4], photos[5]], [photos[0]], [photos[2]], [], [photos[3], photos[6], photos[7]]]
    for row, paths in enumerate(seen):
        np.testing.assert_array_equal(vectors[row][mask[row]], np.reshape([expected[path] for path in paths], (-1, 5)))


# A cache that fails


@pytest.mark.parametrize("damage", ["text", "half", "folder", "no folder"])
def test_a_damaged_cache_is_done_without(
    backbone: keras.Model,
    photos: list[str],
    expected: dict[str, np.ndarray],
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    if damage == "no folder":
        user_cache().write_text("a file where the folder should be")
    else:
        embed(backbone, photos)
        for file in (*find_vectors(".index"), *find_vectors(".records")):
            if damage == "half":
                file.write_bytes(file.read_bytes()[: file.stat().st_size // 2 - 1])
            elif damage == "text":
                file.write_text("no records " * 1000)
            else:
                file.unlink()
                file.mkdir()
    is_writable = damage in ("text", "half")
    for computed in (True, not is_writable):
        vectors, told = embed(backbone, photos)
        assert_same_bits(vectors, expected)
        assert bool(told) == computed
    assert all("cannot be kept on disk" in record.getMessage() for record in caplog.records)
    assert bool(caplog.records) == (not is_writable)


@pytest.mark.parametrize("filled", [False, True])
def test_a_cache_that_is_read_only_is_read_and_otherwise_done_without(
    backbone: keras.Model,
    photos: list[str],
    expected: dict[str, np.ndarray],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    filled: bool,
) -> None:
    if filled:
        embed(backbone, photos[:4])
    opened = os.open  # the rights of a file stop nobody who tests as root

    def open_to_read(path: Any, flags: int, *rest: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, flags, *rest)

    monkeypatch.setattr(os, "open", open_to_read)
    vectors, told = embed(backbone, photos)
    assert_same_bits(vectors, expected)
    assert told[-1][1] == NUM_PHOTOS - 4 * filled
    assert all("cannot be kept on disk" in record.getMessage() for record in caplog.records)
    assert len(caplog.records) == 2  # one per step


def test_vectors_that_were_changed_on_disk_are_computed_again(
    backbone: keras.Model, photos: list[str], expected: dict[str, np.ndarray]
) -> None:
    embed(backbone, photos)
    blank_vectors()
    for num_computed in (NUM_PHOTOS, 0):
        vectors, told = embed(backbone, photos)
        assert_same_bits(vectors, expected)
        assert (told[-1][1] if told else 0) == num_computed


def blank_vectors() -> None:
    (file,) = find_vectors()
    file.write_bytes(bytes(file.stat().st_size))


def test_without_a_cache_nothing_is_written_and_nothing_read(
    backbone: keras.Model, photos: list[str], expected: dict[str, np.ndarray]
) -> None:
    make_embedder(backbone, cached=False).embed(photos, **DECODING)
    assert find_vectors() == []
    assert not photo_vectors._memory
    embed(backbone, photos)
    blank_vectors()
    assert_same_bits(make_embedder(backbone, cached=False).embed(photos, **DECODING), expected)
