"""How much a model relies on each column and each photo: its error where that is another row's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mixed_data.evaluation.significance import CONFIDENCE
from mixed_data.metrics import METRICS
from mixed_data.preprocessing.row_reader import Inputs
from mixed_data.runtime.saved_models import SavedModel

NUM_REPEATS = 10
MOST_ROWS = 1000
"""Held-out rows that are looked at; of more, as many are drawn."""

SCORES = ("mae", "mape")
"""Scores whose increase is measured, where they are defined."""

_Changed = tuple[pd.DataFrame, Inputs]


def measure_importance(parts: Sequence[tuple[SavedModel, pd.DataFrame]], *, seed: int = 0) -> list[dict[str, Any]]:
    """Measure by how much errors grow when one column, or one photo, is shuffled among held-out rows.

    The others stay as they are, so that what two columns both tell counts for neither. Cells are shuffled among all
    rows, missing ones too; photos among the rows that have one, those of one column together. Each photo is read once.

    Args:
        parts: each model with rows that it has not seen, which fit its schema and have the target.
        seed: of what is shuffled.

    Returns:
        Per column and per column of photos, what matters most first: ``part``, ``kind`` ("column" or "photos"),
        ``num_rows`` among which it was shuffled, and for each of `SCORES` a dict of ``increase``, the mean over
        `NUM_REPEATS`, and the ends ``low`` and ``high`` of its 95 % interval (Student's t over the repeats: the chance
        of shuffling, not that of other rows); None where the score is not defined.

    Reference:
        Breiman 2001, Random Forests, doi:10.1023/A:1010933404324. Fisher, Rudin and Dominici 2019, All Models are
        Wrong, but Many are Useful, arXiv:1801.01489.
    """
    random = np.random.default_rng(seed)
    num_rows = sum(len(rows) for _, rows in parts)
    kept = np.sort(random.permutation(num_rows)[:MOST_ROWS])
    losses: dict[tuple[str, str], list[np.ndarray]] = {}
    counts: dict[tuple[str, str], int] = {}
    start = 0
    for model, rows in parts:
        own = rows.iloc[kept[(kept >= start) & (kept < start + len(rows))] - start]
        start += len(rows)
        if len(own):
            for kind, part, number, found in _shuffle_parts(model, own, random):
                losses.setdefault((kind, part), []).append(found)
                counts[kind, part] = counts.get((kind, part), 0) + number
    before = np.concatenate(losses.pop(("", ""), [np.zeros((len(SCORES), 1, 0))]), axis=2)
    entries: list[dict[str, Any]] = []
    for (kind, part), of_part in losses.items():
        scores = _summarise(before, np.concatenate(of_part, axis=2))
        entries.append({"part": part, "kind": kind, "num_rows": counts[kind, part], **scores})
    return sorted(entries, key=lambda entry: -entry[SCORES[0]]["increase"])


def _shuffle_parts(
    model: SavedModel, rows: pd.DataFrame, random: np.random.Generator
) -> Iterator[tuple[str, str, int, np.ndarray]]:
    """Yield kind, name, number of rows that have it, losses ``(scores, repeats, n)``; first of the rows as they are."""
    inputs = model.read_rows(rows)
    target = rows[model.preprocessor_.schema_.target].to_numpy("float64")

    def lose(changed: Sequence[_Changed]) -> np.ndarray:
        scaled = np.array([model.predict_together(*each).mean(axis=1) for each in changed])
        predicted = model.target_transformer_.inverse_transform(scaled.ravel()).reshape(scaled.shape)
        return np.array([METRICS[score].loss(target, predicted) for score in SCORES])  # type: ignore[misc]

    yield "", "", len(rows), lose([(rows, inputs)])
    if model.modalities != "image":
        cells, _ = model.preprocessor_.tabular_.read(rows)
        for name in cells:
            changed = [_shuffle_column(model, rows, inputs, cells, name, random) for _ in range(NUM_REPEATS)]
            yield "column", name, len(rows), lose(changed)
    if model.modalities != "tabular":
        for name, views in _list_photos(model).items():
            owners = np.flatnonzero(inputs["image_mask"][:, views].any(axis=1))
            photos = [_shuffle_photos(inputs, views, owners, random) for _ in range(NUM_REPEATS)]
            yield "photos", name, len(owners), lose([(rows, each) for each in photos])


def _shuffle_column(
    model: SavedModel, rows: pd.DataFrame, inputs: Inputs, cells: dict[str, Any], name: str, random: np.random.Generator
) -> _Changed:
    order = random.permutation(len(rows))
    column = cells[name]
    shuffled = column[order] if isinstance(column, np.ndarray) else [column[row] for row in order]
    arrays, _ = model.preprocessor_.encode_cells({**cells, name: shuffled}, len(rows))
    return rows.assign(**{name: rows[name].to_numpy()[order]}), Inputs({**inputs, **arrays}, inputs.row_warnings)


def _list_photos(model: SavedModel) -> dict[str, slice]:
    """Return which views are photos of one column; a montage is one photo."""
    images = model.preprocessor_.images_
    if images.montage:
        return {view: slice(0, 1) for view in images.views_}
    ends = np.cumsum(images.num_photos_)
    counts = zip(images.columns, images.num_photos_, ends, strict=True)
    return {name: slice(int(end - count), int(end)) for name, count, end in counts}


def _shuffle_photos(inputs: Inputs, views: slice, owners: np.ndarray, random: np.random.Generator) -> Inputs:
    order = random.permutation(owners)
    arrays = {name: np.array(inputs[name]) for name in ("images", "image_mask")}
    for name, array in arrays.items():
        array[owners, views] = inputs[name][order, views]
    return Inputs({**inputs, **arrays}, inputs.row_warnings)


def _summarise(before: np.ndarray, after: np.ndarray) -> dict[str, dict[str, float] | None]:
    """Turn losses before and after into the increase of each score, with its interval over the repeats."""
    found: dict[str, dict[str, float] | None] = {}
    for place, score in enumerate(SCORES):
        of_mean = METRICS[score].of_mean
        increases = np.asarray(of_mean(after[place].mean(axis=1))) - np.asarray(of_mean(before[place].mean(axis=1)))
        if not np.isfinite(increases).all():
            found[score] = None
            continue
        mean, error = float(increases.mean()), float(increases.std(ddof=1)) / math.sqrt(len(increases))
        reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(increases) - 1)) * error
        found[score] = {"increase": mean, "low": mean - reach, "high": mean + reach}
    return found
