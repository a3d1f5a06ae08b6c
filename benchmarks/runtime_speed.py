"""How fast a bundle predicts with the runtime and with Keras: cold, and many rows; medians of five, alternating.

    python -m benchmarks.runtime_speed BUNDLE --data held_out.csv

Each figure comes from processes of their own, with one thread where libraries allow it: seconds of wall clock, CPU
seconds (user and system) and the largest resident memory. The cache of photo vectors is empty each time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

ENGINES = {
    "runtime": "from mixed_data.runtime import Predictor as read",
    "keras": "from mixed_data import load as read",
}
_CODE = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
{engine}
from mixed_data.readers.table import read_rows
model = read(sys.argv[1])
schema = model.schema if hasattr(model, "schema") and model.schema is not None else model.preprocessor_.schema
rows = read_rows(sys.argv[2], schema)
rows = rows[: int(sys.argv[3])]
wall, cpu = time.perf_counter(), time.process_time()
model.predict(rows)
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
"""


def main() -> None:
    """Print one line per engine and number of rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    all_rows = len(pd.read_csv(options.data))  # no row twice: Keras would have its photos from memory
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    for _ in range(options.runs):
        for num_rows in (1, all_rows):
            for engine in ENGINES:
                found.setdefault((engine, num_rows), []).append(run(engine, options.bundle, options.data, num_rows))
    print(f"{'engine':<9}{'rows':>6}{'process s':>11}{'CPU s':>8}{'rows/s':>9}{'rows/CPU s':>12}{'MB':>7}")
    for (engine, num_rows), runs in found.items():
        one = {name: statistics.median(each[name] for each in runs) for name in runs[0]}
        print(
            f"{engine:<9}{num_rows:>6}{one['wall']:>11.2f}{one['cpu']:>8.2f}{num_rows / one['predict']:>9.1f}"
            f"{num_rows / one['predict_cpu']:>12.1f}{one['megabytes']:>7.0f}"
        )


def run(engine: str, bundle: Path, data: Path, num_rows: int) -> dict[str, float]:
    """Start a process that predicts so many rows, and return what it took."""
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    with tempfile.TemporaryDirectory() as cache:
        environment = {
            **os.environ,
            **dict.fromkeys(names, "1"),
            "MIXED_DATA_CACHE": cache,
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        command = [sys.executable, "-c", _CODE.format(engine=ENGINES[engine]), str(bundle), str(data), str(num_rows)]
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    if status:
        raise SystemExit(f"{engine}: the process ended with status {status}")
    predict, predict_cpu = json.loads(output)
    cpu = usage.ru_utime + usage.ru_stime
    megabytes = usage.ru_maxrss / 1024  # Linux counts in kB
    return {"wall": wall, "cpu": cpu, "predict": predict, "predict_cpu": predict_cpu, "megabytes": megabytes}


if __name__ == "__main__":
    main()
