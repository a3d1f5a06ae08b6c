"""`predict --dask`: the bytes and words of one process, whatever becomes of a worker; and what is said of a cluster."""

from __future__ import annotations

import gc
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import pandas as pd
import pytest
from distributed import Client, LocalCluster, versions
from reliability import Case, documented
from run_helpers import fork_server

from mixed_data.cli import main
from mixed_data.readers import table as table_reader
from mixed_data.readers.table import open_checked_rows
from mixed_data.runs import dask_cluster, dask_predictions
from mixed_data.runs.bundle_scores import open_lines
from mixed_data.runs.dask_cluster import ClusterError, connect, find_on_worker
from mixed_data.runs.dask_predictions import open_lines_on_dask
from mixed_data.runtime import Predictor

# Dask leaves sockets of workers that were killed, and of clusters that end, to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

NUM_ROWS, NUM_AT_ONCE, NUM_WITH_PHOTOS = 150, 40, 12
NUM_WORKERS, NUM_THREADS = 4, 2


@pytest.fixture(scope="module")
def cluster() -> Iterator[Client]:
    """Four processes with two threads each, which begin as copies of one that has imported what they need."""
    how = {"n_workers": NUM_WORKERS, "threads_per_worker": NUM_THREADS, "dashboard_address": ":0"}
    with (
        fork_server("distributed", "mixed_data.runtime"),
        dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
        LocalCluster(**how, silence_logs=50) as local,
        Client(local, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def address(cluster: Client) -> str:
    return cluster.scheduler.address


@pytest.fixture(scope="module")
def rows(sales: pd.DataFrame) -> pd.DataFrame:
    """Rows with photos, one of which is not there, and a cell that is no number."""
    table = pd.concat([sales] * 3, ignore_index=True)[:NUM_ROWS].drop(columns="price")
    table["area"] = table["area"].astype(str)
    table.loc[[3, 50, 51, *range(80, 120)], "area"] = "abc"
    table.loc[77, "front"] = "nowhere.png"
    return table


@pytest.fixture
def data(rows: pd.DataFrame, tmp_path: Path) -> Path:
    rows.to_parquet(tmp_path / "rows.parquet", row_group_size=17)
    return tmp_path / "rows.parquet"


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_reader, "NUM_ROWS_AT_ONCE", NUM_AT_ONCE)
    monkeypatch.setitem(open_checked_rows.__wrapped__.__kwdefaults__, "num_rows_at_once", NUM_AT_ONCE)
    monkeypatch.setattr(dask_predictions, "_NUM_WITH_PHOTOS", NUM_WITH_PHOTOS)


def predict(bundle: Path, data: Path, out: Path, *options: str) -> int:
    return main(["predict", str(bundle), "--data", str(data), "--out", str(out), *options])


# --- the same as one process ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("policy", ["error", "skip", "mask"])
def test_the_same_bytes_and_words_come_from_a_cluster_as_from_one_process(
    policy, suffix, saved_bundle, data, address, tmp_path, capsys, caplog
):
    (tmp_path / "here").mkdir()
    (tmp_path / "dask").mkdir()
    said = {}
    for place, options in {"here": [], "dask": ["--dask", address]}.items():
        out = tmp_path / place / f"predictions.{suffix}"
        exit_code = predict(saved_bundle, data, out, "--on-bad-row", policy, *options)
        printed = capsys.readouterr()
        said[place] = [exit_code, printed.err, caplog.text, printed.out.replace(str(out), "OUT")]
        caplog.clear()
    assert said["dask"] == said["here"]
    written = [sorted((tmp_path / place).iterdir()) for place in said]
    if policy == "error":
        assert "row 3, column 'area': got 'abc'" in said["dask"][1]
        assert written == [[], []]
        return
    (here,), (there,) = written
    assert there.read_bytes() == here.read_bytes()
    lines = pd.read_csv(here) if suffix == "csv" else pd.read_parquet(here)
    assert len(lines) == NUM_ROWS
    assert lines["prediction"].isna().sum() == (43 if policy == "skip" else 0)
    assert "no such file" in lines["warnings"][77]


def test_a_folder_is_one_table_in_the_order_of_its_files(saved_bundle, rows, data, address, tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for number, start in enumerate(range(0, NUM_ROWS, 14)):
        rows[start : start + 14].to_parquet(folder / f"part.{number}.parquet")
    rows[:0].to_parquet(folder / "part.999.parquet")
    (folder / "_metadata").write_bytes(b"of dask")
    options = ["--root", str(tmp_path), "--on-bad-row", "mask"]
    expected, here, there = (tmp_path / f"{name}.csv" for name in ("expected", "here", "there"))
    assert predict(saved_bundle, data, expected, *options) == 0
    assert predict(saved_bundle, folder, here, *options) == 0
    assert predict(saved_bundle, folder, there, *options, "--dask", address) == 0
    assert here.read_bytes() == expected.read_bytes()
    assert there.read_bytes() == expected.read_bytes()


def test_a_bad_row_of_a_folder_is_named_by_its_file(saved_bundle, rows, address, tmp_path, capsys):
    for number in (2, 10):
        rows[:20].to_parquet(tmp_path / f"part.{number}.parquet")
    assert predict(saved_bundle, tmp_path, tmp_path.parent / "o.csv", "--dask", address) == 1
    found = capsys.readouterr().err
    assert "row 3 of part.2.parquet, column 'area': got 'abc'" in found
    assert "row 3 of part.10.parquet, column 'area': got 'abc'" in found


# --- workers --------------------------------------------------------------------------------------------------------


def read(lines: Iterator[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(list(lines))


def test_a_worker_that_is_killed_in_the_middle_loses_nothing(saved_bundle, data, cluster, address):
    predictor, how = Predictor(saved_bundle), {"coverage": None, "on_bad_row": "mask"}
    with open_lines(predictor, data, **how) as found:
        expected = read(found.lines)
    with open_lines_on_dask(address, saved_bundle, predictor, data, **how) as found:
        first = next(found.lines)
        busy = {worker: keys for worker, keys in cluster.processing().items() if keys}
        victim = next(iter(busy))
        os.kill(cluster.run(os.getpid, workers=[victim])[victim], signal.SIGKILL)
        got = pd.concat([first, *found.lines])
    pd.testing.assert_frame_equal(got, expected)
    cluster.wait_for_workers(NUM_WORKERS)
    assert victim not in cluster.nthreads(), "another process took its place"


def count_networks() -> tuple[int, int, set[int]]:
    """Count predictors and networks of a worker, and the threads of networks that read photos."""
    from mixed_data.preprocessing.onnx_session import OnnxSession
    from mixed_data.runtime import Predictor

    objects = gc.get_objects()
    sessions = [one for one in objects if isinstance(one, OnnxSession)]
    threads = {one.num_threads for one in sessions if one.name != "network.onnx"}
    return sum(isinstance(one, Predictor) for one in objects), len(sessions), threads


def test_a_worker_has_one_bundle_and_one_pool_of_threads(saved_bundle, data, cluster, address, tmp_path):
    num_networks = len(list(saved_bundle.glob("*.onnx")))
    for name in "ab":
        assert predict(saved_bundle, data, tmp_path / name, "--on-bad-row", "skip", "--dask", address) == 0
    found = cluster.run(count_networks)
    assert len(found) == NUM_WORKERS
    assert set(map(repr, found.values())) <= {repr((1, num_networks, {NUM_THREADS})), repr((0, 0, set()))}
    assert sum(predictors for predictors, *_ in found.values()) >= 2


def test_another_bundle_at_the_same_path_is_refused(saved_bundle, data, address, monkeypatch):
    monkeypatch.setattr(dask_predictions, "digest_file", lambda path: "0" * 64)
    how = {"coverage": None, "on_bad_row": "skip"}
    with (
        pytest.raises(
            ClusterError, match=r"the worker tcp://\S+ finds another bundle at .*bundle: .* not 000000000000…"
        ),
        open_lines_on_dask(address, saved_bundle, Predictor(saved_bundle), data, **how) as found,
    ):
        list(found.lines)


def test_what_a_worker_does_not_find_is_named_with_the_worker(address):
    with connect(address, ()) as workers, pytest.raises(ClusterError, match=r"tcp://\S+ finds no bundle /nowhere; it"):
        list(workers.map_in_order(find_on_worker, ["/nowhere"], "bundle"))


def test_results_come_in_the_order_of_the_items_and_not_all_ahead(address):
    given: list[int] = []

    def items() -> Iterator[int]:
        for number in range(60):
            given.append(number)
            yield number

    with connect(address, ()) as workers:
        results = workers.map_in_order(abs, items())
        assert next(results) == 0
        assert len(given) <= 1 + 2 * NUM_WORKERS * NUM_THREADS
        assert list(results) == list(range(1, 60))


def sleep_and_add(task: int, held: int) -> int:
    time.sleep(0.1)
    return task + held


def test_what_all_tasks_need_is_there_again_after_the_death_of_the_worker_that_held_it(cluster, address):
    with connect(address, ()) as workers:
        results = workers.run(sleep_and_add, range(40), 100)
        got = [next(results)]
        holder = next(worker for worker, keys in cluster.has_what().items() if any("_hold" in key for key in keys))
        os.kill(cluster.run(os.getpid, workers=[holder])[holder], signal.SIGKILL)
        assert sorted([*got, *results]) == list(range(100, 140))


# --- what is wrong with a cluster -----------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def no_scheduler(monkeypatch: pytest.MonkeyPatch, address: str) -> str:
    monkeypatch.setattr(dask_cluster, "CONNECT_SECONDS", 1)
    return f"tcp://127.0.0.1:{free_port()}"


def other_code(monkeypatch: pytest.MonkeyPatch, address: str) -> str:
    monkeypatch.setattr(dask_cluster, "__version__", "9.9.9")
    return address


def other_pandas(monkeypatch: pytest.MonkeyPatch, address: str) -> str:
    real = versions._version_cached
    monkeypatch.setattr(versions, "_version_cached", lambda name: "1.5.3" if name == "pandas" else real(name))
    return address


def other_python(monkeypatch: pytest.MonkeyPatch, address: str) -> str:
    real = versions.get_package_info
    monkeypatch.setattr(versions, "get_package_info", lambda names: {**real(names), "python": "3.9.1.final.0"})
    return address


WRONG = [
    Case(
        "no scheduler at the address", "an error", no_scheduler, r"no Dask scheduler answers at tcp://\S+ within 1 sec"
    ),
    Case("TLS without certificates", "an error", lambda *_: "tls://127.0.0.1:1", r"TLS expects a `ssl_context`"),
    Case(
        "workers with another mixed_data",
        "an error",
        other_code,
        r"the worker tcp://\S+ has mixed_data \S+, not 9\.9\.9;",
    ),
    Case("workers with another pandas", "an error", other_pandas, r"the worker tcp://\S+ has pandas \S+, not 1\.5\.3"),
    Case("workers with another Python", "an error", other_python, r"the worker tcp://\S+ has python 3\.\d+, not 3\.9"),
]


@documented("Dask", WRONG)
def test_a_cluster_that_cannot_be_used_is_an_error_of_one_paragraph(
    case, saved_bundle, data, address, tmp_path, monkeypatch, capfd
):
    wrong = case.given(monkeypatch, address)
    assert predict(saved_bundle, data, tmp_path / "o.csv", "--on-bad-row", "skip", "--dask", wrong) == 1
    found = capfd.readouterr().err.strip().splitlines()
    assert len(found) == 1
    assert re.search(case.expected, found[0])
    assert not (tmp_path / "o.csv").exists()


def test_a_table_that_no_worker_can_read_is_refused_before_the_cluster_is_asked(saved_bundle, rows, tmp_path, capsys):
    rows.to_csv(tmp_path / "rows.csv")
    assert predict(saved_bundle, tmp_path / "rows.csv", tmp_path / "o.csv", "--dask", "tcp://127.0.0.1:1") == 1
    assert "rows.csv is no Parquet, which alone several processes can read" in capsys.readouterr().err
    assert predict(saved_bundle, Path("-"), tmp_path / "o.csv", "--dask", "tcp://127.0.0.1:1") == 2


def test_a_missing_dask_is_named_with_the_extra_that_brings_it(saved_bundle, data, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "dask", None)
    assert predict(saved_bundle, data, tmp_path / "o.csv", "--dask", "tcp://127.0.0.1:1") == 1
    assert capsys.readouterr().err == "error: predict needs dask; type: pip install 'mixed_data[dask]'\n"


def test_a_scheduler_that_cannot_read_tasks_is_one_without_mixed_data_and_other_errors_stay_what_they_are(address):
    with connect(address, ()) as workers:
        with (
            pytest.raises(ClusterError, match=r"the scheduler of tcp://\S+ has no mixed_data\.x; install"),
            workers._errors(),
        ):
            raise RuntimeError("of Dask") from ModuleNotFoundError("no", name="mixed_data.x")
        with pytest.raises(RuntimeError, match="of a task"), workers._errors():
            raise RuntimeError("of a task")


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCluster]:
    """A scheduler that has no worker, and lets none end."""
    monkeypatch.setattr(dask_cluster, "_SECONDS_BETWEEN_LOOKS", 0.2)
    monkeypatch.setattr(dask_cluster, "NO_WORKER_SECONDS", 0.5)
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as local,
    ):
        yield local


def test_a_scheduler_without_workers_is_an_error_after_a_time(no_worker):
    with (
        connect(no_worker.scheduler_address, ()) as workers,
        pytest.raises(ClusterError, match="has had no worker for"),
    ):
        list(workers.map_in_order(abs, [1]))


def test_a_scheduler_that_ends_in_the_middle_is_an_error(no_worker, monkeypatch):
    monkeypatch.setattr(dask_cluster, "NO_WORKER_SECONDS", 60)
    with connect(no_worker.scheduler_address, ()) as workers:
        threading.Timer(0.5, no_worker.close).start()
        with pytest.raises(ClusterError, match="no longer answers"):
            list(workers.map_in_order(abs, [1]))


def test_a_task_that_ends_workers_is_an_error_that_names_the_last_one(no_worker, monkeypatch):
    monkeypatch.setattr(dask_cluster, "NO_WORKER_SECONDS", 60)
    no_worker.scale(1)
    with connect(no_worker.scheduler_address, ()) as workers, pytest.raises(ClusterError) as found:
        list(workers.map_in_order(os._exit, [1]))
    assert "1 workers of tcp://" in str(found.value)
    assert "give each worker more (--memory-limit)" in str(found.value)
