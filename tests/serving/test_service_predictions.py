"""What the service answers: the numbers of the predictor, whatever way a row comes."""

from __future__ import annotations

import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from serving_helpers import PHOTO, in_base64, make_client, make_photo, make_predictor

from mixed_data.schema import Schema

AREA = "area [m2]"
ROW = {AREA: 120.5, "rooms": 4, "style": "loft", "zip": "02139", "built": "1980-06-01"}


@pytest.fixture(scope="module")
def client():
    with make_client() as client:
        yield client


def test_a_form_and_json_are_answered_as_the_predictor_answers(client):
    dark = make_photo(0)
    files = [("front", ("a.png", PHOTO)), ("rooms_photos", ("b.png", dark)), ("rooms_photos", ("c.png", PHOTO))]
    of_form = client.post("/v1/predict", data={name: str(cell) for name, cell in ROW.items()}, files=files)
    photos = {"front": in_base64(), "rooms_photos": [in_base64(dark), f"data:image/png;base64,{in_base64()}"]}
    of_json = client.post("/v1/predict", json={**ROW, **photos})
    table = pd.DataFrame([{**ROW, "front": PHOTO, "rooms_photos": [dark, PHOTO]}])
    expected = make_predictor().model.predict_rows(table)
    assert of_form.status_code == 200
    assert of_form.json() == of_json.json()
    assert of_form.json()["prediction"] == expected["prediction"].item() == 120_500 + 30 + 2
    assert (of_form.json()["images_used"], of_form.json()["warnings"]) == (3, [])
    assert of_form.json()["unit"] == "$"


def test_a_name_with_a_quote_is_understood_as_a_browser_writes_it():
    name = 'size "gross"\n5%22'
    schema = Schema(target="price", numeric=(name,), images=("front",))
    rows = pd.DataFrame({name: [1.0, 2.0, 3.0], "front": "a.jpg"})
    with make_client(make_predictor(schema, rows)) as client:
        written = "size %22gross%22%0D%0A5%22"  # WHATWG HTML, multipart/form-data encoding algorithm
        body = f'--b\r\nContent-Disposition: form-data; name="{written}"\r\n\r\n7\r\n--b--\r\n'
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = client.post("/v1/predict", content=body.encode(), headers=kind)
        assert answer.json()["prediction"] == 7000, answer.text


def test_what_is_left_out_or_empty_is_missing(client):
    answers = [
        client.post("/v1/predict", json={AREA: 100}),
        client.post("/v1/predict", json={AREA: 100, "style": None, "front": None, "rooms_photos": []}),
        client.post("/v1/predict", data={AREA: "100", "style": ""}, files=[("front", ("", b""))]),
    ]
    assert [answer.json()["prediction"] for answer in answers] == [100_000.0] * 3
    assert "rooms is missing: imputed 4" in answers[0].json()["warnings"]


def test_values_outside_training_and_unseen_levels_are_named_and_counted(client):
    before = client.get("/metrics").text
    row = {**ROW, AREA: 250.5, "style": "castle", "built": "2021-01-01"}
    answer = client.post("/v1/predict", json=row).json()
    assert answer["out_of_range"] == [AREA, "built"]
    assert answer["unseen"] == ["style"]
    edge = client.post("/v1/predict", json={**ROW, AREA: 250, "built": "2020-12-24"}).json()
    assert (edge["out_of_range"], edge["unseen"]) == ([], [])
    after = client.get("/metrics").text

    def gain(line):
        found = [next(float(row.split()[-1]) for row in text.splitlines() if line in row) for text in (before, after)]
        return found[1] - found[0]

    assert gain('out_of_range_total{column="area [m2]"}') == gain('out_of_range_total{column="built"}') == 1
    assert gain('unseen_levels_total{column="style"}') == 1
    assert gain('missing_photos_total{column="front"}') == 2
    assert gain('rows_total{outcome="answered"}') == 2
    assert gain('request_seconds_count{path="/v1/predict"}') == 2


@pytest.mark.parametrize("text", ["\\ud800", "\\u0000", "a; b", "<script>", "\\u202e", "=1+1"])
def test_any_text_is_a_level_that_was_not_seen(client, text):
    body = f'{{"style": "{text}"}}'
    answer = client.post("/v1/predict", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["unseen"]) == (200, ["style"])


def test_a_batch_answers_every_row_in_its_place(client):
    broken = in_base64(PHOTO[:-40])
    rows = [{AREA: 1}, {AREA: "1"}, {"front": broken}, {AREA: 2}, {"garden": 1}, 7, {}]
    results = client.post("/v1/predict/batch", json={"rows": rows}).json()["results"]
    assert [result["index"] for result in results] == list(range(7))
    assert [result["status"] for result in results] == [200, 422, 422, 200, 422, 422, 200]
    assert [results[place]["prediction"] for place in (0, 3, 6)] == [1000.0, 2000.0, 0.0]
    assert results[1]["problem"]["errors"][0]["field"] == "rows[1].area [m2]"
    assert "cannot be decoded" in results[2]["problem"]["detail"]
    assert results[4]["problem"]["errors"][0]["field"] == "rows[4].garden"


def test_an_explanation_is_that_of_the_predictor_with_a_picture_on_demand(client):
    photo = make_photo(100, corner=255)
    answer = client.post("/v1/explain?heat_map=rooms_photos[1]", json={AREA: 100, "rooms_photos": [in_base64()] * 2})
    assert answer.status_code == 200, answer.text
    row = {**dict.fromkeys(["rooms", "style", "zip", "built", "front"]), AREA: 100, "rooms_photos": [photo] * 2}
    expected = make_predictor().explain(pd.DataFrame([row]), 0.9)[0].to_dict()
    found = client.post("/v1/explain", json={AREA: 100, "rooms_photos": [in_base64(photo)] * 2}).json()
    assert {name: found[name] for name in ("prediction", "modalities", "columns", "without")} == {
        name: expected[name] for name in ("prediction", "modalities", "columns", "without")
    }
    heat = answer.json()["heat_map"]
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(heat["png"]))), dtype=int)
    assert picture.shape == (384, 384, 3)
    red = picture[:, :, 0] - picture[:, :, 2]
    assert red[24:72, 24:72].mean() > 80, "the model looks at this corner"
    assert abs(red[200:, 200:]).max() < 5
    assert heat["view"] == "rooms_photos[1]"


def test_intervals_come_with_their_coverage_and_a_row_without_one_says_why():
    predictor = make_predictor()
    predictor.has_intervals = True
    asked = []

    def predict(table, coverage=None):
        asked.append(coverage)
        if coverage is not None and table[AREA].isna().any():
            raise ValueError("too few training rows without a table")
        rows, warnings = predictor.model.predict_rows_and_warnings(table)
        ends = {} if coverage is None else {"lower": rows["prediction"] - 1, "upper": float("inf")}
        return rows.assign(**ends), warnings

    predictor.predict_rows_and_warnings = predict
    with make_client(predictor) as client:
        one = client.post("/v1/predict?coverage=0.5", json={AREA: 1}).json()
        assert (one["lower"], one["upper"], one["coverage"]) == (999.0, None, 0.5)
        first, second = client.post("/v1/predict/batch", json={"rows": [{AREA: 1}, {}]}).json()["results"]
    assert (first["lower"], second["lower"], second["coverage"]) == (999.0, None, None)
    assert second["warnings"][-1] == "no interval: too few training rows without a table"
    assert asked == [0.5, 0.9, 0.9, 0.9, None]


def test_the_schema_shows_what_was_learned_and_made_up_rows_that_are_answered(client):
    found = client.get("/v1/schema").json()
    fields = {field["name"]: field for field in found["fields"]}
    assert fields[AREA]["label"] == "area"
    assert (fields[AREA]["unit"], fields[AREA]["range"], fields[AREA]["usual"]) == ("m2", [80.0, 250.0], 120.5)
    assert fields["style"]["levels"] == ["loft", "ranch"]
    assert fields["built"]["range"] == ["1950-01-31", "2020-12-24"]
    assert found["target"] == {"name": "price [$]", "label": "price", "unit": "$"}
    assert found["photos"][1] == {"name": "rooms_photos", "label": "rooms photos", "count": 2}
    assert found["views"] == found["heat_views"] == ["front", "rooms_photos[0]", "rooms_photos[1]"]
    assert len(found["examples"]) == 3
    for example in found["examples"]:
        answer = client.post("/v1/predict", json=example).json()
        assert (answer["out_of_range"], answer["unseen"]) == ([], [])
        assert all(isinstance(example[name], float) and example[name].is_integer() for name in ("rooms",))


def test_a_bundle_without_photos_is_served_and_wants_none():
    schema, rows = Schema(target="y", numeric=("x",)), pd.DataFrame({"x": [1.0, 2.0, 4.0]})
    predictor = make_predictor(schema, rows, unit="")
    predictor.model.modalities = "tabular"
    predictor.predict_rows_and_warnings = lambda table: (pd.DataFrame({"prediction": [1.0], "images_used": 0}), [[]])
    with make_client(predictor) as client:
        assert client.post("/v1/predict", json={"x": 1}).json()["prediction"] == 1.0
        assert client.post("/v1/explain?heat_map=x", json={"x": 1}).status_code == 422
        assert client.get("/v1/schema").json()["photos"] == []
