"""Facts about the state: exact through JSON, and refused when it is wrong."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from preprocessing_helpers import HOUSES, SCHEMA

from mixed_data.files.checked_json import make_plain, write_json
from mixed_data.preprocessing import TabularPreprocessor


def test_state_round_trip_through_json_is_exact() -> None:
    generator = np.random.default_rng(4)
    table = HOUSES.iloc[generator.integers(0, 7, 60)].reset_index(drop=True)
    table["area"] *= generator.lognormal(0, 1, 60)
    preprocessor = TabularPreprocessor(SCHEMA, min_frequency=10, code_prefixes=[3]).fit(table)
    assert preprocessor.columns_[1].log_above is not None
    assert preprocessor.columns_[3].groups[1].rare
    assert preprocessor.ratios_
    state = preprocessor.get_state()
    again = TabularPreprocessor.from_state(json.loads(json.dumps(state, allow_nan=False)))
    assert again.get_state() == state
    assert again.columns_ == preprocessor.columns_
    assert again.ratios_ == preprocessor.ratios_
    assert again.report_ == preprocessor.report_
    assert again.schema == SCHEMA
    assert again.transform(HOUSES).tobytes() == preprocessor.transform(HOUSES).tobytes()
    assert again.get_feature_names_out().tolist() == preprocessor.get_feature_names_out().tolist()


def test_numbers_that_json_does_not_know_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "state.json", {"median": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_state_of_an_array_keeps_its_columns_nameless() -> None:
    array = np.random.default_rng(5).normal(size=(10, 3))
    again = TabularPreprocessor.from_state(TabularPreprocessor().fit(array).get_state())
    assert again.transform(array).shape == (10, 3)
    assert again.get_feature_names_out(["a", "b", "c"]).tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="expecting 3 features"):
        again.transform(array[:, :2])


def change(state: dict[str, Any], *path: str | int, to: Any) -> dict[str, Any]:
    place: Any = state
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return state


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["format"], "mixed_data.Other", "expected a state of format"),
        (["version"], 1, "expected version 4, got 1"),
        (["extra"], 1, "'extra' is unknown"),
        (["settings"], {"log": "auto"}, "'min_frequency' is missing"),
        (["settings", "log"], "always", "log must be one of"),
        (["schema", "numeric"], ["bedrooms"], "expected the inputs"),
        (["schema", "numeric"], ["area", "bedrooms"], "expected the inputs"),
        (["schema"], None, "column 'pool' has another role"),
        (["inputs"], ["bedrooms", "area", "pool"], "expected the inputs"),
        (["columns", 0], {"kind": "pickle"}, "a column of kind numeric, categorical, date, got kind 'pickle'"),
        (["columns", 0, "name"], "price", "expected columns in the order"),
        (["columns", 2, "name"], "bedrooms", "expected columns in the order"),
        (["columns", 0, "median"], "3", "'median' must be a finite number"),
        (["columns", 0, "median"], float("nan"), "'median' must be a finite number"),
        (["columns", 0, "median"], True, "'median' must be a finite number"),
        (["columns", 0, "scale"], 0.0, "scale must be positive"),
        (["columns", 0, "scale"], None, "scale may be null only"),
        (["columns", 0, "log_above"], -1.0, "log_above must be positive"),
        (["columns", 0, "highest"], 0.0, "the median must lie between lowest and highest"),
        (["columns", 0, "bin_edges"], [], "'bin_edges' is unknown"),
        (["columns", 3, "groups", 0, "kept"], ["85255", "85255"], "listed twice"),
        (["columns", 3, "groups", 0, "kept"], [85255], "'kept' must be a list of texts"),
        (["columns", 3, "groups", 1, "prefix"], None, "expected the whole text first"),
        (["columns", 3, "groups"], [], "expected the whole text first"),
        (["columns", 3, "counts"], [1, 2], "column 'zipcode': expected a count of rows for each level, got 2 counts"),
        (["columns", 3, "counts"], [2, 1, 1, 1, -1], "expected a count of rows for each level"),
        (["columns", 3, "counts"], [1.5], "'counts' must be a list of integers"),
        (["columns", 3, "num_missing"], -1, "expected a count of rows for each level"),
        (["columns", 3, "num_missing"], 2**53, "expected a count of rows for each level"),
        (["report"], "all well", "'report' must be a list of texts"),
    ],
)
def test_a_wrong_state_is_refused_by_name(path: list[str | int], value: Any, message: str) -> None:
    state = TabularPreprocessor(SCHEMA).fit(HOUSES).get_state()
    with pytest.raises(ValueError, match=message):
        TabularPreprocessor.from_state(change(state, *path, to=value))


def test_inputs_of_an_array_must_be_its_positions() -> None:
    state = TabularPreprocessor().fit(np.eye(3)).get_state()
    with pytest.raises(ValueError, match="expected the inputs"):
        TabularPreprocessor.from_state({**state, "inputs": ["x0", "x1", "x3"]})


def test_a_column_in_another_role_is_refused() -> None:
    state = TabularPreprocessor(SCHEMA).fit(HOUSES).get_state()
    state["schema"] |= {"numeric": ["bedrooms", "area", "pool"], "categorical": []}
    with pytest.raises(ValueError, match="column 'pool' has another role"):
        TabularPreprocessor.from_state(state)


@pytest.mark.parametrize("state", [None, [], "state", 3])
def test_a_state_that_is_no_object_is_refused(state: Any) -> None:
    with pytest.raises(ValueError, match="expected an object"):
        TabularPreprocessor.from_state(state)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*path, key))


@pytest.mark.parametrize(
    "junk",
    [None, [], {}, "x", -1, True, float("nan"), pytest.param(10**400, id="huge"), [[]], [{}], {"x": 1}],
)
def test_junk_anywhere_in_a_state_is_a_value_error_or_harmless(junk: Any) -> None:
    state = TabularPreprocessor(SCHEMA, min_frequency=2).fit(HOUSES).get_state()
    assert len(list(places(state))) > 80
    for path in places(state):
        changed = change(copy.deepcopy(state), *path, to=junk) if path else junk
        with contextlib.suppress(ValueError):
            TabularPreprocessor.from_state(changed).transform(HOUSES)


def test_what_json_does_not_know_is_made_plain() -> None:
    scores = {"n": np.int64(1), "r2": np.nan, "mae": np.float32(0.5), 3: (np.inf, "text", None, True)}
    made = make_plain([scores])
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert made == [{"n": 1, "r2": None, "mae": 0.5, "3": [None, "text", None, True]}]
