"""A progress bar on a terminal, nothing in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import pandas as pd
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from sklearn.base import clone

from mixed_data.estimator import MixedDataRegressor
from mixed_data.estimator.network_fit import make_embedder
from mixed_data.estimator.predicted_rows import NUM_ROWS_AT_ONCE
from mixed_data.evaluation.held_out_scores import Watch
from mixed_data.schema import Schema


class EpochProgress(keras.callbacks.Callback):
    """Moves one bar of a `rich` progress display by one step per epoch."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        super().__init__()
        self._progress = progress
        self._task = task

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Learn how many epochs there will be at most."""
        self._progress.update(self._task, total=self.params["epochs"])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the loss."""
        loss = (logs or {}).get("val_loss", (logs or {}).get("loss", float("nan")))
        self._progress.update(self._task, completed=epoch + 1, loss=f"{loss:.3f}")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Fill the bar: early stopping leaves epochs over."""
        self._progress.update(self._task, completed=self.params["epochs"])


def embed_photos(table: pd.DataFrame, schema: Schema, arguments: Mapping[str, Any]) -> None:
    """Have a pretrained backbone read all photos before anything is fitted; later fits find the vectors in the cache.

    Args:
        table: all rows.
        schema: roles of the columns.
        arguments: of `MixedDataRegressor`.
    """
    if not schema.images:
        return
    regressor = MixedDataRegressor(schema.only_images(), **arguments)
    preprocessor = clone(arguments["preprocessor"]).set_params(schema=schema.only_images()).fit(table)
    embedder = make_embedder(regressor, preprocessor)
    if embedder is None:
        return
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for start in range(0, len(table), NUM_ROWS_AT_ONCE):
            bar = progress.add_task("reading photos, once", total=None)
            embedder.progress = partial(_move, progress, bar)
            preprocessor.transform(table.iloc[start : start + NUM_ROWS_AT_ONCE], embedder)
        embedder.progress = None


def _move(progress: Progress, bar: TaskID, done: int, total: int) -> None:
    progress.update(bar, completed=done, total=total)


@contextmanager
def show_progress() -> Iterator[Watch]:
    """Yield a `Watch` that shows one bar per fit on standard error while that is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def watch(name: str, fold: int) -> Sequence[keras.callbacks.Callback]:
            return [EpochProgress(progress, progress.add_task(f"{name}, fold {fold}", total=None, loss="-"))]

        yield watch
