"""ONNX files of a stranger's bundle: refused in words or of use, soon, in little memory, and no other file is read."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pandas as pd
import pytest
from reliability import Case, documented

from benchmarks.fuzz_networks import FILES, ROWS, make_bundle, put_into
from benchmarks.network_cases import ATTACKS, SECRET, damage, hidden_numbers
from mixed_data.bundle import BundleError
from mixed_data.preprocessing import onnx_session
from mixed_data.preprocessing.onnx_checks import check_onnx
from mixed_data.runtime import Predictor

resource = pytest.importorskip("resource", reason="memory is bounded on Linux, and measured on Unix, only")

SECTION = "ONNX files from strangers"
SECONDS, MEGABYTES = 1.0, 256
FEW_SECONDS = 60.0  # on a busy machine; what would go on for days is far beyond

TOO_LATE = "Exiting due to terminate flag"
NO_FILE, TOO_LITTLE = "a weight stands in another file", "a weight claims to be of shape"
TOO_MUCH = f"Non-zero status code returned|bad_alloc|Failed to allocate|{TOO_LATE}"  # whichever end comes first
REASONS = {
    **{name: NO_FILE for name in ATTACKS if "stands in" in name},
    **{name: TOO_LITTLE for name in ATTACKS if "that claims" in name},
    "a weight that is sparse": "a weight is sparse",
    "an array of 34 GB": TOO_MUCH,
    "a number repeated to 34 GB": TOO_MUCH,
    "an array that is doubled 33 times": TOO_MUCH,
    "a product of 69 GB": TOO_MUCH,
    "an output of 34 GB": "expected one number per row|expected 1 to 65536 numbers per photo, got 8589934592",
    "an output of 34 GB that nobody announced": f"expected one number per row|{TOO_MUCH}",
    "products for minutes": TOO_LATE,
    "a loop for days": "it loops",
    "graphs in graphs, 20 deep": "graphs stand in each other more than 8 deep",
    "a chain of 12,000 operations": "it has more than 10,000 operations",
    "a chain of 9,000 operations": "",
    "an operator that is not ONNX' own": "it has operators of 'com.microsoft'",
    "functions that unfold to 2^29 operations": "it has operators of 'bomb'|it has functions of its own",
    "a photo, or a batch, larger than memory": "do not belong together|expected photos of 1 to 4096 pixels a side",
    "a cycle": "not acyclic",
}
CASES = [
    Case(f"an ONNX file with {name}", "predicted as ever" if reason == "" else "refused", name, reason)
    for name, reason in REASONS.items()
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    make_bundle(folder)
    return folder


@pytest.fixture(scope="module")
def rows(folder: Path) -> pd.DataFrame:
    return pd.read_json(folder / ROWS)


@pytest.fixture
def _little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_session, "MOST_SECONDS", SECONDS)
    monkeypatch.setattr(onnx_session, "MOST_MEMORY_BYTES", MEGABYTES * 2**20)


def attack(folder: Path, file: str, name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the bundle an attacked file with the right digests, and put the numbers that are looked for outside."""
    original = (folder / "bundle" / file).read_bytes()
    (folder / SECRET).write_bytes(hidden_numbers(original))
    monkeypatch.chdir(folder)
    model = onnx.load_from_string(original)
    ATTACKS[name](model, Random(0))
    return put_into(folder / "bundle", folder / "damaged", file, model.SerializeToString())


@pytest.mark.usefixtures("_little")
@documented(SECTION, CASES)
def test_an_attack_is_refused_in_words_and_soon(
    case: Case, folder: Path, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in FILES:
        bundle = attack(folder, file, case.given, monkeypatch)
        begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if case.expected:
            with pytest.raises(BundleError, match=case.expected):
                Predictor(bundle, num_threads=1)
        else:
            np.testing.assert_array_equal(Predictor(bundle).predict(rows), Predictor(folder / "bundle").predict(rows))
        assert time.monotonic() - begun < FEW_SECONDS
        unit = 1 if sys.platform == "darwin" else 1024
        assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 4 * MEGABYTES * 2**20


def test_every_attack_is_tried() -> None:
    assert set(REASONS) == set(ATTACKS)


@pytest.mark.usefixtures("_little")
@pytest.mark.parametrize("seed", range(24))
def test_a_damaged_file_is_refused_or_of_use(
    seed: int, folder: Path, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short part of `benchmarks.fuzz_networks`."""
    monkeypatch.chdir(folder)
    originals = [(folder / "bundle" / name).read_bytes() for name in FILES]
    content = damage(originals[seed % 2], Random(seed), originals)
    bundle = put_into(folder / "bundle", folder / "damaged", FILES[seed % 2], content)
    try:
        predicted = Predictor(bundle, num_threads=1).predict(rows)
    except BundleError:
        return
    assert np.isfinite(predicted).all()


def test_half_a_file_is_refused_wherever_it_ends(folder: Path) -> None:
    content = (folder / "bundle" / FILES[0]).read_bytes()
    check_onnx(content, "x")
    for length in range(0, len(content) - 1, 97):
        bundle = put_into(folder / "bundle", folder / "damaged", FILES[0], content[:length])
        with pytest.raises(BundleError, match=r"network\.onnx"):
            Predictor(bundle)


def test_the_limits_are_given_back(folder: Path, rows: pd.DataFrame) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    Predictor(folder / "bundle").predict(rows)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert onnx_session._running == {}
