"""The invented market: hidden factors that only pictures show, the price equation, the best possible predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from mixed_data.readers.sample.house_columns import (
    draw_columns,
    draw_missing_cells,
    standard_log_area,
    table_moments,
    table_term,
)

VIEWS = ("front", "bedroom", "bathroom", "kitchen")
"""The four photos of a house; the table's columns are ``front_photo``, ``bedroom_photo``, ..."""

PHOTO_SD = 0.36
"""Standard deviation of the photo term of the log price, a quarter of its variance from each view."""

MISSING_PHOTO_SHARE = 0.02
"""Share of houses that lack one of their four photos, whichever, completely at random."""

_BASE_LOG_PRICE = 12.75  # of a house whose terms are all zero, about $345,000
_INTERACTION_SD = 0.06  # a larger house makes more of its looks
_NOISE_SD = 0.235  # of what neither the columns nor the pictures say


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


def _draw_factors(random: np.random.Generator, num_houses: int) -> pd.DataFrame:
    """Return one row per house and one column per factor, int64 or float64."""
    values = {}
    for factor in FACTORS:
        if chances := factor.chances:
            values[factor.name] = random.choice(list(chances), num_houses, p=list(chances.values()))
        else:
            values[factor.name] = random.random(num_houses)
    return pd.DataFrame(values)


def _draw_missing_photos(random: np.random.Generator, num_houses: int) -> pd.DataFrame:
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


class Houses(NamedTuple):
    """Everything that is true of some houses, one row each.

    Args:
        columns: the columns of the table, complete.
        missing_cells: bool, for the columns that lose cells: True where a user finds nothing.
        factors: the hidden factors.
        missing_photos: bool, one column per view: True where a user finds no photo.
        noise: (n,) in log price.
    """

    columns: pd.DataFrame
    missing_cells: pd.DataFrame
    factors: pd.DataFrame
    missing_photos: pd.DataFrame
    noise: np.ndarray

    def head(self, num_houses: int) -> Houses:
        """Return the first houses."""
        return Houses(*(part[:num_houses] for part in self))

    def seen_columns(self) -> pd.DataFrame:
        """Return the columns as a user finds them: lost cells are NaN."""
        seen = self.columns.copy()
        for name, is_missing in self.missing_cells.items():
            seen[name] = seen[name].astype("float64").mask(is_missing)
        return seen


def draw_houses(random: np.random.Generator, num_houses: int) -> Houses:
    """Draw houses at random: columns, hidden factors, noise and losses independently of each other."""
    return Houses(
        draw_columns(random, num_houses),
        draw_missing_cells(random, num_houses),
        _draw_factors(random, num_houses),
        _draw_missing_photos(random, num_houses),
        random.normal(0.0, _NOISE_SD, num_houses),
    )


def log_price(houses: Houses, photo_signal: float = 1.0) -> np.ndarray:
    """Return the log price by the price equation, (n,) float64."""
    looks = photo_signal * photo_term(houses.factors) * leverage(houses.columns)
    return _BASE_LOG_PRICE + table_term(houses.columns) + looks + houses.noise


def expected_log_price(houses: Houses, photo_signal: float = 1.0) -> pd.DataFrame:
    """Return the best predictions of the log price: its mean given what a user finds.

    They are float64, one row per house, in the columns ``table`` (given the cells that are there), ``image`` (given the
    photos that are there) and ``both``.
    """
    by_table = _BASE_LOG_PRICE + table_term(houses.seen_columns())
    looks = photo_signal * photo_term(houses.factors, houses.missing_photos)
    by_image = _BASE_LOG_PRICE + table_moments()[0] + looks
    return pd.DataFrame({"table": by_table, "image": by_image, "both": by_table + looks * leverage(houses.columns)})


def oracle(*, photo_signal: float = 1.0) -> dict[str, float]:
    """Return the smallest possible errors: how far from perfect a model is, is its error over these.

    In closed form. With table term t, photo term p, standardised log area z, interaction k z p and noise e, where p and
    z have mean zero and p is independent of the rest, the variance that stays open is

    - given the table: what empty cells hide of t, plus var(p) E[(1 + k z)^2] = var(p) (1 + k^2), plus var(e);
    - given the pictures: var(t), plus what missing photos hide of p, plus k^2 var(p), plus var(e);
    - given both: what empty cells hide of t, plus (1 + k^2) times what missing photos hide, plus var(e).

    The hidden factors count as seen exactly; a picture shows them through light and noise, so that the errors with
    pictures are slightly out of reach.

    Args:
        photo_signal: as in ``read_sample``.

    Returns:
        root mean squared error of the log price, for ``table``, ``image`` and ``both``. The same for every seed and
        number of rows.

    Example:
        >>> {name: round(error, 3) for name, error in oracle().items()}
        {'table': 0.435, 'image': 0.464, 'both': 0.238}
    """
    _, variance, missing_variance = table_moments()
    looks = (photo_signal * PHOTO_SD) ** 2
    interaction = (photo_signal * _INTERACTION_SD) ** 2
    lost = MISSING_PHOTO_SHARE / len(VIEWS)
    open_variances = {
        "table": missing_variance + looks + interaction,
        "image": variance + lost * looks + interaction,
        "both": missing_variance + lost * (looks + interaction),
    }
    return {name: math.sqrt(open_variance + _NOISE_SD**2) for name, open_variance in open_variances.items()}


def leverage(columns: pd.DataFrame) -> np.ndarray:
    """Return how much of its looks a house of this area turns into price, (n,) around 1."""
    return 1.0 + _INTERACTION_SD / PHOTO_SD * standard_log_area(columns["area"])
