"""Jobs of several processes for tests, with Keras on JAX; run by `test_several_processes`.

The processes begin as copies of one that has imported everything, which saves seconds for each.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from sklearn.base import clone

from mixed_data.cli import main
from mixed_data.estimator import MixedDataRegressor, load
from mixed_data.network.distribution import joined_job
from mixed_data.network.epoch_checkpoint import EpochCheckpoint
from mixed_data.preprocessing.photo_reader import PhotoReader
from mixed_data.readers import read_table
from mixed_data.schema import Schema

ENVIRONMENT = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # which take longer than so short a training
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
EPOCHS = 5
NUM_ROWS = 137


@dataclass(frozen=True)
class Job:
    """Processes that were started together, and the folder of what they wrote."""

    folder: Path
    processes: list[BaseProcess]

    def wait(self, seconds: float) -> list[int | None]:
        """Return the exit code of each process; None for one that goes on."""
        for process in self.processes:
            process.join(seconds)
        return [process.exitcode for process in self.processes]

    def read(self, process_id: int) -> dict[str, Any]:
        """Return what a process found."""
        return json.loads((self.folder / f"{process_id}.json").read_text())

    def log(self, process_id: int) -> str:
        """Return what a process printed."""
        return (self.folder / f"{process_id}.log").read_text()


def start_job(folder: Path, num_processes: int, work: Callable[..., None], **arguments: Any) -> Job:
    """Start the processes of a job on this machine, without waiting for them."""
    context = multiprocessing.get_context("forkserver")
    folder.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    processes = []
    for process_id in range(num_processes):
        environment = {"JOB_ADDRESSES": address, "NUM_PROCESSES": str(num_processes), "PROCESS_ID": str(process_id)}
        process = context.Process(target=_begin, args=(folder, process_id, environment, work, arguments))
        process.start()
        processes.append(process)
    return Job(folder, processes)


def _begin(
    folder: Path, process_id: int, environment: dict[str, str], work: Callable[..., None], arguments: dict[str, Any]
) -> None:
    log = os.open(folder / f"{process_id}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ |= {f"KERAS_DISTRIBUTION_{name}": value for name, value in environment.items()}
    os.environ["MIXED_DATA_CACHE"] = str(folder / f"cache of {process_id}")
    work(folder, process_id, **arguments)


def fit_rows(folder: Path, process_id: int, *, killed: int | None = None) -> None:
    """Fit a small network, and write its history and weights; or kill one of the processes after three epochs."""
    random = np.random.default_rng(0)
    table = pd.DataFrame({"area": random.uniform(50, 150, NUM_ROWS), "rooms": random.integers(1, 7, NUM_ROWS)})
    table["price"] = 2_000 * table["area"] * np.exp(random.normal(0, 0.3, NUM_ROWS))
    EpochCheckpoint.seconds_between = 0.0
    epochs: list[int] = []

    def begin(epoch: int, logs: object) -> None:
        epochs.append(epoch)
        if epoch == 3 and process_id == killed:
            os.kill(os.getpid(), signal.SIGKILL)

    callbacks: list[keras.callbacks.Callback] = [keras.callbacks.LambdaCallback(on_epoch_begin=begin)]
    if process_id == 0:
        callbacks.append(EpochCheckpoint(folder / "epochs"))
    regressor = MixedDataRegressor(
        Schema(target="price", numeric=("area", "rooms")),
        modalities="tabular",
        units=8,
        members=2,
        dropout=0.3,
        epochs=EPOCHS,
        validation_fraction=0.2,
        patience=3,
    )
    with joined_job():
        regressor.fit(table, table["price"], callbacks=callbacks)
        found = {
            "history": regressor.history_,
            "epochs": epochs,
            "weights": [weights.tolist() for weights in regressor.model_.get_weights()],
            "predictions": regressor.predict(table).tolist(),
            "learned": regressor.preprocessor_.get_state(),
        }
        (folder / f"{process_id}.json").write_text(json.dumps(found))


def run_train(folder: Path, process_id: int, *, arguments: list[str]) -> None:
    """Run the command `train`, and write of which rows the photos were read, time by time."""
    read: list[list[str]] = []
    transform = PhotoReader.transform

    def record(self: PhotoReader, table: pd.DataFrame, *rest: Any) -> Any:
        if "listing_id" in table:  # not the rows that are made up for a bundle
            read.append(table["listing_id"].tolist())
        return transform(self, table, *rest)

    PhotoReader.transform = record  # type: ignore[method-assign]
    exit_code = main(["train", *arguments])
    (folder / f"{process_id}.json").write_text(json.dumps({"read": read}))
    sys.exit(exit_code)


def fit_as_in_run(folder: Path, process_id: int, *, run: Path, data: Path) -> None:
    """Fit the network of a run again, on the rows that it was fitted on, and predict the others."""
    table, _ = read_table(data=data)
    is_held_out = table["listing_id"].isin(pd.read_csv(run / "held_out.csv")["listing_id"])
    rows = table[~is_held_out]
    with joined_job():
        regressor = clone(load(run / "bundle")).fit(rows, rows["price"])
    found = {"history": regressor.history_, "predictions": regressor.predict(table[is_held_out]).tolist()}
    (folder / f"{process_id}.json").write_text(json.dumps(found))
