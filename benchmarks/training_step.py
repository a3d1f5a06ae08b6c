"""What a step of training costs beside a bare PyTorch loop over the same network; the two take turns.

    python -m benchmarks.training_step --bare PYTHON [--threads 1]

PYTHON is an interpreter that has PyTorch. 32 rows with four photos of 64 pixels and 60 columns; medians of all steps.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

_OWN = """
import json, sys, time
import numpy as np
from mixed_data.network.fused_network import NetworkSettings, build_network
from mixed_data.network.training import JIT_COMPILE, make_optimizer
random = np.random.default_rng(0)
rows = {
    "tabular": random.normal(size=(32, 1, 60)).astype("float32"),
    "tabular_mask": np.ones((32, 1, 1), dtype=bool),
    "images": random.integers(0, 256, (32, 1, 4, 64, 64, 3), dtype="uint8"),
    "image_mask": np.ones((32, 1, 4), dtype=bool),
}
target = random.normal(size=(32, 1)).astype("float32")
network = build_network(60, (4, 64, 64, 3), NetworkSettings(modality_dropout=0.1))
optimizer = make_optimizer(learning_rate=1e-3, weight_decay=1e-4, num_steps=1000)
optimizer.build(network.trainable_variables)
network.compile(optimizer, "mae", jit_compile=JIT_COMPILE)
found = []
for number in range(5 + int(sys.argv[1])):
    started, clock = time.process_time(), time.perf_counter()
    network.train_on_batch(rows, target)
    if number >= 5:
        found.append([time.process_time() - started, time.perf_counter() - clock])
print(json.dumps(found))
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bare", type=Path, required=True, metavar="PYTHON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    measure_step(options.bare, threads=options.threads, steps=options.steps, runs=options.runs)


def measure_step(bare: Path, *, threads: int = 1, steps: int = 40, runs: int = 5) -> float:
    """Print one line per loop, and return the ratio of their processor seconds per step."""
    commands = {
        "mixed_data": [sys.executable, "-c", _OWN, str(steps)],
        "bare PyTorch": [str(bare), str(Path(__file__).with_name("bare_step.py")), f"--steps={steps}"],
    }
    commands["bare PyTorch"].append(f"--threads={threads}")
    found: dict[str, list[list[float]]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            found[name] += run(command, threads)
    print(f"{'loop':<14}{'ms CPU a step':>15}{'ms a step':>12}")
    medians = {
        name: [statistics.median(column) * 1000 for column in zip(*steps, strict=True)] for name, steps in found.items()
    }
    for name, (cpu, clock) in medians.items():
        print(f"{name:<14}{cpu:>15.1f}{clock:>12.1f}")
    own, other = medians.values()
    print(f"{'ratio':<14}{own[0] / other[0]:>15.2f}{own[1] / other[1]:>12.2f}")
    return own[0] / other[0]


def run(command: list[str], threads: int) -> list[list[float]]:
    """Return processor's and clock's seconds of each step of one process."""
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads)), "TF_CPP_MIN_LOG_LEVEL": "3"}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(found.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
