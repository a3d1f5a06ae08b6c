"""Has it become slower, or larger? One table of ratios, each beside what it was before on this kind of machine.

    python -m benchmarks.guard [--bare PYTHON]

Seconds differ from machine to machine, so that each figure is a ratio of two things that took turns in this run; only
the peak of memory is in MB. PYTHON is an interpreter that has PyTorch, for the step of training. Each run appends a
line to the history, and compares itself with the median of the last five that this kind of machine wrote.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.growth import SIZES, measure_growth
from benchmarks.photo_store import NUM_PHOTOS_AT_ONCE, empty_cache, measure_filling
from benchmarks.training_step import measure_step
from mixed_data.readers import read_sample

HISTORY = Path(__file__).with_name("history.jsonl")
WORSE = 0.15
"""A ratio that is worse by more than this share is named."""

LIMITS = {
    "growth: largest exponent": 1.1,
    "growth: look-alikes": None,
    "step ÷ bare PyTorch loop": 1.15,
    "bare Pillow loop ÷ fill, 64 px": 1 / 0.9,
    "bare Pillow loop ÷ fill, 320 px": 1 / 0.9,
    "cold start ÷ import of Keras": None,
    "train outside networks ÷ import of Keras": None,
    "peak memory of train, MB": None,
}
"""What is measured; less is better, and at most so much is asked for."""

_IMPORT = "import keras"
_START = """
from mixed_data.cli import main
main(["train", "--rows", "200", "--networks", "table", "--epochs", "1", "--no-intervals", "--quiet", "--out", {out!r}])
"""
_TRAIN = """
import json, sys, time
import keras
from mixed_data.cli import main
spent, fit = [], keras.Model.fit
def timed(*arguments, **more):
    started = time.process_time()
    try:
        return fit(*arguments, **more)
    finally:
        spent.append(time.process_time() - started)
keras.Model.fit = timed
main(["train", "--quiet", "--out", {out!r}])
print(json.dumps(time.process_time() - sum(spent)))
"""


def main() -> None:
    """Measure, print the table and keep it; exit with 1 where a ratio got worse by more than 15 %."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bare", type=Path, metavar="PYTHON", help="without one the step is not measured")
    parser.add_argument("--history", type=Path, default=HISTORY)
    options = parser.parse_args()
    found = measure(options.bare)
    machine = describe_machine()
    earlier = [entry["found"] for entry in read_history(options.history) if entry["machine"] == machine]
    worse = print_table(found, earlier[-5:])
    entry = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, "commit": read_commit()}
    with options.history.open("a", encoding="utf-8") as file:
        file.write(json.dumps({**entry, "found": found}) + "\n")
    sys.exit(1 if worse else 0)


def measure(bare: Path | None) -> dict[str, float]:
    """Return each figure by name; the step of training only with an interpreter for the bare loop."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        imported = statistics.median(run(_IMPORT)[0] for _ in range(3))
        print(f"import of Keras: {imported:.1f} processor seconds", flush=True)
        read_sample("datasets/sample", rows=200)
        starts = [run(_START.format(out=str(folder / f"start{number}")))[0] for number in range(3)]
        found["cold start ÷ import of Keras"] = statistics.median(starts) / imported
        read_sample("datasets/sample")  # draws the photos of the default run where they are missing
        with empty_cache(folder):
            _, memory, output = run(_TRAIN.format(out=str(folder / "train")))
        found["train outside networks ÷ import of Keras"] = json.loads(output.splitlines()[-1]) / imported
        found["peak memory of train, MB"] = memory
        for size in (64, 320):
            with empty_cache(folder):
                ratio = measure_filling(folder, 1 + 2 * NUM_PHOTOS_AT_ONCE, size)
            found[f"bare Pillow loop ÷ fill, {size} px"] = 1 / ratio
    exponents = measure_growth(SIZES)
    found["growth: look-alikes"] = exponents.pop("look-alikes (*)")
    found["growth: largest exponent"] = max(exponents.values())
    if bare:
        found["step ÷ bare PyTorch loop"] = measure_step(bare)
    return found


def run(program: str) -> tuple[float, int, str]:
    """Run a program in a process of its own; return its processor seconds, peak of memory in MB, and output."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
    output = "" if process.stdout is None else process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"a program ended with {process.returncode}: {program}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss // (1024 if sys.platform == "linux" else 1024**2), output


def print_table(found: dict[str, float], earlier: list[dict[str, float]]) -> list[str]:
    """Print each figure, what is asked for and what it was; return the names of those that got worse."""
    worse = []
    print(f"\n{'less is better':<44}{'now':>9}{'asked':>9}{'before':>9}")
    for name, limit in LIMITS.items():
        if name not in found:
            print(f"{name:<44}{'-':>9}  not measured: needs --bare PYTHON, see `make .venv-backends/installed`")
            continue
        known = [figures[name] for figures in earlier if name in figures]
        before = statistics.median(known) if known else None
        asked = "" if limit is None else f"{limit:.2f}"
        line = f"{name:<44}{found[name]:>9.2f}{asked:>9}{'' if before is None else f'{before:.2f}':>9}"
        if before is not None and found[name] > before * (1 + WORSE):
            line += f"  WORSE by {found[name] / before - 1:.0%}"
            worse.append(name)
        print(line)
    return worse


def read_history(file: Path) -> list[dict[str, Any]]:
    """Return the earlier runs, the oldest first."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def describe_machine() -> str:
    """Name what the ratios may depend on: the kind of processor, how many there are, and the version of Python."""
    models = [line.partition(":")[2].strip() for line in _read("/proc/cpuinfo") if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()} x {os.cpu_count()}, Python {platform.python_version()}"


def _read(file: str) -> list[str]:
    return Path(file).read_text().splitlines() if Path(file).exists() else []


def read_commit() -> str:
    """Return the commit, with a + where files differ from it."""
    found = subprocess.run(["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=True)
    return found.stdout.strip()


if __name__ == "__main__":
    main()
