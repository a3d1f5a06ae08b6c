"""The picture paths that one cell holds, whatever way they are written in it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np

from mixed_data.schema.cell_values import is_missing

PATH_SEPARATOR = ";"
PICTURE_ENDING = re.compile(
    r"\.(?:jpe?g|jpe|jfif|pjpeg|png|apng|webp|bmp|dib|gif|tiff?|avif|heic|heif|hif|jxl|jp2|j2k|jpx|dng|cr[23w]|nef|arw"
    r"|orf|rw2|raf|pef)",
    re.IGNORECASE,
)
"""How the name of a picture file ends, read here or not."""

_CONTENTS = (bytes, bytearray, memoryview)
_MAX_LENGTH_SHOWN = 80
_START_SHOWN = 28
_QUOTED = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\''
# A list as JSON, Python and NumPy write it: ["a.jpg", "b.jpg"], ('a.jpg',), ['a.jpg' 'b.jpg'], [np.str_('a.jpg')].
_ITEM = rf"(?:np\.str_\()?(?:{_QUOTED})\)?|null|None|nan"
_LIST = re.compile(rf"[\[(]\s*(?:(?:{_ITEM})(?:[\s,]+(?:{_ITEM}))*\s*,?)?\s*[\])]", re.DOTALL)
_LOCAL_ADDRESS = re.compile(r"file:(?://(?:localhost)?)?(/(?!/).*)", re.IGNORECASE | re.DOTALL)
_ADDRESS = re.compile(r"//|[a-z][a-z0-9+.-]+:/|www\.[^/]+/", re.IGNORECASE)  # "c:/" is a drive
_BASE64 = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9+/_\s-]{40,}={0,2}", re.DOTALL)
_BASE64_STARTS = ("/9j/", "iVBORw0KGgo", "R0lGOD", "UklGR")  # JPEG, PNG, GIF, WebP
_LONGEST_NAME = 255  # of a file
_HEX_OR_BYTES = re.compile(r"(?:0x|\\x)?(?:ffd8ff|89504e47|47494638|52494646)[0-9a-f]{16}|b['\"].*\\x", re.IGNORECASE)


def split_paths(cell: object) -> list[str]:
    """List the picture paths of one cell as `split_photos` does, for those who need files.

    Raises:
        ValueError: the cell holds a picture itself, or something else.
    """
    photos = split_photos(cell)
    paths = [photo for photo in photos if isinstance(photo, str)]
    if len(paths) < len(photos):
        raise ValueError("expected the path of a picture, got its content, which is for predicting only; write a file")
    return paths


def split_photos(cell: object) -> list[str | bytes]:
    """List the pictures of one cell: their paths, or themselves.

    Several paths are a text with ";" between them, or a list of texts, also one that was written as text by JSON,
    Python or NumPy. In a list, a ";" is part of a name. The address of a file of this computer, ``file:///a%20b.jpg``,
    is its path, ``/a b.jpg``. A picture as text (base64, ``data:``) is left whole. The content of a picture's file may
    stand wherever a path may.

    Args:
        cell: text, an ``os.PathLike``, bytes, a list, tuple or array of these, or a missing value.

    Returns:
        the paths and contents in their order, paths without outer blanks; empty when the cell is missing.

    Raises:
        ValueError: the cell is neither text, nor a path, nor bytes, nor a list of them, nor missing.

    Example:
        >>> split_photos("front.jpg; kitchen.jpg;"), split_photos('["front.jpg", "kitchen.jpg"]')
        (['front.jpg', 'kitchen.jpg'], ['front.jpg', 'kitchen.jpg'])
    """
    is_list = isinstance(cell, list | tuple) or (isinstance(cell, np.ndarray) and cell.ndim == 1)
    items = cast("Sequence[object]", cell) if is_list else [cell]
    items = [item for item in items if isinstance(item, _CONTENTS) or not is_missing(item)]
    parts = [_read_item(item) for item in items if isinstance(item, (str, os.PathLike, *_CONTENTS))]
    if len(parts) < len(items):
        shown = " ".join(f"{cell!r:.80}".split())
        raise ValueError(
            f"expected the path of a picture as text, got {shown} ({type(cell).__name__}); write several paths as one "
            f"text, separated by {PATH_SEPARATOR!r}, or as a list"
        )
    if not is_list and parts and isinstance(parts[0], str):
        parts = list(_split_text(parts[0].strip()))
    stripped = [part.strip() if isinstance(part, str) else part for part in parts]
    return [_read_local_address(part) if isinstance(part, str) else part for part in stripped if part]


def _read_item(item: str | os.PathLike[str] | bytes | bytearray | memoryview) -> str | bytes:
    return bytes(item) if isinstance(item, _CONTENTS) else str(os.fspath(item))


def join_paths(paths: Sequence[str]) -> str | None:
    """Write paths into one cell so that `split_paths` lists them again; None where there are none."""
    joined = PATH_SEPARATOR.join(paths)
    return (joined if split_paths(joined) == list(paths) else json.dumps(paths, ensure_ascii=False)) or None


def resolve_path(path: str, root: str) -> str:
    """Return the absolute path of a picture; what is no path of a file stays as it is."""
    return path if is_address(path) or is_picture(path) else os.path.abspath(os.path.join(root, path))


def is_address(path: str) -> bool:
    """Tell whether a path is the address of something elsewhere: "https://...", "s3://...", "//server/share"."""
    return bool(_ADDRESS.match(path))


def is_picture(text: str) -> bool:
    """Tell whether a text is no path but a picture itself: base64, a ``data:`` address, or bytes in other letters."""
    if text[:5].lower() == "data:" or _HEX_OR_BYTES.match(text):
        return True
    return (len(text) > _LONGEST_NAME or text.startswith(_BASE64_STARTS)) and bool(_BASE64.fullmatch(text))


def show_path(path: str | bytes) -> str:
    """Show a path so that a person recognises it; of a long one the beginning and the end, of a picture its size.

    A line end in it is written as two characters.
    """
    if isinstance(path, bytes):
        return f"a photo of {len(path):,} bytes"
    path = path.replace("\n", "\\n").replace("\r", "\\r")
    if is_picture(path):
        return f"{path[:_START_SHOWN]}... ({len(path):,} characters)"
    if len(path) <= _MAX_LENGTH_SHOWN:
        return path
    return f"{path[:_START_SHOWN]}...{path[_START_SHOWN + 3 - _MAX_LENGTH_SHOWN :]}"


def _split_text(text: str) -> Iterable[str]:
    if text.startswith(("[", "(")) and _LIST.fullmatch(text):
        return [_unquote(item) for item in re.findall(_QUOTED, text, re.DOTALL)]
    return [text] if is_picture(text) else text.split(PATH_SEPARATOR)


def _unquote(item: str) -> str:
    """Read a quoted text; a backslash that JSON does not know is part of a path."""
    if item.startswith('"'):
        try:
            return str(json.loads(item))
        except ValueError:
            return item[1:-1]
    return item[1:-1].replace("\\'", "'").replace("\\\\", "\\")


def _read_local_address(path: str) -> str:
    if not (found := _LOCAL_ADDRESS.fullmatch(path)):
        return path
    from urllib.request import url2pathname

    return url2pathname(found.group(1))
