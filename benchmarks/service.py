"""How many requests a second does the service answer, how long does one take, and does its memory grow?

    python train.py --rows 400 --epochs 6 --networks weighted_sum --out runs/service
    python -m benchmarks.service runs/service/bundle --data runs/service/held_out.csv

Starts ``python -m mixed_data serve`` as a process of its own and asks it from threads of this one, one connection
each, with forms of a row's cells and photos as files. Every answer must be 200, and equal to the bit to what the
runtime predicts here. 20,000 requests in all, in three parts: by 1, 4 and 16 clients; the first 2,000 are by 4 and
are not timed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mixed_data.readers.table import read_checked_rows
from mixed_data.runtime import Predictor

_BOUNDARY = "part-of-a-form"
_NUM_ROWS = 32
_CLIENTS = (1, 4, 16)
_NUM_FIRST = 2000


@dataclass(frozen=True)
class Asked:
    """A form, and the right answer."""

    body: bytes
    prediction: float


def main() -> None:
    """Serve, ask, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="rows to ask about, with photos")
    parser.add_argument("--root", type=Path, help="folder that relative photo paths start from")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=2, help="of the service")
    options = parser.parse_args()
    asked = make_forms(options.bundle, options.data, options.root)
    size = np.mean([len(one.body) for one in asked]) / 1024
    print(f"{len(asked)} different rows, {size:.0f} KiB per request")
    port = find_port()
    command = [sys.executable, "-m", "mixed_data", "serve", str(options.bundle), "--port", str(port)]
    process = subprocess.Popen([*command, "--threads", str(options.threads)], stdout=subprocess.DEVNULL)
    try:
        measure(port, process.pid, asked, options.requests)
    finally:
        process.terminate()
        process.wait(60)


def make_forms(bundle: Path, data: Path, root: Path | None) -> list[Asked]:
    """Write rows as forms, photos as files, and predict them here."""
    predictor = Predictor(bundle, num_threads=1)
    rows = read_checked_rows(data, predictor.schema, root=root).usable[:_NUM_ROWS]
    expected = predictor.predict(rows)
    forms = []
    for (_, row), prediction in zip(rows.iterrows(), expected, strict=True):
        parts = [
            (name, "", str(row[name]).encode())
            for name in predictor.schema.features
            if str(row[name]) not in ("nan", "None", "")
        ]
        parts += [
            (name, '; filename="photo"', Path(row[name]).read_bytes()) for name in predictor.schema.images if row[name]
        ]
        body = b"".join(
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + cell + b"\r\n"
            for name, file, cell in parts
        )
        forms.append(Asked(body + f"--{_BOUNDARY}--\r\n".encode(), float(prediction)))
    return forms


def find_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(port: int, pid: int, asked: list[Asked], num_requests: int) -> None:
    """Ask so many times, and print times and memory."""
    began = time.monotonic()
    while True:
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=5).connect()
            break
        except OSError:
            if time.monotonic() - began > 60:
                raise
            time.sleep(0.02)
    print(f"listens after {time.monotonic() - began:.1f} s, {resident_mb(pid):.0f} MB resident")
    print("clients  requests  failed  wrong  requests/s  p50 ms  p99 ms  CPU ms of the service  MB resident")
    ask(port, pid, asked, _NUM_FIRST, 4)
    early = resident_mb(pid)
    for num_clients in _CLIENTS:
        ask(port, pid, asked, (num_requests - _NUM_FIRST) // len(_CLIENTS), num_clients)
    late = resident_mb(pid)
    print(
        f"after {_NUM_FIRST:,} requests {early:.1f} MB, after {num_requests:,} {late:.1f} MB: {late / early - 1:+.1%}"
    )


def ask(port: int, pid: int, asked: list[Asked], num_requests: int, num_clients: int) -> None:
    """Have clients ask at the same time, and print a line."""
    cpu, began = cpu_seconds(pid), time.perf_counter()
    with ThreadPoolExecutor(num_clients) as pool:
        answers = pool.map(
            lambda client: ask_as_one(port, asked, num_requests // num_clients, client), range(num_clients)
        )
        found = [one for many in answers for one in many]
    seconds, cpu = time.perf_counter() - began, cpu_seconds(pid) - cpu
    times = 1000 * np.array([one[0] for one in found])
    failed, wrong = (sum(not one[place] for one in found) for place in (1, 2))
    print(
        f"{num_clients:7}  {len(found):8}  {failed:6}  {wrong:5}  {len(found) / seconds:10.1f}  "
        f"{np.quantile(times, 0.5):6.1f}  {np.quantile(times, 0.99):6.1f}  {1000 * cpu / len(found):21.1f}  "
        f"{resident_mb(pid):11.1f}",
        flush=True,
    )


def ask_as_one(port: int, asked: list[Asked], num_requests: int, client: int) -> list[tuple[float, bool, bool]]:
    """Ask one after the other over one connection; seconds, whether it was answered, and whether rightly."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    found = []
    for number in range(num_requests):
        one = asked[(7 * client + number) % len(asked)]
        began = time.perf_counter()
        connection.request("POST", "/v1/predict", one.body, headers)
        answer = connection.getresponse()
        content = answer.read()
        seconds, is_answered = time.perf_counter() - began, answer.status == 200
        found.append((seconds, is_answered, is_answered and json.loads(content)["prediction"] == one.prediction))
    connection.close()
    return found


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_seconds(pid: int) -> float:
    """Return what a process has computed so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
