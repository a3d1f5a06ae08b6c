"""What the tests of the regressor share: a table with photos, and small networks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from mixed_data import boosting
from mixed_data.estimator import MixedDataRegressor, out_of_fold, photo_backbones, stacked_regressor
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.schema import Schema

NO_PHOTOS, NO_TABLE = {"front": None, "back": None}, {"area": None, "kind": None, "zipcode": None}
SCHEMA = Schema(target="price", numeric=("area",), categorical=("kind",), codes=("zipcode",), images=("front", "back"))
NUM_ROWS = 72


def make_regressor(**options: Any) -> MixedDataRegressor:
    """Make a small, quick network, of which an epoch is one step."""
    settings = {"units": 8, "epochs": 2, "batch_size": 64, "validation_fraction": 0.15, **options}
    return MixedDataRegressor(SCHEMA, preprocessor=MixedDataPreprocessor(SCHEMA, image_size=16), **settings)


def fit(regressor: MixedDataRegressor, table: pd.DataFrame) -> MixedDataRegressor:
    """Fit eagerly where there are so few steps that to trace them would take longer."""
    with eagerly() if regressor.epochs in (1, 2) else nullcontext():
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
def one_step() -> Iterator[None]:
    """Train for one step, whatever is asked for: for texts that show what long trainings come to."""
    fit_for, one = keras.Model.fit, {"epochs": 1, "steps_per_epoch": 1}
    with eagerly(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "fit", lambda self, *data, **options: fit_for(self, *data, **options | one))
        yield


@contextmanager
def little_work() -> Iterator[pytest.MonkeyPatch]:
    """Make the fits of a stack short: a backbone that sees the mean colour, two folds and few trees."""
    grow = boosting.make_boosting
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photo_backbones, "build_backbone", lambda name, weights, size, **_: make_eye(size))
        patch.setattr(out_of_fold, "NUM_FOLDS", 2)
        few = {"max_iter": 15, "learning_rate": 0.3}
        patch.setattr("mixed_data.boosting.unfitted_boosting.make_boosting", lambda seed: grow(seed).set_params(**few))
        photo_backbones.load_backbone.cache_clear()
        yield patch
    photo_backbones.load_backbone.cache_clear()


def make_stack(**options: Any) -> stacked_regressor.StackedRegressor:
    """Make a stack that reads photos of 16 pixels a side."""
    settings = {"preprocessor": MixedDataPreprocessor(SCHEMA, image_size=16), "image_weights": None, **options}
    return stacked_regressor.StackedRegressor(SCHEMA, **settings)


@dataclass(frozen=True)
class FittedStack:
    """A stack, and what it learned from.

    Attributes:
        stack: fitted on the table.
        table: some rows have no photos, some no table, two share a photo.
        scaled: the transformed target.
        asked: what the kernel machines were asked to learn by: groups, splits and so on.
        held_out: what they predict of each row without its group.
        predicted: what the weights were learned from.
    """

    stack: stacked_regressor.StackedRegressor
    table: pd.DataFrame
    scaled: np.ndarray
    asked: dict[str, Any]
    held_out: dict[str, np.ndarray]
    predicted: pd.DataFrame


def fit_stack(table: pd.DataFrame) -> FittedStack:
    """Fit a stack with intervals, and write down what it does."""
    seen: dict[str, Any] = {}
    learn, predict_patterns = stacked_regressor.KernelMachines.learn, stacked_regressor._predict_patterns

    def learn_and_tell(inputs: Any, scaled: np.ndarray, **asked: Any) -> Any:
        machines, held_out = learn(inputs, scaled, **asked)
        seen.update(scaled=scaled, asked=asked, held_out=held_out)
        return machines, held_out

    def predict_and_tell(*arguments: Any) -> pd.DataFrame:
        seen["predicted"] = predict_patterns(*arguments)
        return seen["predicted"].copy()

    with little_work() as patch:
        patch.setattr(stacked_regressor.KernelMachines, "learn", learn_and_tell)
        patch.setattr(stacked_regressor, "_predict_patterns", predict_and_tell)
        stack = make_stack(target_transform="log", intervals=True, random_state=3).fit(table, table["price"])
    return FittedStack(stack, table, **seen)
