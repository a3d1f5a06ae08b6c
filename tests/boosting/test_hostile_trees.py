"""Trees from a stranger: what is no tree is refused, nothing is executed, and every prediction comes to an end."""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hostile_helpers import REFUSED, SECTION, Attack, array_cases, change_arrays, nothing_outside
from reliability import Case, documented
from sklearn.base import clone

from mixed_data.boosting import BoostedTrees, make_boosting
from mixed_data.files import checked_arrays
from mixed_data.preprocessing import TabularPreprocessor
from mixed_data.schema import Schema


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[BoostedTrees, Path]:
    """Give a few trees and the folder that they are written to."""
    random = np.random.default_rng(0)
    table = pd.DataFrame({"area": random.uniform(50, 150, 40), "kind": random.choice(["loft", "ranch"], 40)})
    schema = Schema(numeric=("area",), categorical=("kind",))
    trees = BoostedTrees(schema, TabularPreprocessor(schema), num_fits=2)
    with pytest.MonkeyPatch.context() as patch:
        few = make_boosting().set_params(max_iter=3)
        patch.setattr("mixed_data.boosting.unfitted_boosting.make_boosting", lambda seed: clone(few))
        trees.fit(table, table["area"])
    folder = tmp_path_factory.mktemp("trees")
    trees.write(folder)
    return trees, folder


def put(name: str, value: Any, *, at: str = "inner") -> Attack:
    """Write a number into the first node of a kind, or what it is given instead of the whole array."""

    def change(arrays: dict[str, Any]) -> None:
        is_leaf = arrays["left"] == np.arange(len(arrays["left"]))
        places = {"inner": np.flatnonzero(~is_leaf)[0], "leaf": np.flatnonzero(is_leaf)[0], "first": 0}
        arrays[name][places[at]] = value

    return change_arrays(change)


def grow(**arrays: Any) -> Attack:
    """Put other arrays in the place of those that there are."""
    return change_arrays(lambda old: old.update({name: np.asarray(a, old[name].dtype) for name, a in arrays.items()}))


def chain(length: int) -> dict[str, Any]:
    """A tree that is one path."""
    own = np.arange(2 * length + 1)
    left = np.where(own % 2 == 0, own + 2, own)
    right = np.where(own % 2 == 0, own + 1, own)
    left[-1] = right[-1] = 2 * length
    fixed = {name: np.zeros(len(own)) for name in ("feature", "threshold", "missing_left", "value")}
    return {"left": left, "right": right, "roots": [0], **fixed}


def grow_back(file: Path) -> None:
    """Let all leaves but the first node lead to that."""

    def change(arrays: dict[str, Any]) -> None:
        is_leaf = arrays["left"] == np.arange(len(arrays["left"]))
        arrays["left"][is_leaf] = arrays["right"][is_leaf] = 0

    change_arrays(change)(file)


OUTSIDE, LENGTHS = "a node points outside the trees, or back", "arrays of one length, and at least one fit"
BEGIN = "trees, each of which begins at a node"
TREES = [
    *array_cases("trees", "value"),
    Case("a tree whose left child is outside", REFUSED, put("left", 10_000), OUTSIDE),
    Case("a tree whose right child is outside", REFUSED, put("right", 2**31 - 1), OUTSIDE),
    Case("a tree with a negative child", REFUSED, put("left", -1), OUTSIDE),
    Case("a tree that goes back to its root for ever", REFUSED, grow_back, OUTSIDE),
    Case("a leaf that goes back on one side", REFUSED, put("left", 0, at="leaf"), OUTSIDE),
    Case("a node that is its own child on one side", REFUSED, put("left", 0, at="first"), OUTSIDE),
    Case("a tree that is a path of 100,000 nodes", REFUSED, grow(**chain(50_000)), "deeper than"),
    Case("a tree that begins outside", REFUSED, put("roots", 10_000, at="first"), BEGIN),
    Case("a tree that begins before the first", REFUSED, put("roots", -1, at="first"), BEGIN),
    Case("no trees", REFUSED, grow(roots=[]), BEGIN),
    Case("a million times the same tree", REFUSED, grow(roots=np.zeros(10**6)), BEGIN),
    Case("trees without a fit", REFUSED, grow(baselines=[]), LENGTHS),
    Case("trees with fewer thresholds than nodes", REFUSED, grow(threshold=[0.5]), LENGTHS),
    Case("a tree that asks for a feature there is none of", REFUSED, put("feature", 9), "a feature that is none of 3"),
    Case("a tree that asks for feature -1", REFUSED, put("feature", -1), "a feature that is none of 3"),
    Case("a leaf that is no number", REFUSED, put("value", np.nan, at="leaf"), "'value' must be finite"),
    Case("an infinite threshold", REFUSED, put("threshold", np.inf), "'threshold' must be finite"),
]


@documented(SECTION, TREES)
def test_trees_of_a_stranger_are_refused(
    case: Case, grown: tuple[BoostedTrees, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked_arrays, "MOST_ARRAY_BYTES", 2**24)
    folder = shutil.copytree(grown[1], tmp_path / "trees")
    case.given(folder / "trees.npz")
    with nothing_outside(), pytest.raises(ValueError, match=rf"^trees\.npz: .*{case.expected}"):
        deepcopy(grown[0]).restore(folder)


def test_trees_are_read_as_they_were_written(grown: tuple[BoostedTrees, Path]) -> None:
    rows = pd.DataFrame({"area": [60.0, 100.0, 140.0], "kind": ["loft", None, "barn"]})
    expected = grown[0].predict(rows)
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(deepcopy(grown[0]).restore(grown[1]).predict(rows), expected)


def test_the_deepest_trees_and_most_of_them_are_read(grown: tuple[BoostedTrees, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(grown[1], tmp_path / "trees")
    path = chain(63)
    leaves = 2**14 - 1  # one more tree than the path
    added = {name: np.concatenate([array, np.zeros(leaves)]) for name, array in path.items()}
    own = np.arange(len(path["left"]), len(path["left"]) + leaves)
    added["left"][-leaves:] = added["right"][-leaves:] = added["roots"][1:] = own
    grow(**added)(folder / "trees.npz")
    trees = deepcopy(grown[0]).restore(folder).trees_
    assert len(trees.roots) == 2**14
    assert np.isfinite(trees.predict(np.zeros((2, 3)))).all()
