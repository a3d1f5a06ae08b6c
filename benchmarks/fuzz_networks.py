"""Are bundles with damaged ONNX files refused with a `BundleError`, or else of use, fast, in little memory?

    python -m benchmarks.fuzz_networks --cases 20000 --seed 0

Damages ``network.onnx`` or ``backbone_0.onnx`` of a small bundle (`benchmarks.network_cases`), writes the digests anew
as an attacker would, loads the bundle with the runtime and predicts three rows. What is wrong: any other exception, a
prediction that is no finite number, one that came from a file outside of the bundle, and what `benchmarks.fuzzing` says
of every case: more than 5 s, more than 1 GB, a process that dies. A run may take 2 s and 256 MB here.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.fuzzing import Case, MakeCase, fuzz
from benchmarks.network_cases import SECRET, damage, hidden_numbers
from mixed_data.bundle import BundleError
from mixed_data.files.digests import digest_file
from mixed_data.preprocessing import onnx_session
from mixed_data.runtime import Predictor

GOOD = ("accepted", "BundleError")
ROWS = "rows.json"
FILES = ("network.onnx", "backbone_0.onnx")


def prepare(folder: Path, seed: int) -> MakeCase:
    """Return what makes the case of a number: a bundle with one damaged file."""
    warnings.simplefilter("ignore")
    logging.disable()
    onnx_session.MOST_SECONDS, onnx_session.MOST_MEMORY_BYTES = 2.0, 256 * 2**20
    code = (
        "import sys, pathlib; from benchmarks.fuzz_networks import make_bundle; make_bundle(pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)  # Keras would take most of the memory here
    table = pd.read_json(folder / ROWS)
    os.chdir(folder)
    originals = {name: (folder / "bundle" / name).read_bytes() for name in FILES}

    def make_case(number: int) -> Case:
        random = Random(f"{seed} {number}")
        name = FILES[number % 2]
        (folder / SECRET).write_bytes(hidden_numbers(originals[name]))
        content = damage(originals[name], random, list(originals.values()))

        def run() -> tuple[str, str]:
            try:
                place = put_into(folder / "bundle", folder / "damaged", name, content)
                if not np.isfinite(Predictor(place, num_threads=1).predict(table)).all():
                    return "not finite", ""
            except BundleError as error:
                return ("BundleError", str(error).replace(str(folder), "")[40:]) if str(error) else ("no message", "")
            except BaseException:
                return "another exception", traceback.format_exc()
            return ("a file outside was read", "") if SECRET.encode() in content else ("accepted", "")

        return Case(name, content, run)

    return make_case


def make_bundle(folder: Path) -> None:
    """Fit a small network on made-up rows with photos, save it as ``bundle``, and write three rows."""
    from mixed_data.estimator import MixedDataRegressor
    from mixed_data.preprocessing import MixedDataPreprocessor
    from mixed_data.schema import Schema

    random = np.random.default_rng(0)
    photos = []
    for row in range(24):
        photos.append(str(folder / f"{row}.png"))
        Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(photos[-1])
    table = pd.DataFrame({"area": random.uniform(1, 9, 24), "front": photos, "price": random.uniform(1, 9, 24)})
    schema = Schema(target="price", numeric=("area",), images=("front",))
    preprocessor = MixedDataPreprocessor(schema, image_size=16)
    regressor = MixedDataRegressor(schema, preprocessor=preprocessor, epochs=1, units=4, random_state=0)
    regressor.fit(table, table["price"]).save(folder / "bundle")
    table[:3].to_json(folder / ROWS)


def put_into(bundle: Path, place: Path, name: str, content: bytes) -> Path:
    """Copy a bundle with another file in it, and with digests that are right."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(bundle, place)
    (place / name).write_bytes(content)
    manifest = json.loads((place / "manifest.json").read_text("utf-8"))
    manifest["files"][name] = digest_file(place / name)
    if name == FILES[1]:
        manifest["regressor"]["photo_readers"][0]["file"] = manifest["files"][name]
    (place / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return place


if __name__ == "__main__":
    fuzz(__doc__, prepare, GOOD, num_cases=20_000)
