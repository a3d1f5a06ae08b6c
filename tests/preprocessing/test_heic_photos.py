"""HEIC photos, as iPhones save them, are read where pillow-heif is installed: upright, and within the limits."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from picture_helpers import COLOURS, SIZE, encode, file_with, quarters
from PIL import ExifTags, Image

from mixed_data.preprocessing.photo_decoding import check_photo, load_photo
from mixed_data.preprocessing.photo_problems import PhotoError

pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed: pip install 'mixed_data[heic]'")


def heic(pixels: np.ndarray, orientation: int = 1, **options: object) -> bytes:
    """The bytes of a HEIC photo that is to be turned as EXIF's orientation says, which HEIC keeps in its own words."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image = pillow_heif.from_pillow(Image.fromarray(np.ascontiguousarray(pixels)))
    stream = io.BytesIO()
    image.save(stream, quality=95, chroma=444, exif=exif.tobytes(), **options)
    return stream.getvalue()


def load(content: bytes, folder: Path, **options: object) -> np.ndarray:
    return load_photo(file_with(content, "photo.HEIC")(folder), SIZE, SIZE, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_heic_photo_is_read_and_turned_upright_once(orientation: int, tmp_path: Path) -> None:
    flips = {1: "", 2: "h", 3: "hv", 4: "v", 5: "t", 6: "ht", 7: "hvt", 8: "vt"}[orientation]
    pixels = quarters(64)
    pixels = pixels[:, ::-1] if "h" in flips else pixels
    pixels = pixels[::-1] if "v" in flips else pixels
    pixels = pixels.transpose(1, 0, 2) if "t" in flips else pixels
    photo = load(heic(pixels, orientation), tmp_path)
    rows = np.ix_([0, 1, SIZE - 2, SIZE - 1], [0, 1, SIZE - 2, SIZE - 1])
    np.testing.assert_allclose(photo[rows].astype(int), quarters()[rows].astype(int), atol=12)


def test_transparent_parts_of_a_heic_photo_are_white(tmp_path: Path) -> None:
    pixels = np.dstack([quarters(64), np.full((64, 64), 0, np.uint8)])
    assert (load(heic(pixels), tmp_path) > 250).all()


def test_max_pixels_is_looked_at_before_a_heic_photo_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = heic(quarters(64))
    assert load(content, tmp_path, max_pixels=4096).shape == (SIZE, SIZE, 3)
    monkeypatch.setattr(pillow_heif.HeifImageFile, "load", lambda image: pytest.fail("the photo was decoded"))
    with pytest.raises(PhotoError, match="too many pixels: 64 x 64 are more than max_pixels=4,095 allows"):
        load(content, tmp_path, max_pixels=4095)


def test_a_thumbnail_inside_is_never_read_in_place_of_the_photo(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    image = pillow_heif.from_pillow(Image.fromarray(noise))
    plain, with_thumbnail = io.BytesIO(), io.BytesIO()
    image.save(plain, quality=95)
    image.info["thumbnails"] = [64]
    image.save(with_thumbnail, quality=95)
    assert len(with_thumbnail.getvalue()) > len(plain.getvalue())
    np.testing.assert_array_equal(load(plain.getvalue(), tmp_path), load(with_thumbnail.getvalue(), tmp_path))


@pytest.mark.parametrize("percent", [20, 50, 90])
def test_a_heic_photo_that_is_cut_gives_a_reason(percent: int, tmp_path: Path) -> None:
    content = heic(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    with pytest.raises(PhotoError, match="cannot be decoded: "):
        load(content[: len(content) * percent // 100], tmp_path)


def test_what_pillow_opens_elsewhere_stays_as_it_is(tmp_path: Path) -> None:
    path = file_with(heic(quarters(64)), "1.heic")(tmp_path)
    check_photo(path)
    load_photo(path, SIZE, SIZE)
    assert "HEIF" not in Image.OPEN
    np.testing.assert_array_equal(load(encode("PNG"), tmp_path)[0, 0], COLOURS[0, 0])
