"""Damaged manifests, states and tables are refused in words, or of use: a short part of `benchmarks.fuzz_states`."""

from __future__ import annotations

import json
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.array_cases import ARRAY_USES
from benchmarks.state_cases import (
    ACTIONS,
    JUNK,
    KINDS,
    Originals,
    UnfitError,
    damage,
    edit,
    make_originals,
    use,
    write_anything,
)
from mixed_data.preprocessing.numeric_column import NumericColumn

STATES = [kind for kind in KINDS if kind not in ("table", *ARRAY_USES)]
EDITS = st.lists(
    st.tuples(st.integers(0, 10**6), st.sampled_from(ACTIONS), st.sampled_from(range(len(JUNK)))),
    min_size=1,
    max_size=4,
)
# The folder of the originals is the same for all examples, which only read it, or write where they read next.
SHARED_FOLDER = [HealthCheck.function_scoped_fixture]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Originals:
    return make_originals(tmp_path_factory.mktemp("originals"))


@pytest.mark.parametrize("kind", KINDS)
def test_an_undamaged_file_is_accepted(originals: Originals, kind: str) -> None:
    use(kind, originals.files[kind], originals, Random(0))


def refuse_or_use(kind: str, content: bytes, originals: Originals, random: Random) -> None:
    """Read the file; any exception but a `ValueError` with a message fails, and so does any warning."""
    message = "none"
    try:
        use(kind, content, originals, random)
    except ValueError as error:
        message = str(error)
    assert message


@pytest.mark.parametrize("kind", STATES)
@settings(max_examples=80, suppress_health_check=SHARED_FOLDER)
@given(edits=EDITS)
def test_a_file_with_other_values_is_refused_or_of_use(
    originals: Originals, kind: str, edits: list[tuple[int, str, int]]
) -> None:
    value = json.loads(originals.files[kind])
    for place, action, junk in edits:
        value = edit(value, place, action, JUNK[junk])
    refuse_or_use(kind, write_anything(value), originals, Random(0))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, suppress_health_check=SHARED_FOLDER)
@given(seed=st.integers(0, 2**32))
def test_a_file_with_damaged_bytes_or_cells_is_refused_or_of_use(originals: Originals, kind: str, seed: int) -> None:
    random = Random(seed)
    content = damage(kind, originals.files[kind], random, list(originals.files.values()))
    refuse_or_use(kind, content, originals, random)


FOUND = {
    "inputs without names": ("preprocessing", ["tabular", "inputs_are_named"], False),
    "a photo of 10^400 pixels": ("preprocessing", ["images", "size"], [10**400, 8]),
    "a mean beyond 64 bits": ("features", ["levelmeans", "means", 0, 0, "mean"], 10**30),
    "a spread near 0": ("target", ["std"], 1e-320),
    "intervals on a spread near 0": ("intervals", ["target", "std"], 1e-320),
    "a golden photo that is not there": ("golden", [0, "front"], "85255"),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_fuzzing_has_found_stays_mended(originals: Originals, name: str) -> None:
    kind, path, value = FOUND[name]
    state = json.loads(originals.files[kind])
    place = state
    for key in path[:-1]:
        place = place[key]
    assert path[-1] in place or isinstance(place, list)
    place[path[-1]] = value
    refuse_or_use(kind, write_anything(state), originals, Random(0))


def test_half_a_file_is_refused_wherever_it_ends(originals: Originals) -> None:
    content = originals.files["target"]
    for length in range(len(content.rstrip()) - 1):
        with pytest.raises(ValueError, match="is not a JSON file"):
            use("target", content[:length], originals, Random(0))


def test_what_was_accepted_and_is_of_no_use_is_noticed(originals: Originals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NumericColumn, "encode", lambda self, values: np.full((len(values), 5), np.nan, "float32"))
    with pytest.raises(UnfitError):
        use("preprocessing", originals.files["preprocessing"], originals, Random(0))
