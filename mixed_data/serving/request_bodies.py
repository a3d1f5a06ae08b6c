"""From the body of a request to rows: each a dict of cells, photos as bytes."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from mixed_data.files.checked_json import parse_json
from mixed_data.schema.photo_texts import decode_photo, find_base64
from mixed_data.serving.memory_forms import FormReader
from mixed_data.serving.problem_details import FieldError, ServiceError
from mixed_data.serving.served_fields import ServedFields
from mixed_data.serving.service_limits import Limits

JSON_TYPE, FORM_TYPE = "application/json", "multipart/form-data"
_LINE_END = re.compile(r"\r\n|\r|\n")

MOST = 3.4e38
"""About the largest number of float32, which networks compute with."""

Row = dict[str, Any]
"""Name of a column -> text, number, truth value or None; of an image column -> list of bytes."""


async def read_body(request: Request, limits: Limits) -> bytes:
    """Read the body of a request, in memory.

    Raises:
        ServiceError: it is too large (413), or takes too long to arrive (408).
    """
    too_large = ServiceError(
        413, f"the body is larger than {limits.body_bytes:,} bytes; send smaller photos or fewer rows"
    )
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced) > limits.body_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.body_bytes:
                    raise too_large
    except TimeoutError:
        raise ServiceError(408, f"the body did not arrive within {limits.seconds:g} seconds; send it again") from None
    return bytes(body)


def check_type(request: Request, *accepted: str) -> tuple[str, bytes]:
    """Return the type of a body, and the boundary of a form.

    Raises:
        ServiceError: the type is none of those that are accepted (415), or a form has no boundary (400).
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    name = kind.decode("latin-1")
    if name not in accepted:
        raise ServiceError(
            415,
            f"expected a body of type {' or '.join(accepted)}, got {name[:80]!r}; set Content-Type",
            headers={"Accept-Post": ", ".join(accepted)},
        )
    boundary = options.get(b"boundary", b"")
    if name == FORM_TYPE and not 1 <= len(boundary) <= 70:
        raise ServiceError(400, "the form has no boundary of 1 to 70 characters; let the client set Content-Type")
    return name, boundary


def read_json(body: bytes) -> Any:
    """Read a body of JSON.

    Raises:
        ServiceError: it is none, or holds NaN or Infinity.
    """
    try:
        return parse_json(body)
    except ValueError as error:
        raise ServiceError(
            400, f"the body is no JSON that is read: {error!s:.200}; check brackets and quotes, and write null for NaN"
        ) from None


def read_row(value: Any, fields: ServedFields, limits: Limits, place: str = "") -> Row:
    """Read one row of JSON: numbers, texts, and photos in base64.

    Args:
        value: as `read_json` gives it.
        fields: that there are.
        limits: of photos and texts.
        place: of the row, for messages: "rows[3]".

    Raises:
        ServiceError: it is no object, or a field is unknown or cannot be read.
    """
    if not isinstance(value, dict):
        raise ServiceError.of_fields([FieldError(place or "body", "expected an object of field to value")])
    errors, row, status = _find_unknown(value, fields), {}, 422
    for name in fields.names:
        try:
            row[name] = _read_value(name, value.get(name), fields, limits)
        except ServiceError as problem:
            errors.append(FieldError(name, problem.detail))
            status = 413 if problem.status == 413 else status
    if errors:
        where = f"{place}." if place else ""
        raise ServiceError.of_fields([FieldError(f"{where}{error.field}", error.detail) for error in errors], status)
    return row


def read_form(body: bytes, boundary: bytes, fields: ServedFields, limits: Limits) -> Row:
    """Read one row of a form: texts, and photos as files, several of them under one name.

    Raises:
        ServiceError: it is no form, or a field is unknown or cannot be read.
    """
    parts = FormReader(body, boundary, max_parts=limits.photos + len(fields.fields)).parts
    row: Row = {name: [] if name in fields.photos else None for name in fields.names}
    known = {_write_as_browsers(name): name for name in fields.names}
    names = [known.get(part.name, part.name) for part in parts]
    errors, seen, status = _find_unknown(dict.fromkeys(names), fields), set(), 422
    for name, part in zip(names, parts, strict=True):
        if name in fields.photos:
            if len(part.content) > limits.photo_bytes:
                errors.append(FieldError(name, _too_many_bytes(limits)))
                status = 413
            elif part.content:  # an empty one is what a browser sends where no file was chosen
                row[name].append(part.content)
        elif name in fields.fields:
            try:
                row[name] = _check_text(part.content.decode("utf-8"), limits)
            except UnicodeDecodeError:
                errors.append(FieldError(name, "expected text in UTF-8"))
            except ServiceError as problem:
                errors.append(FieldError(name, problem.detail))
            if name in seen:
                errors.append(FieldError(name, "is there twice; send it once"))
            seen.add(name)
    errors += [FieldError(name, _too_many(fields, name)) for name in fields.photos if _has_more(row, fields, name)]
    if errors:
        raise ServiceError.of_fields(errors, status)
    return row


def _write_as_browsers(name: str) -> str:
    """Write the name of a field as browsers do in a form (WHATWG HTML, "multipart/form-data encoding algorithm")."""
    return _LINE_END.sub("%0D%0A", name).replace('"', "%22")


def count_photos(rows: list[Row], fields: ServedFields) -> int:
    """Count the photos of rows."""
    return sum(len(row[name]) for row in rows for name in fields.photos)


def _find_unknown(names: dict[str, Any], fields: ServedFields) -> list[FieldError]:
    known = ", ".join(fields.names)
    return [FieldError(name[:80], f"is unknown; there are {known}"[:500]) for name in names if name not in fields.names]


def _read_value(name: str, value: Any, fields: ServedFields, limits: Limits) -> Any:
    if name in fields.photos:
        values = value if isinstance(value, list) else [] if value is None else [value]
        if len(values) > fields.photos[name]:
            raise ServiceError(422, _too_many(fields, name))
        return [_read_base64(one, limits) for one in values]
    role = fields.fields[name].role
    if value is None:
        return None
    if role == "numeric":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ServiceError(422, "expected a number, or null where it is not known")
        return float(_check_size(value))
    if isinstance(value, str):
        return _check_text(value, limits)
    if role == "date" or not isinstance(value, bool | int | float):
        raise ServiceError(422, "expected a text, or null where it is not known")
    return _check_size(value)


def _check_size(value: float) -> float:
    if not abs(value) <= MOST:
        raise ServiceError(422, f"expected a number between {-MOST:.1e} and {MOST:.1e}")
    return value


def _check_text(text: str, limits: Limits) -> str:
    if len(text) > limits.text_length:
        raise ServiceError(422, f"expected at most {limits.text_length:,} characters, got {len(text):,}")
    return text


def _read_base64(value: Any, limits: Limits) -> bytes:
    wanted = "expected a photo's file in base64, or a data: address with one"
    if not isinstance(value, str):
        raise ServiceError(422, wanted)
    text = find_base64(value)
    if len(text) * 3 // 4 > limits.photo_bytes + 2:
        raise ServiceError(413, _too_many_bytes(limits))
    try:
        photo = decode_photo(text)
    except ValueError as error:
        raise ServiceError(422, str(error)) from None
    if not photo:
        raise ServiceError(422, f"{wanted}, got nothing; leave it out where there is no photo")
    return photo


def _has_more(row: Row, fields: ServedFields, name: str) -> bool:
    return len(row[name]) > fields.photos[name]


def _too_many(fields: ServedFields, name: str) -> str:
    count = fields.photos[name]
    return f"expected at most {count} photo{'' if count == 1 else 's'}; leave some out"


def _too_many_bytes(limits: Limits) -> str:
    return f"the photo is larger than {limits.photo_bytes:,} bytes; make it smaller"
