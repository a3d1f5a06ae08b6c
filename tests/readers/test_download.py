"""The download against a real server on this machine: whole, interrupted, wrong, absent, and hostile."""

import contextlib
import hashlib
import io
import random
import re
import shutil
import subprocess
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mixed_data.readers import verified_download
from mixed_data.readers.houses import read_houses
from mixed_data.readers.verified_download import DownloadError, content_digest, download_houses

TOP = "Houses-dataset-5e14821/"
FILES = {
    "HousesInfo.txt": b"4 4 4053 85255 869500\n",
    "1_frontal.jpg": random.Random(0).randbytes(40_000),
    "1_kitchen.jpg": b"kitchen",
}


def make_archive(files: dict[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def in_github_form(files: dict[str, bytes]) -> dict[str, bytes]:
    placed = {f"{TOP}Houses Dataset/{name}": content for name, content in files.items()}
    return {TOP: b"", f"{TOP}README.md": b"read me", f"{TOP}Houses Dataset/": b""} | placed


def digest_of(files: dict[str, bytes]) -> str:
    lines = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


ARCHIVE = make_archive(in_github_form(FILES))
DIGEST = digest_of(FILES)


@dataclass
class Server:
    """What the server does, and what it was asked for."""

    url: str = ""
    content: bytes = ARCHIVE
    resumes: bool = True
    shift: int = 0  # Answer a range with bytes that begin so much later.
    drops: list[int] = field(default_factory=list)  # Close these requests after so many bytes.
    statuses: list[int] = field(default_factory=list)  # Answer these requests with an error.
    sends_length: bool = True
    endless: bool = False
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch):
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range")
            state.ranges.append(asked)
            if state.statuses:
                self.send_error(state.statuses.pop(0))
                return
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and state.resumes else 0
            if start >= len(state.content):
                self.send_error(416)
                return
            body = state.content[start + state.shift if start else 0 :]
            self.send_response(206 if start else 200)
            if start:
                first, whole = start + state.shift, len(state.content)
                self.send_header("Content-Range", f"bytes {first}-{whole - 1}/{whole}")
            if state.sends_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.drops.pop(0)] if state.drops else body)
            with contextlib.suppress(ConnectionError):
                while state.endless:
                    self.wfile.write(bytes(1_000))

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(verified_download, "_CHUNK_BYTES", 1_000)  # What is lost when a connection drops.
        state.url = f"http://127.0.0.1:{http.server_port}/archive.zip"
        yield state
        http.shutdown()


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    """Do not wait; collect how long the waits would have been."""
    pauses: list[float] = []
    monkeypatch.setattr(verified_download.time, "sleep", pauses.append)
    return pauses


def get(server: Server, destination: Path, **options) -> Path:
    return download_houses(destination, url=server.url, **{"sha256": DIGEST} | options)


def test_the_folder_arrives_complete_and_nothing_else_is_left(server, tmp_path):
    root = get(server, tmp_path / "new" / "place")
    assert root == tmp_path / "new" / "place"
    assert [path.name for path in root.iterdir()] == ["Houses Dataset"]
    assert {path.name: path.read_bytes() for path in (root / "Houses Dataset").iterdir()} == FILES
    table, _ = read_houses(root)
    assert table["price"].tolist() == [869_500]


def test_a_verified_folder_is_not_downloaded_again(server, tmp_path):
    get(server, tmp_path)
    (tmp_path / "Houses Dataset" / ".DS_Store").write_bytes(b"a visit of the Finder")
    assert get(server, tmp_path) == tmp_path
    assert len(server.ranges) == 1


def test_another_folder_in_the_way_is_an_error_and_stays_as_it_is(server, tmp_path):
    mine = tmp_path / "Houses Dataset"
    mine.mkdir()
    (mine / "HousesInfo.txt").write_bytes(b"mine")
    with pytest.raises(DownloadError, match=r"Houses Dataset exists, but is not the complete.*rename or delete"):
        get(server, tmp_path)
    assert (mine / "HousesInfo.txt").read_bytes() == b"mine"
    assert server.ranges == []


def test_a_dropped_connection_is_resumed_where_it_stopped(server, tmp_path, pauses, caplog):
    server.drops = [10_000, 5_000]
    get(server, tmp_path)
    assert server.ranges == [None, "bytes=10000-", "bytes=15000-"]
    assert pauses == [1, 2]
    assert "download interrupted (Connection broken: IncompleteRead(10000 bytes read, " in caplog.text
    assert "trying again in 1 s" in caplog.text


def test_a_server_that_cannot_resume_is_asked_from_the_beginning(server, tmp_path, pauses):
    server.drops = [10_000]
    server.resumes = False
    archive = verified_download._fetch(server.url, tmp_path, 2, print)
    assert server.ranges == [None, "bytes=10000-"]
    assert archive.read_bytes() == ARCHIVE


def test_progress_counts_what_is_already_there(server, tmp_path):
    part = tmp_path / "part"
    part.write_bytes(ARCHIVE[:30_000])
    reports = []
    verified_download._continue(server.url, part, lambda *report: reports.append(report))
    assert reports[0] == (31_000, len(ARCHIVE))
    assert reports[-1] == (len(ARCHIVE), len(ARCHIVE))
    assert part.read_bytes() == ARCHIVE


def test_the_next_call_goes_on_where_the_last_one_gave_up(server, tmp_path, pauses):
    server.drops = [10_000, 2_000]
    with pytest.raises(DownloadError, match="run the same command again"):
        get(server, tmp_path, attempts=2)
    assert not (tmp_path / "Houses Dataset").exists()
    get(server, tmp_path)
    assert server.ranges == [None, "bytes=10000-", "bytes=12000-"]


@pytest.mark.parametrize("unfit", ["the file there is shorter", "other bytes than asked for"])
def test_a_part_that_does_not_fit_the_file_there_is_thrown_away(unfit, server, tmp_path, pauses):
    server.content = b"x" * 100_000
    server.drops = [70_000]
    with pytest.raises(DownloadError):
        get(server, tmp_path, attempts=1)
    server.content = ARCHIVE
    if unfit == "other bytes than asked for":
        server.content = make_archive(in_github_form(FILES | {"1_frontal.jpg": random.Random(1).randbytes(200_000)}))
        server.shift = 5
        with pytest.raises(DownloadError, match="content digest"):
            get(server, tmp_path)
    else:
        get(server, tmp_path)
    assert server.ranges == [None, "bytes=70000-", None]


def test_an_archive_of_unannounced_length_arrives(server, tmp_path):
    # GitHub makes its archives while sending them.
    server.sends_length = False
    assert get(server, tmp_path).joinpath("Houses Dataset").is_dir()


@pytest.mark.parametrize(("status", "num_requests"), [(404, 1), (403, 1), (429, 3), (500, 3), (503, 3)])
def test_only_what_may_pass_is_tried_again(status, num_requests, server, tmp_path, pauses):
    server.statuses = [status] * 10
    with pytest.raises(DownloadError, match=f"cannot download {server.url}: the server answered {status} "):
        get(server, tmp_path, attempts=3)
    assert len(server.ranges) == num_requests


def test_without_a_connection_the_error_says_what_to_do(server, tmp_path, pauses):
    with pytest.raises(DownloadError) as error:
        download_houses(tmp_path, url="http://127.0.0.1:9/archive.zip", attempts=2)
    message = str(error.value)
    assert "cannot download http://127.0.0.1:9/archive.zip" in message
    assert "Connection refused" in message
    assert (
        f"on another machine, unpack it, and put the folder 'Houses Dataset' that it holds into {tmp_path}" in message
    )
    assert pauses == [1]


def test_an_address_that_is_none_is_not_tried_again(tmp_path, pauses):
    with pytest.raises(DownloadError, match="No scheme supplied"):
        download_houses(tmp_path, url="archive.zip")
    assert pauses == []


def assert_refused(server: Server, destination: Path, message: str) -> None:
    with pytest.raises(DownloadError, match=message):
        get(server, destination)
    assert list(destination.iterdir()) == []


def test_other_content_is_refused_and_deleted(server, tmp_path):
    other = FILES | {"1_kitchen.jpg": b"another kitchen"}
    server.content = make_archive(in_github_form(other))
    assert_refused(server, tmp_path, f"expected content digest {DIGEST}, got {digest_of(other)} .3 files")
    server.content = ARCHIVE
    get(server, tmp_path)


@pytest.mark.parametrize("content", [b"<html>", ARCHIVE[:20_000], ARCHIVE[:-1], ARCHIVE[9_000:]])
def test_a_damaged_archive_is_refused_and_deleted(content, server, tmp_path):
    server.content = content
    assert_refused(server, tmp_path, "no intact zip archive.*try again")


def test_a_damaged_file_in_the_archive_is_refused_and_deleted(server, tmp_path):
    packed = make_archive(in_github_form(FILES | {"1_kitchen.jpg": b"k" * 5000}), compression=zipfile.ZIP_DEFLATED)
    at = packed.index(b"1_kitchen.jpg") + len("1_kitchen.jpg") + 4
    server.content = packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :]
    assert_refused(server, tmp_path, "no intact zip archive")


@pytest.mark.parametrize(
    "name",
    [
        "../Houses Dataset/evil.jpg",
        "/Houses Dataset/evil.jpg",
        "a/../Houses Dataset/x",
        "C:\\Houses Dataset\\x",
        "Houses Dataset/..",
        "C:x",
    ],
)
def test_an_archive_with_a_path_out_of_its_folder_is_refused(name, server, tmp_path):
    server.content = make_archive(in_github_form(FILES) | {name: b"evil"})
    inner = tmp_path / "inner"
    inner.mkdir()
    assert_refused(server, inner, "leads out of its folder")
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]


def test_an_archive_that_unpacks_to_too_much_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setattr(verified_download, "MAX_BYTES", 60_000)
    server.content = make_archive(in_github_form(FILES | {"zeros": bytes(50_000)}), compression=zipfile.ZIP_DEFLATED)
    assert len(server.content) < 60_000
    assert_refused(server, tmp_path, "unpacks to more than 60,000 bytes")


def test_a_download_without_end_is_stopped(server, tmp_path, monkeypatch):
    server.sends_length, server.endless = False, True
    monkeypatch.setattr(verified_download, "MAX_BYTES", 1_000_000)
    assert_refused(server, tmp_path, "larger than 1,000,000 bytes")


def test_an_archive_left_by_an_interrupted_call_is_used(server, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(verified_download, "_unpack", interrupt)
        with pytest.raises(KeyboardInterrupt):
            get(server, tmp_path)
    assert not (tmp_path / "Houses Dataset").exists()
    get(server, tmp_path)
    assert len(server.ranges) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["Houses Dataset"]


def test_progress_is_reported_to_whoever_asks(server, tmp_path):
    reports = []
    get(server, tmp_path, report=lambda *report: reports.append(report))
    assert reports[-1] == (len(ARCHIVE), len(ARCHIVE))


@pytest.fixture
def listed(tmp_path) -> Path:
    """A folder whose names sort bytewise as 10, 9, B, a, and that holds what does not count."""
    for name in ("a", "B", "10", "9", ".hidden"):
        (tmp_path / name).write_text("a\n")
    (tmp_path / "folder").mkdir()
    return tmp_path


def test_the_digest_of_a_hand_worked_folder(listed):
    digest_of_a = "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"
    lines = "".join(f"{digest_of_a}  {name}\n" for name in ("10", "9", "B", "a"))
    assert content_digest(listed) == hashlib.sha256(lines.encode()).hexdigest()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum of the GNU coreutils")
def test_the_digest_is_what_coreutils_print(listed):
    (listed / "folder").rmdir()
    command = ["bash", "-c", "LC_ALL=C; sha256sum * | sha256sum"]
    printed = subprocess.run(command, cwd=listed, capture_output=True, text=True, check=True).stdout
    assert content_digest(listed) == printed.split()[0]
