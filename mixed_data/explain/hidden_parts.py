"""The same row again and again, each time with other cells and photos hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from mixed_data.intervals.calibrated_intervals import CalibratedIntervals
from mixed_data.prediction.missing_patterns import name_patterns
from mixed_data.prediction.typical_photos import TypicalPhotos
from mixed_data.preprocessing.onnx_backbone import OnnxBackbone
from mixed_data.preprocessing.row_reader import Inputs, RowReader
from mixed_data.preprocessing.target_scale import TargetScale


class Explained(Protocol):
    """A model whose predictions can be explained, such as `mixed_data.runtime.saved_models.SavedModel`.

    Attributes:
        modalities: "both", "tabular" or "image".
        image_branch: "pretrained" where a frozen network reads the photos.
        preprocessor_: reads rows.
        target_transformer_: the scale of its predictions.
        calibrator_: of its intervals, or None.
        typical_photos_: vectors of the typical photo of each view; None where they are not known.
        readers_: turn a photo into a vector.
    """

    modalities: str
    image_branch: str
    preprocessor_: RowReader
    target_transformer_: TargetScale
    calibrator_: CalibratedIntervals | None
    typical_photos_: TypicalPhotos | None
    readers_: tuple[OnnxBackbone, ...]

    def read_rows(self, table: pd.DataFrame) -> Inputs: ...  # noqa: D102 - see `SavedModel`

    def read_photo(self, table: pd.DataFrame, view: str) -> list[np.ndarray]: ...  # noqa: D102

    def embed_photo(self, pixels: Sequence[np.ndarray]) -> np.ndarray: ...  # noqa: D102

    def predict_together(self, table: pd.DataFrame, inputs: Inputs) -> np.ndarray: ...  # noqa: D102

    def describe_read(self, table: pd.DataFrame, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]: ...  # noqa: D102


class HiddenParts:
    """One row of which parts can be hidden: a cell as if nobody had filled it in, a photo behind a typical one.

    A photo of whose view no typical one is known is hidden as if there were none. A photo that the row does not have is
    no part of it, and stays missing.

    Args:
        model: that predicts.
        table: one row, which fits the schema.
        inputs: the same, as the model reads it.

    Attributes:
        columns: names of the columns that the model reads and that are filled in.
        views: positions of the photos that are there.
    """

    def __init__(self, model: Explained, table: pd.DataFrame, inputs: Inputs) -> None:
        self._model, self._table, self._inputs = model, table, inputs
        self._cells = model.preprocessor_.tabular_.read(table)[0]
        is_there = {name: bool(pd.notna(cell[0])) and model.modalities != "image" for name, cell in self._cells.items()}
        self.columns = [name for name in model.preprocessor_.schema_.features if is_there[name]]
        has_photo = inputs["image_mask"][0] if model.modalities != "tabular" else []
        self.views = [view for view, is_there in enumerate(has_photo) if is_there]

    def predict_members(self, columns: np.ndarray, views: np.ndarray) -> np.ndarray:
        """Predict the row with only some of its parts known.

        Args:
            columns: bool ``(m, len(self.columns))``, which cells are not hidden.
            views: bool ``(m, len(self.views))``, which photos are not hidden.

        Returns:
            float64 ``(m, members)``, on the scale of the model's predictions.
        """
        return self._model.predict_together(*self._hide(columns, views, self._model.typical_photos_))

    def predict(
        self, columns: np.ndarray, views: np.ndarray, coverage: float
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Predict the row as if it had only some of its parts, and between which ends the true value lies.

        No photo stands in the place of one that it does not have.

        Returns:
            float64 ``(m,)`` each, in target units; no ends where the model knows none, or not at this coverage.
        """
        model = self._model
        table, inputs = self._hide(columns, views, None)
        scaled, difficulty = model.describe_read(table, inputs)
        prediction = model.target_transformer_.inverse_transform(scaled)
        if model.calibrator_ is None:
            return prediction, None, None
        patterns = name_patterns(inputs, model.modalities)
        try:
            ends = model.calibrator_.predict(prediction, difficulty=difficulty, pattern=patterns, coverage=coverage)
        except ValueError:  # a pattern with too few rows for it; the prediction stands
            return prediction, None, None
        return prediction, *ends

    def _hide(
        self, columns: np.ndarray, views: np.ndarray, typical: TypicalPhotos | None
    ) -> tuple[pd.DataFrame, Inputs]:
        num_rows = len(columns)
        written = {name: np.full(num_rows, self._table[name].iloc[0], dtype=object) for name in self._cells}
        cells = {
            name: np.full(num_rows, cell[0], dtype="float64" if isinstance(cell, np.ndarray) else object)
            for name, cell in self._cells.items()
        }
        for position, name in enumerate(self.columns):
            is_hidden = ~columns[:, position]
            written[name][is_hidden] = None
            cells[name][is_hidden] = None
        table = pd.DataFrame(written, index=range(num_rows), dtype=object)
        arrays, _ = self._model.preprocessor_.encode_cells(cells, num_rows)
        for name in ("images", "image_mask"):
            arrays[name] = np.repeat(self._inputs[name], num_rows, axis=0)
        for position, view in enumerate(self.views):
            is_hidden = ~views[:, position]
            is_known = typical is not None and typical.is_known[view]
            arrays["images"][is_hidden, view] = typical.images[view] if typical is not None else 0
            arrays["image_mask"][is_hidden, view] = is_known
        return table, Inputs(arrays, [[] for _ in range(num_rows)])
