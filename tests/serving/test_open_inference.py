"""The Open Inference Protocol gives the same numbers as the service's own addresses."""

from __future__ import annotations

import pytest
from serving_helpers import in_base64, make_client

AREA = "area [m2]"
INFER = "/v2/models/mixed_data/infer"


@pytest.fixture(scope="module")
def client():
    with make_client() as client:
        yield client


def tensor(name, datatype, shape, data):
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def test_health_and_metadata(client):
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/mixed_data/ready").json() == {"name": "mixed_data", "ready": True}
    assert set(client.get("/v2").json()) == {"name", "version", "extensions"}
    model = client.get("/v2/models/mixed_data").json()
    inputs = {one["name"]: (one["datatype"], one["shape"]) for one in model["inputs"]}
    assert inputs[AREA] == ("FP64", [-1])
    assert inputs["style"] == ("BYTES", [-1])
    assert inputs["rooms_photos"] == ("BYTES", [-1, 2])
    assert [one["name"] for one in model["outputs"]] == ["prediction", "images_used", "warnings"]


def test_rows_are_predicted_as_in_a_batch(client):
    photo = in_base64()
    inputs = [
        tensor(AREA, "FP64", [3], [80, None, 120.5]),
        tensor("style", "BYTES", [3, 1], [["loft"], ["castle"], [None]]),
        tensor("rooms_photos", "BYTES", [3, 2], [photo, "", "", "", photo, photo]),
    ]
    answer = client.post(INFER, json={"id": "a7", "inputs": inputs}).json()
    rows = [
        {AREA: 80, "style": "loft", "rooms_photos": photo},
        {"style": "castle"},
        {AREA: 120.5, "rooms_photos": [photo, photo]},
    ]
    expected = client.post("/v1/predict/batch", json={"rows": rows}).json()["results"]
    outputs = {one["name"]: one for one in answer["outputs"]}
    assert (answer["model_name"], answer["id"]) == ("mixed_data", "a7")
    assert outputs["prediction"]["data"] == [row["prediction"] for row in expected] == [80_011.0, 0.0, 120_522.0]
    assert outputs["prediction"]["shape"] == [3]
    assert outputs["images_used"]["data"] == [1, 0, 2]
    assert outputs["warnings"]["data"] == ["; ".join(row["warnings"]) for row in expected]


def test_only_the_outputs_that_are_asked_for_are_given(client):
    request = {"inputs": [tensor(AREA, "INT64", [1], [80])], "outputs": [{"name": "images_used"}]}
    assert [one["name"] for one in client.post(INFER, json=request).json()["outputs"]] == ["images_used"]


GOOD = tensor(AREA, "FP64", [1], [80])


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({}, "inputs"),
        ([], "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [1]}, "inputs[0].name"),
        ({"inputs": [GOOD, GOOD]}, "inputs[1].name"),
        ({"inputs": [tensor("garden", "FP64", [1], [80])]}, "inputs[0].name"),
        ({"inputs": [tensor(AREA, "BYTES", [1], ["80"])]}, "inputs[0].datatype"),
        ({"inputs": [tensor("style", "FP64", [1], [80])]}, "inputs[0].datatype"),
        ({"inputs": [tensor(AREA, "FP64", [2], [80])]}, "inputs[0].data"),
        ({"inputs": [tensor(AREA, "FP64", [1], 80)]}, "inputs[0].data"),
        ({"inputs": [tensor(AREA, "FP64", [0], [])]}, "inputs[0].shape"),
        ({"inputs": [tensor(AREA, "FP64", [1000], [])]}, "inputs[0].shape"),
        ({"inputs": [tensor(AREA, "FP64", "1", [80])]}, "inputs[0].shape"),
        ({"inputs": [tensor(AREA, "FP64", [1, 2], [80, 1])]}, "inputs[0].shape"),
        ({"inputs": [GOOD, tensor("rooms", "FP64", [2], [1, 2])]}, "inputs"),
        ({"inputs": [tensor("front", "BYTES", [1], ["/etc/passwd"])]}, "rows[0].front"),
        ({"inputs": [tensor("built", "BYTES", [1], ["yesterday"])]}, "rows[0].built"),
        ({"inputs": [GOOD], "outputs": [{"name": "lower"}]}, "outputs"),
        ({"inputs": [GOOD], "outputs": 7}, "outputs"),
        ({"inputs": [GOOD], "id": 7}, "id"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_by_name(client, request_, field):
    answer = client.post(INFER, json=request_)
    assert answer.status_code == 422, answer.text
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert answer.json()["error"] == answer.json()["detail"], "where this protocol's clients look"


def test_another_model_is_not_found(client):
    answer = client.get("/v2/models/other")
    assert answer.status_code == 404
    assert answer.json()["error"]
