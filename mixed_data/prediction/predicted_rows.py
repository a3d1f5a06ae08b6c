"""From a table to one line per row: what all regressors of this project do alike once they are fitted."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np
import pandas as pd

from mixed_data.files.learned import Learned
from mixed_data.intervals.calibrated_intervals import CalibratedIntervals
from mixed_data.prediction.missing_patterns import name_patterns
from mixed_data.prediction.rare_levels import find_rare_levels
from mixed_data.preprocessing.lost_photos import warn_of_lost_photos
from mixed_data.preprocessing.row_reader import Inputs, RowReader
from mixed_data.preprocessing.target_scale import TargetScale
from mixed_data.schema.column_formats import read_cells
from mixed_data.schema.pandas_frames import to_pandas

NUM_ROWS_AT_ONCE = 1024
"""Rows whose photos are held in memory at once while predicting."""


class RowRegressor(Learned):
    """A fitted regressor that says of each row what it was made from, and between which ends its value lies.

    Attributes:
        modalities: "both", "tabular" or "image".
        preprocessor_: the fitted `RowReader`.
        target_transformer_: the fitted `TargetScale`.
        calibrator_: the fitted `CalibratedIntervals`, or None.
    """

    modalities: str
    preprocessor_: RowReader
    target_transformer_: TargetScale
    calibrator_: CalibratedIntervals | None

    @abstractmethod
    def describe_rows(self, table: pd.DataFrame) -> tuple[Inputs, np.ndarray, np.ndarray]:
        """Read and predict rows, and tell easy ones from hard ones.

        Args:
            table: the rows, which fit the schema.

        Returns:
            The rows as arrays; predictions on the scale of `target_transformer_`, float64 ``(n,)``; and
            numbers that may go with the size of the error, float64 ``(n, p)``.
        """

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Predict rows; each by itself, in their order.

        A `PhotoWarning` says, counted by reason, which photos cannot be used; `predict_rows` says it of each row.

        Args:
            X: rows with the columns of `feature_names_in_`; others are ignored.

        Returns:
            float64 ``(n,)``, target units.

        Raises:
            ValueError: the table does not fit the schema (all problems are listed).
        """
        rows, row_warnings = self.predict_rows_and_warnings(X)
        warn_of_lost_photos(row_warnings, to_pandas(X))
        return rows["prediction"].to_numpy()

    def predict_interval(self, X: pd.DataFrame, coverage: float = 0.9) -> np.ndarray:
        """Predict intervals that hold the true value in a chosen share of cases like the training rows.

        Conformal intervals, narrower for rows whose members agree; rows without photos, and rows without a table, have
        a calibration of their own. See `mixed_data.intervals.CalibratedIntervals`.

        Args:
            X: as for `predict`.
            coverage: above 0 and below 1.

        Returns:
            float64 ``(n, 2)``, lower and upper end, target units.

        Raises:
            ValueError: the table does not fit the schema, this was fitted with ``intervals=False``, or there were too
                few training rows for such a coverage.
        """
        rows, row_warnings = self.predict_rows_and_warnings(X, coverage)
        warn_of_lost_photos(row_warnings, to_pandas(X))
        return rows[["lower", "upper"]].to_numpy()

    def predict_rows(self, table: pd.DataFrame, coverage: float | None = None) -> pd.DataFrame:
        """Predict rows and say of each what it was made from.

        Args:
            table: as for `predict`.
            coverage: of the intervals; None for no intervals.

        Returns:
            One line per row, in order, with the index of ``table``: ``prediction`` (float64, target units),
            with a coverage ``lower`` and ``upper`` (likewise), ``images_used`` (int64, number of photos), ``warnings``
            (text, parts separated by "; ", empty for a row in order), and for a table with categories or codes
            ``level_rows`` (Int64, in how many training rows the rarest level of the row stood; 0 for an unseen one; a
            missing cell is a level of its own).

        Raises:
            ValueError: as for `predict` and `predict_interval`.
        """
        return self.predict_rows_and_warnings(table, coverage)[0]

    def predict_rows_and_warnings(
        self, table: pd.DataFrame, coverage: float | None = None
    ) -> tuple[pd.DataFrame, list[list[str]]]:
        """Predict as `predict_rows` does, and return the warnings of each row one by one; some are `LostPhoto`."""
        self.check_fitted()
        if coverage is not None and self.calibrator_ is None:
            raise ValueError("this regressor knows no intervals: it was fitted with intervals=False")
        table = to_pandas(table)
        schema = self.preprocessor_.schema_
        schema.validate(table, needs_target=False)
        table = read_cells(schema, table)
        parts, row_warnings = [], []
        num_rows = max(len(table), 1)
        size = math.ceil(num_rows / math.ceil(num_rows / NUM_ROWS_AT_ONCE))  # of parts that take the same memory
        for start in range(0, num_rows, size):
            rows = table.iloc[start : start + size]
            inputs, scaled, difficulty = self.describe_rows(rows)
            columns: dict[str, Any] = {"prediction": self.target_transformer_.inverse_transform(scaled)}
            if coverage is not None and self.calibrator_ is not None:
                columns["lower"], columns["upper"] = self.calibrator_.predict(
                    columns["prediction"],
                    difficulty=difficulty,
                    pattern=name_patterns(inputs, self.modalities),
                    coverage=coverage,
                )
            columns["images_used"] = inputs["image_mask"].sum(axis=1).astype("int64")
            rare = find_rare_levels(inputs, self.preprocessor_)
            pairs = zip(inputs.row_warnings, rare, strict=True)
            found = [of_row + of_levels if of_levels else of_row for of_row, of_levels in pairs]
            columns["warnings"] = ["; ".join(texts) for texts in found]
            if inputs["level_counts"].shape[1]:
                columns["level_rows"] = pd.array(inputs["level_counts"].min(axis=1), dtype="Int64")
            parts.append(pd.DataFrame(columns))
            row_warnings += found
            del inputs  # before the next rows are read
        return pd.concat(parts).set_axis(table.index, axis="index"), row_warnings
