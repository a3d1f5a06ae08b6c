"""What cannot be answered is refused by name, as a problem, and never with a trace of how it was computed."""

from __future__ import annotations

import json
import zlib

import pytest
from serving_helpers import PHOTO, in_base64, make_client

from mixed_data.serving import Limits

AREA = "area [m2]"
LIMITS = Limits(body_bytes=200_000, photo_bytes=50_000, photo_pixels=100_000, photos=3, rows=4)


@pytest.fixture(scope="module")
def client():
    with make_client(limits=LIMITS) as client:
        yield client


def make_bomb(side: int) -> bytes:
    """Return a small PNG of very many black pixels."""

    def chunk(kind, content):
        code = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + code

    size = side.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    pixels = zlib.compress(bytes((side + 1) * side), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


CASES = {
    "unknown field": ({"garden": 1}, 422, "garden"),
    "no number": ({AREA: "large"}, 422, AREA),
    "a truth value": ({AREA: True}, 422, AREA),
    "a list": ({AREA: [1]}, 422, AREA),
    "beyond float32": ({AREA: 1e39}, 422, AREA),
    "infinite": ('{"area [m2]": 1e999}', 422, AREA),
    "a number of 400 digits": (f'{{"area [m2]": {"9" * 400}}}', 422, AREA),
    "a number of 5000 digits": (f'{{"area [m2]": {"9" * 5000}}}', 400, None),
    "no date": ({"built": "yesterday"}, 422, "built"),
    "an object as a level": ({"style": {}}, 422, "style"),
    "a long text": ({"style": "x" * 1001}, 422, "style"),
    "no base64": ({"front": "not base64!"}, 422, "front"),
    "a path": ({"front": "/etc/passwd"}, 422, "front"),
    "a path in base64": ({"front": in_base64(b"/etc/passwd")}, 422, "front"),
    "a number as a photo": ({"front": 7}, 422, "front"),
    "an empty photo": ({"front": ""}, 422, "front"),
    "half a photo": ({"front": in_base64(PHOTO[:-40])}, 422, "front"),
    "a web page as a photo": ({"front": in_base64(b"<html>")}, 422, "front"),
    "too many photos of a view": ({"rooms_photos": [in_base64()] * 3}, 422, "rooms_photos"),
    "a photo of too many bytes": ({"front": in_base64(b"x" * 60_000)}, 413, "front"),
    "a bomb": ({"front": in_base64(make_bomb(2000))}, 422, "front"),
    "a list as a row": ([1], 422, "body"),
    "no JSON": ("{", 400, None),
    "not a number": ('{"area [m2]": NaN}', 400, None),
    "too deep": ("[" * 50_000, 400, None),
    "no UTF-8": (b'{"style": "\xff"}', 400, None),
    "a body of too many bytes": ({"style": "x" * 200_001}, 413, None),
}


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/explain"])
@pytest.mark.parametrize("case", CASES)
def test_a_row_that_cannot_be_used_is_refused_by_its_field(client, path, case):
    body, status, field = CASES[case]
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    answer = client.post(path, content=content, headers={"Content-Type": "application/json"})
    check_problem(answer, status, field)


@pytest.mark.parametrize(
    ("data", "files", "status", "field"),
    [
        ({AREA: "large"}, {}, 422, AREA),
        ({AREA: ["1", "2"]}, {}, 422, AREA),
        ({"garden": "1"}, {}, 422, "garden"),
        ({"style": "x" * 1001}, {}, 422, "style"),
        ({}, {"style": b"\xff"}, 422, "style"),
        ({}, {"front": b"no photo"}, 422, "front"),
        ({}, {"front": b"x" * 60_000}, 413, "front"),
        ({"front": "/etc/passwd"}, {}, 422, "front"),
        ({}, [("front", PHOTO), ("front", PHOTO)], 422, "front"),
        ({}, {"front": b"x" * 200_000}, 413, None),
        ({"style": [""] * 20}, {}, 413, None),
    ],
)
def test_a_form_that_cannot_be_used_is_refused_by_its_field(client, data, files, status, field):
    pairs = files.items() if isinstance(files, dict) else files
    parts = [(name, ("f", content)) for name, content in pairs] or [("rooms_photos", ("f", PHOTO))]
    check_problem(client.post("/v1/predict", data=data, files=parts), status, field)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"", 400),
        ("multipart/form-data; boundary=x", b"", 400),
        ("multipart/form-data; boundary=x", b"nonsense", 400),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="style"\r\n\r\nloft', 400),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nX: " + b"y" * 9000 + b"\r\n\r\n1\r\n--x--\r\n", 400),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: x; name="style"\r\n\r\n1\r\n--x--\r\n', 400),
        ("application/x-www-form-urlencoded", b"area=1", 415),
        ("text/plain", b"{}", 415),
        ("", b"{}", 415),
    ],
)
def test_a_body_of_another_type_or_half_a_form_is_refused(client, kind, body, status):
    check_problem(client.post("/v1/predict", content=body, headers={"Content-Type": kind}), status, None)


@pytest.mark.parametrize(
    ("method", "path", "status", "field"),
    [
        ("GET", "/nothing/here", 404, None),
        ("GET", "/static/../service_app.py", 404, None),
        ("GET", "/static/nothing.js", 404, None),
        ("GET", "/v1/predict", 405, None),
        ("DELETE", "/v1/schema", 405, None),
        ("GET", "/docs", 404, None),
        ("POST", "/v1/predict?coverage=1", 422, "coverage"),
        ("POST", "/v1/predict?coverage=much", 422, "coverage"),
        ("POST", "/v1/predict?coverage=nan", 422, "coverage"),
        ("POST", "/v1/explain?heat_map=garden", 422, "heat_map"),
        ("POST", "/v1/explain?heat_map=front", 422, "heat_map"),
    ],
)
def test_other_addresses_methods_and_parameters_are_problems_too(client, method, path, status, field):
    answer = client.request(method, path, json={} if method == "POST" else None)
    check_problem(answer, status, field)
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 422), ({"rows": []}, 422), ({"rows": [{}] * 5}, 422), ({"rows": [{}], "x": 1}, 422), ([], 422)],
)
def test_a_batch_of_another_form_is_refused(client, body, status):
    check_problem(client.post("/v1/predict/batch", json=body), status, "rows")


def test_more_photos_than_one_request_may_hold_are_refused(client):
    rows = [{"front": in_base64()}] * 4
    check_problem(client.post("/v1/predict/batch", json={"rows": rows}), 413, None)


@pytest.mark.parametrize("text", ["abcd!", "/9j/4A=", "\u00e4"])
def test_what_is_no_base64_is_called_so(client, text):
    answer = client.post("/v1/predict", json={"front": text})
    assert answer.json()["detail"] == "front: expected a photo's file in base64, or a data: address with one"


def test_an_error_of_the_service_says_and_logs_nothing_that_was_sent(client, caplog, capfd):
    answer = client.post("/v1/predict", json={AREA: 13, "style": "private-style"})
    problem = check_problem(answer, 500, None)
    assert problem["detail"] == "something went wrong in the service, not in the request"
    logged = caplog.text + "".join(capfd.readouterr())
    assert "RuntimeError at" in logged
    assert "serving_helpers.py" in logged
    assert "secret-in-the-message" not in logged
    assert "private-style" not in logged


def check_problem(answer, status, field):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["type"]) == (status, "about:blank")
    assert problem["title"]
    assert problem["detail"]
    assert "Traceback" not in answer.text
    assert "serving_helpers" not in answer.text
    assert len(answer.text) < 3000
    if field:
        assert field in [error["field"] for error in problem["errors"]]
        assert field in problem["detail"]
    return problem
