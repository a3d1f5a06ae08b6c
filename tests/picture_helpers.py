"""Files that stand where a photo should, good and bad, made from real bytes; and what must come of each.

Good ones show `COLOURS`, one flat colour per quarter, so that what must come is known without decoding anything.
"""

from __future__ import annotations

import io
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageCms
from reliability import Case

SIZE = 8
COLOURS = np.array([[[250, 20, 30], [20, 200, 40]], [[30, 40, 220], [240, 230, 60]]], np.uint8)


class Shows(NamedTuple):
    """What a photo must show: colours per quarter, shape (2, 2, 3), and how far off a lossy format may be."""

    colours: np.ndarray
    tolerance: int = 0


def quarters(side: int = SIZE, colours: np.ndarray = COLOURS) -> np.ndarray:
    """Each colour as a square, the whole `side` pixels wide."""
    return colours.repeat(side // 2, axis=0).repeat(side // 2, axis=1)


def encode(kind: str, pixels: np.ndarray | Image.Image | None = None, **options: object) -> bytes:
    """The bytes of a picture file, by default of `quarters`, large enough that a JPEG is decoded reduced."""
    if kind == "JPEG":
        options = {"quality": 95, "subsampling": 0, **options}
        pixels = quarters(64) if pixels is None else pixels
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(quarters() if pixels is None else pixels)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def file_with(content: bytes | Callable[[], bytes], name: str = "photo.jpg") -> Callable[[Path], str]:
    """Return what writes the bytes into a folder and returns the path, so that nothing is made before it is needed."""

    def write(folder: Path) -> str:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content())
        return str(path)

    return write


# --- nothing that can be read --------------------------------------------------------------------


def symlink_loop(folder: Path) -> str:
    (folder / "a.jpg").symlink_to(folder / "b.jpg")
    (folder / "b.jpg").symlink_to(folder / "a.jpg")
    return str(folder / "a.jpg")


def dangling_symlink(folder: Path) -> str:
    (folder / "a.jpg").symlink_to(folder / "none.jpg")
    return str(folder / "a.jpg")


def named_pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe.jpg")
    return str(folder / "pipe.jpg")


def forbidden_file(folder: Path) -> str:
    path = file_with(encode("PNG"))(folder)
    os.chmod(path, 0)
    return path


def name_in_another_normal_form(folder: Path) -> str:
    file_with(encode("PNG"), unicodedata.normalize("NFC", "küche.png"))(folder)
    return str(folder / unicodedata.normalize("NFD", "küche.png"))


def sparse_file(folder: Path) -> str:
    """Ten billion bytes that take no place on the disk and begin like a WebP picture, which is read as a whole."""
    path = file_with(b"RIFF\xff\xff\xff\xffWEBPVP8X")(folder)
    os.truncate(path, 10**10)
    return path


def bomb() -> bytes:
    return encode("PNG", Image.new("1", (12_000, 12_000)))


def cut_jpeg(percent: int) -> bytes:
    whole = sharp_jpeg()
    return whole[: len(whole) * percent // 100]


def sharp_jpeg() -> bytes:
    return encode("JPEG", np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


def half_a_download() -> bytes:
    """Zeros in place of the second half, which the decoder takes for a colour where there was much detail."""
    whole = sharp_jpeg()
    return whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2)


NO_PERMISSION = Case(
    "no permission to read it", "masked: cannot be opened", forbidden_file, "cannot be opened: Permission"
)
NO_PICTURE = "not a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF picture"
TRUNCATED = "cannot be decoded: image file is truncated"

MASKED = [
    Case("the file is not there", "masked: no such file", lambda folder: str(folder / "none.jpg"), "no such file"),
    Case("a URL", "masked: an address; nothing is fetched", lambda folder: "https://localhost/a.jpg", "an address"),
    Case("an empty file", "masked: empty", file_with(b""), "the file is empty"),
    Case("a folder", "masked: a folder", str, "a folder, not a file"),
    *(
        Case(f"a JPEG cut after {percent} %", "masked: truncated", file_with(lambda p=percent: cut_jpeg(p)), TRUNCATED)
        for percent in (10, 50, 99)
    ),
    Case("a JPEG whose second half is zeros", "masked: truncated", file_with(half_a_download), TRUNCATED),
    Case("a PNG cut in half", "masked: truncated", file_with(lambda: encode("PNG")[:60]), "cannot be decoded"),
    Case("a text file called .jpg", "masked: a text", file_with(b"a photo of a house"), "a text, not a picture"),
    Case("bytes that nobody knows", "masked: not a picture", file_with(b"\x01\x02\x03\x04"), NO_PICTURE),
    Case(
        "a 32-bit TIFF", "masked: white is unknown", file_with(lambda: encode("TIFF", Image.new("F", (8, 8)))), "32-bit"
    ),
    Case(
        "a decompression bomb, 12,000 x 12,000",
        "masked: too many pixels; nothing is decoded",
        file_with(bomb),
        "too many pixels: 12,000 x 12,000 are more than max_pixels=50,000,000 allows",
    ),
    Case("a file of 10 GB", "masked: too large; not read", sparse_file, "too many bytes: 10,000,000,000 are more"),
    NO_PERMISSION,
    Case("links that lead in a circle", "masked: cannot be opened", symlink_loop, "cannot be opened: Too many levels"),
    Case("a link to nothing", "masked: no such file", dangling_symlink, "no such file"),
    Case("a named pipe", "masked, without waiting for it", named_pipe, "a pipe, socket or device, not a file"),
    Case(
        "a device without end", "masked: not a file", lambda folder: "/dev/zero", "a pipe, socket or device, not a file"
    ),
    Case(
        "a very long name", "masked: cannot be opened", lambda folder: str(folder / ("a" * 5000)), "cannot be opened: "
    ),
    Case(
        "a null character in the name",
        "masked: cannot be opened",
        lambda folder: f"{folder}/a\0.jpg",
        "cannot be opened: ",
    ),
    Case(
        "another Unicode normal form than the file's (ü as one or as two characters)",
        "masked where the file system tells them apart (Linux): no such file",
        name_in_another_normal_form,
        "no such file",
    ),
]


# --- pictures that are read ----------------------------------------------------------------------


def transparent_png() -> bytes:
    """The quarters with an opacity each: 255, 204, 51 and 0."""
    opacity = np.array([[255, 204], [51, 0]], np.uint8).repeat(4, axis=0).repeat(4, axis=1)
    return encode("PNG", np.dstack([quarters(), opacity]))


def on_white() -> np.ndarray:
    """What `transparent_png` shows on white paper."""
    opacity = np.array([[255, 204], [51, 0]])[:, :, None] / 255
    return np.rint(COLOURS * opacity + 255 * (1 - opacity)).astype(np.uint8)


def palette_png(**options: object) -> bytes:
    """Four palette entries, one per quarter."""
    image = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8).repeat(4, axis=0).repeat(4, axis=1), "P")
    image.putpalette(COLOURS.tobytes())
    return encode("PNG", image, **options)


def grey_16_bit_png() -> bytes:
    return encode("PNG", quarters(SIZE, DEEP))


DEEP = np.array([[0, 300], [40_000, 65_535]], np.uint16)  # of 65,535
DEEP_AS_COLOURS = np.rint(DEEP / 257).astype(np.uint8)[:, :, None].repeat(3, axis=2)

INK = np.array([[[0, 200, 255, 0], [255, 30, 200, 0]], [[255, 210, 0, 40], [0, 0, 0, 128]]], np.uint8)
INK_AS_COLOURS = np.rint((255.0 - INK[:, :, :3]) * (255.0 - INK[:, :, 3:]) / 255).astype(np.uint8)


def cmyk_jpeg() -> bytes:
    """As Adobe writes it, and Pillow too: with an Adobe mark, all four inks inverted."""
    data = encode("JPEG", Image.fromarray(quarters(64, INK), "CMYK"))
    assert data[data.index(b"Adobe") + 11] == 0  # no colour transform: CMYK
    return data


def ycck_jpeg() -> bytes:
    """As Photoshop writes it: like CMYK, but the first three as YCbCr of red = 255 - cyan and so on.

    What is stored is inverted already, so that "red" is the cyan ink itself. Pillow writes no such file. It inverts
    what it is given, so that it is given the inverse of what is to be stored, and then the Adobe mark is told that the
    first three stand for YCbCr.
    """
    red, green, blue = (quarters(64, INK)[:, :, channel].astype(float) for channel in range(3))
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    stored = np.dstack(
        [
            luminance,
            128 + (blue - luminance) / 1.772,
            128 + (red - luminance) / 1.402,
            255.0 - quarters(64, INK)[:, :, 3],
        ]
    )
    data = bytearray(encode("JPEG", Image.fromarray(255 - np.rint(stored).clip(0, 255).astype(np.uint8), "CMYK")))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def turned_jpeg(orientation: int) -> bytes:
    """The quarters as a camera stores them that was held so that viewers must turn the picture.

    EXIF says where the stored first row and first column belong in the scene (JEITA CP-3451, 4.6.4): 1 top and left,
    2 top and right, 3 bottom and right, 4 bottom and left, 5 left and top, 6 right and top, 7 right and bottom, 8 left
    and bottom.
    """
    flips = {1: "", 2: "h", 3: "hv", 4: "v", 5: "t", 6: "ht", 7: "hvt", 8: "vt"}[orientation]
    pixels = quarters(64)
    pixels = pixels[:, ::-1] if "h" in flips else pixels
    pixels = pixels[::-1] if "v" in flips else pixels
    pixels = pixels.transpose(1, 0, 2) if "t" in flips else pixels
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return encode("JPEG", np.ascontiguousarray(pixels), exif=exif)


def animation(kind: str, **options: object) -> bytes:
    later = [Image.new("RGB", (SIZE, SIZE), colour) for colour in ("black", "white")]
    return encode(kind, save_all=True, append_images=later, duration=100, **options)


def with_profile() -> bytes:
    """A profile that would change every colour, were it applied."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    return encode("PNG", icc_profile=profile)


def with_odd_exif() -> bytes:
    """EXIF data of which Pillow warns: tags that point behind the file's end."""
    entries = b"".join(
        tag.to_bytes(2, "little") + b"\x02\0" + (9_999).to_bytes(4, "little") + b"\xff\xff\0\0"
        for tag in range(270, 290)
    )
    return encode("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + (20).to_bytes(2, "little") + entries + bytes(4))


def symlink(folder: Path) -> str:
    file_with(encode("PNG"), "good.png")(folder)
    (folder / "link.jpg").symlink_to("good.png")
    return str(folder / "link.jpg")


def path_through_the_parent(folder: Path) -> str:
    file_with(encode("PNG"), "good.png")(folder)
    (folder / "other").mkdir()
    return f"{folder}/other/../good.png"


def flat(height: int, width: int) -> Callable[[Path], str]:
    return file_with(lambda: encode("PNG", np.full((height, width, 3), (10, 200, 90), np.uint8)))


ONE_COLOUR = Shows(np.broadcast_to(np.array([10, 200, 90], np.uint8), (2, 2, 3)))
EXACT, NEARLY, ROUGHLY = Shows(COLOURS), Shows(COLOURS, 4), Shows(COLOURS, 12)

SHOWN = [
    Case("a PNG called .jpg", "read by its content", file_with(lambda: encode("PNG")), EXACT),
    Case("a PNG with transparency", "on white", file_with(transparent_png), Shows(on_white(), 1)),
    Case("a PNG with a palette", "read", file_with(palette_png), EXACT),
    Case(
        "a PNG with a palette and transparency",
        "on white",
        file_with(lambda: palette_png(transparency=b"\xff\xff\x00\xff")),
        Shows(np.where(np.array([[0, 0], [1, 0]])[:, :, None], 255, COLOURS)),
    ),
    Case("a 16-bit grey PNG", "scaled to 8 bits", file_with(grey_16_bit_png), Shows(DEEP_AS_COLOURS)),
    Case("a CMYK JPEG", "converted, with the inks the right way round", file_with(cmyk_jpeg), Shows(INK_AS_COLOURS, 4)),
    Case("a YCCK JPEG", "converted, with the inks the right way round", file_with(ycck_jpeg), Shows(INK_AS_COLOURS, 4)),
    *(
        Case(f"EXIF orientation {number}", "turned upright", file_with(lambda n=number: turned_jpeg(n)), NEARLY)
        for number in range(1, 9)
    ),
    Case("an animated GIF", "its first frame", file_with(lambda: animation("GIF")), EXACT),
    Case("an animated WebP", "its first frame", file_with(lambda: animation("WEBP", lossless=True)), EXACT),
    Case("1 x 1 pixel", "enlarged", flat(1, 1), ONE_COLOUR),
    Case("1 x 10,000 pixels", "the centre is read", flat(1, 10_000), ONE_COLOUR),
    Case("10,000 x 1 pixels", "the centre is read", flat(10_000, 1), ONE_COLOUR),
    Case("a progressive JPEG", "read", file_with(lambda: encode("JPEG", progressive=True)), NEARLY),
    Case("a colour profile", "ignored", file_with(with_profile), EXACT),
    Case("damaged EXIF data", "ignored", file_with(with_odd_exif), NEARLY),
    Case("BMP", "read", file_with(lambda: encode("BMP")), EXACT),
    Case("TIFF", "read", file_with(lambda: encode("TIFF", compression="tiff_lzw")), EXACT),
    Case("WebP", "read", file_with(lambda: encode("WEBP", quarters(64), quality=95)), ROUGHLY),
    Case("AVIF", "read", file_with(lambda: encode("AVIF", quarters(64), quality=95)), ROUGHLY),
    Case("a link to a good file", "followed", symlink, EXACT),
    Case("blanks in the path", "read", file_with(encode("PNG"), "my  photos/a b.png"), EXACT),
    Case("Unicode in the path", "read", file_with(encode("PNG"), "大きな家/küche 🏠.png"), EXACT),
    Case("the same as two characters (u and ¨)", "read", file_with(encode("PNG"), "ku\u0308che.png"), EXACT),
    Case("`../` in the path", "followed, in a table of one's own", path_through_the_parent, EXACT),
]
