"""Forms with files, read in memory: nothing of them is ever written to a disk."""

from __future__ import annotations

from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from mixed_data.serving.problem_details import ServiceError


@dataclass(frozen=True)
class Part:
    """One part of a form.

    Attributes:
        name: of the field.
        content: what it holds.
    """

    name: str
    content: bytes


class FormReader:
    """Collect the parts of a form that is in memory already.

    The form parsers of web frameworks write large files into a temporary file. This one keeps to what it is given.

    Args:
        body: of the request.
        boundary: between its parts.
        max_parts: of which more are refused.

    Attributes:
        parts: in their order.

    Raises:
        ServiceError: the body is no form, ends too early, or has too many parts.
    """

    def __init__(self, body: bytes, boundary: bytes, *, max_parts: int) -> None:
        self.parts: list[Part] = []
        self._max_parts, self._is_complete = max_parts, False
        self._headers: dict[bytes, bytes] = {}
        self._begin()
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._read_header_name,
                "on_header_value": self._read_header_value,
                "on_header_end": self._end_header,
                "on_part_data": self._read_content,
                "on_part_end": self._end,
                "on_end": self._finish,
            },
        )
        try:
            parser.write(body)
            parser.finalize()
        except FormParserError:
            raise ServiceError(
                400, "the form cannot be read; send multipart/form-data as RFC 7578 describes it"
            ) from None
        if not self._is_complete:
            raise ServiceError(400, "the form ends before its last boundary; send all of it")

    def _begin(self) -> None:
        self._headers, self._header_name, self._header_value = {}, bytearray(), bytearray()
        self._content = bytearray()
        if len(self.parts) >= self._max_parts:
            raise ServiceError(413, f"the form has more than {self._max_parts} parts")

    def _read_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _read_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._headers[bytes(self._header_name).lower()] = bytes(self._header_value)
        self._header_name, self._header_value = bytearray(), bytearray()

    def _read_content(self, data: bytes, start: int, end: int) -> None:
        self._content += memoryview(data)[start:end]

    def _end(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        try:
            name = options[b"name"].decode("utf-8")
        except (KeyError, UnicodeDecodeError):
            raise ServiceError(400, "a part of the form has no readable name; write name=... in UTF-8") from None
        if kind != b"form-data":
            raise ServiceError(400, "a part of the form is no form-data; send multipart/form-data")
        self.parts.append(Part(name, bytes(self._content)))
        self._content = bytearray()

    def _finish(self) -> None:
        self._is_complete = True
