"""From rows to answers: checks that need the bundle, predictions, reasons, heat maps."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from mixed_data.explain.heat_pictures import paint_heat, show_photo
from mixed_data.preprocessing.lost_photos import LostPhoto
from mixed_data.preprocessing.photo_decoding import load_photo
from mixed_data.preprocessing.photo_problems import PhotoError
from mixed_data.runtime import Predictor
from mixed_data.schema.bad_cells import describe_bad_cell
from mixed_data.serving.problem_details import FieldError, ServiceError
from mixed_data.serving.request_bodies import Row
from mixed_data.serving.served_fields import ServedFields
from mixed_data.serving.service_limits import Limits

_HEAT_SIDE = 384  # pixels of the longer side


@dataclass(frozen=True)
class Answered:
    """Answers to some rows, and what is counted of them.

    Attributes:
        rows: per row its answer, or the problem with it, in order.
        missing: per row the image columns that had no photo.
        unseen: per row the columns whose level stood in no training row.
        out_of_range: per row the columns whose number or date lies outside training.
    """

    rows: list[dict[str, Any] | ServiceError]
    missing: list[list[str]]
    unseen: list[list[str]]
    out_of_range: list[list[str]]


class RowAnswerer:
    """Answer rows by a bundle.

    Args:
        predictor: of the bundle.
        fields: of the same.
        limits: of photos.
    """

    def __init__(self, predictor: Predictor, fields: ServedFields, limits: Limits) -> None:
        self._predictor, self._fields = predictor, fields
        images = predictor.model.preprocessor_.images_
        images.max_pixels = self._max_pixels = min(images.max_pixels, limits.photo_pixels)

    def predict(self, rows: Sequence[Row | ServiceError], coverage: float) -> Answered:
        """Predict rows.

        Args:
            rows: as they came; a problem stays what it is.
            coverage: of the intervals.
        """
        rows = [row if isinstance(row, ServiceError) else self._find_bad_cells(row) or row for row in rows]
        places = [place for place, row in enumerate(rows) if not isinstance(row, ServiceError)]
        answers: list[dict[str, Any] | ServiceError] = [row if isinstance(row, ServiceError) else {} for row in rows]
        notes: list[list[list[str]]] = [[[] for _ in rows] for _ in range(3)]
        if places:
            usable: list[Row] = [row for row in rows if not isinstance(row, ServiceError)]
            table = self._make_table(usable)
            found = (self._find_missing(usable), self._fields.find_unseen(table), self._fields.find_out_of_range(table))
            for kind, per_row in zip(notes, found, strict=True):
                for place, names in zip(places, per_row, strict=True):
                    kind[place] = names
            lines = self._predict(table, coverage)
            for place, row, line, outside, unseen in zip(places, usable, lines, found[2], found[1], strict=True):
                lost = self._find_lost_photos(row, line["warnings"])
                answers[place] = lost or self._describe(line, coverage, outside, unseen)
        return Answered(answers, *notes)

    def explain(self, row: Row, coverage: float, heat_view: str | None) -> dict[str, Any]:
        """Say why a row is predicted as it is.

        Args:
            row: as it came.
            coverage: of the intervals.
            heat_view: name of a photo to draw a heat map over, or None.

        Raises:
            ServiceError: a cell or a photo cannot be used, or the photo of the heat map is not there.
        """
        if problem := self._find_bad_cells(row):
            raise problem
        table = self._make_table([row])
        (explanation,) = self._predictor.explain(table, coverage)
        if lost := self._find_lost_photos(row, explanation.warnings):
            raise lost
        found = explanation.to_dict() | {"unit": self._fields.unit}
        if self._predictor.has_comparables:
            found["comparables"] = [asdict(one) for one in self._predictor.find_comparables(table)[0]]
        if heat_view is not None:
            found["heat_map"] = self._draw_heat(table, heat_view)
        return found

    def _draw_heat(self, table: pd.DataFrame, view: str) -> dict[str, Any]:
        model = self._predictor.model
        photos = model.preprocessor_.images_.list_photos(table)[0]
        if view not in photos:
            raise ServiceError.of_fields(
                [FieldError("heat_map", f"the row has no photo {view[:80]!r}; send it, or leave it")]
            )
        heat = self._predictor.heat_map(table, view)
        file = io.BytesIO()
        Image.fromarray(paint_heat(show_photo(model, table, view, _HEAT_SIDE), heat.values)).save(file, "PNG")
        picture = base64.b64encode(file.getvalue()).decode("ascii")
        texts = {"view": view, "trustworthy": heat.trustworthy, "text": heat.text}
        return texts | {"values": heat.values.tolist(), "png": picture}

    def _find_bad_cells(self, row: Row) -> ServiceError | None:
        schema, fields = self._predictor.schema, self._fields
        table = self._make_table([row])
        errors = [
            FieldError(name, describe_bad_cell(role, name, table[name].iloc[0], schema.formats.get(name)))
            for role, name in schema.find_bad_cells(table, needs_target=False)
            if name in fields.fields
        ]
        return ServiceError.of_fields(errors) if errors else None

    def _find_missing(self, rows: Sequence[Row]) -> list[list[str]]:
        return [[name for name in self._fields.photos if not row[name]] for row in rows]

    def _find_lost_photos(self, row: Row, warnings: Sequence[str]) -> ServiceError | None:
        """Say which photos cannot be decoded, where a warning says that some cannot; the small size makes it quick."""
        if not any(isinstance(warning, LostPhoto) for warning in warnings):
            return None
        errors = []
        for name in self._fields.photos:
            for photo in row[name]:
                try:
                    load_photo(photo, 8, 8, max_pixels=self._max_pixels, remember=False)
                except PhotoError as error:
                    errors.append(FieldError(name, f"the photo cannot be used: {error}"))
        return ServiceError.of_fields(errors) if errors else None

    def _make_table(self, rows: Sequence[Row]) -> pd.DataFrame:
        """Make the table that a predictor reads: photos are bytes, never paths."""
        cells = {}
        for name in self._fields.names:
            column = np.empty(len(rows), dtype=object)
            for place, row in enumerate(rows):
                cell = row[name]
                column[place] = (list(cell) or None) if name in self._fields.photos else cell
            cells[name] = column
        return pd.DataFrame(cells, index=range(len(rows)), dtype=object)

    def _predict(self, table: pd.DataFrame, coverage: float) -> list[dict[str, Any]]:
        """Predict rows; those whose interval is not known at this coverage go without."""
        predictor = self._predictor
        if not predictor.has_intervals:
            return _to_lines(*predictor.predict_rows_and_warnings(table))
        try:
            return _to_lines(*predictor.predict_rows_and_warnings(table, coverage))
        except ValueError as error:
            if len(table) > 1:
                return [self._predict(table.iloc[row : row + 1], coverage)[0] for row in range(len(table))]
            (line,) = _to_lines(*predictor.predict_rows_and_warnings(table))
            return [line | {"warnings": [*line["warnings"], f"no interval: {error}"]}]

    def _describe(
        self, line: dict[str, Any], coverage: float, out_of_range: list[str], unseen: list[str]
    ) -> dict[str, Any]:
        return {
            "prediction": line["prediction"],
            "lower": line.get("lower"),
            "upper": line.get("upper"),
            "coverage": coverage if line.get("lower") is not None else None,
            "unit": self._fields.unit,
            "images_used": line["images_used"],
            "warnings": line["warnings"],
            "out_of_range": out_of_range,
            "unseen": unseen,
        }


def _to_lines(rows: pd.DataFrame, warnings: list[list[str]]) -> list[dict[str, Any]]:
    lines = rows.assign(warnings=warnings).to_dict("records")
    return [{str(name): value for name, value in line.items()} for line in lines]
