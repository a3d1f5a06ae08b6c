"""Who may ask, how much, and that nothing that was sent stays anywhere."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from serving_helpers import PHOTO, in_base64, make_client, make_large_photo, make_predictor

from mixed_data.preprocessing import photo_memory
from mixed_data.serving import Limits, make_app
from mixed_data.serving.request_guard import OPEN_PATHS

AREA = "area [m2]"
_opened: list[str] = []
_is_watching = threading.Event()


def _note_files(event, arguments):
    """Note every file that Python opens for writing or makes; an audit hook stays for good, so it mostly sleeps."""
    if not _is_watching.is_set():
        return
    if event == "open":
        path, mode, flags = arguments
        if not isinstance(path, int) and (set(mode or "") & set("wax+") or (flags or 0) & 0b11):
            _opened.append(str(path))
    elif event in ("tempfile.mkstemp", "tempfile.mkdtemp", "os.rename", "shutil.copyfile"):
        _opened.append(event)


@contextmanager
def watch_files():
    if not hasattr(sys, "_mixed_data_watches_files"):
        sys.addaudithook(_note_files)
        sys._mixed_data_watches_files = True
    _opened.clear()
    _is_watching.set()
    try:
        yield _opened
    finally:
        _is_watching.clear()


def test_nothing_uploaded_touches_the_disk_the_log_or_the_memory_of_photos(caplog, capfd, tmp_path):
    photo = make_large_photo(3_000_000)
    caplog.set_level("DEBUG")
    photo_memory.clear_photo_memory()
    with watch_files() as opened, make_client() as client:
        for path in ("/v1/predict", "/v1/explain?heat_map=front"):
            answer = client.post(path, data={"style": "private-style"}, files=[("front", ("private-name.png", photo))])
            assert answer.status_code == 200
            answer = client.post(path, json={"style": "private-style", "front": in_base64(photo)})
            assert answer.status_code == 200
        client.post("/v1/predict", data={"style": "private-style"}, files=[("garden", ("private-name.png", photo))])
        client.post("/v1/predict", json={AREA: "private-style", "front": in_base64(photo[:-99])})
        assert opened == []
        (tmp_path / "proof").write_text("the watch notices this, and")
        tempfile.TemporaryFile().close()
        assert len(opened) > 1
    logged = caplog.text + "".join(capfd.readouterr())
    assert "private" not in logged
    assert len(photo_memory._memory) == 0


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer sesame2"}])
def test_without_the_key_only_the_page_and_the_health_are_answered(headers):
    with make_client(api_key="sesame") as client:
        for path in ("/v1/schema", "/openapi.json", "/metrics", "/v2/models/mixed_data", "/nothing"):
            answer = client.get(path, headers=headers)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert answer.headers["content-type"] == "application/problem+json"
        assert client.post("/v1/predict", json={}, headers=headers).status_code == 401
        for path in OPEN_PATHS:
            assert client.get(path, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"X-API-Key": "sesame"}, {"Authorization": "Bearer sesame"}, {"Authorization": "bearer  sesame "}]
)
def test_the_key_opens_all(headers):
    with make_client(api_key="sesame") as client:
        assert client.post("/v1/predict", json={}, headers=headers).status_code == 200
        assert client.get("/openapi.json", headers=headers).json()["components"]["securitySchemes"].keys() == {
            "bearer",
            "key",
        }


def test_an_empty_key_is_refused():
    with pytest.raises(ValueError, match="API key is empty"):
        make_app(make_predictor(), api_key=" ")


@pytest.mark.parametrize("path", ["/", "/v1/schema", "/nothing", "/static/index.html"])
def test_every_answer_carries_the_headers_that_protect_a_browser(path):
    with make_client() as client:
        headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self'; ")
    assert "http" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert ("no-store" in headers.get("cache-control", "")) == (not path.startswith("/static"))


class Gate:
    """A predictor that waits until it is let go on."""

    def __init__(self):
        self.predictor, self.open, self.num_inside = make_predictor(), threading.Event(), 0
        self._predict = self.predictor.predict_rows_and_warnings
        self.predictor.predict_rows_and_warnings = self.wait

    def wait(self, table, coverage=None):
        self.num_inside += 1
        assert self.open.wait(20)
        return self._predict(table)


def wait_for(is_true):
    end = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_what_is_more_than_may_be_under_way_is_told_to_come_again():
    gate = Gate()
    with make_client(gate.predictor, limits=Limits(requests=2, threads=1)) as client, ThreadPoolExecutor(2) as pool:
        under_way = [pool.submit(client.post, "/v1/predict", json={AREA: 1}) for _ in range(2)]
        wait_for(lambda: gate.num_inside == 1 and client.app.state.service.workers.num_unfinished == 2)
        refused = client.post("/v1/predict", json={AREA: 1})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert client.get("/healthz").status_code == 200, "whoever asks for the health is answered"
        gate.open.set()
        assert [one.result().status_code for one in under_way] == [200, 200]
        assert client.post("/v1/predict", json={AREA: 1}).status_code == 200


def test_work_that_takes_too_long_is_given_up_but_counts_until_it_is_done():
    gate = Gate()
    with make_client(gate.predictor, limits=Limits(requests=1, threads=1, seconds=0.2)) as client:
        late = client.post("/v1/predict", json={AREA: 1})
        assert (late.status_code, late.headers["retry-after"]) == (503, "1")
        assert "no answer within 0.2 seconds" in late.json()["detail"]
        refused = client.post("/v1/predict", json={AREA: 1})
        assert "too many requests" in refused.json()["detail"]
        gate.open.set()
        wait_for(lambda: client.app.state.service.workers.num_unfinished == 0)
        assert client.post("/v1/predict", json={AREA: 1}).status_code == 200


def test_a_body_in_pieces_is_not_read_beyond_its_limit():
    sent = []

    def pieces():
        for _ in range(100):
            sent.append(1)
            yield b"x" * 10_000

    with make_client(limits=Limits(body_bytes=50_000)) as client:
        answer = client.post("/v1/predict", content=pieces(), headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        assert client.post("/v1/predict", json={"front": in_base64(PHOTO)}).status_code == 200


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_read():
    sent = []
    headers = [(b"content-type", b"application/json"), (b"content-length", b"50001")]
    scope = {"type": "http", "method": "POST", "path": "/v1/predict", "query_string": b"", "headers": headers}

    async def receive():
        raise AssertionError("nothing is read")

    async def send(message):
        sent.append(message)

    asyncio.run(make_app(make_predictor(), limits=Limits(body_bytes=50_000))(scope, receive, send))
    assert sent[0]["status"] == 413


@pytest.mark.parametrize("name", ["body_bytes", "photos", "seconds", "threads"])
def test_a_limit_of_nothing_is_refused(name):
    with pytest.raises(ValueError, match=f"must be positive, got {name}=0"):
        Limits(**{name: 0})
