"""What every request passes: who may ask, what the answer's headers say, and that no error gets out as it is."""

from __future__ import annotations

import hmac
import logging
import time
import traceback
from collections.abc import Collection, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mixed_data.serving.problem_details import ServiceError
from mixed_data.serving.service_metrics import ServiceMetrics

logger = logging.getLogger(__name__)

OPEN_PATHS = ("/", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready")
"""Answered without a key: the page itself, and who asks whether the service is alive. So is /static/."""

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class RequestGuard:
    """Wrap a service, as ASGI middleware.

    Args:
        app: that answers.
        api_key: that requests must bring, as ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``; None for none.
        metrics: that count requests.
        paths: of all endpoints, under which requests are counted; anybody may make others up.
    """

    def __init__(
        self, app: ASGIApp, *, api_key: str | None, metrics: ServiceMetrics, paths: Collection[str] = ()
    ) -> None:
        self._app, self._metrics, self._paths = app, metrics, frozenset(paths)
        self._key = None if api_key is None else api_key.encode("utf-8")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                # The files of the page belong together: a browser asks whether they are still those it has.
                is_static = scope["path"].startswith("/static/")
                headers.setdefault("Cache-Control", "no-cache" if is_static else "no-store")
            await send(message)

        try:
            if problem := self._find_problem(scope):
                await problem.to_response()(scope, receive, send_guarded)
            else:
                await self._app(scope, receive, send_guarded)
        except ClientDisconnect:
            status = status or 499  # as nginx counts a client that went away; nobody reads an answer
        except Exception as error:
            _log_without_values(error)
            if not status:
                problem = ServiceError(500, "something went wrong in the service, not in the request")
                await problem.to_response()(scope, receive, send_guarded)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.count_request(path, status, time.perf_counter() - began)

    def _find_problem(self, scope: Scope) -> ServiceError | None:
        path = scope["path"]
        if self._key is None or path in OPEN_PATHS or path.startswith("/static/"):
            return None
        headers = Headers(scope=scope)
        kind, _, token = headers.get("authorization", "").partition(" ")
        given = headers.get("x-api-key") or (token.strip() if kind.lower() == "bearer" else "")
        if hmac.compare_digest(given.encode("utf-8"), self._key):
            return None
        return ServiceError(
            401,
            "this service wants its key; send it as Authorization: Bearer KEY, or X-API-Key: KEY",
            headers={"WWW-Authenticate": "Bearer"},
        )


def _log_without_values(error: Exception) -> None:
    """Log where an error came from; its message might hold what somebody sent."""
    places = [f"{one.filename}:{one.lineno}" for one in traceback.extract_tb(error.__traceback__)]
    logger.error("%s at %s", type(error).__name__, " < ".join(reversed(places[-8:])))
