"""Small good pictures of every format that is read, and where the numbers stand in them, to be damaged."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator
from random import Random
from typing import Literal

import numpy as np
from PIL import ExifTags, Image, ImageCms

from benchmarks.mutations import Field, mutate

PNG_START = b"\x89PNG\r\n\x1a\n"
_AVIF_BOXES = rb"ftyp|meta|hdlr|pitm|iloc|iinf|infe|iprp|ipco|ipma|ispe|pixi|av1C|colr|mdat|moov|stsz|stco|stsd|irot"

_AVIF_TIMES = re.compile(rb"((?:mvhd|tkhd|mdhd)\x01...).{16}", re.DOTALL)  # when an animation was made


def make_pictures() -> dict[str, bytes]:
    """Return 25 small pictures, name -> bytes of the file, always the same with one version of Pillow."""
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 4), dtype=np.uint8)
    image = Image.fromarray(noise).resize((40, 30))
    colour, grey = image.convert("RGB"), image.convert("L")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile[:24] + bytes(12) + profile[36:]  # without the time
    animation = {"save_all": True, "append_images": [colour.rotate(180)], "duration": 40}
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    return {
        "jpeg": _save(colour, "JPEG", exif=exif, icc_profile=profile),
        "jpeg progressive": _save(colour, "JPEG", progressive=True),
        "jpeg restart": _save(colour, "JPEG", restart_marker_blocks=1, subsampling=0),
        "jpeg grey": _save(grey, "JPEG"),
        "jpeg cmyk": _save(colour.convert("CMYK"), "JPEG"),
        "png": _save(colour, "PNG", exif=exif, icc_profile=profile),
        "png alpha": _save(image, "PNG"),
        "png palette": _save(colour.quantize(16), "PNG", transparency=3),
        "png 16 bits": _save(deep, "PNG"),
        "png animated": _save(colour, "PNG", **animation),
        "webp": _save(colour, "WEBP", exif=exif, icc_profile=profile),
        "webp lossless": _save(image, "WEBP", lossless=True),
        "webp animated": _save(colour, "WEBP", **animation),
        "gif": _save(colour, "GIF"),
        "gif animated": _save(colour, "GIF", **animation),
        "bmp": _save(colour, "BMP"),
        "bmp palette": _save(colour.quantize(16), "BMP"),
        "tiff": _save(image, "TIFF"),
        "tiff lzw": _save(colour, "TIFF", compression="tiff_lzw"),
        "tiff deflate": _save(deep, "TIFF", compression="tiff_adobe_deflate"),
        "tiff jpeg": _save(colour, "TIFF", compression="jpeg"),
        "tiff group 4": _save(grey.convert("1"), "TIFF", compression="group4"),
        "tiff cmyk": _save(colour.convert("CMYK"), "TIFF", compression="packbits"),
        "avif": _save(image, "AVIF", exif=exif, speed=10),
        "avif animated": _save(colour, "AVIF", speed=10, **animation),
    }


def damage_picture(name: str, pictures: dict[str, bytes], random: Random) -> bytes:
    """Damage one of `make_pictures`; most PNG files get right check sums, so that the damage gets through."""
    donors = [pictures[other] for other in pictures if other.split()[0] == name.split()[0]]
    damaged = mutate(pictures[name], random, donors=donors, fields=find_fields(pictures[name]))
    return repair_check_sums(damaged) if damaged.startswith(PNG_START) and random.random() < 0.8 else damaged


def find_fields(data: bytes) -> list[Field]:
    """Find sizes, lengths and offsets in a good picture: what a decoder believes."""
    if data.startswith(b"\xff\xd8"):
        return list(_jpeg_fields(data))
    if data.startswith(PNG_START):
        return list(_png_fields(data))
    if data.startswith(b"RIFF"):
        return list(_webp_fields(data))
    if data.startswith(b"GIF"):
        frames = [match.start() for match in re.finditer(rb"\x2c\0\0\0\0", data)]
        return [Field(6, 2), Field(8, 2), Field(10, 1)] + [
            Field(frame + place, 2) for frame in frames for place in (1, 3, 5, 7, 9)
        ]
    if data.startswith(b"BM"):
        sizes = {2: 4, 10: 4, 14: 4, 18: 4, 22: 4, 26: 2, 28: 2, 30: 4, 34: 4, 46: 4}
        return [Field(offset, size) for offset, size in sizes.items()]
    if data.startswith(b"II*\0"):
        return list(_tiff_fields(data, 0))
    return list(_avif_fields(data))


def repair_check_sums(data: bytes) -> bytes:
    """Return a PNG file, or what is left of one, with the check sum of each whole chunk set right."""
    repaired = bytearray(data)
    start = len(PNG_START)
    while start + 12 <= len(data):
        end = start + 8 + int.from_bytes(data[start : start + 4], "big")
        if end + 4 > len(data):
            break
        repaired[end : end + 4] = zlib.crc32(data[start + 4 : end]).to_bytes(4, "big")
        start = end + 4
    return bytes(repaired)


def _save(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return re.sub(_AVIF_TIMES, rb"\1" + bytes(16), stream.getvalue()) if kind == "AVIF" else stream.getvalue()


def _jpeg_fields(data: bytes) -> Iterator[Field]:
    start = 2
    while data[start] == 0xFF and data[start + 1] != 0xDA:
        marker = data[start + 1]
        yield Field(start + 2, 2, "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            yield from (Field(start + 5, 2, "big"), Field(start + 7, 2, "big"), Field(start + 4, 1))
            yield from (Field(start + 9 + place, 1) for place in range(4))
        if marker == 0xE1:
            yield from _tiff_fields(data, start + 10)
        start += 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    yield from (Field(start + 2, 2, "big"), Field(start + 4, 1))


def _png_fields(data: bytes) -> Iterator[Field]:
    start = len(PNG_START)
    while start < len(data):
        yield Field(start, 4, "big")
        if data[start + 4 : start + 8] == b"IHDR":
            yield from (Field(start + 8, 4, "big"), Field(start + 12, 4, "big"))
            yield from (Field(start + 16 + place, 1) for place in range(5))
        if data[start + 4 : start + 8] in (b"fcTL", b"fdAT", b"acTL"):
            yield from (Field(start + 8 + 4 * place, 4, "big") for place in range(3))
        start += 12 + int.from_bytes(data[start : start + 4], "big")


def _webp_fields(data: bytes) -> Iterator[Field]:
    yield Field(4, 4)
    start = 12
    while start < len(data):
        yield Field(start + 4, 4)
        if data[start : start + 4] in (b"VP8 ", b"VP8L", b"VP8X", b"ANMF"):
            yield from (Field(start + 8 + place, 2) for place in range(0, 16, 2))
        start += 8 + int.from_bytes(data[start + 4 : start + 8], "little") + data[start + 4] % 2


def _tiff_fields(data: bytes, start: int) -> Iterator[Field]:
    """Return the first folder's entries; the data of a TIFF file, or of the EXIF part of another, begin at `start`."""
    order = "<" if data[start : start + 1] == b"I" else ">"
    name: Literal["big", "little"] = "little" if order == "<" else "big"
    (folder,) = struct.unpack_from(order + "I", data, start + 4)
    (num_entries,) = struct.unpack_from(order + "H", data, start + folder)
    yield from (Field(start + 4, 4, name), Field(start + folder, 2, name))
    for entry in range(start + folder + 2, start + folder + 2 + 12 * num_entries, 12):
        yield from (Field(entry + 2, 2, name), Field(entry + 4, 4, name), Field(entry + 8, 4, name))
        yield Field(entry, 2, name)


def _avif_fields(data: bytes) -> Iterator[Field]:
    for match in re.finditer(_AVIF_BOXES, data):
        yield Field(match.start() - 4, 4, "big")
        yield from (
            Field(match.end() + place, 4, "big") for place in (0, 4, 8, 12) if match.end() + place + 4 < len(data)
        )
