"""Photos as a model sees them, and heat maps over them, as pixels for a page or a picture."""

from __future__ import annotations

import numpy as np
import pandas as pd
from PIL import Image

from mixed_data.explain.hidden_parts import Explained
from mixed_data.preprocessing.photo_decoding import load_photo

RED, BLUE = (214, 40, 40), (29, 92, 214)
"""Of what raises a prediction, and of what lowers it."""

_STRONGEST = 0.65  # opacity of the largest effect


def show_photo(model: Explained, table: pd.DataFrame, view: str, side: int) -> np.ndarray:
    """Decode a photo, cut as the model cuts it, in a size for people.

    Args:
        model: that reads it.
        table: one row, which fits the schema and has the photo.
        view: name of the photo.
        side: of the picture's longer side, in pixels.

    Returns:
        uint8 ``(height, width, 3)``, RGB.
    """
    images, seen = model.preprocessor_.images_, model.read_photo(table, view)[0]
    scale = side / max(seen.shape[:2])
    height, width = (max(1, round(length * scale)) for length in seen.shape[:2])
    if images.montage:
        return np.asarray(Image.fromarray(seen).resize((width, height), Image.Resampling.BICUBIC))
    photo = images.list_photos(table)[0][view]
    return load_photo(photo, height, width, resize=images.resize, max_pixels=images.max_pixels, remember=False)


def paint_heat(photo: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Paint what lowers the prediction when it is covered red, what raises it blue.

    Args:
        photo: uint8 ``(height, width, 3)``, from `show_photo`.
        values: float64 ``(rows, columns)``, effect of each place, see `mixed_data.explain.heat_maps.Heat`.

    Returns:
        uint8 ``(height, width, 3)``.
    """
    height, width = photo.shape[:2]
    largest = max(float(np.abs(values).max()), 1e-12)
    shares = Image.fromarray((values / largest).astype("float32")).resize((width, height), Image.Resampling.BICUBIC)
    effect = np.clip(np.asarray(shares), -1, 1)[:, :, None]
    colour = np.where(effect > 0, np.array(RED), np.array(BLUE))
    opacity = _STRONGEST * np.abs(effect)
    grey = photo.mean(axis=2, keepdims=True)  # a photo without colour, so that red and blue are the map's
    return (grey * (1 - opacity) + colour * opacity).round().astype("uint8")
