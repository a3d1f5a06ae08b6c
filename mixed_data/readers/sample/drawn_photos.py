"""Drawing the photos of sample houses, in all processors at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from mixed_data.files.progress import track
from mixed_data.readers.sample.bathroom import draw_bathroom
from mixed_data.readers.sample.bedroom import draw_bedroom
from mixed_data.readers.sample.canvas import Canvas
from mixed_data.readers.sample.front import draw_front
from mixed_data.readers.sample.kitchen import draw_kitchen
from mixed_data.readers.sample.market import FACTORS, VIEWS

_PAINTERS: dict[str, Callable[..., None]] = {
    "front": draw_front,
    "bedroom": draw_bedroom,
    "bathroom": draw_bathroom,
    "kitchen": draw_kitchen,
}
_FACTORS_OF_VIEW = {view: [factor.name for factor in FACTORS if factor.view == view] for view in VIEWS}
_HOUSES_PER_FOLDER = 1_000
_HOUSES_PER_TASK = 50


def photo_path(house: int, view: str) -> str:
    """Return the path of a photo, relative to the sample's folder; a thousand houses share a sub-folder."""
    return f"photos/{house // _HOUSES_PER_FOLDER:03d}/{house:06d}_{view}.jpg"


def draw_photo(view: str, factors: Mapping[str, Any], random: np.random.Generator) -> Image.Image:
    """Draw one photo.

    Args:
        view: one of ``VIEWS``.
        factors: the house's hidden factors; those of other views are ignored.
        random: where everything that says nothing about the house comes from.

    Returns:
        (96, 96) RGB.
    """
    canvas = Canvas(random)
    _PAINTERS[view](canvas, **{name: factors[name] for name in _FACTORS_OF_VIEW[view]})
    return canvas.develop()


def write_photos(
    folder: Path, factors: pd.DataFrame, missing_photos: pd.DataFrame, *, seed: int, parallel: Any
) -> None:
    """Draw the photos of houses into files, each photo from a random stream of its own.

    Args:
        folder: the sample's folder.
        factors: hidden factors, indexed by the number of the house.
        missing_photos: bool, likewise indexed, one column per view: True where no photo is to be drawn.
        seed: the sample's seed.
        parallel: the worker processes, which return a generator.
    """
    for subfolder in {Path(photo_path(house, VIEWS[0])).parent for house in factors.index}:
        (folder / subfolder).mkdir(parents=True, exist_ok=True)
    parts = [slice(start, start + _HOUSES_PER_TASK) for start in range(0, len(factors), _HOUSES_PER_TASK)]
    from joblib import delayed

    drawn = parallel(
        delayed(_write_part)(folder, factors.iloc[part], missing_photos.iloc[part], seed) for part in parts
    )
    for _ in track(drawn, "drawing the sample, once", len(parts)):
        pass


def _write_part(folder: Path, factors: pd.DataFrame, missing_photos: pd.DataFrame, seed: int) -> None:
    for house, traits in factors.to_dict("index").items():
        for position, view in enumerate(VIEWS):
            if not missing_photos.at[house, view]:
                random = np.random.default_rng([seed, house, position])
                photo = draw_photo(view, traits, random)
                # A varying quality keeps the size of the file from telling what the picture shows.
                photo.save(folder / photo_path(house, view), "JPEG", quality=int(random.integers(76, 96)))
