"""Photos are made here, written as real files, and read back."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile
from preprocessing_helpers import noise, write

from mixed_data.preprocessing import photo_decoding
from mixed_data.preprocessing.photo_decoding import PAD_COLOUR, PhotoError, load_photo

GREY = PAD_COLOUR[0]
EVERY_FORMAT = ["jpeg", "progressive", "png", "webp", "gif", "bmp", "tiff", "avif"]


pytestmark = pytest.mark.usefixtures("empty_photo_cache")


def write_as(folder: Path, kind: str, pixels: np.ndarray) -> Path:
    if kind == "progressive":
        return Path(write(folder / "photo.jpg", pixels, progressive=True))
    return Path(write(folder / f"photo.{kind}", pixels))


def load(path: object, size: int = 4, **options: object) -> np.ndarray:
    return load_photo(str(path), size, size, **options)


# --- geometry ------------------------------------------------------------------------------------


def test_crop_keeps_the_centre(tmp_path):
    pixels = noise(2, 6)
    path = write(tmp_path / "wide.png", pixels)
    np.testing.assert_array_equal(load(path, 2, resize="crop"), pixels[:, 2:4])
    np.testing.assert_array_equal(load_photo(path, 2, 4, resize="crop"), pixels[:, 1:5])
    tall = write(tmp_path / "tall.png", pixels.transpose(1, 0, 2).copy())
    np.testing.assert_array_equal(load(tall, 2, resize="crop"), pixels.transpose(1, 0, 2)[2:4])


def test_crop_is_centred_to_the_half_pixel(tmp_path):
    pixels = noise(20, 33)
    image = load(write(tmp_path / "a.png", pixels), 8)
    mirrored = load(write(tmp_path / "b.png", pixels[::-1, ::-1].copy()), 8)
    np.testing.assert_allclose(image.astype(int), mirrored[::-1, ::-1].astype(int), atol=1)


def test_pad_keeps_everything_between_grey_bars(tmp_path):
    pixels = noise(2, 4)
    expected = np.full((4, 4, 3), GREY, np.uint8)
    expected[1:3] = pixels
    np.testing.assert_array_equal(load(write(tmp_path / "wide.png", pixels), resize="pad"), expected)
    turned = pixels.transpose(1, 0, 2).copy()
    expected = expected.transpose(1, 0, 2)
    np.testing.assert_array_equal(load(write(tmp_path / "tall.png", turned), resize="pad"), expected)


def test_stretch_keeps_everything_and_changes_the_shape(tmp_path):
    pixels = np.zeros((40, 400, 3), np.uint8)
    pixels[:, 200:] = 255
    image = load(write(tmp_path / "a.png", pixels), 8, resize="stretch")
    np.testing.assert_allclose(image[:, [0, 1, 6, 7], 0], np.tile([0, 0, 255, 255], (8, 1)), atol=2)
    identity = noise(3, 5)
    path = write(tmp_path / "b.png", identity)
    np.testing.assert_array_equal(load_photo(path, 3, 5, resize="stretch"), identity)


def test_downscaling_is_pillows_antialiased_bicubic(tmp_path):
    pixels = noise(24, 24)
    expected = Image.fromarray(pixels).resize((8, 8), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(load(write(tmp_path / "a.png", pixels), 8), np.asarray(expected))


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (2, 3)])
@pytest.mark.parametrize("resize", photo_decoding.RESIZE_POLICIES)
def test_extreme_shapes_fill_the_size(tmp_path, shape, resize):
    path = write(tmp_path / "a.png", np.full((*shape, 3), GREY, np.uint8))
    np.testing.assert_array_equal(load_photo(path, 5, 7, resize=resize), np.full((5, 7, 3), GREY))


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_gives_the_same_upright_picture(tmp_path, suffix, orientation):
    upright = noise(4, 8)
    path = tmp_path / f"photo.{suffix}"
    save_turned(path, upright, orientation, **({"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(load_photo(str(path), 4, 8, resize="stretch"), upright)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_holds_for_a_jpeg_decoded_at_reduced_size(tmp_path, orientation):
    colours = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.uint8)
    path = tmp_path / "photo.jpg"
    save_turned(path, colours.repeat(160, axis=0).repeat(320, axis=1), orientation, quality=95, subsampling=0)
    image = load_photo(str(path), 4, 8, resize="stretch")
    np.testing.assert_allclose(image[[0, 0, 3, 3], [0, 7, 0, 7]], colours.reshape(4, 3), atol=12)


def save_turned(path: Path, upright: np.ndarray, orientation: int, **options: object) -> None:
    """Store the pixels as a camera would that was held so that viewers must apply `orientation`."""
    flips = Image.Transpose
    inverse = {2: flips.FLIP_LEFT_RIGHT, 3: flips.ROTATE_180, 4: flips.FLIP_TOP_BOTTOM, 5: flips.TRANSPOSE}
    inverse |= {6: flips.ROTATE_90, 7: flips.TRANSVERSE, 8: flips.ROTATE_270}
    image = Image.fromarray(upright)
    stored = image if orientation == 1 else image.transpose(inverse[orientation])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored.save(path, exif=exif, **options)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_damaged_exif_data_does_not_cost_the_photo(tmp_path, suffix):
    path = write(tmp_path / f"a.{suffix}", np.full((8, 8, 3), 200, np.uint8), exif=b"Exif\0\0garbage")
    np.testing.assert_allclose(load(path), 200, atol=1)


def test_a_jpeg_is_decoded_at_a_reduced_size_that_is_still_twice_the_size_wanted(tmp_path, monkeypatch):
    pixels = np.asarray(Image.fromarray(noise(8, 16)).resize((512, 256)))
    path = write(tmp_path / "a.jpg", pixels, quality=95)
    resize, sizes = photo_decoding._resize, []
    monkeypatch.setattr(
        photo_decoding, "_resize", lambda image, *rest: sizes.append(image.size) or resize(image, *rest)
    )
    image = load_photo(path, 16, 32)
    assert sizes == [(128, 64)]
    whole = np.asarray(Image.fromarray(pixels).resize((32, 16), Image.Resampling.BICUBIC))
    assert np.abs(image.astype(int) - whole).mean() < 2


# --- modes and formats ---------------------------------------------------------------------------


def palette_with_transparency(folder: Path, transparency: object) -> str:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 200, 10, 20])
    image.save(folder / "palette.png", transparency=transparency)
    return str(folder / "palette.png")


@pytest.mark.parametrize(
    ("mode", "value", "suffix", "options", "expected"),
    [
        ("1", 1, "png", {}, (255, 255, 255)),
        ("L", 100, "png", {}, (100, 100, 100)),
        ("L", 100, "png", {"transparency": 100}, (255, 255, 255)),
        ("LA", (100, 0), "png", {}, (255, 255, 255)),
        ("LA", (0, 51), "png", {}, (204, 204, 204)),
        ("RGB", (1, 2, 3), "png", {}, (1, 2, 3)),
        ("RGB", (1, 2, 3), "png", {"transparency": (1, 2, 3)}, (255, 255, 255)),
        ("RGBA", (255, 0, 0, 255), "png", {}, (255, 0, 0)),
        ("RGBA", (255, 0, 0, 51), "png", {}, (255, 204, 204)),
        ("RGBA", (9, 9, 9, 0), "webp", {"lossless": True}, (255, 255, 255)),
        ("I;16", 128 * 257, "png", {}, (128, 128, 128)),
        ("I;16", 300, "png", {}, (1, 1, 1)),
        ("I;16", 65535, "tiff", {}, (255, 255, 255)),
        ("CMYK", (0, 0, 0, 0), "jpg", {}, (255, 255, 255)),
        ("CMYK", (0, 255, 255, 0), "jpg", {"quality": 100}, (255, 0, 0)),
        ("CMYK", (255, 0, 0, 0), "tiff", {}, (0, 255, 255)),
        ("YCbCr", (128, 128, 128), "tiff", {}, (128, 128, 128)),
        ("P", 0, "bmp", {}, (0, 0, 0)),
    ],
)
def test_every_mode_becomes_rgb(tmp_path, mode, value, suffix, options, expected):
    path = tmp_path / f"photo.{suffix}"
    Image.new(mode, (8, 8), value).save(path, **options)
    np.testing.assert_allclose(load(path), np.broadcast_to(expected, (4, 4, 3)), atol=1)


def test_16_bit_grey_is_rounded_to_8_bits(tmp_path):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    image = load(write(tmp_path / "a.png", values), 256)
    np.testing.assert_array_equal(image, np.rint(values / 257)[:, :, None].repeat(3, axis=2))


@pytest.mark.parametrize(
    ("transparency", "expected"), [(None, (200, 10, 20)), (1, (255,) * 3), (b"\xff\x00", (255,) * 3)]
)
def test_transparent_palette_entries_become_white(tmp_path, transparency, expected):
    path = palette_with_transparency(tmp_path, transparency)
    np.testing.assert_array_equal(load(path), np.broadcast_to(expected, (4, 4, 3)))


def test_a_transparent_border_does_not_darken_what_is_beside_it(tmp_path):
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, 32:] = 255
    np.testing.assert_array_equal(load(write(tmp_path / "a.png", pixels), 8), np.full((8, 8, 3), 255))


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_an_animation_gives_its_first_frame(tmp_path, suffix):
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    red.save(tmp_path / f"a.{suffix}", save_all=True, append_images=[blue], duration=100)
    np.testing.assert_allclose(load(tmp_path / f"a.{suffix}"), np.broadcast_to((255, 0, 0), (4, 4, 3)), atol=3)


def test_the_content_decides_the_format_and_not_the_name(tmp_path):
    write(tmp_path / "a.png", np.full((8, 8, 3), 7, np.uint8))
    path = (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(load(path), np.full((4, 4, 3), 7))


@pytest.mark.parametrize("kind", EVERY_FORMAT)
def test_a_whole_file_loads_and_a_truncated_one_is_never_half_decoded(tmp_path, kind):
    path = write_as(tmp_path, kind, noise(200, 200))
    assert load(path, 16).std() > 4
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(PhotoError, match="cannot be decoded: "):
        load(path, 16)


@pytest.mark.parametrize("kind", EVERY_FORMAT)
def test_a_file_cut_or_garbled_anywhere_gives_a_photo_or_a_reason(tmp_path, kind):
    path = write_as(tmp_path, kind, noise(24, 24))
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(60):
        garbled = bytearray(whole)
        for place in random.integers(0, len(whole), 4):
            garbled[place] = random.integers(256)
        path.write_bytes(garbled[: random.integers(len(whole) // 4, len(whole))])
        with contextlib.suppress(PhotoError):
            assert load(path).shape == (4, 4, 3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\x01\x02\x03\x04", "not a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF picture: save it as JPEG or PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a PostScript drawing"),
        (b"\xff\xd8\xff", "cannot be decoded: "),
        (b"\x89PNG\r\n\x1a\n", "cannot be decoded: "),
    ],
)
def test_what_is_no_picture_gets_a_reason(tmp_path, content, reason):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(PhotoError, match=reason):
        load(tmp_path / "a.jpg")


def test_float_pixels_are_refused_because_nobody_knows_their_white(tmp_path):
    Image.new("F", (8, 8), 0.5).save(tmp_path / "a.tiff")
    with pytest.raises(PhotoError, match="32-bit pixels"):
        load(tmp_path / "a.tiff")


def test_what_is_no_regular_file_gets_a_reason_without_hanging(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path, reason in [
        (tmp_path, "a folder, not a file"),
        (tmp_path / "pipe.jpg", "a pipe, socket or device, not a file"),
        ("/dev/zero", "a pipe, socket or device, not a file"),
        (tmp_path / "none.jpg", "no such file"),
        ("https://example.org/a.jpg", "an address, not a file here"),
        (tmp_path / "pipe.jpg" / "a.jpg", "no such file: there is no folder"),
        ("a\0.jpg", "cannot be opened: "),
        ("a" * 5000, "cannot be opened: File name too long"),
    ]:
        with pytest.raises(PhotoError, match=reason):
            load(path)


def test_a_decompression_bomb_is_refused_from_its_header(tmp_path, monkeypatch):
    Image.new("1", (12_000, 12_000)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("the bomb was decoded"))
    with pytest.raises(PhotoError, match="too many pixels: 12,000 x 12,000 are more than max_pixels=50,000,000 allows"):
        load(tmp_path / "bomb.png")


def test_max_pixels_alone_decides_and_pillows_global_limit_is_left_alone(tmp_path, monkeypatch):
    path = write(tmp_path / "a.png", noise(30, 30))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert load(path, max_pixels=900).shape == (4, 4, 3)
    with pytest.raises(PhotoError, match="too many pixels: 30 x 30 are more than max_pixels=899 allows"):
        load(path, max_pixels=899)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_a_process_that_lets_truncated_photos_pass_is_told_so(tmp_path, monkeypatch):
    path = write(tmp_path / "a.png", noise(8, 8))
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(ValueError, match="LOAD_TRUNCATED_IMAGES is on") as caught:
        load(path)
    assert not isinstance(caught.value, PhotoError)
