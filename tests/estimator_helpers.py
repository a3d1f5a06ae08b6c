"""What the tests of the regressor share: a table with photos, and small networks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from mixed_data import boosting
from mixed_data.estimator import MixedDataRegressor, out_of_fold, stacked_regressor
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.schema import Schema

NO_PHOTOS, NO_TABLE = {"front": None, "back": None}, {"area": None, "kind": None, "zipcode": None}
SCHEMA = Schema(target="price", numeric=("area",), categorical=("kind",), codes=("zipcode",), images=("front", "back"))
NUM_ROWS = 72


def make_regressor(**options: Any) -> MixedDataRegressor:
    """Make a small, quick network."""
    settings = {"units": 8, "epochs": 2, "batch_size": 16, "validation_fraction": 0.15, **options}
    return MixedDataRegressor(SCHEMA, preprocessor=MixedDataPreprocessor(SCHEMA, image_size=16), **settings)


def fit(regressor: MixedDataRegressor, table: pd.DataFrame) -> MixedDataRegressor:
    return regressor.fit(table, table["price"])


def make_eye(size: tuple[int, int]) -> keras.Model:
    """Make a backbone that sees the mean colour only, twice."""
    photos = keras.Input((*size, 3), dtype="uint8")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(photos))
    parts = [keras.layers.Identity(name=block)(mean) for block in ("middle", "last")]
    return keras.Model(photos, keras.layers.Concatenate()(parts))


def network_of(regressor: MixedDataRegressor) -> keras.Model:
    """The network that was trained, which stands inside the model that predicts."""
    (network,) = [layer for layer in regressor.model_.layers if isinstance(layer, keras.Model)]
    return network


def make_sales(folder: Path) -> pd.DataFrame:
    """Make rows whose log price is what the area says, plus what only the brightness of the front says."""
    generator = np.random.default_rng(0)
    area = generator.uniform(50, 150, NUM_ROWS).round(1)
    bright = generator.random(NUM_ROWS) < 0.5
    rows = {
        "area": area,
        "kind": generator.choice(["house", "flat"], NUM_ROWS),
        "zipcode": generator.choice([85255, 85266, 90011], NUM_ROWS),
        "front": [draw_photo(folder / f"{row}_front.jpg", generator, bright[row]) for row in range(NUM_ROWS)],
        "back": [draw_photo(folder / f"{row}_back.jpg", generator, bright=None) for row in range(NUM_ROWS)],
        "price": 1e5 * np.exp((area - 100) / 60 + 0.8 * bright),
        "bright": bright,
    }
    return pd.DataFrame(rows)


def draw_photo(path: Path, generator: np.random.Generator, bright: bool | None) -> str:
    base = generator.choice([40, 190]) if bright is None else 190 if bright else 40
    pixels = base + generator.integers(-30, 30, (20, 24, 3))
    Image.fromarray(pixels.astype("uint8")).save(path)
    return str(path)


@contextmanager
def eagerly() -> Iterator[None]:
    """Let TensorFlow compute without tracing graphs, which takes most of the time of a network of few steps."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Even though the `tf.config.experimental_run_functions_eagerly`")
            yield
    finally:
        tf.config.run_functions_eagerly(before)


@contextmanager
def little_work() -> Iterator[pytest.MonkeyPatch]:
    """Make the fits of a stack short: two folds, few trees, and networks that TensorFlow does not compile."""
    with pytest.MonkeyPatch.context() as patch, eagerly():
        patch.setattr(out_of_fold, "NUM_FOLDS", 2)
        grow = boosting.make_boosting
        patch.setattr(
            "mixed_data.boosting.boosted_trees.make_boosting", lambda seed: grow(seed).set_params(max_iter=15)
        )
        patch.setattr(stacked_regressor, "BoostedTrees", partial(boosting.BoostedTrees, num_fits=2))
        yield patch


@dataclass(frozen=True)
class FittedStack:
    """A stack, and what it learned from.

    Attributes:
        stack: fitted on the table.
        table: some rows have no photos, some no table, two share a photo.
        out_of_fold: arguments and result of each call of `predict_out_of_fold`.
        predicted: what the weights were learned from.
        scaled: the transformed target.
    """

    stack: stacked_regressor.StackedRegressor
    table: pd.DataFrame
    out_of_fold: list[tuple[tuple[Any, ...], pd.DataFrame]]
    predicted: pd.DataFrame
    scaled: np.ndarray


def fit_stack(table: pd.DataFrame) -> FittedStack:
    """Fit a stack with intervals, and write down what it does."""
    calls: list[tuple[tuple[Any, ...], pd.DataFrame]] = []
    learned: list[Any] = []
    predict_out_of_fold, learn_weights = stacked_regressor.predict_out_of_fold, stacked_regressor._learn_weights

    def predict(*arguments: Any) -> pd.DataFrame:
        calls.append((arguments, predict_out_of_fold(*arguments)))
        return calls[-1][1]

    def learn(predicted: pd.DataFrame, scaled: np.ndarray) -> Any:
        learned.extend([predicted.copy(), scaled.copy()])
        return learn_weights(predicted, scaled)

    options = {"validation_fraction": 0, "epochs": 3, "learning_rate": 0.02, "dropout": 0.0, "image_dropout": 0.0}
    network = make_regressor(target_transform="log", members=2, **options)
    with little_work() as patch:
        patch.setattr(stacked_regressor, "predict_out_of_fold", predict)
        patch.setattr(stacked_regressor, "_learn_weights", learn)
        stack = stacked_regressor.StackedRegressor(network, intervals=True, random_state=3).fit(table, table["price"])
    return FittedStack(stack, table, calls, *learned)
