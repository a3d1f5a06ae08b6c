"""Where in a photo a prediction comes from: each place is covered in turn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mixed_data.explain.hidden_parts import Explained
from mixed_data.preprocessing.photo_decoding import PAD_COLOUR
from mixed_data.preprocessing.row_reader import Inputs
from mixed_data.schema.column_formats import read_cells
from mixed_data.schema.pandas_frames import to_pandas

NUM_CELLS = 16
"""Rows and columns of a map of what is done to pixels. A square of two by two is covered at a time."""

_NUM_SHUFFLES = 9  # with the map itself ten, so that a chance map is the highest in one photo of ten
_NOT_READ = "this model reads no photo {!r}; it reads {}"


@dataclass(frozen=True)
class Heat:
    """What each place of a photo does to the prediction.

    Attributes:
        values: float64 ``(rows, columns)``, from the top left corner, the cells of a grid over the photo as the model
            sees it (cut to its size): what the prediction loses when the place is covered; on a logarithmic scale,
            where 0.01 is 1 %, else target units.
        trustworthy: whether the highest value is above what a model would give that read the same from the photo but
            had its features mixed up.
        text: the same as a sentence.
    """

    values: np.ndarray
    trustworthy: bool
    text: str


def draw_heat(model: Explained, table: pd.DataFrame, view: str, *, seed: int = 0) -> Heat:
    """Cover each place of a photo in turn and see what the prediction loses.

    With a network that was trained on the photos, squares of an eighth of the photo's sides are painted grey, and a
    cell counts the mean of those that cover it. With a frozen one, whose vector is a mean over the photo, the cell is
    left out of that mean, so that only the small network runs again.

    Args:
        model: that predicts.
        table: one row, which has the photo.
        view: name of the photo, one of ``preprocessor_.views_``.
        seed: of the mixed-up features.

    Returns:
        The map, and whether it can be trusted.

    Raises:
        ValueError: there is no such view, not exactly one row, no usable photo, or the table does not fit the schema.

    Reference:
        Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, doi:10.1007/978-3-319-10590-1_53.
        Adebayo et al. 2018, Sanity Checks for Saliency Maps, arXiv:1810.03292.
    """
    views = model.preprocessor_.views_ if model.modalities != "tabular" else []
    if view not in views:
        raise ValueError(_NOT_READ.format(view, ", ".join(views) or "none"))
    if len(table) != 1:
        raise ValueError(f"a heat map is of one row, got {len(table)}")
    table = to_pandas(table)
    schema = model.preprocessor_.schema_
    schema.validate(table, needs_target=False)
    table, place = read_cells(schema, table), views.index(view)
    inputs = model.read_rows(table)
    if not inputs["image_mask"][0, place]:
        raise ValueError(f"the row has no usable photo {view!r}: {'; '.join(inputs.row_warnings[0])}")
    pixels = model.read_photo(table, view)
    vectors, spread = (_leave_out_cells if model.image_branch == "pretrained" else _cover_squares)(model, pixels)
    own = inputs["images"][0, place]
    unit = model.target_transformer_.std_

    def lose(changed: np.ndarray) -> np.ndarray:
        members = _predict(model, table, inputs, place, np.vstack([own, changed]))
        return spread @ (members[0] - members[1:]) * unit

    found = lose(vectors)
    random = np.random.default_rng(seed)
    by_chance = [lose(own + (vectors - own)[:, random.permutation(len(own))]).max() for _ in range(_NUM_SHUFFLES)]
    side = math.isqrt(len(found))
    trustworthy = bool(found.max() > max(by_chance))
    return Heat(found.reshape(side, side), trustworthy, _say(trustworthy))


def _say(trustworthy: bool) -> str:
    if trustworthy:
        return "where it is red, covering the place lowers the prediction; where it is blue, it raises it"
    return "not trustworthy here: no place stands out more than in a model whose features of the photo are mixed up"


def _cover_squares(model: Explained, pixels: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of the photo with squares covered, and the matrix from their effects to those of the cells."""
    vectors, covers = [], []
    for row in range(NUM_CELLS - 1):
        for column in range(NUM_CELLS - 1):
            cells = np.zeros((NUM_CELLS, NUM_CELLS))
            cells[row : row + 2, column : column + 2] = 1
            vectors.append(model.embed_photo([_cover(one, row, column) for one in pixels]))
            covers.append(cells.ravel())
    spread = np.array(covers).T
    return np.array(vectors), spread / spread.sum(axis=1, keepdims=True)


def _cover(pixels: np.ndarray, row: int, column: int) -> np.ndarray:
    """Return a photo with two by two cells grey, of which one is given."""
    rows, columns = (np.linspace(0, side, NUM_CELLS + 1).round().astype(int) for side in pixels.shape[:2])
    covered = pixels.copy()
    covered[rows[row] : rows[row + 2], columns[column] : columns[column + 2]] = PAD_COLOUR
    return covered


def _leave_out_cells(model: Explained, pixels: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors without one cell of the coarsest map and what lies under it in the finer ones.

    What reads photos and gives no maps, such as a file of a transformer, is covered square by square.
    """
    maps = [reader.read_maps(one) for reader, one in zip(model.readers_, pixels, strict=True)]
    sides = [one.shape[:2] for found in maps for one in found]
    if not all(maps) or len({height / width for height, width in sides}) > 1 or min(map(min, sides)) < 2:
        return _cover_squares(model, pixels)
    side = min(min(map(min, sides)), NUM_CELLS)
    parts = [_means_without(one, side) for found in maps for one in found]
    means = np.concatenate(parts, axis=1)
    return np.sign(means) * np.sqrt(np.abs(means)), np.eye(side * side)


def _means_without(one: np.ndarray, side: int) -> np.ndarray:
    """Return the means of a map, ``(h, w, C)``, over all but one cell of a grid, ``(side * side, C)``."""
    rows, columns = (np.linspace(0, length, side + 1).round().astype(int) for length in one.shape[:2])
    total, area = one.sum(axis=(0, 1), dtype="float64"), one.shape[0] * one.shape[1]
    means = []
    for row in range(side):
        for column in range(side):
            cell = one[rows[row] : rows[row + 1], columns[column] : columns[column + 1]]
            means.append((total - cell.sum(axis=(0, 1))) / (area - cell.shape[0] * cell.shape[1]))
    return np.array(means, dtype="float32")


def _predict(model: Explained, table: pd.DataFrame, inputs: Inputs, place: int, vectors: np.ndarray) -> np.ndarray:
    """Predict the row with other vectors of one photo, mean of the members, float64 ``(m,)``."""
    rows = np.zeros(len(vectors), dtype=int)
    repeated = inputs.take(rows)
    repeated["images"][:, place] = vectors
    return model.predict_together(table.iloc[rows], repeated).mean(axis=1)
