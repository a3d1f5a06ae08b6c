"""Are runs that are killed at random moments resumed to the result of a run that was left alone?

    python -m benchmarks.kill_runs --folder DIR --kills 20

Half of the kills come at a random
moment of a run's life, the others while it writes something: a bundle, a checkpoint, the cache of photo vectors, its
results, or as it removes its checkpoints. After every kill, all files in the run's folder and the cache must be
readable; a run that was resumed to its end must have the same metrics, predictions and weights to the bit.

The photos are read with a pretrained network if ``--image-weights`` names its file, so that there is a cache to write.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from mixed_data.files.record_store import ENTRY
from mixed_data.readers import READERS

ROOT = Path(__file__).resolve().parents[1]
NUM_ROWS = 80
SMALL = ["--rows", str(NUM_ROWS), "--networks", "table,weighted_sum", "--image-size", "32", "--units", "8"]
VARIANTS = {
    "pixels, early stopping": ["--epochs", "6", "--validation-fraction", "0.2", "--patience", "2"],
    "pixels, 2 folds": ["--epochs", "3", "--folds", "2", "--no-intervals"],
    "pretrained, intervals": ["--epochs", "4", "--image-branch", "pretrained"],
}
# What is there while something is being written.
MOMENTS = {
    "the cache": "cache/records/vectors-*/*.index",
    "a kept model": "run/checkpoints/.*.bundle-*",
    "a bundle": "run/.bundle-*",
    "a checkpoint": "run/checkpoints/.*.npz.*.tmp",
    "the end": "run/report.html",
    "a result": "run/.*.tmp",
}
SAME_BYTES = ("metrics.json", "missing.json", "weights.json")
SAME_BYTES += ("predictions.csv", "model_predictions.csv", "held_out.csv")


def moments_of(arguments: list[str]) -> list[str]:
    """Return the moments that such a run has, in the order in which they come."""
    has_cache = "pretrained" in arguments
    return [moment for moment in MOMENTS if has_cache or moment != "the cache"]


class Life:
    """One run in a folder of its own: begun, killed, resumed until it is done."""

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        self.folder = folder
        self.run = folder / "run"
        self._arguments = arguments
        folder.mkdir(parents=True)

    def start(self) -> subprocess.Popen[bytes]:
        """Begin the run, or resume it where it has begun."""
        has_begun = (self.run / "config.json").is_file()
        if not has_begun and self.run.exists():
            shutil.rmtree(self.run)  # killed in the moment between making the folder and writing what is to be done
        arguments = ["--resume", str(self.run)] if has_begun else [*self._arguments, "--out", str(self.run)]
        environment = {**os.environ, "MIXED_DATA_CACHE": str(self.folder / "cache"), "PYTHONPATH": str(ROOT)}
        with open(self.folder / "log.txt", "ab") as log:
            command = [sys.executable, str(ROOT / "train.py"), *arguments]
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)

    def finish(self) -> float:
        """Let the run come to its end; return the seconds that took."""
        started = time.perf_counter()
        if self.start().wait():
            raise RuntimeError(f"a run failed; see {self.folder / 'log.txt'}")
        return time.perf_counter() - started

    def kill(self, seconds: float, pattern: str) -> float | None:
        """Run for so long, or until something matches the pattern, and kill; None where the run ended before."""
        process, started = self.start(), time.perf_counter()
        while process.poll() is None:
            elapsed = time.perf_counter() - started
            if any(self.folder.glob(pattern)) if pattern else elapsed >= seconds:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return elapsed
            time.sleep(0.0005)
        if process.returncode:
            raise RuntimeError(f"a run failed; see {self.folder / 'log.txt'}")
        return None


def find_broken(folder: Path) -> Iterator[str]:
    """Yield what is neither as it was nor as it is to be."""
    from mixed_data.estimator import load

    files = [file for file in folder.rglob("*") if not any(part.startswith(".") for part in file.parts[-3:])]
    for file in files:
        try:
            if file.name == "manifest.json":
                load(file.parent)
            elif file.suffix == ".json":
                json.loads(file.read_text("utf-8"))
            elif file.suffix == ".csv":
                pd.read_csv(file)
                if not file.read_bytes().endswith(b"\n"):
                    raise ValueError("ends in the middle of a line")
            elif file.suffix == ".npz":
                with np.load(file, allow_pickle=False) as arrays:
                    dict(arrays)
            elif file.name == "report.html" and not file.read_text("utf-8").rstrip().endswith("</html>"):
                raise ValueError("ends in the middle")
        except FileNotFoundError:
            raise
        except Exception as error:
            yield f"{file}: {error!r}"
    for index in (folder / "cache/records").glob("*/*.index"):
        content = index.read_bytes()
        entries = np.frombuffer(content, ENTRY, len(content) // ENTRY.itemsize)
        records = np.fromfile(index.with_suffix(".records"), "u1")
        num_bytes = len(records) // max(len(entries), 1)  # what a kill left behind them is less than one of many
        for place, entry in enumerate(entries):
            record = records[place * num_bytes : (place + 1) * num_bytes].tobytes()
            if zlib.crc32(record, zlib.crc32(entry["digest"].tobytes())) != entry["checksum"]:
                yield f"{index}: record {place} is not as it was written"


def find_differences(whole: Path, resumed: Path) -> Iterator[str]:
    """Yield in what a resumed run differs from one that was left alone."""
    import keras

    names = [{file.relative_to(run) for file in run.rglob("*")} for run in (whole, resumed)]
    if names[0] != names[1]:
        yield f"other files: {sorted(map(str, names[0] ^ names[1]))}"
        return
    yield from (name for name in SAME_BYTES if (whole / name).read_bytes() != (resumed / name).read_bytes())
    for name in sorted(names[0]):
        if name.suffix == ".keras":
            pair = [keras.saving.load_model(run / name, compile=False).get_weights() for run in (whole, resumed)]
            if not all(np.array_equal(a, b) for a, b in zip(*pair, strict=True)):
                yield f"weights of {name}"
        elif name.name == "manifest.json":
            manifests = [json.loads((run / name).read_text("utf-8")) for run in (whole, resumed)]
            for manifest in manifests:
                for backbone in manifest["regressor"]["backbones"]:
                    del backbone["file"]  # digest of an archive, which says when it was packed
            parts = ("regressor", "metrics", "golden_predictions", "fusion_weights")
            yield from (f"{part} of {name}" for part in parts if manifests[0].get(part) != manifests[1].get(part))


def main() -> None:
    """Print one line per kill, and at the end what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="at least so many; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the moments; default: %(default)s")
    parser.add_argument("--folder", type=Path, required=True, help="for runs and data; must not exist")
    parser.add_argument("--image-weights", type=Path, help="MobileNetV2 weights; without them, pixels only")
    options = parser.parse_args()
    generator = random.Random(options.seed)
    variants = dict(VARIANTS)
    if options.image_weights:
        variants["pretrained, intervals"] += ["--image-weights", str(options.image_weights.resolve())]
    else:
        del variants["pretrained, intervals"]
    sample = options.folder.resolve() / "sample"
    READERS["sample"](sample, rows=NUM_ROWS)
    wholes, seconds = {}, {}
    for name, arguments in variants.items():
        arguments[:0] = ["--root", str(sample), *SMALL]
        wholes[name] = Life(options.folder.resolve() / f"whole {name}", arguments)
        seconds[name] = wholes[name].finish()
        print(f"{name}: {seconds[name]:.0f} s uninterrupted", flush=True)
    num_kills, num_lives, broken, different, moments = 0, 0, [], [], Counter()
    waiting = {name: itertools.cycle(moments_of(arguments)) for name, arguments in variants.items()}
    while num_kills < options.kills:
        name = list(variants)[num_lives % len(variants)]
        life = Life(options.folder.resolve() / f"life {num_lives} {name}", variants[name])
        num_lives += 1
        for turn in range(4):
            moment = next(waiting[name]) if turn % 2 == 0 else ""
            elapsed = life.kill(generator.uniform(0, seconds[name]), MOMENTS.get(moment, ""))
            if elapsed is None:
                break
            num_kills += 1
            moments[moment or "a random moment"] += 1
            found = list(find_broken(life.folder))
            broken += found
            print(f"{num_kills:3} {name}: killed after {elapsed:5.1f} s, {moment or '-'}: {found or 'ok'}", flush=True)
        life.finish()
        found = list(find_differences(wholes[name].run, life.run))
        different += found
        print(f"    {name}: resumed to the end: {found or 'equal to the bit'}", flush=True)
    print(f"{num_kills} kills of {num_lives} runs: {dict(moments)}")
    print(f"{len(broken)} broken files, {len(different)} differences")
    sys.exit(bool(broken or different))


if __name__ == "__main__":
    main()
