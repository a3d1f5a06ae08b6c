"""Does `load_photo` give a picture or a `PhotoError` for whatever bytes it is fed, quickly and in little memory?

    python -m benchmarks.fuzz_photos --files 20000 --seed 0

Damages small pictures of all formats (`benchmarks.photo_files`) and loads each, twice, in a process of its own making.
What is wrong: any other exception, an array of another shape or type, two loads that differ (memory that nobody
wrote shows as pixels), more than 5 s, more than 1 GB, a process that dies. Such files are kept in ``--out``. Needs
Linux, for the memory that one file takes at its peak.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.photo_files import damage_picture, make_pictures
from mixed_data.preprocessing.photos import RESIZE_POLICIES, PhotoError, clear_photo_cache, load_photo

MOST_SECONDS = 5.0
MOST_MEGABYTES = 1024.0
SIZE = 64
GOOD = ("a picture", "PhotoError")


@dataclass
class Findings:
    """What the files came to, filled by several threads."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[float, str] = (0.0, "")
    offenders: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def choose_file(number: int, seed: int, pictures: dict[str, bytes]) -> tuple[str, bytes]:
    """Return the kind and the bytes of a damaged file, which depend on these arguments only."""
    random = Random(f"{seed} {number}")
    name = random.choice(list(pictures))
    return name, damage_picture(name, pictures, random)


def load_twice(path: Path, resize: str) -> tuple[str, str]:
    """Load a file and say what came: one of `GOOD`, or what was wrong; and the reason."""
    photos = []
    try:
        for _ in range(2):
            clear_photo_cache()  # two files that one path held within a clock tick look the same to it
            photos.append(load_photo(str(path), SIZE, SIZE, resize=resize))
    except PhotoError as error:
        return "PhotoError", str(error)
    except Exception:
        return "another exception", traceback.format_exc()
    if any(photo.shape != (SIZE, SIZE, 3) or photo.dtype != np.uint8 for photo in photos):
        return "not a photo", f"{photos[0].dtype} {photos[0].shape}"
    return ("a picture", "") if np.array_equal(photos[0], photos[1]) else ("two different pictures", "")


def answer(connection: Connection, folder: Path, seed: int) -> None:
    """Load the files whose numbers come, until None comes; send outcome, reason, seconds and megabytes of each."""
    warnings.simplefilter("ignore")
    pictures = make_pictures()
    path = folder / "photo"
    while (number := connection.recv()) is not None:
        path.write_bytes(choose_file(number, seed, pictures)[1])
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
        start = time.perf_counter()
        outcome, reason = load_twice(path, RESIZE_POLICIES[number % len(RESIZE_POLICIES)])
        seconds = time.perf_counter() - start
        status = Path("/proc/self/status").read_text()
        megabytes = int(status.split("VmHWM:")[1].split()[0]) / 1024
        connection.send((outcome, reason, seconds, megabytes))


class Worker:
    """A process that loads files, started again after one that killed or stopped it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._folder = tempfile.TemporaryDirectory()
        self._start()

    def load(self, number: int) -> tuple[str, str, float, float]:
        """Return outcome, reason, seconds and megabytes of one file."""
        self._connection.send(number)
        try:
            if self._connection.poll(2 * MOST_SECONDS):
                return self._connection.recv()
            outcome = "a hang"
        except (EOFError, ConnectionResetError):
            self._process.join()
            outcome = f"the process died, exit code {self._process.exitcode}"
        self._process.kill()
        self._start()
        return outcome, "", 2 * MOST_SECONDS, 0.0

    def stop(self) -> None:
        """End the process and remove its folder."""
        self._connection.send(None)
        self._process.join()
        self._folder.cleanup()

    def _start(self) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        arguments = (theirs, Path(self._folder.name), self._seed)
        self._process = context.Process(target=answer, args=arguments, daemon=True)
        self._process.start()
        theirs.close()  # so that reading ends when the process does


def work(numbers: range, seed: int, out: Path, findings: Findings) -> None:
    """Have one worker load some of the files, and write down what comes."""
    worker, pictures = Worker(seed), make_pictures()
    for number in numbers:
        outcome, reason, seconds, megabytes = worker.load(number)
        name, data = choose_file(number, seed, pictures)
        if outcome in GOOD and megabytes > MOST_MEGABYTES:
            outcome = f"over {MOST_MEGABYTES:.0f} MB"
        elif outcome in GOOD and seconds > 2 * MOST_SECONDS:  # it was loaded twice
            outcome = f"over {MOST_SECONDS:.0f} s"
        label = f"{number} ({name})"
        with findings.lock:
            findings.outcomes[name.split()[0], outcome] += 1
            findings.reasons[reason[:60]] += outcome == "PhotoError"
            findings.slowest = max(findings.slowest, (seconds / 2, label))
            findings.largest = max(findings.largest, (megabytes, label))
            if outcome not in GOOD:
                findings.offenders.append(f"{label}: {outcome} {reason}")
                (out / f"{seed}_{number}").write_bytes(data)
    worker.stop()


def main() -> None:
    """Fuzz and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "fuzz_photos")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    findings, start = Findings(), time.perf_counter()
    threads = [
        threading.Thread(
            target=work, args=(range(first, options.files, options.workers), options.seed, options.out, findings)
        )
        for first in range(options.workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report(findings, time.perf_counter() - start, options)


def report(findings: Findings, seconds: float, options: argparse.Namespace) -> None:
    """Print counts by format and outcome, the slowest and the largest file, and all that is wrong."""
    for (kind, outcome), count in sorted(findings.outcomes.items()):
        print(f"{kind:5} {outcome:24} {count:6,}")
    print("\nthe ten most frequent reasons:")
    for reason, count in findings.reasons.most_common(10):
        print(f"{count:6,} {reason}")
    print(f"\n{options.files:,} files, seed {options.seed}, {seconds:.0f} s with {options.workers} workers")
    print(f"slowest: {findings.slowest[0]:.2f} s, file {findings.slowest[1]}")
    print(f"most memory: {findings.largest[0]:.0f} MB with Python and NumPy, file {findings.largest[1]}")
    print(f"{len(findings.offenders)} files with something wrong, kept in {options.out}")
    for offender in findings.offenders:
        print(f"  {offender}")
    raise SystemExit(1 if findings.offenders else 0)


if __name__ == "__main__":
    main()
