"""One photo file becomes one uint8 array: opened safely, upright, RGB, resized, remembered.

Photos come from strangers, so the format is recognised by content and only seven raster formats are read (Pillow as a
whole would, for instance, hand PostScript to Ghostscript), and HEIC where pillow-heif is installed. The pixel count is
checked in the header before anything is decoded, and whatever is wrong with a file becomes a `PhotoError` with the
reason.
"""

from __future__ import annotations

import io
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from mixed_data.preprocessing.photo_memory import file_identity, keep_photo, memory_key, recall_photo
from mixed_data.preprocessing.photo_problems import (
    AVIF_BRANDS,
    HEIC_BRANDS,
    NUM_BYTES,
    PhotoError,
    explain_content,
    explain_raw,
    find_brand,
)

RESIZE_POLICIES = ("crop", "pad", "stretch")
MAX_PIXELS = 50_000_000
# Grey lies in the middle of the value range, so borders are near zero once a model centres its pixels.
PAD_COLOUR = (128, 128, 128)

# 16 bits for each of red, green, blue and opacity, and beside them whatever else an honest file holds. Pillow
# reads some formats, and some parts of others, into memory at once.
_BYTES_PER_PIXEL = 8
_BYTES_BESIDE_PIXELS = 64 * 2**20

# Pillow takes memory in blocks of up to so many bytes. The C library gives blocks above 32 MB back to the system; of
# those of 16 MB, Pillow's default, each thread keeps what its largest photo took.
_LARGEST_BLOCK = 256 * 2**20

# Pixels are first thinned out cheaply to not less than this many times the size wanted, then averaged well;
# 2.0 is what Pillow's own `thumbnail` uses.
_REDUCING_GAP = 2.0

# Pillow's readers are called directly, not through `Image.open`, because that one also applies the global
# `Image.MAX_IMAGE_PIXELS`, which warns or raises by a limit that is not the caller's `max_pixels`.
_READERS: dict[bytes, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    rb"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,  # an MPO file starts with a JPEG, and that one is read
    rb"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    rb"RIFF....WEBP": WebPImagePlugin.WebPImageFile,
    rb"GIF8[79]a": GifImagePlugin.GifImageFile,
    rb"BM": BmpImagePlugin.BmpImageFile,
    rb"II\*\0|MM\0\*": TiffImagePlugin.TiffImageFile,
}
_TIFF_IS_REDUCED, _TIFF_SUBDIRECTORIES, _TIFF_DNG_VERSION = 254, 330, 50706

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_END_OF_JPEG = b"\xff\xd9"


class _PixelBudget:
    """Makes threads wait for each other, so that the memory for decoded pixels does not grow with their number."""

    def __init__(self, num_pixels: int) -> None:
        self._all = self._left = num_pixels
        self._returned = threading.Condition()

    @contextmanager
    def spend(self, num_pixels: int) -> Iterator[None]:
        """Take so many pixels, or all there are if that is less, as soon as they are there; then give them back."""
        share = min(num_pixels, self._all)
        with self._returned:
            self._returned.wait_for(lambda: share <= self._left)
            self._left -= share
        try:
            yield
        finally:
            with self._returned:
                self._left += share
                self._returned.notify_all()


_budget = _PixelBudget(MAX_PIXELS)


def load_photo(
    photo: str | bytes,
    height: int,
    width: int,
    *,
    resize: str = "crop",
    max_pixels: int = MAX_PIXELS,
    remember: bool = True,
) -> np.ndarray:
    """Return one photo as an array, from the cache when the unchanged file was loaded before.

    Transparent parts become white, 16-bit grey is scaled to 8 bits, an animation gives its first frame, and the EXIF
    orientation is applied. Colour profiles are ignored. Downscaling is bicubic, antialiased, after a quick reduction (a
    JPEG's own, where there is one) to not less than twice the size wanted; it is deterministic. A truncated file is an
    error, also when zeros fill a JPEG up to its full size, but bytes garbled in the middle of a JPEG cannot be told
    from a picture.

    However many threads ask, no more than `MAX_PIXELS` pixels are decoded at a time (a larger photo alone), which takes
    less than 0.8 GB.

    The cache lives as long as the process, is shared by all threads, and holds the `CACHE_BYTES` of photos used last,
    so that cross-validation and permutation importance decode each photo once. A file that changed (its size or one of
    its times) is decoded again. Failures are not remembered.

    Args:
        photo: the path of a local file, nothing else is ever followed; or a file's content, which is not remembered.
        height: rows of pixels wanted.
        width: columns of pixels wanted.
        resize: `"crop"` keeps the largest centred part of the right shape, `"pad"` keeps everything and fills the rest
            with `PAD_COLOUR`, `"stretch"` keeps everything and lets the shape suffer.
        max_pixels: width x height in the file's header above which nothing is decoded; a file of more than 8 bytes per
            such pixel and 64 MiB is not read. (Pillow refuses TIFF and WebP files of over 179 million pixels in any
            case.)
        remember: whether to look into the cache, and to add to it.

    Returns:
        uint8 array of shape (height, width, 3), RGB, read-only because the cache holds the same array.

    Raises:
        PhotoError: with the reason, when the file is missing, no regular file, no picture, too large or damaged.
        ValueError: when `PIL.ImageFile.LOAD_TRUNCATED_IMAGES` is on.
    """
    refuse_half_photos()
    key = None
    if isinstance(photo, str):
        key = memory_key(photo, height, width, resize, max_pixels)
        if remember and (remembered := recall_photo(key)) is not None:
            return remembered
    pixels, _ = decode_photo(photo, height, width, resize, max_pixels)
    if key and remember:
        keep_photo(key, pixels)
    return pixels


def decode_photo(photo: str | bytes, height: int, width: int, resize: str, max_pixels: int) -> tuple[np.ndarray, bool]:
    """Decode a photo as `load_photo` does, without remembering it.

    Returns:
        Its pixels; and whether it has the shape wanted already, so that every ``resize`` gives the same.

    Raises:
        PhotoError: as `load_photo`.
    """
    # Anything may come out of a decoder that is fed damaged bytes (struct.error, zlib.error, MemoryError …),
    # and none of it may stop the other photos.
    try:
        return _decode(photo, height, width, resize, max_pixels)
    except PhotoError:
        raise
    except Exception as error:
        raise PhotoError("cannot be decoded", str(error) or type(error).__name__) from error


def refuse_half_photos() -> None:
    """Check a setting of Pillow.

    Raises:
        ValueError: `PIL.ImageFile.LOAD_TRUNCATED_IMAGES` is on.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise ValueError(
            "PIL.ImageFile.LOAD_TRUNCATED_IMAGES is on in this process, so that half a photo would pass for "
            "a whole one; set it to False"
        )


def read_photo_file(path: str, max_pixels: int) -> bytes:
    """Return the content of a photo's file, of which `file_identity` has found that reading it cannot hang.

    Raises:
        PhotoError: the file cannot be read, or is too large for a picture of so many pixels.
    """
    with _open_file(path, max_pixels) as stream:
        try:
            return stream.read()
        except OSError as error:
            raise PhotoError("cannot be opened", error.strerror or str(error)) from error


def check_photo(path: str) -> None:
    """Look at the header of a photo, without decoding it.

    Raises:
        PhotoError: the file is missing, no regular file, or no picture that is read.
    """
    file_identity(path)
    with _open_file(path, MAX_PIXELS) as stream:
        try:
            _open_image(stream)
        except PhotoError:
            raise
        except Exception as error:  # as in `load_photo`
            raise PhotoError("cannot be decoded", str(error) or type(error).__name__) from error


def _decode(photo: str | bytes, height: int, width: int, resize: str, max_pixels: int) -> tuple[np.ndarray, bool]:
    with _open_file(photo, max_pixels) as stream:
        image = _open_image(stream)
        num_pixels = image.width * image.height
        if num_pixels > max_pixels:
            size = f"{image.width:,} x {image.height:,}"
            raise PhotoError("too many pixels", f"{size} are more than max_pixels={max_pixels:,} allows")
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            if not _has_end(stream):  # of zeros in place of the rest, as after a download, it would paint some colour
                raise PhotoError("cannot be decoded", "image file is truncated (its end mark is missing)")
            # The same for both sides, because the photo may still have to be turned. (HEIC would give a thumbnail.)
            side = int(_REDUCING_GAP * max(height, width))
            image.draft(None, (side, side))
        if "progressive" not in image.info:  # those are held whole before they are reduced
            num_pixels = image.width * image.height
        Image.core.set_block_size(_LARGEST_BLOCK)
        with _budget.spend(num_pixels):
            image.load()
            picture = _unify_mode(_turn_upright(image))
            has_shape = picture.width * height == picture.height * width
            return np.asarray(_resize(picture, height, width, resize)), has_shape


def _open_file(photo: str | bytes, max_pixels: int) -> BinaryIO:
    try:
        stream = io.BytesIO(photo) if isinstance(photo, bytes) else open(photo, "rb")  # noqa: SIM115 - callers close it
    except OSError as error:
        raise PhotoError("cannot be opened", error.strerror or str(error)) from error
    num_bytes = len(photo) if isinstance(photo, bytes) else os.fstat(stream.fileno()).st_size
    if num_bytes > _BYTES_PER_PIXEL * max_pixels + _BYTES_BESIDE_PIXELS:
        stream.close()
        raise PhotoError("too many bytes", f"{num_bytes:,} are more than a picture of max_pixels={max_pixels:,} needs")
    return stream


def _open_image(stream: BinaryIO) -> ImageFile.ImageFile:
    """Read the header only, with the reader that the first bytes ask for, whatever the file's name says."""
    start = stream.read(NUM_BYTES)
    stream.seek(0)
    if not start:
        raise PhotoError("the file is empty")
    if (brand := find_brand(start)) in HEIC_BRANDS:
        try:
            from pillow_heif import HeifImageFile
        except ImportError:
            raise explain_content(start) from None
        return HeifImageFile(stream)
    if brand in AVIF_BRANDS:
        return AvifImagePlugin.AvifImageFile(stream)
    for signature, reader in _READERS.items():
        if re.match(signature, start, re.DOTALL):
            if reader is TiffImagePlugin.TiffImageFile and (start[8:10] == b"CR" or _is_raw(stream)):
                raise explain_raw()
            return reader(stream)
    raise explain_content(start)


def _has_end(stream: BinaryIO) -> bool:
    """Tell whether the end mark of a JPEG comes after what was read of it, its header."""
    start, end = stream.tell(), stream.seek(0, os.SEEK_END)
    for place in (max(start, end - len(_END_OF_JPEG)), start):  # mostly the very end
        stream.seek(place)
        if stream.read().rfind(_END_OF_JPEG) >= 0:
            return True
    return False


def _is_raw(stream: BinaryIO) -> bool:
    """Tell whether a TIFF file is a RAW photo, such as DNG or NEF, of which Pillow would read a thumbnail."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(stream.read(8))
    stream.seek(directory.next)
    directory.load(stream)
    stream.seek(0)
    is_reduced = directory.get(_TIFF_IS_REDUCED) == 1
    return _TIFF_DNG_VERSION in directory or (is_reduced and _TIFF_SUBDIRECTORIES in directory)


def _turn_upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation (`ImageOps.exif_transpose` also rewrites the EXIF data and may fail)."""
    try:
        method = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF data around a good picture: viewers show it as it lies, and so do we
        method = None
    return image if method is None else image.transpose(method)


def _unify_mode(image: Image.Image) -> Image.Image:
    """Return the picture in a mode whose pixels can be averaged: L, RGB, or RGBA if parts are transparent."""
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips everything above 255 to white. 65,535 = 255 x 257, so this rounds.
        values = np.asarray(image).astype(np.uint32)
        values += 128
        values //= 257
        return Image.fromarray(values.astype(np.uint8))
    if image.mode in ("I", "F"):
        raise PhotoError("32-bit pixels do not say which value is white", "save it with 8 or 16 bits")
    mode = "RGBA" if image.has_transparency_data else "L" if image.mode == "L" else "RGB"
    return image if image.mode == mode else image.convert(mode)  # `convert` copies even when there is nothing to do


def _resize(image: Image.Image, height: int, width: int, policy: str) -> Image.Image:
    """Resize under one of `RESIZE_POLICIES`, in one step, and give RGB."""
    box = (0.0, 0.0, float(image.width), float(image.height))
    inner = (width, height)
    if policy == "crop":
        kept_width = min(image.width, image.height * width / height)
        kept_height = min(image.height, image.width * height / width)
        left, top = (image.width - kept_width) / 2, (image.height - kept_height) / 2
        box = (left, top, left + kept_width, top + kept_height)
    elif policy == "pad":
        scale = min(width / image.width, height / image.height)
        inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    picture = image.resize(inner, Image.Resampling.BICUBIC, box=box, reducing_gap=_REDUCING_GAP)
    if picture.mode == "RGBA":
        white = Image.new("RGB", inner, "white")
        white.paste(picture, mask=picture.getchannel("A"))
        picture = white
    picture = picture.convert("RGB")
    if inner == (width, height):
        return picture
    canvas = Image.new("RGB", (width, height), PAD_COLOUR)
    canvas.paste(picture, ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return canvas
