"""A bundle as an MLflow model: from code without pickle, photos as base64, and the real server over loopback."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import NO_PHOTOS, NO_TABLE, FittedStack

from mixed_data.export import export_bundle
from mixed_data.runtime import Predictor

ROOT = Path(__file__).resolve().parents[2]
COVERAGE = 0.5

pytest.importorskip("mlflow", reason="needs MLflow: pip install -r requirements-mlflow.txt")
pytestmark = pytest.mark.filterwarnings("ignore:::mlflow")


@pytest.fixture(scope="module")
def bundle(fitted_stack: FittedStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stack") / "bundle"
    fitted_stack.stack.save(path)
    return path


@pytest.fixture(scope="module")
def exported(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, before = tmp_path_factory.mktemp("exported") / "best", [*sys.path]
    export_bundle(bundle, "mlflow", path)
    assert sys.path == before
    return path


@pytest.fixture(scope="module")
def rows(sales: pd.DataFrame) -> pd.DataFrame:
    """Rows of every pattern, with paths of photos."""
    rows = sales[50:58].astype({"zipcode": str}).reset_index(drop=True).drop(columns=["bright", "price"])
    rows.loc[2:3, list(NO_PHOTOS)] = None
    rows.loc[4:5, list(NO_TABLE)] = None
    rows.loc[6, [*NO_PHOTOS, *NO_TABLE]] = None
    return rows


def as_text(rows: pd.DataFrame) -> pd.DataFrame:
    """Put the base64 of every photo in the place of its path."""
    return rows.assign(**{view: [None if pd.isna(path) else encode(path) for path in rows[view]] for view in NO_PHOTOS})


def encode(path: str) -> str:
    return b64encode(Path(path).read_bytes()).decode()


@pytest.fixture(scope="module")
def model(exported: Path) -> Iterator[Any]:
    import mlflow

    before = [*sys.path]
    yield mlflow.pyfunc.load_model(str(exported / "model"))
    sys.path[:] = before


def check(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Compare predictions, intervals and all else."""
    for name in ("prediction", "lower", "upper"):
        np.testing.assert_allclose(found[name].to_numpy(float), expected[name], rtol=1e-5)
    for name in ("images_used", "level_rows", "warnings"):
        assert found[name].tolist() == expected[name].tolist()


def test_the_model_predicts_as_the_bundle_with_its_intervals(model: Any, bundle: Path, rows: pd.DataFrame) -> None:
    predictor = Predictor(bundle)
    check(model.predict(as_text(rows)), predictor.predict_rows(rows, 0.9))
    check(model.predict(as_text(rows), params={"coverage": COVERAGE}), predictor.predict_rows(rows, COVERAGE))


def test_a_table_goes_in_and_out_part_by_part_as_spark_does_it(model: Any, bundle: Path, rows: pd.DataFrame) -> None:
    """pyspark is too heavy here: `spark_udf` calls the model with parts of a table, and wants the signature's types."""
    parts = [model.predict(as_text(rows).iloc[start : start + 3].reset_index(drop=True)) for start in range(0, 8, 3)]
    types = {one.name: one.type.to_numpy() for one in model.metadata.get_output_schema() if one.name != "warnings"}
    assert len(types) == 5
    assert [{name: part[name].dtype for name in types} for part in parts] == [types] * 3
    check(pd.concat(parts), Predictor(bundle).predict_rows(rows, 0.9))


def test_columns_may_be_left_out_and_several_photos_stand_in_one_text(model: Any, bundle: Path, sales: Any) -> None:
    predictor = Predictor(bundle)
    row = sales[50:51].reset_index(drop=True)
    text = as_text(row)[["front"]]
    expected = predictor.predict_rows(row.assign(back=None, **NO_TABLE), 0.9)
    check(model.predict(text), expected)
    address = text.assign(front="data:image/jpeg;base64," + text["front"])
    check(model.predict(address), expected)
    two = model.predict(address.assign(front=address["front"] + ";" + text["front"]))
    assert two["images_used"].tolist() == [1]
    assert "front: more photos than in training, left out: a photo of" in two["warnings"][0]


def test_a_path_or_another_text_is_no_photo(model: Any, rows: pd.DataFrame) -> None:
    for text in (rows["front"][0], "/etc/passwd", "%%%"):
        with pytest.raises(Exception, match=r"row 1, front: expected a photo's file in base64"):
            model.predict(as_text(rows[:2]).assign(front=[None, text]))


def test_nothing_is_pickled_and_the_code_is_there(exported: Path, bundle: Path) -> None:
    files = [file.relative_to(exported).as_posix() for file in exported.rglob("*") if file.is_file()]
    assert [file for file in files if file.endswith((".pkl", ".pickle", ".joblib", ".pyc"))] == []
    assert "model/code/mixed_data/runtime/predictor.py" in files
    assert (exported / "model/artifacts/bundle/manifest.json").read_bytes() == (bundle / "manifest.json").read_bytes()
    requirements = (exported / "model/requirements.txt").read_text("utf-8")
    names = re.findall(r"^([a-z]+)[<>=~]", (ROOT / "requirements-runtime.txt").read_text("utf-8"), re.MULTILINE)
    assert set(re.findall(r"^([a-z]+)==", requirements, re.MULTILINE)) == {*names, "mlflow"}
    found = json.loads((exported / "export.json").read_text("utf-8"))
    assert [one["name"] for one in found["inputs"]] == ["area", "kind", "zipcode", "front", "back"]
    assert {"prediction", "lower", "upper"} < {one["name"] for one in found["outputs"]}


def test_mlflow_serves_it(exported: Path, bundle: Path, rows: pd.DataFrame, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # where uvicorn is
    environment = {**os.environ, "PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": ""}
    words = f"serve --model-uri {exported / 'model'} --env-manager local --host 127.0.0.1 --port {port}".split()
    with (
        open(tmp_path / "log", "w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "mlflow", "models", *words],
            env=environment,
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as server,
    ):
        try:
            wait_until_it_answers(f"http://127.0.0.1:{port}/ping", server, tmp_path / "log")
            records = json.loads(as_text(rows).to_json(orient="records"))
            address = f"http://127.0.0.1:{port}/invocations"
            answer = ask(address, {"dataframe_records": records, "params": {"coverage": COVERAGE}})
            check(pd.DataFrame(answer["predictions"]), Predictor(bundle).predict_rows(rows, COVERAGE))
            with pytest.raises(urllib.error.HTTPError) as refused:
                ask(address, {"dataframe_records": [{"front": "/etc/passwd"}]})
            assert refused.value.code == 400
            assert b"row 0, front: expected a photo" in refused.value.read()
        finally:
            os.killpg(server.pid, 15)


def wait_until_it_answers(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        assert server.poll() is None, log.read_text("utf-8")
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.25)
    pytest.fail(log.read_text("utf-8"))


def ask(address: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())
