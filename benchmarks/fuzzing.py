"""Many damaged inputs, each tried in a process that may die of it: what came of them, how slowly, in how much memory.

Needs Linux, for the memory that one input takes at its peak.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

MOST_SECONDS = 5.0
MOST_MEGABYTES = 1024.0


@dataclass(frozen=True)
class Case:
    """One damaged input.

    Attributes:
        kind: that it is counted under.
        content: bytes that are kept where something is wrong.
        run: tries it, and says what came and why: a documented outcome, or what was wrong.
    """

    kind: str
    content: bytes
    run: Callable[[], tuple[str, str]]


MakeCase = Callable[[int], Case]
Prepare = Callable[[Path, int], MakeCase]
"""A function of a module, called once in each worker with a folder of its own and the seed. The case of a number
depends on seed and number only."""


@dataclass(frozen=True)
class Outcome:
    """What became of one case."""

    kind: str
    outcome: str
    reason: str
    seconds: float
    megabytes: float


@dataclass
class Findings:
    """What the cases came to, filled by several threads."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[float, str] = (0.0, "")
    offenders: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def fuzz(description: str, prepare: Prepare, documented: Sequence[str], *, num_cases: int) -> None:
    """Try cases with the options of the command line, print what came, and end with exit code 1 if anything is wrong.

    Args:
        description: of the command.
        prepare: see `Prepare`.
        documented: outcomes that are in order.
        num_cases: by default.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=num_cases)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "fuzzing", help="for what is wrong")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    findings, start = Findings(), time.perf_counter()
    shares = [range(first, options.cases, options.workers) for first in range(options.workers)]
    threads = [
        threading.Thread(target=_work, args=(share, Worker(prepare, options.seed), documented, options.out, findings))
        for share in shares
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _report(findings, time.perf_counter() - start, options)


class Worker:
    """A process that tries cases, started again after one that killed or stopped it."""

    def __init__(self, prepare: Prepare, seed: int) -> None:
        self._arguments = (prepare, seed)
        self._start()

    def try_case(self, number: int) -> tuple[Outcome, bytes]:
        """Return what became of one case, and its content."""
        self._connection.send(number)
        try:
            if self._connection.poll(2 * MOST_SECONDS):
                return self._connection.recv(), self._content.read_bytes()
            outcome = "a hang"
        except (EOFError, ConnectionResetError):
            self._process.join()
            outcome = f"the process died, exit code {self._process.exitcode}"
        self._process.kill()
        content = self._content.read_bytes()
        self._folder.cleanup()
        self._start()
        return Outcome("unknown", outcome, "", 2 * MOST_SECONDS, 0.0), content

    def stop(self) -> None:
        """End the process and remove its folder."""
        self._connection.send(None)
        self._process.join()
        self._folder.cleanup()

    def _start(self) -> None:
        context = get_context("spawn")
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._content = Path(self._folder.name, "content")
        self._connection, theirs = context.Pipe()
        arguments = (theirs, self._content, *self._arguments)
        self._process = context.Process(target=_answer, args=arguments, daemon=True)
        self._process.start()
        theirs.close()  # so that reading ends when the process does
        self._connection.recv()


def _answer(connection: Connection, content: Path, prepare: Prepare, seed: int) -> None:
    """Try the cases whose numbers come, until None comes; leave the content of each in a file, send its `Outcome`."""
    make_case = prepare(content.parent, seed)
    connection.send(None)  # ready
    while (number := connection.recv()) is not None:
        case = make_case(number)
        content.write_bytes(case.content)
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
        start = time.perf_counter()
        outcome, reason = case.run()
        seconds = time.perf_counter() - start
        megabytes = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
        connection.send(Outcome(case.kind, outcome, reason, seconds, megabytes))


def _work(numbers: range, worker: Worker, documented: Sequence[str], out: Path, findings: Findings) -> None:
    """Have one worker try some of the cases, and write down what comes."""
    for number in numbers:
        found, content = worker.try_case(number)
        outcome = _judge(found, documented)
        label = f"{number} ({found.kind})"
        with findings.lock:
            findings.outcomes[found.kind, outcome] += 1
            findings.reasons[found.reason[:60]] += outcome in documented and found.reason != ""
            findings.slowest = max(findings.slowest, (found.seconds, label))
            findings.largest = max(findings.largest, (found.megabytes, label))
            if outcome not in documented:
                findings.offenders.append(f"{label}: {outcome} {found.reason}")
                (out / str(number)).write_bytes(content)
    worker.stop()


def _judge(found: Outcome, documented: Sequence[str]) -> str:
    if found.outcome in documented and found.seconds > MOST_SECONDS:
        return f"over {MOST_SECONDS:.0f} s"
    if found.outcome in documented and found.megabytes > MOST_MEGABYTES:
        return f"over {MOST_MEGABYTES:.0f} MB"
    return found.outcome


def _report(findings: Findings, seconds: float, options: argparse.Namespace) -> None:
    """Print counts by kind and outcome, the slowest and the largest case, and all that is wrong."""
    for (kind, outcome), count in sorted(findings.outcomes.items()):
        print(f"{kind:14} {outcome:24} {count:7,}")
    print("\nthe ten most frequent reasons:")
    for reason, count in findings.reasons.most_common(10):
        print(f"{count:7,} {reason!r}")
    print(f"\n{options.cases:,} cases, seed {options.seed}, {seconds:.0f} s with {options.workers} workers")
    print(f"slowest: {findings.slowest[0]:.2f} s, case {findings.slowest[1]}")
    print(f"most memory: {findings.largest[0]:.0f} MB with Python and libraries, case {findings.largest[1]}")
    print(f"{len(findings.offenders)} cases with something wrong, kept in {options.out}")
    for offender in findings.offenders:
        print(f"  {offender}")
    raise SystemExit(1 if findings.offenders else 0)
