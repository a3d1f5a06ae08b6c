"""The service: its endpoints, each of which reads a request, has it computed, and answers."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from mixed_data.runtime import Predictor
from mixed_data.serving import open_inference
from mixed_data.serving.answered_rows import Answered, RowAnswerer
from mixed_data.serving.guarded_work import Workers
from mixed_data.serving.openapi_document import make_openapi
from mixed_data.serving.problem_details import FieldError, JsonResponse, ServiceError
from mixed_data.serving.request_bodies import (
    FORM_TYPE,
    JSON_TYPE,
    Row,
    check_type,
    count_photos,
    read_body,
    read_form,
    read_json,
    read_row,
)
from mixed_data.serving.request_guard import RequestGuard
from mixed_data.serving.served_fields import ServedFields
from mixed_data.serving.service_limits import Limits
from mixed_data.serving.service_metrics import METRICS_TYPE, ServiceMetrics

_COVERAGE = 0.9
_Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(
    predictor: Predictor, *, limits: Limits | None = None, api_key: str | None = None, name: str = "mixed_data"
) -> FastAPI:
    """Make the service of a bundle, an ASGI application.

    Nothing that is sent is written to a disk or a log, and no photo is remembered.

    Args:
        predictor: of the bundle, whose golden rows were predicted when it was read.
        limits: of size, number and time.
        api_key: that requests must bring; None for none.
        name: of the model in the Open Inference Protocol.

    Returns:
        the application; `uvicorn.run` serves it.

    Raises:
        ValueError: the key is empty.

    Example:
        >>> app = make_app(Predictor("runs/my-run/bundle"))
        >>> uvicorn.run(app, host="127.0.0.1", port=8000)
    """
    if api_key is not None and not api_key.strip():
        raise ValueError("the API key is empty; give one, or none at all")
    service = _Service(predictor, limits or Limits(), name)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.workers.close()

    app = FastAPI(title="mixed_data", openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.service = service
    document = make_openapi(name, service.fields, service.limits, needs_key=api_key is not None)
    get: dict[str, _Endpoint] = {
        "/v1/schema": _always(service.fields.to_dict() | {"limits": _describe_limits(service.limits)}),
        "/openapi.json": _always(document),
        "/healthz": _always({"status": "alive"}),
        "/readyz": _always({"status": "ready"}),
        "/metrics": service.write_metrics,
        "/v2": _always(open_inference.describe_server()),
        "/v2/health/live": _always({"live": True}),
        "/v2/health/ready": _always({"ready": True}),
        f"/v2/models/{name}": _always(
            open_inference.describe_model(name, service.fields, has_intervals=predictor.has_intervals)
        ),
        f"/v2/models/{name}/ready": _always({"name": name, "ready": True}),
    }
    post: dict[str, _Endpoint] = {
        "/v1/predict": service.predict,
        "/v1/predict/batch": service.predict_batch,
        "/v1/explain": service.explain,
        f"/v2/models/{name}/infer": service.infer,
    }
    for path, endpoint in get.items():
        app.add_route(path, endpoint, methods=["GET"])
    for path, endpoint in post.items():
        app.add_route(path, endpoint, methods=["POST"])
    _add_page(app)
    app.add_exception_handler(ServiceError, _answer_problem)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_middleware(RequestGuard, api_key=api_key, metrics=service.metrics, paths={"/", *get, *post})
    return app


class _Service:
    """What the endpoints share."""

    def __init__(self, predictor: Predictor, limits: Limits, name: str) -> None:
        self.limits, self._name, self._has_intervals = limits, name, predictor.has_intervals
        self.fields = ServedFields(predictor)
        self.metrics = ServiceMetrics(self.fields)
        self.workers = Workers(limits)
        self._answerer = RowAnswerer(predictor, self.fields, limits)

    async def predict(self, request: Request) -> Response:
        """Answer one row."""
        coverage = _read_coverage(request)

        def work(row: Row) -> Answered:
            return self._answerer.predict([row], coverage)

        answered = await self._with_row(request, work)
        self.metrics.count_rows(answered)
        (answer,) = answered.rows
        if isinstance(answer, ServiceError):
            raise answer
        return JsonResponse(answer)

    async def predict_batch(self, request: Request) -> Response:
        """Answer rows in their order, each with a status of its own."""
        coverage = _read_coverage(request)
        check_type(request, JSON_TYPE)
        with self.workers.admit():
            body = await read_body(request, self.limits)
            answered = await self.workers.run(self._predict_batch, body, coverage)
        self.metrics.count_rows(answered)
        return JsonResponse({"results": [_number(place, row) for place, row in enumerate(answered.rows)]})

    def _predict_batch(self, body: bytes, coverage: float) -> Answered:
        content = read_json(body)
        rows = content.get("rows") if isinstance(content, dict) and list(content) == ["rows"] else None
        if not isinstance(rows, list) or not 1 <= len(rows) <= self.limits.rows:
            wanted = f'expected {{"rows": [...]}} with 1 to {self.limits.rows} rows and nothing beside it'
            raise ServiceError.of_fields([FieldError("rows", wanted)])
        found: list[Row | ServiceError] = []
        for place, row in enumerate(rows):
            try:
                found.append(read_row(row, self.fields, self.limits, f"rows[{place}]"))
            except ServiceError as problem:
                found.append(problem)
        self._check_photos([row for row in found if not isinstance(row, ServiceError)])
        return self._answerer.predict(found, coverage)

    async def explain(self, request: Request) -> Response:
        """Say why one row is predicted as it is."""
        coverage, view = _read_coverage(request), request.query_params.get("heat_map")
        if view is not None and view not in self.fields.heat_views:
            known = ", ".join(self.fields.heat_views) or "none"
            raise ServiceError.of_fields([FieldError("heat_map", f"expected a photo of {known}"[:500])])

        def work(row: Row) -> dict[str, Any]:
            return self._answerer.explain(row, coverage, view)

        return JsonResponse(await self._with_row(request, work))

    async def infer(self, request: Request) -> Response:
        """Answer rows in the Open Inference Protocol."""
        check_type(request, JSON_TYPE)
        with self.workers.admit():
            body = await read_body(request, self.limits)
            content, answered = await self.workers.run(self._infer, body)
        self.metrics.count_rows(answered)
        return JsonResponse(
            open_inference.write_inference(self._name, content, answered, has_intervals=self._has_intervals)
        )

    def _infer(self, body: bytes) -> tuple[Any, Answered]:
        content = read_json(body)
        rows = open_inference.read_inference(content, self.fields, self.limits)
        open_inference.read_outputs(content, has_intervals=self._has_intervals)
        self._check_photos(rows)
        return content, self._answerer.predict(rows, _COVERAGE)

    async def write_metrics(self, request: Request) -> Response:
        """Answer all counts."""
        return Response(self.metrics.write(), media_type=METRICS_TYPE)

    async def _with_row(self, request: Request, work: Callable[[Row], Any]) -> Any:
        """Read one row of either type of body, and have work done on it."""
        kind, boundary = check_type(request, JSON_TYPE, FORM_TYPE)
        with self.workers.admit():
            body = await read_body(request, self.limits)
            return await self.workers.run(self._read_and_work, kind, body, boundary, work)

    def _read_and_work(self, kind: str, body: bytes, boundary: bytes, work: Callable[[Row], Any]) -> Any:
        if kind == FORM_TYPE:
            row = read_form(body, boundary, self.fields, self.limits)
        else:
            row = read_row(read_json(body), self.fields, self.limits)
        self._check_photos([row])
        return work(row)

    def _check_photos(self, rows: list[Row]) -> None:
        if (count := count_photos(rows, self.fields)) > self.limits.photos:
            raise ServiceError(
                413, f"{count} photos are more than {self.limits.photos} in one request; send fewer rows"
            )


def _number(place: int, row: dict[str, Any] | ServiceError) -> dict[str, Any]:
    if isinstance(row, ServiceError):
        return {"index": place, "status": row.status, "problem": row.to_dict()}
    return {"index": place, "status": 200, **row}


def _read_coverage(request: Request) -> float:
    text = request.query_params.get("coverage")
    try:
        coverage = _COVERAGE if text is None else float(text)
    except ValueError:
        coverage = math.nan
    if not 0 < coverage < 1:
        raise ServiceError.of_fields([FieldError("coverage", "expected a share above 0 and below 1, such as 0.9")])
    return coverage


def _always(content: dict[str, Any]) -> _Endpoint:
    response = JsonResponse(content)

    async def answer(request: Request) -> Response:
        return Response(response.body, media_type=JSON_TYPE)

    return answer


def _describe_limits(limits: Limits) -> dict[str, int]:
    """Return what the page checks before it sends photos: a browser does not read an answer while it sends."""
    return {"body_bytes": limits.body_bytes, "photo_bytes": limits.photo_bytes}


def _add_page(app: FastAPI) -> None:
    folder = str(files("mixed_data.serving") / "static")

    async def show_page(request: Request) -> Response:
        return FileResponse(f"{folder}/index.html", media_type="text/html")

    app.add_route("/", show_page, methods=["GET"])
    app.mount("/static", StaticFiles(directory=folder))


def _is_inference(request: Request) -> bool:
    return request.url.path.startswith("/v2")


async def _answer_problem(request: Request, problem: Exception) -> Response:
    if not isinstance(problem, ServiceError):
        raise problem
    return problem.to_response(is_inference=_is_inference(request))


async def _answer_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    detail = {
        404: "there is nothing at this address; /openapi.json lists what there is",
        405: "this address does not take this method; see Allow",
    }.get(error.status_code, HTTPStatus(error.status_code).phrase)
    problem = ServiceError(error.status_code, detail, headers=error.headers)
    return problem.to_response(is_inference=_is_inference(request))
