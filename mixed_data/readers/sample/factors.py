"""What only the pictures of a sample house show: its hidden factors and what they are worth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

VIEWS = ("front", "bedroom", "bathroom", "kitchen")
"""The four photos of a house; the table's columns are ``front_photo``, ``bedroom_photo``, ..."""

PHOTO_SD = 0.36
"""Standard deviation of the photo term of the log price, a quarter of its variance from each view."""

MISSING_PHOTO_SHARE = 0.02
"""Share of houses that lack one of their four photos, whichever, completely at random."""


@dataclass(frozen=True)
class Factor:
    """A hidden trait of a house that one of its pictures shows and no column tells.

    Args:
        name: what it is; also the keyword under which the view's painter expects it.
        view: the one photo that shows it.
        share: its share of the variance of that view's worth.
        chances: value -> probability; empty for a trait that is uniform between 0 and 1.
    """

    name: str
    view: str
    share: float
    chances: Mapping[int, float] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """Expected value."""
        return sum(value * chance for value, chance in self.chances.items()) if self.chances else 0.5

    @property
    def effect(self) -> float:
        """What one more unit of it adds to the log price."""
        variance = 1 / 12
        if self.chances:
            variance = sum((value - self.mean) ** 2 * chance for value, chance in self.chances.items())
        return PHOTO_SD * math.sqrt(self.share / len(VIEWS) / variance)


_FINISH = {0: 0.25, 1: 0.25, 2: 0.25, 3: 0.25}

FACTORS = (
    Factor("storeys", "front", 0.35, {1: 0.4, 2: 0.35, 3: 0.25}),
    Factor("upkeep", "front", 0.40),
    Factor("pool", "front", 0.25, {0: 0.65, 1: 0.35}),
    Factor("window_size", "bedroom", 0.60),
    Factor("fireplace", "bedroom", 0.40, {0: 0.6, 1: 0.4}),
    Factor("bathroom_finish", "bathroom", 0.70, _FINISH),
    Factor("bathtub", "bathroom", 0.30, {0: 0.5, 1: 0.5}),
    Factor("kitchen_finish", "kitchen", 0.70, _FINISH),
    Factor("kitchen_island", "kitchen", 0.30, {0: 0.6, 1: 0.4}),
)
"""All hidden factors, independent of each other and of the columns. More is always worth more."""


def draw_factors(random: np.random.Generator, num_houses: int) -> pd.DataFrame:
    """Return one row per house and one column per factor, int64 or float64."""
    values = {}
    for factor in FACTORS:
        if chances := factor.chances:
            values[factor.name] = random.choice(list(chances), num_houses, p=list(chances.values()))
        else:
            values[factor.name] = random.random(num_houses)
    return pd.DataFrame(values)


def draw_missing_photos(random: np.random.Generator, num_houses: int) -> pd.DataFrame:
    """Return bool, one row per house and one column per view: True where the photo is missing."""
    lacks_one = random.random(num_houses) < MISSING_PHOTO_SHARE
    which = random.integers(len(VIEWS), size=num_houses)
    return pd.DataFrame({view: lacks_one & (which == position) for position, view in enumerate(VIEWS)})


def photo_term(factors: pd.DataFrame, missing_photos: pd.DataFrame | None = None) -> np.ndarray:
    """Return what the pictures add to the log price, (n,) float64, *expected* where a photo is missing.

    Every factor is centred, so the expected worth of a photo that nobody has seen is zero.
    """
    worth = np.zeros(len(factors))
    for factor in FACTORS:
        added = factor.effect * (factors[factor.name].to_numpy() - factor.mean)
        worth += added if missing_photos is None else np.where(missing_photos[factor.view], 0.0, added)
    return worth
