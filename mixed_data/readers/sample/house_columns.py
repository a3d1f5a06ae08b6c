"""The columns of a sample house: how they are drawn and what they are worth.

Only *leaf* columns (those on which no other column depends) lose cells, so that the expected worth of an empty cell is
one short sum over its distribution given the cells that are there.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

MISSING_SHARES = {"bathrooms": 0.03, "year_built": 0.05, "lot_size": 0.05}
"""Share of empty cells in the columns that have some, completely at random."""

# The market is invented. Region (a zipcode's first three digits): its effect on the log price, its typical
# lot in square feet.
_REGIONS = {
    "300": (-0.05, 7_500),
    "302": (-0.30, 11_000),
    "452": (0.10, 6_000),
    "597": (-0.48, 20_000),
    "606": (0.28, 3_600),
    "787": (0.20, 8_000),
    "852": (-0.12, 9_500),
}
# Zipcode: its frequency, its own effect on the log price. Some are rare, as everywhere.
_ZIPCODE_ROWS = {
    "30003": (70, 0.04), "30008": (55, -0.10), "30019": (40, 0.12), "30024": (12, -0.03), "30041": (4, 0.08),
    "30210": (60, 0.02), "30215": (45, -0.07), "30233": (20, 0.09), "30238": (6, -0.12),
    "45205": (80, -0.05), "45209": (50, 0.10), "45214": (35, 0.03), "45227": (9, -0.14), "45230": (3, 0.06),
    "59701": (22, 0.03), "59714": (10, -0.06), "59718": (6, 0.10),
    "60611": (75, 0.06), "60614": (65, 0.14), "60618": (40, -0.08), "60622": (25, -0.02), "60647": (5, 0.11),
    "78701": (55, 0.09), "78704": (45, -0.06), "78723": (30, -0.13), "78746": (8, 0.15),
    "85207": (40, 0.05), "85255": (50, 0.13), "85260": (25, -0.09), "85266": (10, -0.04),
}  # fmt: skip
_ZIPCODES = pd.DataFrame.from_dict(_ZIPCODE_ROWS, orient="index", columns=["frequency", "effect"])
_ZIPCODES["effect"] += [_REGIONS[zipcode[:3]][0] for zipcode in _ZIPCODES.index]
_ZIPCODES["mean_log_lot"] = [math.log(_REGIONS[zipcode[:3]][1]) for zipcode in _ZIPCODES.index]
_ZIPCODE_CHANCES = (_ZIPCODES["frequency"] / _ZIPCODES["frequency"].sum()).to_numpy()
_LOT_SD, _LOT_EFFECT, _MIDDLE_LOG_LOT = 0.45, 0.12, math.log(7_000)

_MEAN_LOG_AREA, _LOG_AREA_SD, _AREA_EFFECT = math.log(1_900), 0.33, 0.26
_BEDROOMS, _BEDROOM_SD, _BEDROOM_EFFECT = np.arange(1, 7), 0.7, 0.03
_BATHROOMS, _BATHROOM_SD, _BATHROOM_EFFECT = np.arange(1, 5.5, 0.5), 0.4, 0.06

_YEARS = np.arange(1930, 2023)
# Triangular: the newer, the more frequent.
_YEAR_CHANCES = (2 * np.arange(len(_YEARS)) + 1) / len(_YEARS) ** 2


def draw_columns(random: np.random.Generator, num_houses: int) -> pd.DataFrame:
    """Return the columns of houses drawn at random, complete: one row per house."""
    area = np.rint(np.exp(random.normal(_MEAN_LOG_AREA, _LOG_AREA_SD, num_houses)))
    size = standard_log_area(area)
    bedrooms = _nearest(_BEDROOMS, random.normal(_expected_bedrooms(size), _BEDROOM_SD))
    bathrooms = _nearest(_BATHROOMS, random.normal(_expected_bathrooms(size, bedrooms), _BATHROOM_SD))
    place = _ZIPCODES.iloc[random.choice(len(_ZIPCODES), num_houses, p=_ZIPCODE_CHANCES)]
    return pd.DataFrame(
        {
            "bedrooms": bedrooms,
            "bathrooms": bathrooms,
            "area": area.astype("int64"),
            "zipcode": place.index.to_numpy(),
            "year_built": random.choice(_YEARS, num_houses, p=_YEAR_CHANCES),
            "lot_size": np.rint(np.exp(random.normal(place["mean_log_lot"], _LOT_SD))).astype("int64"),
        }
    )


def draw_missing_cells(random: np.random.Generator, num_houses: int) -> pd.DataFrame:
    """Return bool, one row per house and one column per column that loses cells: True where it is empty."""
    return pd.DataFrame({name: random.random(num_houses) < share for name, share in MISSING_SHARES.items()})


def standard_log_area(area: np.ndarray | pd.Series) -> np.ndarray:
    """Return the log of the area (square feet) in standard deviations from its mean, (n,) float64."""
    return (np.log(np.asarray(area, dtype="float64")) - _MEAN_LOG_AREA) / _LOG_AREA_SD


def table_term(columns: pd.DataFrame) -> np.ndarray:
    """Return what the columns add to the log price, (n,) float64, *expected* where a cell is NaN.

    For complete columns this is the term of the price equation, for incomplete ones its best prediction.
    """
    size, bedrooms = standard_log_area(columns["area"]), columns["bedrooms"].to_numpy()
    place = _ZIPCODES.loc[columns["zipcode"]]
    bathrooms = _filled(columns["bathrooms"], _bathroom_chances(size, bedrooms) @ _BATHROOMS)
    year_worth = _filled(_year_worth(columns["year_built"]), _YEAR_CHANCES @ _year_worth(_YEARS))
    log_lot = _filled(np.log(columns["lot_size"].astype("float64")), place["mean_log_lot"])
    lot_worth = _LOT_EFFECT * (log_lot - _MIDDLE_LOG_LOT)
    return _rooms_worth(size, bedrooms, bathrooms) + place["effect"].to_numpy() + lot_worth + year_worth


def table_moments() -> tuple[float, float, float]:
    """Return mean and variance of the table term, and the expected variance that empty cells leave open.

    In closed form: the term is a sum of three independent parts, rooms (summed over their chances, with Gauss-Hermite
    quadrature over the log area), place and lot, and year.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    size, bedrooms = np.repeat(nodes, len(_BEDROOMS)), np.tile(_BEDROOMS, len(nodes))
    bedroom_chances = _rounded_chances(_BEDROOMS, _expected_bedrooms(nodes), _BEDROOM_SD)
    chances = ((weights / weights.sum())[:, None] * bedroom_chances).ravel()
    bathroom_chances = _bathroom_chances(size, bedrooms)
    bathroom_mean = bathroom_chances @ _BATHROOMS
    bathroom_spread = bathroom_chances @ _BATHROOMS**2 - bathroom_mean**2
    bathroom_variance = _BATHROOM_EFFECT**2 * float(chances @ bathroom_spread)
    lot_variance = (_LOT_EFFECT * _LOT_SD) ** 2
    place_worth = _ZIPCODES["effect"] + _LOT_EFFECT * (_ZIPCODES["mean_log_lot"] - _MIDDLE_LOG_LOT)

    rooms = _mean_and_variance(_rooms_worth(size, bedrooms, bathroom_mean), chances)
    place = _mean_and_variance(place_worth.to_numpy(), _ZIPCODE_CHANCES)
    year = _mean_and_variance(_year_worth(_YEARS), _YEAR_CHANCES)
    open_variances = {"bathrooms": bathroom_variance, "year_built": year[1], "lot_size": lot_variance}
    variance = rooms[1] + bathroom_variance + place[1] + lot_variance + year[1]
    missing_variance = sum(share * open_variances[name] for name, share in MISSING_SHARES.items())
    return rooms[0] + place[0] + year[0], variance, missing_variance


def _rooms_worth(size: np.ndarray, bedrooms: np.ndarray, bathrooms: np.ndarray) -> np.ndarray:
    return _AREA_EFFECT * size + _BEDROOM_EFFECT * (bedrooms - 3) + _BATHROOM_EFFECT * (bathrooms - 2)


def _year_worth(year: np.ndarray | pd.Series) -> np.ndarray:
    """Return a valley: houses of the sixties are worth least, new ones most, and old ones have charm."""
    age = (np.asarray(year, dtype="float64") - _YEARS[0]) / (_YEARS[-1] - _YEARS[0])
    return 0.9 * (age - 0.4) ** 2


def _expected_bedrooms(size: np.ndarray) -> np.ndarray:
    return 3.2 + 0.9 * size


def _expected_bathrooms(size: np.ndarray, bedrooms: np.ndarray) -> np.ndarray:
    return 0.8 + 0.4 * bedrooms + 0.25 * size


def _bathroom_chances(size: np.ndarray, bedrooms: np.ndarray) -> np.ndarray:
    return _rounded_chances(_BATHROOMS, _expected_bathrooms(size, bedrooms), _BATHROOM_SD)


def _edges(grid: np.ndarray) -> np.ndarray:
    return (grid[1:] + grid[:-1]) / 2


def _nearest(grid: np.ndarray, values: np.ndarray) -> np.ndarray:
    return grid[np.searchsorted(_edges(grid), values)]


def _rounded_chances(grid: np.ndarray, mean: np.ndarray, sd: float) -> np.ndarray:
    """Return (n, len(grid)): the chance of every grid value when a normal is rounded to the nearest one."""
    from scipy.special import ndtr

    below = ndtr((_edges(grid) - mean[:, None]) / sd)
    return np.diff(below, axis=1, prepend=0.0, append=1.0)


def _filled(values: pd.Series | np.ndarray, expected: pd.Series | np.ndarray | float) -> np.ndarray:
    present = np.asarray(values, dtype="float64")
    return np.where(np.isnan(present), np.asarray(expected), present)


def _mean_and_variance(values: np.ndarray, chances: np.ndarray) -> tuple[float, float]:
    mean = float(chances @ values)
    return mean, float(chances @ (values - mean) ** 2)
