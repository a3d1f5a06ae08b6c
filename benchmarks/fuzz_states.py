"""Are damaged manifests, states and tables refused with a `ValueError`, or else of use, quickly and in little memory?

    python -m benchmarks.fuzz_states --cases 100000 --seed 0

Damages small good files of eight kinds (`benchmarks.state_cases`) and reads each in a process of its own making. What
is wrong: any other exception, or one without a message, a warning, numbers that are none, more than 5 s, more than
1 GB, a process that dies. Such files are kept in ``--out``. Needs Linux, for the memory that one file takes at its
peak; of that, Python with TensorFlow takes about 650 MB before the first file.
"""

from __future__ import annotations

import argparse
import logging
import resource
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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.state_cases import Originals

MOST_SECONDS = 5.0
MOST_MEGABYTES = 1024.0
LEEWAY_BYTES = 2 * 2**30  # beyond what a worker has mapped at its start: what asks for more gets a MemoryError
GOOD = ("accepted", "ValueError")


@dataclass(frozen=True)
class Outcome:
    """What became of one case."""

    kind: str
    outcome: str
    reason: str
    seconds: float
    megabytes: float
    content: bytes = b""


@dataclass
class Findings:
    """What the cases came to, filled by several threads."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[float, str] = (0.0, "")
    offenders: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def answer(connection: Connection, folder: Path, seed: int) -> None:
    """Try the cases whose numbers come, until None comes; send the `Outcome` of each."""
    from benchmarks.state_cases import make_originals

    warnings.simplefilter("error")
    logging.disable()
    originals = make_originals(folder)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + LEEWAY_BYTES,) * 2)
    connection.send(None)  # ready
    while (number := connection.recv()) is not None:
        connection.send(_try_case(number, seed, originals))


def _try_case(number: int, seed: int, originals: Originals) -> Outcome:
    from benchmarks import state_cases

    random = Random(f"{seed} {number}")
    kind = state_cases.KINDS[number % len(state_cases.KINDS)]
    content = state_cases.damage(kind, originals.files[kind], random, list(originals.files.values()))
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    start = time.perf_counter()
    outcome, reason = "accepted", ""
    try:
        state_cases.use(kind, content, originals, random)
    except ValueError as error:
        reason = str(error).replace(str(originals.folder), "")
        outcome = "ValueError" if reason else "no message"
    except BaseException:
        outcome, reason = "another exception", traceback.format_exc()
    seconds = time.perf_counter() - start
    megabytes = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    if outcome in GOOD and seconds > MOST_SECONDS:
        outcome = f"over {MOST_SECONDS:.0f} s"
    elif outcome in GOOD and megabytes > MOST_MEGABYTES:
        outcome = f"over {MOST_MEGABYTES:.0f} MB"
    return Outcome(kind, outcome, reason, seconds, megabytes, b"" if outcome in GOOD else content)


class Worker:
    """A process that tries cases, started again after one that killed or stopped it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._start()

    def try_case(self, number: int) -> Outcome:
        """Return what became of one case."""
        self._connection.send(number)
        try:
            if self._connection.poll(2 * MOST_SECONDS):
                return self._connection.recv()
            outcome = "a hang"
        except (EOFError, ConnectionResetError):
            self._process.join()
            outcome = f"the process died, exit code {self._process.exitcode}"
        self._process.kill()
        self._folder.cleanup()
        self._start()
        return Outcome("unknown", outcome, "", 2 * MOST_SECONDS, 0.0)

    def stop(self) -> None:
        """End the process and remove its folder."""
        self._connection.send(None)
        self._process.join()
        self._folder.cleanup()

    def _start(self) -> None:
        context = get_context("spawn")
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._connection, theirs = context.Pipe()
        arguments = (theirs, Path(self._folder.name), self._seed)
        self._process = context.Process(target=answer, args=arguments, daemon=True)
        self._process.start()
        theirs.close()  # so that reading ends when the process does
        self._connection.recv()


def work(numbers: range, seed: int, out: Path, findings: Findings) -> None:
    """Have one worker try some of the cases, and write down what comes."""
    worker = Worker(seed)
    for number in numbers:
        found = worker.try_case(number)
        label = f"{number} ({found.kind})"
        with findings.lock:
            findings.outcomes[found.kind, found.outcome] += 1
            findings.reasons[found.reason[:60]] += found.outcome == "ValueError"
            findings.slowest = max(findings.slowest, (found.seconds, label))
            findings.largest = max(findings.largest, (found.megabytes, label))
            if found.outcome not in GOOD:
                findings.offenders.append(f"{label}: {found.outcome} {found.reason}")
                (out / f"{seed}_{number}").write_bytes(found.content)
    worker.stop()


def main() -> None:
    """Fuzz and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "fuzz_states")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    findings, start = Findings(), time.perf_counter()
    threads = [
        threading.Thread(
            target=work, args=(range(first, options.cases, options.workers), options.seed, options.out, findings)
        )
        for first in range(options.workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report(findings, time.perf_counter() - start, options)


def report(findings: Findings, seconds: float, options: argparse.Namespace) -> None:
    """Print counts by kind and outcome, the slowest and the largest case, and all that is wrong."""
    for (kind, outcome), count in sorted(findings.outcomes.items()):
        print(f"{kind:14} {outcome:24} {count:7,}")
    print("\nthe ten most frequent reasons:")
    for reason, count in findings.reasons.most_common(10):
        print(f"{count:7,} {reason!r}")
    print(f"\n{options.cases:,} cases, seed {options.seed}, {seconds:.0f} s with {options.workers} workers")
    print(f"slowest: {findings.slowest[0]:.2f} s, case {findings.slowest[1]}")
    print(f"most memory: {findings.largest[0]:.0f} MB with Python and TensorFlow, case {findings.largest[1]}")
    print(f"{len(findings.offenders)} cases with something wrong, kept in {options.out}")
    for offender in findings.offenders:
        print(f"  {offender}")
    raise SystemExit(1 if findings.offenders else 0)


if __name__ == "__main__":
    main()
