"""What is wrong before processes can train together; `tests/runs/test_several_processes.py` has them train."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from estimator_helpers import SCHEMA, make_regressor

from mixed_data.cli import main
from mixed_data.network.distribution import Job, current_job, fitted_by, joined_job
from mixed_data.runs.followed_run import follow_run
from mixed_data.runs.run_config import describe_run
from mixed_data.runs.train_run import Plan


class Devices:
    """In the place of `keras.distribution.DataParallel`."""

    num_model_replicas = 1


def test_on_tensorflow_one_error_names_the_way_that_works(listings: Path, tmp_path: Path, capsys) -> None:
    arguments = ["--dataset", "table", "--data", str(listings), "--out", str(tmp_path / "run")]
    assert main(["train", "--distribute", *arguments]) == 1
    error = capsys.readouterr().err
    assert "pip install 'mixed_data[jax]'" in error
    assert "KERAS_BACKEND=jax" in error
    assert "MirroredStrategy" in error
    assert "keras issue 20585" in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["--image-branch=pretrained", "--image-branch=patches", "--preset=best"])
def test_networks_on_vectors_are_not_distributed(option: str, capsys) -> None:
    assert main(["train", "--distribute", option]) == 2
    assert "--distribute is for --image-branch cnn" in capsys.readouterr().err


@pytest.mark.parametrize(
    "environment",
    [
        {"NUM_PROCESSES": "2", "PROCESS_ID": "0"},
        {"JOB_ADDRESSES": "host:1", "NUM_PROCESSES": "2"},
        {"JOB_ADDRESSES": "host", "NUM_PROCESSES": "2", "PROCESS_ID": "0"},
        {"JOB_ADDRESSES": "host:1", "NUM_PROCESSES": "2", "PROCESS_ID": "2"},
        {"JOB_ADDRESSES": "host:1", "NUM_PROCESSES": "two", "PROCESS_ID": "0"},
        {"JOB_ADDRESSES": "host:1", "NUM_PROCESSES": "0", "PROCESS_ID": "0"},
    ],
    ids=str,
)
def test_an_environment_that_names_no_job_is_an_error(environment: dict[str, str], monkeypatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    for name, value in environment.items():
        monkeypatch.setenv(f"KERAS_DISTRIBUTION_{name}", value)
    with (
        pytest.raises(ValueError, match=r"expected KERAS_DISTRIBUTION_JOB_ADDRESSES=host:port.*all three or none"),
        joined_job(),
    ):
        pass
    assert current_job() is None


def test_a_fit_may_be_taken_out_of_a_job() -> None:
    job = Job(Devices())
    with fitted_by(job):
        with fitted_by(None):
            assert current_job() is None
        assert current_job() is job
    assert current_job() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_branch": "patches"}, "trained by one process"),
        ({"batch_size": 500}, "a batch has 500 rows, and there are"),
    ],
)
def test_what_cannot_be_fitted_together_is_an_error(options, message, sales) -> None:
    with fitted_by(Job(Devices())), pytest.raises(ValueError, match=message):
        make_regressor(**options).fit(sales, sales["price"])


def test_a_process_with_another_table_does_not_take_part() -> None:
    table = pd.DataFrame({"area": np.arange(5.0), "kind": "house", "zipcode": "02139", "front": None, "back": None})
    plan, table = Plan(options={"epochs": 2}), table.assign(price=1.0)
    configs = [
        describe_run(rows, SCHEMA, main="table", settings={**plan.settings, "epochs": epochs}, reads_photos=False)
        for rows, epochs in ((table, 2), (table.assign(area=7.0), 3))
    ]
    with pytest.raises(ValueError, match=r"process 1 cannot train with process 0.*not alike: table, epochs\. Give all"):
        follow_run(Job(Devices(), 2, 1), table, SCHEMA, plan, own=configs[1], first=configs[0])
