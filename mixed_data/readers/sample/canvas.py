"""A canvas for the sample's photos: a camera that is never quite still, light, and a sensor with noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw

PHOTO_SIDE = 96
"""Width and height of a photo in pixels."""

Colour = tuple[int, ...]
"""Red, green, blue, and optionally opacity; each 0 to 255."""

WHITE: Colour = (245, 244, 240)

_OVERSAMPLING = 3
# How each light tints a picture: gains of red, green and blue.
_LIGHTS = {"day": (1.0, 1.0, 1.0), "overcast": (0.91, 0.94, 0.97), "evening": (0.96, 0.86, 0.78)}
_AXIS = np.linspace(-1, 1, PHOTO_SIDE, dtype="float32")
_RIM = (1.03 - 0.08 * (_AXIS[:, None] ** 2 + _AXIS**2))[:, :, None]


class Canvas:
    """Draws in scene units and develops the result into a photo.

    The scene is 100 x 100 units, x to the right, y down; shapes may reach beyond it. Light, zoom, shift, mirroring,
    brightness and noise are drawn from ``random``: they are nuisance and say nothing about the house.

    Args:
        random: the photo's own random stream; the painters take from it what is worth nothing, too.
    """

    def __init__(self, random: np.random.Generator):
        self.light = str(random.choice(list(_LIGHTS), p=[0.65, 0.15, 0.2]))
        self.is_evening = self.light == "evening"  # windows are dark from inside and lit from outside
        side = PHOTO_SIDE * _OVERSAMPLING
        self.random = random
        self._zoom = random.uniform(0.96, 1.05) * side / 100
        self._centre = side / 2 + random.uniform(-0.025, 0.025, 2) * side
        self._mirrored = random.random() < 0.3
        self._image = Image.new("RGB", (side, side))
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def pick(self, colours: Sequence[Colour]) -> Colour:
        """Return one of the colours, a little varied."""
        colour = colours[int(self.random.integers(len(colours)))]
        varied = np.clip(np.rint(colour + self.random.normal(0, 6, 3)), 0, 255)
        return tuple(int(value) for value in varied)

    def scatter(self, num: int, x0: float, x1: float, y0: float, y1: float) -> Iterator[tuple[float, float]]:
        """Yield points at random, x from x0 to x1, y from y0 to y1."""
        for _ in range(num):
            yield self.random.uniform(x0, x1), self.random.uniform(y0, y1)

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, fill: Colour, radius: float = 0) -> None:
        """Fill a rectangle, with rounded corners when a radius is given."""
        box = [*self._pixel(x0, y0), *self._pixel(x1, y1)]
        if radius:
            self._draw.rounded_rectangle(box, radius * self._zoom, fill)
        else:
            self._draw.rectangle(box, fill)

    def ellipse(self, x0: float, y0: float, x1: float, y1: float, fill: Colour) -> None:
        """Fill the ellipse inside a box."""
        self._draw.ellipse([*self._pixel(x0, y0), *self._pixel(x1, y1)], fill)

    def polygon(self, points: Sequence[tuple[float, float]], fill: Colour) -> None:
        """Fill a polygon."""
        self._draw.polygon([self._pixel(x, y) for x, y in points], fill)

    def line(self, points: Sequence[tuple[float, float]], fill: Colour, width: float) -> None:
        """Draw a line of a width in scene units."""
        pixels = [self._pixel(x, y) for x, y in points]
        self._draw.line(pixels, fill, max(1, round(width * self._zoom)), joint="curve")

    def gradient(self, x0: float, y0: float, x1: float, y1: float, top: Colour, bottom: Colour) -> None:
        """Fill a rectangle with colours that go from one at its top to another at its bottom."""
        left, upper = (int(value) for value in self._pixel(x0, y0))
        right, lower = (int(value) for value in self._pixel(x1, y1))
        pair = Image.new("RGB", (1, 2), top[:3])
        pair.putpixel((0, 1), bottom[:3])
        column = pair.resize((1, lower - upper), Image.Resampling.BILINEAR)
        filling = column.resize((right - left, lower - upper), Image.Resampling.NEAREST)
        self._image.paste(filling, (left, upper))

    def develop(self) -> Image.Image:
        """Return the photo: (96, 96) RGB with its light, a darker rim and noise."""
        photo = self._image.reduce(_OVERSAMPLING)
        if self._mirrored:
            photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        tint = np.array(_LIGHTS[self.light], dtype="float32") * np.float32(self.random.uniform(0.93, 1.06))
        noise = self.random.standard_normal((PHOTO_SIDE, PHOTO_SIDE, 1), dtype="float32")
        noise *= np.float32(self.random.uniform(1, 2.5))
        pixels = np.asarray(photo, dtype="float32") * (tint * _RIM) + noise
        return Image.fromarray(np.clip(pixels, 0, 255).astype("uint8"))

    def _pixel(self, x: float, y: float) -> tuple[float, float]:
        return self._centre[0] + (x - 50) * self._zoom, self._centre[1] + (y - 50) * self._zoom


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return a colour between two: ``share`` 0 is the first, 1 the second."""
    return tuple(round(a + (b - a) * share) for a, b in zip(first[:3], second[:3], strict=True))


def shade(colour: Colour, factor: float) -> Colour:
    """Return a colour made darker (factor below 1) or lighter (above 1)."""
    return tuple(min(255, round(value * factor)) for value in colour[:3])


def steps(start: float, stop: float, step: float) -> list[float]:
    """Return evenly spaced coordinates from ``start`` to before ``stop``."""
    return [float(value) for value in np.arange(start, stop, step)]
