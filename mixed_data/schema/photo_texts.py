"""Photos that come as text: base64, alone or in a ``data:`` address."""

from __future__ import annotations

import base64
import binascii
import re

_DATA_ADDRESS = re.compile(r"data:[\w/+.-]*;base64,", re.IGNORECASE)
_BLANKS = str.maketrans("", "", " \t\r\n")


def find_base64(text: str) -> str:
    """Return the base64 of a text that may be a ``data:`` address, without blanks; not yet checked."""
    found = _DATA_ADDRESS.match(text[:100])
    return (text[found.end() :] if found else text).translate(_BLANKS)


def decode_photo(text: str) -> bytes:
    r"""Return the content of a photo's file.

    Args:
        text: from `find_base64`.

    Raises:
        ValueError: it is no base64.

    Example:
        >>> decode_photo(find_base64("data:image/jpeg;base64,/9j/"))
        b'\xff\xd8\xff'
    """
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError("expected a photo's file in base64, or a data: address with one") from None
