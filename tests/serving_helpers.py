"""What the tests of the service share: a predictor that answers from a formula, and clients."""

from __future__ import annotations

import base64
import io
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from explain_helpers import KnownModel, make_photo
from PIL import Image

from mixed_data.explain.heat_maps import draw_heat
from mixed_data.explain.reasons import explain_rows
from mixed_data.prediction.predicted_rows import RowRegressor
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.schema import Schema
from mixed_data.serving import make_app

with warnings.catch_warnings():  # it asks for another version of httpx
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

PHOTO = make_photo(255)
HOUSE = Schema(
    target="price [$]",
    numeric=("area [m2]", "rooms"),
    categorical=("style",),
    codes=("zip",),
    dates=("built",),
    images=("front", "rooms_photos"),
)
HOUSES = pd.DataFrame(
    {
        "area [m2]": [80.0, 120.5, 250.0],
        "rooms": [2, 4, 7],
        "style": ["loft", "ranch", "loft"],
        "zip": ["02139", "85255", "02139"],
        "built": ["1950-01-31", "1980-06-01", "2020-12-24"],
        "front": "a.jpg",
        "rooms_photos": "b.jpg;c.jpg",
    }
)


class FormulaModel(KnownModel, RowRegressor):
    """1000 x area + 10 x the number of photos + their brightness, on any schema; knows that area 13 breaks it."""

    def __init__(self, schema: Schema = HOUSE, rows: pd.DataFrame = HOUSES) -> None:
        super().__init__(method="identity")
        self.preprocessor_ = MixedDataPreprocessor(schema, image_size=64).fit(rows)

    def predict_members(self, table: pd.DataFrame, inputs: Any) -> np.ndarray:
        first = pd.to_numeric(table[self.preprocessor_.schema_.numeric[0]]).fillna(0).to_numpy(dtype="float64")
        if (first == 13).any():
            raise RuntimeError("secret-in-the-message")
        photos = (inputs["images"][:, :, 0] * inputs["image_mask"]).sum(axis=1)
        return (first * 1000 + 10 * inputs["image_mask"].sum(axis=1) + photos)[:, None]

    def describe_rows(self, table: pd.DataFrame) -> tuple[Any, np.ndarray, np.ndarray]:
        inputs = self.read_rows(table)
        return inputs, *self.describe_read(table, inputs)


class Plain:
    """A scale that changes nothing."""

    log_, std_ = False, 1.0

    def inverse_transform(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(values, dtype="float64")


def make_predictor(schema: Schema = HOUSE, rows: pd.DataFrame = HOUSES, *, unit: str = "$") -> Any:
    """Make what a `Predictor` is to the service, without a bundle."""
    model = FormulaModel(schema, rows)
    model.target_transformer_ = Plain()  # type: ignore[assignment]
    return SimpleNamespace(
        model=model,
        schema=model.preprocessor_.schema_,
        views=model.preprocessor_.views_,
        unit=unit,
        manifest={},
        has_intervals=False,
        predict_rows_and_warnings=model.predict_rows_and_warnings,
        has_comparables=False,
        explain=lambda table, coverage: explain_rows(model, table, coverage),
        heat_map=lambda table, view: draw_heat(model, table, view),
    )


def make_client(predictor: Any = None, **options: Any) -> TestClient:
    """Make a client of a service of its own."""
    return TestClient(make_app(predictor or make_predictor(), **options), raise_server_exceptions=True)


def in_base64(photo: bytes = PHOTO) -> str:
    return base64.b64encode(photo).decode("ascii")


def make_large_photo(num_bytes: int) -> bytes:
    """Return a PNG of noise of at least so many bytes."""
    side = int((num_bytes / 3) ** 0.5) + 8
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype="uint8")
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
