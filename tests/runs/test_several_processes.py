"""Trainings by several processes: the same result as by one, and an error for all where one is killed."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from job_helpers import ENVIRONMENT, EPOCHS, Job, fit_as_in_run, fit_rows, run_train, start_job
from reliability import Case, documented
from run_helpers import fork_server

from mixed_data.files.checked_json import read_json
from mixed_data.runtime import Predictor

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="JAX cannot join processes on Windows"),
    pytest.mark.skipif(find_spec("jax") is None, reason="needs jax: pip install -r requirements-jax.txt"),
]

BATCH_SIZE = 8
SECONDS = 240.0
LOST = 60.0
KILLED = [
    Case("SIGKILL of one of the processes that train together", "an error in all of them within 60 s", 1),
    Case("SIGKILL of the first of them", "an error in all of them within 60 s", 0),
]


@pytest.fixture(scope="module", autouse=True)
def _keras_on_jax(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Start the process that the others are copies of."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        with fork_server("tensorflow", "job_helpers"):  # JAX imports TensorFlow where it finds it
            yield


@pytest.fixture(scope="module")
def fits(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Job]:
    """The same training by 1, 2 and 4 processes."""
    folder = tmp_path_factory.mktemp("fits")
    jobs = {number: start_job(folder / str(number), number, fit_rows) for number in (1, 2, 4)}
    for number, job in jobs.items():
        assert job.wait(SECONDS) == [0] * number, job.log(0)
    return jobs


@pytest.fixture(scope="module")
def killed_fits(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Job, float]]:
    """The same training by 2 processes, of which one was killed; and the seconds until all had ended."""
    folder = tmp_path_factory.mktemp("killed")
    jobs = {number: start_job(folder / str(number), 2, fit_rows, killed=number) for number in (0, 1)}
    ended = {}
    for number, job in jobs.items():
        job.processes[number].join(SECONDS)
        started = time.monotonic()
        job.wait(SECONDS)
        ended[number] = job, time.monotonic() - started
    return ended


@pytest.mark.parametrize("number", [2, 4])
def test_several_processes_train_the_network_that_one_trains(number, fits):
    expected = fits[1].read(0)
    assert [len(losses) for losses in expected["history"].values()] == [EPOCHS] * 2
    for process_id in range(number):
        found = fits[number].read(process_id)
        for name, losses in expected["history"].items():
            np.testing.assert_allclose(found["history"][name], losses, rtol=1e-6)
        for got, weights in zip(found["weights"], expected["weights"], strict=True):
            np.testing.assert_allclose(got, weights, atol=1e-5)
        np.testing.assert_allclose(found["predictions"], expected["predictions"], rtol=1e-5)
        assert found["learned"] == expected["learned"]


@documented("Crashes", KILLED)
def test_where_one_process_is_killed_all_end_with_an_error(case, killed_fits):
    job, seconds = killed_fits[case.given]
    survivor = 1 - case.given
    assert seconds < LOST
    assert job.processes[case.given].exitcode == -9
    assert job.processes[survivor].exitcode not in (0, None), job.log(survivor)
    assert "another process of the job has ended" in job.log(survivor) or "another task died" in job.log(survivor)


@pytest.mark.parametrize(("killed", "number"), [(0, 1), (1, 3)])
def test_a_training_that_was_killed_goes_on_with_another_number_of_processes(
    killed, number, fits, killed_fits, tmp_path
):
    job, _ = killed_fits[killed]
    shutil.copytree(job.folder, tmp_path / "job", ignore=shutil.ignore_patterns("*.json"))
    resumed = start_job(tmp_path / "job", number, fit_rows)
    assert resumed.wait(SECONDS) == [0] * number, resumed.log(0)
    expected = fits[1].read(0)
    for process_id in range(number):
        found = resumed.read(process_id)
        assert found["epochs"] == [3, 4]
        for name, losses in expected["history"].items():
            np.testing.assert_allclose(found["history"][name], losses, rtol=1e-6)
        for got, weights in zip(found["weights"], expected["weights"], strict=True):
            np.testing.assert_allclose(got, weights, atol=1e-5)


@pytest.fixture(scope="module")
def run(listings: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Job]:
    """The folder of ``train --distribute`` by 2 processes, and these."""
    folder = tmp_path_factory.mktemp("runs")
    arguments = ["--distribute", "--dataset", "table", "--data", str(listings), "--networks", "weighted_sum"]
    arguments += ["--epochs=2", "--image-size=32", "--units=8", "--no-intervals", f"--batch-size={BATCH_SIZE}"]
    job = start_job(folder / "job", 2, run_train, arguments=[*arguments, "--out", str(folder / "run")])
    assert job.wait(SECONDS) == [0, 0], job.log(0) + job.log(1)
    return folder / "run", job


def test_a_run_of_two_processes_has_the_network_that_one_process_fits(run, listings, tmp_path):
    folder, _ = run
    job = start_job(tmp_path / "job", 1, fit_as_in_run, run=folder, data=listings)
    assert job.wait(SECONDS) == [0], job.log(0)
    expected = job.read(0)
    history = read_json(folder / "bundle/manifest.json")["regressor"]["history"]["loss"]
    np.testing.assert_allclose(history, expected["history"]["loss"], rtol=1e-6)
    scored = pd.read_csv(folder / "predictions.csv")["prediction"]
    np.testing.assert_allclose(scored, expected["predictions"], rtol=1e-5)
    predicted = Predictor(folder / "bundle").predict(pd.read_csv(folder / "held_out.csv", dtype={"zipcode": str}))
    np.testing.assert_allclose(predicted, scored, rtol=1e-5)


def test_a_process_reads_the_photos_of_its_rows_only(run, listings):
    folder, job = run
    held_out = set(pd.read_csv(folder / "held_out.csv")["listing_id"])
    training = [row for row in pd.read_csv(listings)["listing_id"] if row not in held_out]
    own = [
        [row for place, row in enumerate(training) if place % BATCH_SIZE // 4 == process_id] for process_id in (0, 1)
    ]
    assert len(training) % BATCH_SIZE, "the last batch is short"
    assert job.read(1)["read"] == [own[1]]
    assert own[0] in job.read(0)["read"]


def test_only_process_0_prints_the_results(run):
    folder, job = run
    assert str(folder / "bundle") in job.log(0)
    assert str(folder) not in job.log(1)
    assert "MAPE" not in job.log(1)
