"""What watches the fits of `train` and `compare`: bars on a terminal, logs for TensorBoard."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import pandas as pd
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mixed_data.cli.terminal_bars import show_bar, start_progress
from mixed_data.estimator import MixedDataRegressor
from mixed_data.evaluation.held_out_scores import Watch
from mixed_data.evaluation.repeated_folds import OnProgress
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
    """Have a pretrained backbone read all photos before anything is fitted, with a bar; see `MixedDataRegressor`.

    Args:
        table: all rows.
        schema: roles of the columns.
        arguments: of `MixedDataRegressor`.
    """
    with show_bar("reading photos, once") as report:
        MixedDataRegressor(schema, **arguments).embed_photos(table, report)


@contextmanager
def show_progress() -> Iterator[Watch]:
    """Yield a `Watch` that shows one bar per fit on standard error while that is a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with start_progress(*columns) as progress:

        def watch(name: str, fold: int) -> Sequence[keras.callbacks.Callback]:
            return [EpochProgress(progress, progress.add_task(f"{name}, fold {fold}", total=None, loss="-"))]

        yield watch


def log_epochs(watch: Watch, folder: Path) -> Watch:
    """Return a `Watch` that also writes the epochs' losses for TensorBoard, in one subfolder per fit.

    Args:
        watch: the other one.
        folder: of the subfolders, such as "weighted_sum_fold_0".
    """

    def watch_and_log(name: str, fold: int) -> Sequence[keras.callbacks.Callback]:
        own = re.sub(r"[^\w.]+", "_", f"{name}_fold_{fold}")
        return [*watch(name, fold), keras.callbacks.TensorBoard(folder / own, write_graph=False)]

    return watch_and_log


@contextmanager
def show_fits() -> Iterator[OnProgress]:
    """Yield a function that moves one bar over all fits, on standard error while that is a terminal."""
    columns = (
        TextColumn("fits"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[model]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with start_progress(*columns) as progress:
        bar = progress.add_task("fits", total=None, model="")
        yield lambda done, total, model: progress.update(bar, completed=done, total=total, model=model)
