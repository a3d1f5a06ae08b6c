"""What an exported network reads and gives, and how rows become that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixed_data.prediction.missing_patterns import INPUT_NAMES
from mixed_data.preprocessing.row_reader import RowReader
from mixed_data.preprocessing.target_scale import TargetScale
from mixed_data.runtime import Predictor

PREDICTION = "prediction"
"""Name of the output: float32 ``(n,)``, target units."""

PredictArrays = Callable[[dict[str, np.ndarray]], np.ndarray]
"""Predicts rows from the inputs, by their names."""

OTHER_FORMAT = "--format mlflow takes every bundle"
"""The remedy where a bundle has no other form."""


@dataclass(frozen=True)
class ExportedArrays:
    """The arrays of a network with all its photos' pixels as one input.

    Attributes:
        reader: turns rows into the arrays; its photos have the size that the network reads.
        inputs: of each input its ``name``, ``dtype``, ``shape`` and what it holds, as JSON can hold it, in order.
        output: of the output likewise.
    """

    reader: RowReader
    inputs: list[dict[str, Any]]
    output: dict[str, Any]

    @classmethod
    def of(cls, predictor: Predictor, bundle: Path) -> ExportedArrays:
        """Find out what the network of a bundle reads.

        Raises:
            ValueError: the bundle holds no network, or its backbones want photos of different sizes.
        """
        model = predictor.model
        if model.kind != "network":
            raise ValueError(
                f"{bundle} is a {model.kind}, boosted trees and kernel machines, and these formats hold one network; "
                f"{OTHER_FORMAT}"
            )
        reader = RowReader.load(bundle / "preprocessing.json")
        reader.images_.remember = False
        sizes = {one.size for one in model.readers_}
        if len(sizes) > 1:
            raise ValueError(
                f"the backbones of {bundle} read photos of different sizes, {sorted(sizes)}, and these formats have "
                f"one input for all; {OTHER_FORMAT}"
            )
        for size in sizes:
            reader.image_size = reader.images_.size = size
        names = INPUT_NAMES[model.modalities]
        return cls(reader, [_describe(name, reader) for name in names], _describe_output(predictor))

    def make(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """Turn rows that fit the schema into the inputs, by their names."""
        arrays = self.reader.transform_checked(table)
        return {one["name"]: arrays[one["name"]] for one in self.inputs}


def find_ends(target: TargetScale) -> tuple[float, float]:
    """Return the lowest and the highest prediction in standard deviations whose value float32 can hold."""
    limits = np.finfo(np.float32)
    if not target.log_:
        ends = [(sign * float(limits.max) - target.mean_) / target.std_ for sign in (-1, 1)]
        return max(ends[0], -target.farthest_), min(ends[1], target.farthest_)
    low, high = np.log(float(limits.tiny)), np.log(float(limits.max))
    return (
        max(low / target.std_, (low - target.mean_) / target.std_, -target.farthest_),
        min(high / target.std_, (high - target.mean_) / target.std_, target.farthest_),
    )


def _describe(name: str, reader: RowReader) -> dict[str, Any]:
    views = reader.views_
    columns = reader.get_feature_names_out().tolist()
    images = reader.images_
    height, width = images.get_state()["size"]
    known: dict[str, dict[str, Any]] = {
        "tabular": {
            "dtype": "float32",
            "shape": ["n", len(columns)],
            "holds": "the columns, encoded by preprocessing.json",
            "columns": columns,
        },
        "tabular_mask": {
            "dtype": "bool",
            "shape": ["n", 1],
            "holds": "false where not one cell of the row is known",
        },
        "images": {
            "dtype": "uint8",
            "shape": ["n", len(views), height, width, 3],
            "holds": "the photos as decoded pixels, zeros where there is none",
            "views": views,
            "pixels": {
                "colours": "red, green, blue",
                "range": [0, 255],
                "resize": images.resize,
                "montage": bool(images.montage),
                "upright": "turned as the EXIF orientation says",
            },
        },
        "image_mask": {
            "dtype": "bool",
            "shape": ["n", len(views)],
            "holds": "false where a photo is missing or unreadable",
            "views": views,
        },
    }
    return {"name": name, **known[name]}


def _describe_output(predictor: Predictor) -> dict[str, Any]:
    return {
        "name": PREDICTION,
        "dtype": "float32",
        "shape": ["n"],
        "holds": "the prediction, in target units",
        "target": predictor.schema.target,
        "unit": predictor.unit,
    }
