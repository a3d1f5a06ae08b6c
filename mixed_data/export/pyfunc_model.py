"""A bundle as an MLflow model: rows of a table, photos in base64, to predictions with their intervals.

Only MLflow, when it loads such a model, and `mixed_data.export.mlflow_folder` import this.
"""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

from mixed_data.runtime import Predictor
from mixed_data.schema.cell_values import is_missing
from mixed_data.schema.photo_texts import decode_photo, find_base64

BUNDLE = "bundle"
"""Name of the artifact that is the bundle."""

COVERAGE, DEFAULT_COVERAGE = "coverage", 0.9
"""The one parameter: share of the true values that lie between ``lower`` and ``upper``."""

_BETWEEN_PHOTOS = re.compile(r";(?!base64,)", re.IGNORECASE)


class BundleModel(PythonModel):
    """What MLflow calls. It holds no state that could be pickled: the bundle is read when the model is loaded."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the bundle and predict its golden rows again.

        Raises:
            BundleError: it was changed, or predicts otherwise here.
        """
        self._predictor = Predictor(context.artifacts[BUNDLE], num_threads=1)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Predict rows.

        Args:
            context: unused; there by MLflow's convention.
            model_input: rows with the columns of the schema; what is left out is missing. A cell of an image column is
                a photo's file in base64, or several with ";" between them. A text there is never read as a path.
            params: `COVERAGE`.

        Returns:
            One line per row, see `mixed_data.prediction.predicted_rows.RowRegressor.predict_rows`.

        Raises:
            ValueError: a cell cannot be used.
        """
        schema = self._predictor.schema
        table = model_input.reindex(columns=[*schema.features, *schema.images])
        for name in schema.images:
            cells = [_read_photos(cell, name, row) for row, cell in enumerate(table[name])]
            table[name] = pd.Series(cells, index=table.index, dtype=object)
        coverage = (params or {}).get(COVERAGE, DEFAULT_COVERAGE) if self._predictor.has_intervals else None
        rows = self._predictor.predict_rows(table, coverage)
        return rows.astype({"level_rows": "int64"}) if "level_rows" in rows else rows


def _read_photos(cell: object, column: str, row: int) -> list[bytes] | None:
    """Read the photos of one cell.

    Raises:
        ValueError: one is no base64.
    """
    if is_missing(cell):
        return None
    if not isinstance(cell, str):
        raise ValueError(f"row {row}, {column}: expected a text, photos in base64, got {type(cell).__name__}")
    try:
        return [decode_photo(text) for part in _BETWEEN_PHOTOS.split(cell) if (text := find_base64(part))]
    except ValueError as error:
        raise ValueError(f"row {row}, {column}: {error}; put ';' between several") from None
