"""Numbers for whoever watches the service, as Prometheus reads them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest

from mixed_data.serving.answered_rows import Answered
from mixed_data.serving.problem_details import ServiceError
from mixed_data.serving.served_fields import ServedFields

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class ServiceMetrics:
    """Counts of one service. A share is the ratio of two: missing photos / rows.

    No value of a row is ever a label; the columns are those of the bundle.

    Args:
        fields: of the bundle.
    """

    def __init__(self, fields: ServedFields) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = self._count("requests", "requests answered", "path", "status")
        self._seconds = Histogram(
            "mixed_data_request_seconds",
            "seconds from the head of a request to the end of its answer",
            ["path"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._rows = self._count("rows", "rows by what came of them", "outcome")
        self._missing = self._count("missing_photos", "rows without a photo of this column", "column")
        self._unseen = self._count("unseen_levels", "rows whose level stood in no training row", "column")
        self._outside = self._count("out_of_range", "rows whose value lies outside the training rows", "column")
        for name in fields.photos:
            self._missing.labels(name)
        for name, field in fields.fields.items():
            if field.is_used:
                (self._outside if field.range else self._unseen).labels(name)
        for outcome in ("answered", "refused"):
            self._rows.labels(outcome)

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count one request by the path of its endpoint."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def count_rows(self, answered: Answered) -> None:
        """Count rows, and what they lacked."""
        notes = zip(answered.rows, answered.missing, answered.unseen, answered.out_of_range, strict=True)
        for row, missing, unseen, outside in notes:
            self._rows.labels("refused" if isinstance(row, ServiceError) else "answered").inc()
            for counter, names in ((self._missing, missing), (self._unseen, unseen), (self._outside, outside)):
                for name in names:
                    counter.labels(name).inc()

    def write(self) -> bytes:
        """Return all counts as text."""
        return generate_latest(self._registry)

    def _count(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"mixed_data_{name}", text, labels, registry=self._registry)
