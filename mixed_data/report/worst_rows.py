"""The rows that were predicted worst, and what in the data may be the reason."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from mixed_data.files.written_values import Unit, clip
from mixed_data.metrics import write_decimals
from mixed_data.preprocessing.photo_decoding import PhotoError, load_photo
from mixed_data.report.run_contents import Run
from mixed_data.schema.cell_values import canonical_text
from mixed_data.schema.photo_paths import split_paths
from mixed_data.schema.written_numbers import parse_numbers
from mixed_data.split import Link

_NUM_WORST = 10
_MAX_PHOTOS = 6
_THUMBNAIL = (120, 160)  # height and width
_MIN_ALIKE = 5
_FAR_FROM_ALIKE = 3.0
_FAR_FROM_ALL = 5.0
_A_ZERO = (6.25, 16.0)  # without the zero, within a factor of 1.6 of the prediction
_DIFFERENT = 1.1


def rank_rows(target: NDArray[np.float64], prediction: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the positions of all rows, the worst first.

    Positive values are judged by the factor between both, so that half and double are equally wrong; with others among
    them, by the absolute error.
    """
    by_factor = min(target.min(), prediction.min()) > 0
    distance = np.abs(np.log(prediction / target) if by_factor else prediction - target)
    return np.argsort(-distance, kind="stable")


def describe_worst(run: Run, unit: Unit, links: Sequence[Link]) -> list[dict[str, Any]]:
    """Describe the ten worst rows.

    Args:
        run: what the folder holds.
        unit: of the target.
        links: what `find_links` found among the rows.

    Returns:
        One dict per row: ``id``, ``target``, ``prediction`` and ``error`` as texts, ``cells`` (column and value of the
        features), ``photos`` (at most six: ``name`` of the column, ``source``, the ``data:`` address of a JPEG, or ""
        and the ``problem``), ``num_more_photos`` that are not shown, and ``reasons``, which may be empty.
    """
    target, prediction = run.rows["target"].to_numpy(), run.rows["prediction"].to_numpy()
    by_factor = min(target.min(), prediction.min()) > 0
    cells = pd.DataFrame() if run.cells is None else run.cells
    worst = []
    for row in map(int, rank_rows(target, prediction)[:_NUM_WORST]):
        texts = {name: canonical_text(cells[name].iloc[[row]]).iloc[0] for name in run.schema.features if name in cells}
        views = [name for name in run.schema.images if name in cells]
        photos = [(name, path) for name in views for path in split_paths(cells[name].iloc[row])]
        worst.append(
            {
                "id": clip(run.rows["id"].iloc[row], 60),
                "target": unit.exact(target[row]),
                "prediction": unit.exact(prediction[row]),
                "error": _say_error(target[row], prediction[row], unit, by_factor=by_factor),
                "cells": [(clip(n, 40), "no value" if text is None else clip(text, 60)) for n, text in texts.items()],
                "photos": [{"name": clip(name, 40), **_shrink_photo(path)} for name, path in photos[:_MAX_PHOTOS]],
                "num_more_photos": max(0, len(photos) - _MAX_PHOTOS),
                "reasons": list(find_reasons(run, row, unit, links)),
            }
        )
    return worst


def find_reasons(run: Run, row: int, unit: Unit, links: Sequence[Link]) -> Iterator[str]:
    """List what is unusual about a row and may explain its error; facts, not proof.

    Args:
        run: what the folder holds.
        row: position of the row.
        unit: of the target.
        links: what `find_links` found among the rows.
    """
    if "warnings" in run.rows and (warnings := run.rows["warnings"].iloc[row]):
        yield clip(warnings, 300)
    if run.cells is None:
        return
    yield from _compare_with_alike(run, run.cells, row, unit)
    yield from _find_conflicts(run, row, unit, links)
    for name in run.schema.numeric:
        yield from _compare_with_all(run.cells[name], row)


def _compare_with_alike(run: Run, cells: pd.DataFrame, row: int, unit: Unit) -> Iterator[str]:
    """Compare the target with that of the other rows of one code or category, or with all others."""
    target = run.rows["target"].to_numpy()
    if (target <= 0).any():
        return
    alike, what, far = np.ones(len(target), dtype=bool), "", _FAR_FROM_ALL
    for name in run.schema.codes + run.schema.categorical:
        texts = canonical_text(cells[name])
        same = (texts == texts.iloc[row]).to_numpy()
        if texts.iloc[row] is not None and same.sum() > _MIN_ALIKE:
            alike, far = same.copy(), _FAR_FROM_ALIKE
            what = f" with {clip(name, 40)} {clip(texts.iloc[row], 40)}"
            break
    alike[row] = False
    if alike.sum() < _MIN_ALIKE:
        return
    factor = target[row] / np.median(target[alike])
    if not 1 / far < factor < far:
        size = f"{factor:.2g} ×" if factor > 1 else f"{write_decimals(100 * factor, 1)}\u00a0% of"
        prediction, (low, high) = run.rows["prediction"].iloc[row], _A_ZERO
        guess = ": perhaps a zero is missing" if low <= prediction / target[row] <= high else ""
        guess = ": perhaps a zero too many" if low <= target[row] / prediction <= high else guess
        yield f"{unit.name} is {size} the median of the {alike.sum()} other held-out rows{what}{guess}"


def _find_conflicts(run: Run, row: int, unit: Unit, links: Sequence[Link]) -> Iterator[str]:
    """Name a row that shares a photo with this one at another target."""
    target = run.rows["target"].to_numpy()
    for link in links:
        if link.reason != "photo" or row not in link.rows:
            continue
        for other in link.rows:
            small, large = sorted((target[row], target[other]))
            if small > 0 and large / small > _DIFFERENT:
                name, shared = clip(run.rows["id"].iloc[other], 60), clip(link.shared, 60)
                yield f"shares the photo {shared} with {name}, where {unit.name} is {unit.exact(target[other])}"
                return


def _compare_with_all(column: pd.Series, row: int) -> Iterator[str]:
    """Name a number far outside of the others: beyond three interquartile ranges (Tukey's outer fence)."""
    numbers, _ = parse_numbers(column)
    low, high = np.nanquantile(numbers, [0.25, 0.75]) if np.isfinite(numbers).any() else (np.nan, np.nan)
    distance = max(low - numbers[row], numbers[row] - high)
    if high > low and distance > 3 * (high - low):
        name = clip(column.name, 40)
        yield f"{name} is {numbers[row]:,.6g}, and half of all rows have {low:,.6g} to {high:,.6g}"


def _say_error(target: float, prediction: float, unit: Unit, *, by_factor: bool) -> str:
    direction = "high" if prediction > target else "low"
    if not by_factor:
        return f"{unit.exact(abs(prediction - target))} too {direction}"
    if (factor := max(prediction / target, target / prediction)) >= 2:
        return f"{factor:.1f} × too {direction}"
    return f"{write_decimals(100 * abs(prediction / target - 1), 0)}\u00a0% too {direction}"


def _shrink_photo(path: str) -> dict[str, str]:
    try:
        pixels = load_photo(path, *_THUMBNAIL)
    except PhotoError as error:
        return {"source": "", "problem": clip(error)}
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=72, optimize=True)
    return {"source": f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}", "problem": ""}
