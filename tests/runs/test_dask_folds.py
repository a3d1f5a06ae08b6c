"""`compare --dask` and `train --folds --dask`: the results of one process, also where a worker is killed."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from estimator_helpers import eagerly
from run_helpers import fork_server

from mixed_data.cli import main
from mixed_data.files.checked_json import read_json
from mixed_data.runs.dask_cluster import ClusterError

# Dask leaves sockets of workers that were killed, and of clusters that end, to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

NETWORK = ["--networks=table", "--fusion=table", "--epochs=2", "--units=8", "--target-transform=log", "--no-intervals"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Client]:
    """Two processes, copies of one that computes without tracing graphs; in each, a thread draws random numbers."""
    how = {"n_workers": 2, "threads_per_worker": 2, "dashboard_address": ":0", "silence_logs": 50}
    with (
        fork_server("keras", "eager_tensorflow", "distributed"),
        dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
        LocalCluster(**how) as local,
        Client(local, set_as_default=False) as client,
    ):
        client.run(draw_in_a_thread)
        yield client


def draw_in_a_thread() -> None:
    def draw() -> None:
        while True:
            random.random()
            time.sleep(0.002)

    threading.Thread(target=draw, daemon=True).start()


@pytest.fixture(scope="module")
def numbers(listings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table without photos."""
    path = tmp_path_factory.mktemp("numbers") / "numbers.csv"
    pd.read_csv(listings, dtype=str).drop(columns=["front", "kitchen"]).to_csv(path, index=False)
    return path


def run(command: str, numbers: Path, out: Path, *options: str) -> int:
    data = ["--dataset", "table", "--data", str(numbers), "--target", "price"]
    with eagerly():
        return main([command, *data, *NETWORK, "--folds", "2", "--out", str(out), "--quiet", *options])


def without_seconds(file: Path) -> Any:
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in read_json(file)]


def test_compare_on_a_cluster_gives_the_same_bytes_though_a_worker_is_killed(cluster, numbers, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    assert run("compare", numbers, here, "--repeats", "1") == 0
    killer = threading.Thread(target=kill_a_worker_that_fits, args=[cluster, there])
    killer.start()
    assert run("compare", numbers, there, "--repeats", "1", "--dask", cluster.scheduler.address) == 0
    killer.join(timeout=60)
    assert not killer.is_alive(), "a worker was killed"
    assert (there / "predictions.csv").read_bytes() == (here / "predictions.csv").read_bytes()
    assert without_seconds(there / "comparison.json") == without_seconds(here / "comparison.json")


def kill_a_worker_that_fits(cluster: Client, folder: Path) -> None:
    """Wait until something is finished, and kill a worker that is busy."""
    while not list(folder.rglob("*-fold*.json")):
        time.sleep(0.02)
    busy = next(worker for worker, keys in cluster.processing().items() if keys)
    os.kill(cluster.run(os.getpid, workers=[busy])[busy], signal.SIGKILL)


def test_folds_of_train_on_a_cluster_give_the_same_bytes_also_when_they_go_on_at_another_address(
    cluster, numbers, tmp_path, monkeypatch, capsys
):
    here, there = tmp_path / "here", tmp_path / "there"
    assert run("train", numbers, here) == 0
    monkeypatch.setattr("mixed_data.estimator.MixedDataRegressor.fit", None)  # nothing is fitted in this process
    with monkeypatch.context() as patch:
        patch.setattr("mixed_data.runs.train_run.evaluate_held_out", lose_the_scheduler)
        localhost = cluster.scheduler.address.replace("127.0.0.1", "localhost")
        assert run("train", numbers, there, "--dask", localhost) == 1
    advice = f"next: python -m mixed_data train --resume {there}"
    assert capsys.readouterr().err.splitlines() == ["error: the scheduler is gone", advice]
    monkeypatch.setattr("mixed_data.runs.dask_cluster.CONNECT_SECONDS", 1)
    assert main(["train", "--resume", str(there), "--dask", "tcp://127.0.0.1:1", "--quiet"]) == 1
    assert "no Dask scheduler answers at tcp://127.0.0.1:1 within 1 seconds" in capsys.readouterr().err
    with eagerly():
        assert main(["train", "--resume", str(there), "--dask", cluster.scheduler.address, "--quiet"]) == 0
    for name in ("metrics.json", "predictions.csv", "model_predictions.csv", "importance.json", "held_out.csv"):
        assert (there / name).read_bytes() == (here / name).read_bytes(), name
    for bundle in ("bundle", "bundle/folds/0", "bundle/folds/1"):
        found = [read_json(place / bundle / "manifest.json")["golden_predictions"] for place in (here, there)]
        assert found[0] == found[1]
    assert without_seconds(there / "comparison.json") == without_seconds(here / "comparison.json")


def lose_the_scheduler(*arguments: object, **options: object) -> None:
    raise ClusterError("the scheduler is gone")


@pytest.mark.parametrize(
    ("command", "options", "problem"),
    [
        ("train", [], "--dask does the fits of folds; give --folds too"),
        ("train", ["--folds", "2", "--tensorboard", "logs"], "--tensorboard is for fits on this machine"),
        ("train", ["--folds", "2", "--distribute"], "--distribute trains on the devices of these processes"),
        ("compare", ["--jobs", "2"], "--jobs is for fits on this machine"),
    ],
)
def test_options_that_do_not_go_with_dask_are_refused(command, options, problem, capsys):
    assert main([command, "--dask", "tcp://127.0.0.1:1", *options]) == 2
    assert problem in capsys.readouterr().err
