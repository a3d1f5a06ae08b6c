"""``python -m mixed_data serve``: a process of its own, with a bundle that was trained."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving_helpers import in_base64

from mixed_data.cli import main
from mixed_data.cli.serve_command import is_own_address
from mixed_data.runtime import Predictor

NUM_REQUESTS, NUM_CLIENTS = 800, 8
NOT_NEEDED = (
    *("sklearn", "scipy", "keras", "tensorflow", "matplotlib", "cachetools"),
    *("pooch", "requests", "joblib", "jinja2", "onnx", "httpx", "rich"),
)


@pytest.fixture(scope="module")
def service(saved_bundle):
    """A service, its port, and its process, which refuses to import what a service does not need."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = (
        "import sys\nclass Finder:\n    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {NOT_NEEDED}: raise ImportError('not needed: ' + name)\n"
        "sys.meta_path.insert(0, Finder())\nfrom mixed_data.cli import main\n"
        f"sys.exit(main(['serve', {str(saved_bundle)!r}, '--port', '{port}']))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "MIXED_DATA_API_KEY"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 60
    while True:
        try:
            assert ask(port, "GET", "/readyz")[0] == 200
            break
        except OSError:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < end
            time.sleep(0.05)
    yield port, process
    if process.poll() is None:
        process.kill()
        process.wait()


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_hundreds_of_requests_are_answered_as_by_the_predictor(service, sales, saved_bundle):
    port, _ = service
    rows = sales[["area", "kind", "zipcode", "front", "back"]][:8]
    expected = Predictor(saved_bundle).predict(rows)
    bodies = [
        json.dumps({**row, **{view: in_base64(Path(row[view]).read_bytes()) for view in ("front", "back")}})
        for row in rows.to_dict("records")
    ]

    def ask_many(client):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        found = []
        for number in range(NUM_REQUESTS // NUM_CLIENTS):
            place = (client + number) % len(bodies)
            connection.request("POST", "/v1/predict", bodies[place], {"Content-Type": "application/json"})
            answer = connection.getresponse()
            found.append((place, answer.status, json.loads(answer.read())))
        connection.close()
        return found

    with ThreadPoolExecutor(NUM_CLIENTS) as pool:
        found = [one for answers in pool.map(ask_many, range(NUM_CLIENTS)) for one in answers]
    assert len(found) == NUM_REQUESTS
    assert {status for _, status, _ in found} == {200}
    assert all(answer["prediction"] == expected[place] for place, _, answer in found), "to the last bit"
    assert all(answer["images_used"] == 2 for _, _, answer in found)
    assert (
        f'requests_total{{path="/v1/predict",status="200"}} {NUM_REQUESTS}.0'
        in ask(port, "GET", "/metrics")[1].decode()
    )


def test_the_page_and_the_reasons_of_a_trained_bundle_are_served(service, sales):
    port, _ = service
    status, page = ask(port, "GET", "/")
    assert (status, page[:15]) == (200, b"<!doctype html>")
    front = in_base64(Path(sales["front"].iloc[0]).read_bytes())
    status, answer = ask(port, "POST", "/v1/explain?heat_map=front", {"area": 90, "kind": "house", "front": front})
    found = json.loads(answer)
    assert status == 200, answer
    assert [part["name"] for part in found["views"]] == ["front", "back"]
    assert found["heat_map"]["png"].startswith("iVBOR")


def test_sigterm_finishes_what_is_under_way(service):
    port, process = service
    body = json.dumps({"area": 100}).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        head = f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body[:5])
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert process.poll() is None, "it waits for the request"
        connection.sendall(body[5:])
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'"prediction"' in answer
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert output.startswith("serving ")
    assert "Traceback" not in errors
    with pytest.raises(OSError, match="refused"):
        ask(port, "GET", "/readyz")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "put a key into the environment variable MIXED_DATA_API_KEY, or say --no-api-key"),
        (["--host", "::"], "can be reached from other computers"),
        (["--port", "70000"], "--port must be 0 to 65535, got 70000"),
        (["--name", "a/b"], "--name must be letters, digits, - and _, got 'a/b'"),
    ],
)
def test_a_mistyped_command_is_told_so_before_a_bundle_is_read(options, message, capsys, monkeypatch):
    monkeypatch.delenv("MIXED_DATA_API_KEY", raising=False)
    assert main(["serve", "no such folder", *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--host", "0.0.0.0", "--no-api-key"], ["--host", "localhost"]])
def test_what_is_no_bundle_is_told_in_a_paragraph(options, capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("MIXED_DATA_API_KEY", raising=False)
    assert main(["serve", str(tmp_path), *options]) == 1
    assert "is not a bundle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "is_own"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("localhost", True)]
    + [("0.0.0.0", False), ("::", False), ("192.168.1.5", False), ("example.org", False), ("", False)],
)
def test_addresses_of_this_computer_are_told_from_others(host, is_own):
    assert is_own_address(host) == is_own
