"""Why a photo cannot be used: the likely cause, and what helps."""

from __future__ import annotations

import os
import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from mixed_data.schema.photo_paths import PICTURE_ENDING, is_address, is_picture, show_path

HEIC_BRANDS = frozenset([b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"])
AVIF_BRANDS = frozenset([b"avif", b"avis"])
NUM_BYTES = 512
"""From the beginning of a file, to tell what it is."""

_SAVE = "save it as JPEG or PNG"
_FETCH = "fetch the file itself again"
_HEIC = "to read it, install pillow-heif (pip install 'mixed_data[heic]'), or save it as JPEG"
_NOT_SHOWN = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]+")
_QUOTES = "'\"`´“”„‟‘’‚«»"
_LIST = re.compile(rf"{PICTURE_ENDING.pattern}[\"']?\s*[,|&+\s]\s*\S.*{PICTURE_ENDING.pattern}", re.I | re.DOTALL)
_RAW = ("a RAW photo, as cameras save it", "develop it, or save it as JPEG")
# What a file is by its first bytes, where it is no picture that is read.
_CONTENTS: list[tuple[bytes, str, str]] = [
    (rb"\0\0\0\x0cJXL |\xff\x0a", "a JPEG XL picture", _SAVE),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 picture", _SAVE),
    (rb"....ftypcrx |II\*\0....CR|FUJIFILMCCD|IIR[OS]|MMOR|IIU\0|FOVb", *_RAW),
    (rb"....ftyp(?:mif1|msf1|heif|miaf)", "a HEIF picture", _SAVE),
    (rb"....ftyp|....moov|\x1aE\xdf\xa3|RIFF....AVI |\0\0\x01\xba|FLV", "a video", "save one picture of it as JPEG"),
    (rb"%PDF", "a PDF document", "save its picture as JPEG or PNG"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript drawing", _SAVE),
    (rb"8BPS", "a Photoshop file", _SAVE),
    (rb"\0\0[\x01\x02]\0[\x01-\x40]\0", "an icon", _SAVE),
    (rb"\x0a[\x00-\x05]\x01[\x01\x02\x04\x08]", "a PCX picture", _SAVE),
    (rb"P[1-7]\s", "a Netpbm picture", _SAVE),
    (rb"II\+\0|MM\0\+", "a BigTIFF picture", _SAVE),
    (rb".{128}DICM", "a DICOM picture", _SAVE),
    (rb"PK\x03\x04", "a ZIP archive or an Office file", "unpack it, and name the pictures in it"),
    (rb"\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ", "an archive", "unpack it, and name the pictures in it"),
    (rb"version https://git-lfs", "a Git LFS pointer in place of the picture", "type: git lfs pull"),
    (rb"/annex/objects/|\S*\.git/annex/", "a git-annex pointer in place of the picture", "type: git annex get"),
    (rb"\0\x05\x16\x07", "what macOS stores beside a file", "name the picture, without '._' before its name"),
    (rb"\s*(?:<\?xml.*|<!--.*)?(?:<!DOCTYPE svg.*)?<svg", "an SVG drawing", _SAVE),
    (rb"(?i)\s*(?:<!--.*)?<(?:!doctype html|html|head|body)", "a web page (HTML) in place of the picture", _FETCH),
    (rb"\s*<\?xml|\s*<Error", "an XML text in place of the picture", _FETCH),
    (rb"\s*[\[{]\s*[\"\]}{]", "a JSON text in place of the picture", _FETCH),
    (rb"\0+\Z", "zeros in place of the picture, as a broken download leaves them", _FETCH),
]


class PhotoError(ValueError):
    """A photo that cannot be used; the message is the reason, without the path.

    Args:
        kind: what is wrong, in words that many photos share; they are counted by it.
        more: what is special about this one, or what helps.
    """

    def __init__(self, kind: str = "", more: str = "") -> None:
        super().__init__(kind, more)
        self.kind = kind

    def __str__(self) -> str:
        return ": ".join(filter(None, self.args))


def explain_path(path: str, error: OSError | ValueError) -> PhotoError:
    """Say why there is no file at a path: how the path is written, or what is there in its place."""
    if is_picture(path):
        return PhotoError("the picture itself in place of a path", "save it as a file and write the path of that")
    if path.lower().startswith("file:"):
        return PhotoError("an address, not a file here", "write the path itself, or file:// and a path from '/' on")
    if is_address(path) or re.search(r"[a-z][a-z0-9+.-]+:/", path, re.IGNORECASE):
        return PhotoError("an address, not a file here", "nothing is fetched, so download the photos and write paths")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return PhotoError("no such file", _find_cause(path))
    return PhotoError("cannot be opened", _find_writing(path) or str(getattr(error, "strerror", None) or error))


def explain_content(start: bytes) -> PhotoError:
    """Say what a file is that is no picture which is read.

    Args:
        start: its first `NUM_BYTES` bytes.
    """
    if find_brand(start) in HEIC_BRANDS:
        return PhotoError("a HEIC picture, as iPhones save it", _HEIC)
    for pattern, kind, remedy in _CONTENTS:
        if re.match(pattern, start.removeprefix(b"\xef\xbb\xbf"), re.DOTALL):
            return PhotoError(kind, remedy)
    if "".join(start.decode("utf-8", "replace").rstrip("\ufffd").split()).isprintable() and b"\0" not in start:
        return PhotoError("a text, not a picture", _FETCH)
    return PhotoError("not a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF picture", _SAVE)


def explain_raw() -> PhotoError:
    """Say that a TIFF file is a RAW photo, whose first picture is a thumbnail."""
    return PhotoError(*_RAW)


def find_brand(start: bytes) -> bytes:
    """Return which of the two picture formats in an ISO media file this is, by its brands; empty if neither."""
    if start[4:8] != b"ftyp":
        return b""
    end = min(int.from_bytes(start[:4]), len(start))
    brands = [start[8:12], *(start[place : place + 4] for place in range(16, end, 4))]
    return next((brand for brand in brands if brand in HEIC_BRANDS | AVIF_BRANDS), b"")


def _find_cause(path: str) -> str:
    """Say how a path that leads nowhere is to be written; empty where nothing is known."""
    if os.path.islink(path):
        return "a link to a file that is not there"
    return _find_writing(path) or _find_decoded(path) or _find_alike(path) or _find_folder(path)


def _find_writing(path: str) -> str:
    """Recognise what is wrong with a path by its characters alone."""
    if re.search(r"(?:^|/)[\[{(].*[\]})]$", path, re.DOTALL):
        return "no list of paths that can be read, so separate several paths by ';'"
    if _LIST.search(path):
        return "in one cell, separate several paths by ';'"
    if path.endswith(tuple(_QUOTES)):
        return "take away the quotation marks around the path"
    if os.sep == "/" and re.search(r"(?:^|/)[A-Za-z]:[\\/]", path):
        return "a path of a Windows computer, so write where the photo is on this one"
    if os.sep == "/" and "\\" in path:
        return "a backslash separates nothing here, so write '/' in its place"
    if re.search(r"(?:^|/)(?:~[^/]*|\$\{?\w+\}?|%\w+%)/", path):
        return "'~' and variables are not replaced, so write the folder out"
    return ""


def _find_decoded(path: str) -> str:
    """Find the file that an address would mean by this name."""
    for other in (unquote(path), unquote(path.replace("+", " ")), re.split("[?#]", path)[0]):
        if other != path and os.path.isfile(other):
            name = show_path(os.path.basename(other))
            if "%" in path:
                return f"%20 and the like stand for other characters in addresses, and the file is called {name!r}"
            return f"the file is called {name!r}"
    return ""


def _find_alike(path: str) -> str:
    """Find the file whose path differs in what is easily overlooked: capitals, blanks, accents, the ending."""
    here, *parts = Path(os.path.abspath(path)).parts
    changed = ""
    for place, part in enumerate(parts):
        if not os.path.lexists(os.path.join(here, part)):
            names = _list_names(here)
            known = names.get(_level(part)) or (place == len(parts) - 1 and names.get(_level(_stem(part)) + "."))
            if not known:
                return ""
            changed = changed or here
            part = known
        here = os.path.join(here, part)
    if not os.path.isfile(here):
        return ""
    name = show_path(os.path.relpath(here, changed))
    if here.casefold().endswith(path.casefold()):
        return f"there is {name!r}, and capital letters count"
    if _level(here).endswith(_level(path)):
        return f"there is {name!r}, which differs in blanks or in how accents are stored"
    return f"there is {name!r}, so write its ending"


def _list_names(folder: str) -> dict[str, str]:
    try:
        return _read_names(folder, os.stat(folder).st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=16)
def _read_names(folder: str, modified: int) -> dict[str, str]:
    """Return what the names in a folder are when levelled, with their endings and, followed by ".", without."""
    names = sorted(os.listdir(folder), reverse=True)
    pictures = {_level(_stem(name)) + ".": name for name in names if _stem(name) != name}
    return pictures | {_level(name): name for name in names}


def _stem(name: str) -> str:
    """Return the name of a picture without its ending, any other name as it is."""
    return re.sub(rf"{PICTURE_ENDING.pattern}$", "", name, flags=re.IGNORECASE)


def _level(name: str) -> str:
    """Return a name without what people overlook."""
    return _NOT_SHOWN.sub("", unicodedata.normalize("NFC", name)).casefold()


def _find_folder(path: str) -> str:
    """Name the first folder of the path that is not there."""
    parents = [str(parent) for parent in reversed(Path(path).parents)]
    missing = next((parent for parent in parents if not os.path.isdir(parent)), "")
    if not missing:
        return ""
    shown = repr(show_path(missing))
    return f"{shown} is a file, not a folder" if os.path.isfile(missing) else f"there is no folder {shown}"
