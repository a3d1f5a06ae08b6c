"""What one request, and all of them together, may cost."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Limits:
    """Limits of a service. What goes beyond them is refused.

    Args:
        body_bytes: of one request.
        photo_bytes: of one photo, as a file.
        photo_pixels: width x height of one photo; the bundle's own limit holds beside it.
        photos: of one request.
        rows: of one batch.
        text_length: characters of one cell.
        seconds: until a body has arrived, and again until it is answered.
        requests: that are under way at a time; a further one is told to come again.
        threads: that compute.

    Raises:
        ValueError: one is not positive.
    """

    body_bytes: int = 32 * 2**20
    photo_bytes: int = 16 * 2**20
    photo_pixels: int = 50_000_000
    photos: int = 256
    rows: int = 256
    text_length: int = 1000
    seconds: float = 60.0
    requests: int = 32
    threads: int = 2

    def __post_init__(self) -> None:
        if wrong := [f"{one.name}={getattr(self, one.name)}" for one in fields(self) if getattr(self, one.name) <= 0]:
            raise ValueError(f"limits of a service must be positive, got {', '.join(wrong)}")
