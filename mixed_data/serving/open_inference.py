"""The Open Inference Protocol, version 2, over the same rows: what KServe and its clients speak.

Reference: https://github.com/kserve/open-inference-protocol, REST.
"""

from __future__ import annotations

from math import prod
from typing import Any

from mixed_data import __version__
from mixed_data.serving.answered_rows import Answered
from mixed_data.serving.problem_details import FieldError, ServiceError
from mixed_data.serving.request_bodies import Row, read_row
from mixed_data.serving.served_fields import ServedFields
from mixed_data.serving.service_limits import Limits

NUMBERS = ("FP64", "FP32", "FP16", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8")
TEXT = "BYTES"
_OUTPUTS = {"prediction": "FP64", "lower": "FP64", "upper": "FP64", "images_used": "INT64", "warnings": TEXT}


def describe_server() -> dict[str, Any]:
    """Return the metadata of the server."""
    return {"name": "mixed_data", "version": __version__, "extensions": []}


def describe_model(name: str, fields: ServedFields, *, has_intervals: bool) -> dict[str, Any]:
    """Return the metadata of the model: its inputs and outputs."""
    inputs = [_describe(column, _type_of(field.role), [-1]) for column, field in fields.fields.items()]
    photos = [
        _describe(column, TEXT, [-1, count] if count > 1 else [-1]) | {"parameters": {"content_type": "base64"}}
        for column, count in fields.photos.items()
    ]
    outputs = [_describe(output, _OUTPUTS[output], [-1]) for output in _name_outputs(has_intervals)]
    return {"name": name, "versions": ["1"], "platform": "onnx", "inputs": [*inputs, *photos], "outputs": outputs}


def read_inference(request: Any, fields: ServedFields, limits: Limits) -> list[Row]:
    """Read the rows of an inference request: one tensor per column, numbers FP64, texts and photos (base64) BYTES.

    Columns without a tensor are missing, and so are null and, for a photo, an empty text.

    Raises:
        ServiceError: the request is none, a tensor does not fit its column, or its shape not its data.
    """
    inputs = request.get("inputs") if isinstance(request, dict) else None
    if not isinstance(inputs, list) or not inputs:
        raise ServiceError.of_fields(
            [FieldError("inputs", "expected a list of tensors with name, shape, datatype, data")]
        )
    columns: dict[str, list[Any]] = {}
    for place, tensor in enumerate(inputs):
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if not isinstance(name, str) or name not in fields.names or name in columns:
            known = ", ".join(fields.names)
            raise ServiceError.of_fields(
                [FieldError(f"inputs[{place}].name", f"expected one of {known}, each once"[:500])]
            )
        columns[name] = _read_tensor(tensor, f"inputs[{place}]", name, fields, limits)
    counts = {len(cells) for cells in columns.values()}
    if len(counts) > 1:
        raise ServiceError.of_fields(
            [FieldError("inputs", f"the tensors have different numbers of rows: {sorted(counts)}")]
        )
    num_rows = counts.pop()
    cells = [{name: column[row] for name, column in columns.items()} for row in range(num_rows)]
    return [read_row(row, fields, limits, f"rows[{place}]") for place, row in enumerate(cells)]


def write_inference(name: str, request: Any, answered: Answered, *, has_intervals: bool) -> dict[str, Any]:
    """Return the answer to an inference request.

    Raises:
        ServiceError: a row cannot be predicted (the protocol knows no answers to single rows), or an unknown output is
            asked for.
    """
    errors = [
        FieldError(f"rows[{place}].{error.field}", error.detail)
        for place, row in enumerate(answered.rows)
        if isinstance(row, ServiceError)
        for error in row.errors
    ]
    if errors:
        raise ServiceError.of_fields(errors)
    rows = [row for row in answered.rows if not isinstance(row, ServiceError)]
    values = {output: [row[output] for row in rows] for output in _OUTPUTS}
    values["warnings"] = ["; ".join(texts) for texts in values["warnings"]]
    outputs = [
        _describe(output, _OUTPUTS[output], [len(rows)]) | {"data": values[output]}
        for output in read_outputs(request, has_intervals=has_intervals)
    ]
    answer = {"model_name": name, "model_version": "1", "outputs": outputs}
    return answer | ({"id": request["id"]} if "id" in request else {})


def read_outputs(request: Any, *, has_intervals: bool) -> list[str]:
    """Return the names of the outputs that are asked for, all where nothing is said.

    Raises:
        ServiceError: one is unknown, or the request's id is no text.
    """
    if not isinstance(request.get("id", ""), str):
        raise ServiceError.of_fields([FieldError("id", "expected a text")])
    known, asked = _name_outputs(has_intervals), request.get("outputs")
    if asked is None:
        return known
    names = [one.get("name") if isinstance(one, dict) else None for one in asked] if isinstance(asked, list) else [None]
    if any(name not in known for name in names if isinstance(name, str)) or not all(
        isinstance(name, str) for name in names
    ):
        raise ServiceError.of_fields([FieldError("outputs", f"expected a list of tensors named {', '.join(known)}")])
    return [str(name) for name in names]


def _name_outputs(has_intervals: bool) -> list[str]:
    return [name for name in _OUTPUTS if has_intervals or name not in ("lower", "upper")]


def _type_of(role: str) -> str:
    return "FP64" if role == "numeric" else TEXT


def _describe(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}


def _read_tensor(tensor: dict[str, Any], place: str, name: str, fields: ServedFields, limits: Limits) -> list[Any]:
    """Return the cells of a column."""
    is_photo = name in fields.photos
    datatype, shape = tensor.get("datatype"), tensor.get("shape", [])
    types = NUMBERS if not is_photo and fields.fields[name].role == "numeric" else (TEXT,)
    if datatype not in types:
        raise ServiceError.of_fields([FieldError(f"{place}.datatype", f"{name} is expected as {types[0]}")])
    most = fields.photos.get(name, 1)
    if not _is_shape(shape, most, limits):
        rows = f"[n], or [n, m] with m of 1 to {most}, n of 1 to {limits.rows}"
        raise ServiceError.of_fields([FieldError(f"{place}.shape", f"expected {rows}")])
    data = _flatten(tensor.get("data"))
    if data is None or len(data) != prod(shape):
        raise ServiceError.of_fields(
            [FieldError(f"{place}.data", f"expected a list of {prod(shape)} values, as shape says")]
        )
    if not is_photo:
        return data
    width = shape[1] if len(shape) == 2 else 1
    rows_of = [data[start : start + width] for start in range(0, len(data), width)]
    return [[photo for photo in photos if photo not in (None, "")] for photos in rows_of]


def _is_shape(shape: Any, most: int, limits: Limits) -> bool:
    if not isinstance(shape, list) or not 1 <= len(shape) <= 2:
        return False
    if not all(isinstance(side, int) and not isinstance(side, bool) for side in shape):
        return False
    return 1 <= shape[0] <= limits.rows and (len(shape) == 1 or 1 <= shape[1] <= most)


def _flatten(data: Any) -> list[Any] | None:
    """Return the values of a list, or of a list of lists."""
    if not isinstance(data, list):
        return None
    return [one for inner in data for one in (inner if isinstance(inner, list) else [inner])]
