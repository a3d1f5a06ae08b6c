"""The description of the service, made from its bundle: a house and a boat have different forms.

Reference: OpenAPI 3.1.0.
"""

from __future__ import annotations

from typing import Any

from mixed_data import __version__
from mixed_data.serving.open_inference import NUMBERS, TEXT
from mixed_data.serving.problem_details import PROBLEM_TYPE
from mixed_data.serving.request_bodies import FORM_TYPE, JSON_TYPE, MOST
from mixed_data.serving.served_fields import Field, ServedFields
from mixed_data.serving.service_limits import Limits

Json = dict[str, Any]

_TEXTS: Json = {"type": "array", "items": {"type": "string"}}
_NUMBER_OR_NULL: Json = {"type": ["number", "null"]}
_BODY_PROBLEMS = (400, 408, 413, 415, 422, 500, 503)
_MOST_ENUM = 50


def make_openapi(name: str, fields: ServedFields, limits: Limits, *, needs_key: bool) -> Json:
    """Describe the service.

    Args:
        name: of the model.
        fields: of its bundle.
        limits: of the service.
        needs_key: whether requests must bring an API key.

    Returns:
        an OpenAPI document.
    """
    about = _PathMaker(needs_key)
    coverage = _parameter("coverage", "share of true values between lower and upper", 0.9, 0, 1)
    heat: Json = {"name": "heat_map", "in": "query", "description": "photo to draw a heat map over"}
    heat |= {"schema": {"type": "string", "enum": fields.heat_views}}
    bodies = {JSON_TYPE: _ref("Row"), FORM_TYPE: _ref("Form")}
    paths = {
        "/v1/schema": {"get": about.answer("What a row may have, and three made-up ones", {"type": "object"})},
        "/v1/predict": {"post": about.ask("Predict one row", bodies, _ref("Prediction"), [coverage])},
        "/v1/predict/batch": {
            "post": about.ask("Predict rows, each by itself", {JSON_TYPE: _ref("Batch")}, _ref("Answers"), [coverage])
        },
        "/v1/explain": {
            "post": about.ask(
                "Say why", bodies, {"type": "object"}, [coverage, heat] if fields.heat_views else [coverage]
            )
        },
        "/healthz": {"get": about.answer("Whether the process answers", {"type": "object"}, is_open=True)},
        "/readyz": {"get": about.answer("Whether the bundle is read and its golden rows agree", {}, is_open=True)},
        "/metrics": {"get": about.answer("Counts for Prometheus", {"type": "string"}, kind="text/plain")},
        "/v2": {"get": about.answer("Open Inference Protocol: the server", {"type": "object"})},
        "/v2/health/live": {"get": about.answer("Open Inference Protocol: alive", {}, is_open=True)},
        "/v2/health/ready": {"get": about.answer("Open Inference Protocol: ready", {}, is_open=True)},
        f"/v2/models/{name}": {"get": about.answer("Open Inference Protocol: the model", {"type": "object"})},
        f"/v2/models/{name}/ready": {"get": about.answer("Open Inference Protocol: ready", {})},
        f"/v2/models/{name}/infer": {
            "post": about.ask("Open Inference Protocol: predict", {JSON_TYPE: _ref("Inference")}, {"type": "object"})
        },
    }
    target = fields.target
    unit = f" in {target['unit']}" if target["unit"] else ""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Predict {target['label']}",
            "version": __version__,
            "description": f"Predicts {target['label']}{unit} from "
            f"{', '.join(fields.names)}. A field that is not known may be left out.",
        },
        "paths": paths,
        "components": {"schemas": _make_schemas(fields, limits), **about.security()},
    }


class _PathMaker:
    """Writes the description of one endpoint."""

    def __init__(self, needs_key: bool) -> None:
        self._needs_key = needs_key

    def security(self) -> Json:
        if not self._needs_key:
            return {}
        keys = {"bearer": {"type": "http", "scheme": "bearer"}}
        return {"securitySchemes": keys | {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}}

    def answer(self, text: str, schema: Json, *, is_open: bool = False, kind: str = JSON_TYPE) -> Json:
        return self._endpoint(text, schema, kind, (500, 503), is_open)

    def ask(self, text: str, bodies: dict[str, Json], schema: Json, parameters: list[Json] | None = None) -> Json:
        content = {kind: {"schema": body} for kind, body in bodies.items()}
        found = self._endpoint(text, schema, JSON_TYPE, _BODY_PROBLEMS, False)
        found |= {"requestBody": {"required": True, "content": content}}
        return found | ({"parameters": parameters} if parameters else {})

    def _endpoint(self, text: str, schema: Json, kind: str, problems: tuple[int, ...], is_open: bool) -> Json:
        guarded = self._needs_key and not is_open
        refused = {
            str(status): {
                "description": "a problem, which names the field",
                "content": {PROBLEM_TYPE: {"schema": _ref("Problem")}},
            }
            for status in (*problems, *((401,) if guarded else ()))
        }
        answers = {"200": {"description": "the answer", "content": {kind: {"schema": schema}}}} | refused
        found: Json = {"summary": text, "responses": answers}
        return found | ({"security": [{"bearer": []}, {"key": []}]} if guarded else {})


def _make_schemas(fields: ServedFields, limits: Limits) -> Json:
    examples = fields.examples()
    cells = {name: _describe_cell(field, limits) for name, field in fields.fields.items()}
    photo: Json = {"type": "string", "format": "byte", "contentEncoding": "base64"}
    photos = {
        name: {"description": f"photo {name}: the file in base64"} | _one_or_several(photo, count, is_nullable=True)
        for name, count in fields.photos.items()
    }
    files = {
        name: {"description": f"photo {name}: the file"}
        | _one_or_several({"type": "string", "format": "binary"}, count, is_nullable=False)
        for name, count in fields.photos.items()
    }
    row = {"type": "object", "additionalProperties": False, "properties": {**cells, **photos}, "examples": examples}
    texts = {name: _describe_text(cell) for name, cell in cells.items()}
    batch = {"type": "array", "items": _ref("Row"), "minItems": 1, "maxItems": limits.rows}
    return {
        "Row": row,
        "Form": {"type": "object", "additionalProperties": False, "properties": {**texts, **files}},
        "Batch": _object({"rows": batch}, closed=True),
        "Prediction": _object(_describe_prediction()),
        "Answers": _object({"results": {"type": "array", "items": _describe_result()}}),
        "Inference": _describe_inference(fields),
        "Problem": _object(
            {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "errors": {
                    "type": "array",
                    "items": _object({"field": {"type": "string"}, "detail": {"type": "string"}}),
                },
            }
        ),
    }


def _describe_cell(field: Field, limits: Limits) -> Json:
    parts = [field.label + (f", in {field.unit}" if field.unit else "")]
    found: Json = {"examples": [cell for cell in dict.fromkeys(field.examples) if cell is not None]}
    if field.range:
        parts.append(f"training had {_show(field.range[0])} to {_show(field.range[1])}")
    if field.levels:
        parts.append(f"one of {', '.join(field.levels[:_MOST_ENUM])}{' …' if len(field.levels) > _MOST_ENUM else ''}")
    if field.role == "numeric":
        found |= {"type": ["number", "null"], "minimum": -MOST, "maximum": MOST}
    elif field.role == "date":
        found |= {"type": ["string", "null"], "format": "date"}
    else:
        found |= {"type": ["string", "number", "boolean", "null"], "maxLength": limits.text_length}
        found |= {"minimum": -MOST, "maximum": MOST}
    if field.unit:
        found["x-unit"] = field.unit
    return found | {"description": "; ".join(parts)}


def _show(end: Any) -> str:
    return f"{end:.10g}" if isinstance(end, float) else str(end)


def _describe_text(cell: Json) -> Json:
    """Describe a cell in a form, where all is text and nothing is null."""
    kinds = [kind for kind in cell["type"] if kind != "null"]
    return {**cell, "type": kinds[0] if len(kinds) == 1 else "string"}


def _one_or_several(photo: Json, count: int, *, is_nullable: bool) -> Json:
    found = {"type": "array", "items": photo, "maxItems": count} if count > 1 else photo
    return {**found, "type": [found["type"], "null"]} if is_nullable else found


def _describe_prediction() -> Json:
    return {
        "prediction": _NUMBER_OR_NULL,
        "lower": _NUMBER_OR_NULL,
        "upper": _NUMBER_OR_NULL,
        "coverage": _NUMBER_OR_NULL,
        "unit": {"type": "string"},
        "images_used": {"type": "integer"},
        "warnings": _TEXTS,
        "out_of_range": {**_TEXTS, "description": "columns whose value lies outside the training rows"},
        "unseen": {**_TEXTS, "description": "columns whose level stood in no training row"},
    }


def _describe_result() -> Json:
    return _object({"index": {"type": "integer"}, "status": {"type": "integer"}})


def _describe_inference(fields: ServedFields) -> Json:
    tensor = {
        "name": {"type": "string", "enum": fields.names},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": 2},
        "datatype": {"type": "string", "enum": [*NUMBERS, TEXT]},
        "data": {"type": "array"},
    }
    inputs = {"type": "array", "minItems": 1, "items": _object(tensor)}
    outputs = {"type": "array", "items": _object({"name": {"type": "string"}})}
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {"id": {"type": "string"}, "inputs": inputs, "outputs": outputs},
    }


def _object(properties: Json, *, closed: bool = False) -> Json:
    found: Json = {"type": "object", "required": list(properties), "properties": properties}
    return found | ({"additionalProperties": False} if closed else {})


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _parameter(name: str, text: str, default: float, above: float, below: float) -> Json:
    schema = {"type": "number", "exclusiveMinimum": above, "exclusiveMaximum": below, "default": default}
    return {"name": name, "in": "query", "description": text, "schema": schema}
