"""Errors of the service as problem details, which name the field and say what helps.

Reference: RFC 9457, Problem Details for HTTP APIs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from mixed_data.files.checked_json import make_plain

PROBLEM_TYPE = "application/problem+json"
RETRY_SECONDS = 1


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field.

    Attributes:
        field: its name; of a batch with the place of its row, "rows[3].area".
        detail: what was expected, what came, and what helps.
    """

    field: str
    detail: str


class ServiceError(Exception):
    """A request that is not answered as asked.

    Args:
        status: of HTTP.
        detail: what is wrong, in a sentence for people.
        errors: what is wrong with which field.
        headers: of the answer.
    """

    def __init__(
        self, status: int, detail: str, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors, self.headers = status, detail, tuple(errors), dict(headers or {})

    @classmethod
    def of_fields(cls, errors: Sequence[FieldError], status: int = 422) -> ServiceError:
        """Make one problem of what is wrong with some fields."""
        return cls(status, "; ".join(f"{error.field}: {error.detail}" for error in errors), errors)

    @classmethod
    def busy(cls, detail: str) -> ServiceError:
        """Make the problem of a service that has too much to do."""
        return cls(503, detail, headers={"Retry-After": str(RETRY_SECONDS)})

    def to_dict(self) -> dict[str, Any]:
        """Return the members of RFC 9457, and "errors"."""
        found = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        return found | {"errors": [asdict(error) for error in self.errors]}

    def to_response(self, *, is_inference: bool = False) -> JsonResponse:
        """Return the answer.

        Args:
            is_inference: whether the Open Inference Protocol was spoken, whose clients look for "error".
        """
        content = self.to_dict() | ({"error": self.detail} if is_inference else {})
        return JsonResponse(content, self.status, self.headers, PROBLEM_TYPE)


class JsonResponse(Response):
    """JSON in ASCII, which any text can be written in; what is no finite number is null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write the content."""
        return json.dumps(make_plain(content), allow_nan=False).encode("ascii")
