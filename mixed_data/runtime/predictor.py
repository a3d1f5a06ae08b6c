"""A bundle that predicts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixed_data.bundle import BundleError, load_bundle
from mixed_data.bundle.bundle_manifest import read_manifest
from mixed_data.bundle.comparable_rows import COMPARABLES_FILE, NUM_COMPARABLES, Comparable, ComparableRows
from mixed_data.explain.explanations import Explanation
from mixed_data.explain.heat_maps import Heat, draw_heat
from mixed_data.explain.reasons import explain_rows
from mixed_data.runtime.saved_models import SAVED_MODELS, SavedModel
from mixed_data.schema import Schema
from mixed_data.schema.column_formats import read_cells
from mixed_data.schema.pandas_frames import to_pandas


class Predictor:
    """Predictions from a bundle, the same as those of the regressor that was saved, without Keras.

    Needs NumPy, pandas, Pillow and onnxruntime: ``pip install "mixed_data[runtime]"``. Every row is computed by itself,
    so that its answer does not depend on what else is asked. A photo may be a file or the file's content; a row without
    photos costs no convolution. May be used by several threads.

    Args:
        path: of the bundle, a folder that `train`, or `save` of a regressor, wrote.
        num_threads: that work on one photo; None for all cores.

    Attributes:
        schema: which column plays which role.
        views: names of the photos of a row, in order.
        manifest: what ``manifest.json`` says: versions, metrics of held-out rows, how the bundle was made.
        unit: of the predictions, such as "US dollars"; empty where nobody said.
        has_intervals: whether `predict_interval` works.
        has_comparables: whether `find_comparables` works.
        model: what computes.

    Raises:
        BundleError: the folder is no bundle, was changed, or does not predict its golden rows as it did where it was
            saved; see `mixed_data.bundle.load_bundle`.

    Example:
        >>> predictor = Predictor("runs/my-run/bundle")
        >>> predictor.predict(pd.DataFrame({"area": [120], "rooms": [4], "front": [open("front.jpg", "rb").read()]}))
    """

    def __init__(self, path: str | os.PathLike[str], *, num_threads: int | None = None) -> None:
        self.model: SavedModel = load_bundle(path, SAVED_MODELS, num_threads=num_threads)
        self.manifest: dict[str, Any] = read_manifest(Path(path))
        self.schema: Schema = self.model.preprocessor_.schema_
        self.views: list[str] = self.model.preprocessor_.views_
        self.unit: str = self.manifest["about"].get("unit", "")
        self.has_intervals = self.model.calibrator_ is not None
        self._comparables = _read_comparables(Path(path), self.model)
        self.has_comparables = self._comparables is not None

    def predict(self, table: pd.DataFrame) -> np.ndarray:
        """Predict rows, float64 ``(n,)``, target units; see `mixed_data.prediction.predicted_rows.RowRegressor`."""
        return self.model.predict(table)

    def predict_interval(self, table: pd.DataFrame, coverage: float = 0.9) -> np.ndarray:
        """Predict intervals, float64 ``(n, 2)``, target units; see `RowRegressor.predict_interval`."""
        return self.model.predict_interval(table, coverage)

    def predict_rows(self, table: pd.DataFrame, coverage: float | None = None) -> pd.DataFrame:
        """Predict rows and say of each what it was made from; see `RowRegressor.predict_rows`."""
        return self.model.predict_rows(table, coverage)

    def predict_rows_and_warnings(
        self, table: pd.DataFrame, coverage: float | None = None
    ) -> tuple[pd.DataFrame, list[list[str]]]:
        """Predict rows, and give the warnings of each one by one; see `RowRegressor.predict_rows_and_warnings`."""
        return self.model.predict_rows_and_warnings(table, coverage)

    def explain(self, table: pd.DataFrame, coverage: float = 0.9) -> list[Explanation]:
        """Say what columns and photos did to the predictions of rows; see `mixed_data.explain.reasons.explain_rows`."""
        return explain_rows(self.model, table, coverage)

    def heat_map(self, table: pd.DataFrame, view: str) -> Heat:
        """Say where in a photo of one row its prediction comes from; see `mixed_data.explain.heat_maps.draw_heat`."""
        return draw_heat(self.model, table, view)

    def find_comparables(self, table: pd.DataFrame, count: int = NUM_COMPARABLES) -> list[list[Comparable]]:
        """Find the training rows that resemble rows most, with their true values.

        Args:
            table: the rows. One with the id of a training row is not compared with that.
            count: how many to find for each row.

        Returns:
            per row, in order, its comparables, the most similar first; see
            `mixed_data.bundle.comparable_rows.ComparableRows` for what similar means.

        Raises:
            ValueError: the bundle carries no training rows, or the table does not fit the schema.
        """
        if self._comparables is None:
            raise ValueError("this bundle carries no training rows: it was saved without comparables")
        table, schema = to_pandas(table), self.schema.without_images()
        schema.validate(table, needs_target=False)
        return self._comparables.find(read_cells(schema, table), count)


def _read_comparables(path: Path, model: SavedModel) -> ComparableRows | None:
    file = path / COMPARABLES_FILE
    if not file.exists():
        return None
    try:
        return ComparableRows.read(file, model.preprocessor_)
    except Exception as error:  # a stranger's file may be wrong in any way
        raise BundleError(f"{file} cannot be used: {error!s:.2000}") from error
