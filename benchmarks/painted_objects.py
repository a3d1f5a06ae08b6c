"""Which pixels of a sample photo show the object that raises its price: recorded while the photo is painted again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image

from mixed_data.readers.sample import bathroom, bedroom, front, kitchen
from mixed_data.readers.sample.canvas import Canvas
from mixed_data.readers.sample.drawn_photos import draw_photo
from mixed_data.readers.sample.market import VIEWS

ONE_OBJECT = {
    "front": "_draw_pool",
    "bedroom": "_draw_fireplace",
    "bathroom": "_draw_bathtub",
    "kitchen": "_draw_island",
}
"""View -> painter of the object that is there or not, which is worth something by itself."""

OBJECTS: dict[str, tuple[ModuleType, dict[str, Callable[[Mapping[str, Any]], bool]]]] = {
    "front": (front, {"_draw_pool": lambda traits: bool(traits["pool"])}),
    "bedroom": (
        bedroom,
        {
            "_draw_fireplace": lambda traits: bool(traits["fireplace"]),
            "_draw_window": lambda traits: traits["window_size"] > 0.5,
        },
    ),
    "bathroom": (
        bathroom,
        {
            "_draw_bathtub": lambda traits: bool(traits["bathtub"]),
            "_draw_mirror": lambda traits: traits["bathroom_finish"] >= 2,
            "_draw_basin": lambda traits: traits["bathroom_finish"] >= 2,
        },
    ),
    "kitchen": (
        kitchen,
        {
            "_draw_island": lambda traits: bool(traits["kitchen_island"]),
            "_draw_upper_cabinets": lambda traits: traits["kitchen_finish"] >= 2,
            "_draw_lamps": lambda traits: traits["kitchen_finish"] == 3,
        },
    ),
}
"""View -> its module, and the painters of things with the house for which they show a trait worth more than average."""


def paint_again(
    seed: int, house: int, view: str, factors: Mapping[str, Any], *, painters: Sequence[str], side: int = 96
) -> tuple[Image.Image, np.ndarray]:
    """Paint a photo of the sample once more and see which pixels some things take.

    Args:
        seed: of the sample.
        house: its number.
        view: one of `VIEWS`.
        factors: its hidden factors.
        painters: names of the functions that paint the things.
        side: of the mask in pixels.

    Returns:
        The photo before it is compressed; and bool ``(side, side)``, True where one of the things can be seen.
    """
    masks: list[np.ndarray] = []
    with _recorded(OBJECTS[view][0], painters, masks):
        photo = draw_photo(view, factors, np.random.default_rng([seed, house, VIEWS.index(view)]))
    image = Image.fromarray(masks[0]).resize((side, side), Image.Resampling.NEAREST)
    return photo, np.asarray(image)


@contextmanager
def _recorded(room: ModuleType, painters: Sequence[str], masks: list[np.ndarray]) -> Iterator[None]:
    develop, layers = Canvas.develop, []

    def record(paint: Callable[..., None]) -> Callable[..., None]:
        def recording(canvas: Canvas, *args: Any) -> None:
            before = np.array(canvas._image)
            paint(canvas, *args)
            layers.append((before, np.array(canvas._image)))

        return recording

    def developing(canvas: Canvas) -> Image.Image:
        last = np.asarray(canvas._image)
        seen = np.zeros(last.shape[:2], dtype=bool)
        for before, after in layers:  # what is painted over later is not seen
            seen |= (after != before).any(axis=2) & (last == after).all(axis=2)
        mask = np.asarray(Image.fromarray(255 * seen.astype("uint8")).reduce(3)) > 127
        masks.append(mask[:, ::-1] if canvas._mirrored else mask)
        return develop(canvas)

    with ExitStack() as stack:
        stack.enter_context(patch.object(Canvas, "develop", developing))
        for name in painters:
            stack.enter_context(patch.object(room, name, record(getattr(room, name))))
        yield
