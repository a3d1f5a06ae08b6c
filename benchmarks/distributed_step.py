"""What a step of a training by several processes on this machine costs; each computes with one thread.

    KERAS_BACKEND=jax python -m benchmarks.distributed_step [--processes 1 2 4] [--batch-size 32]

Rows with four photos of 64 pixels and 60 columns; the medians of the epochs behind the first, of ten steps each.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time

STEPS, EPOCHS = 10, 6


def main() -> None:
    """Print one line per number of processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--batch-size", type=int, default=32, help="of all processes together")
    options = parser.parse_args()
    print(
        f"{'processes':<11}{'ms a step':>11}{'ms CPU a step, all':>20}{'rows a second':>15}{'bytes of gradients':>20}"
    )
    for number in options.processes:
        found = [json.loads(line) for line in start(number, options.batch_size)]
        clock = max(each["clock"] for each in found) * 1000
        cpu = sum(each["cpu"] for each in found) * 1000
        rows = options.batch_size / clock * 1000
        print(f"{number:<11}{clock:>11.0f}{cpu:>20.0f}{rows:>15.0f}{found[0]['bytes']:>20,}")


def start(number: int, batch_size: int) -> list[str]:
    """Run a training by so many processes, and return what each printed last."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    processes = []
    for process_id in range(number):
        environment = {
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
            "KERAS_DISTRIBUTION_NUM_PROCESSES": str(number),
            "KERAS_DISTRIBUTION_PROCESS_ID": str(process_id),
            "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
            "OMP_NUM_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        command = [sys.executable, "-c", "from benchmarks.distributed_step import train; train()", str(batch_size)]
        processes.append(
            subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
        )
    return [process.communicate()[0].splitlines()[-1] for process in processes]


def train() -> None:
    """Train as one process of a job, and print the seconds of a step."""
    import keras
    import numpy as np

    from mixed_data.network.dealt_batches import deal_rows
    from mixed_data.network.distribution import joined_job
    from mixed_data.network.fused_network import NetworkSettings, build_network
    from mixed_data.network.training import Training, TrainingSettings

    size = int(sys.argv[1])
    random, num_rows = np.random.default_rng(0), STEPS * size
    rows = {
        "tabular": random.normal(size=(num_rows, 60)).astype("float32"),
        "tabular_mask": np.ones((num_rows, 1), dtype=bool),
        "images": random.integers(0, 256, (num_rows, 4, 64, 64, 3), dtype="uint8"),
        "image_mask": np.ones((num_rows, 4), dtype=bool),
    }
    marks: list[tuple[float, float]] = []
    mark = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: marks.append((time.process_time(), time.perf_counter()))
    )
    how = {"epochs": EPOCHS, "batch_size": size, "learning_rate": 1e-3, "weight_decay": 1e-4, "loss": "mae"}
    with joined_job() as job:
        with job.scope():
            network = build_network(60, (4, 64, 64, 3), NetworkSettings())
            training = Training(
                network,
                rows,
                random.normal(size=num_rows).astype("float32"),
                TrainingSettings(**how, patience=0, random_state=0),
                training_rows=deal_rows(np.arange(num_rows), size, job.places(size)),
                validation_rows=np.arange(0),
                callbacks=[mark],
                job=job,
            )
            network.fit(**training.arguments)
        seconds = np.diff(marks, axis=0) / STEPS
        cpu, clock = (statistics.median(column) for column in seconds.T.tolist())
        num_bytes = sum(4 * int(np.prod(variable.shape)) for variable in network.trainable_variables)
        print(json.dumps({"cpu": cpu, "clock": clock, "bytes": num_bytes}))


if __name__ == "__main__":
    main()
