"""A heat map over the photo that it is of, as a picture for a page."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from mixed_data.preprocessing.photo_decoding import load_photo

_SIDE = 384  # pixels of the longer side
_STRONGEST = 0.65  # opacity of the largest effect
_RED, _BLUE = (214, 40, 40), (29, 92, 214)


def draw_overlay(photo: bytes, values: np.ndarray, height: int, width: int, resize: str, max_pixels: int) -> str:
    """Paint what lowers the prediction when it is covered red, what raises it blue.

    Args:
        photo: content of its file.
        values: float64 ``(rows, columns)``, effect of each place, see `Heat`.
        height: of the photo as the model sees it; only its ratio to ``width`` counts.
        width: likewise.
        resize: how the model cuts photos to that shape.
        max_pixels: of which more are not decoded.

    Returns:
        a PNG in base64.
    """
    scale = _SIDE / max(height, width)
    height, width = max(1, round(height * scale)), max(1, round(width * scale))
    pixels = load_photo(photo, height, width, resize=resize, max_pixels=max_pixels, remember=False).astype("float64")
    largest = max(float(np.abs(values).max()), 1e-12)
    shares = Image.fromarray((values / largest).astype("float32")).resize((width, height), Image.Resampling.BICUBIC)
    effect = np.clip(np.asarray(shares), -1, 1)[:, :, None]
    colour = np.where(effect > 0, np.array(_RED), np.array(_BLUE))
    opacity = _STRONGEST * np.abs(effect)
    grey = pixels.mean(axis=2, keepdims=True)  # a photo without colour, so that red and blue are the map's
    painted = grey * (1 - opacity) + colour * opacity
    file = io.BytesIO()
    Image.fromarray(painted.round().astype("uint8")).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")
