"""Trees from a stranger: nothing but what this project's own are made of is read from their file."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from hostile_helpers import REFUSED, SECTION, Attack, nothing_outside
from reliability import Case, documented
from sklearn.base import clone
from sklearn.preprocessing import FunctionTransformer

from mixed_data.boosting import BoostedTrees, make_boosting
from mixed_data.boosting.saved_trees import read_trees, write_trees
from mixed_data.preprocessing import TabularPreprocessor
from mixed_data.schema import Schema


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[BoostedTrees, Path]:
    """Give a few trees and the folder that they are written to."""
    random = np.random.default_rng(0)
    table = pd.DataFrame({"area": random.uniform(50, 150, 40), "kind": random.choice(["loft", "ranch"], 40)})
    schema = Schema(numeric=("area",), categorical=("kind",))
    trees = BoostedTrees(schema, TabularPreprocessor(schema), num_fits=1)
    with pytest.MonkeyPatch.context() as patch:
        few = make_boosting().set_params(max_iter=3)
        patch.setattr("mixed_data.boosting.boosted_trees.make_boosting", lambda seed: few)
        trees.fit(table, table["area"])
    folder = tmp_path_factory.mktemp("trees")
    write_trees(trees, folder)
    return trees, folder


def rewrite_trees(change: Callable[[dict[str, bytes]], Any]) -> Attack:
    def attack(file: Path) -> None:
        with zipfile.ZipFile(file) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        change(members)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return attack


def change_schema(change: Callable[[dict[str, Any]], Any]) -> Attack:
    def of_members(members: dict[str, bytes]) -> None:
        schema = json.loads(members["schema.json"])
        change(schema)
        members["schema.json"] = json.dumps(schema).encode()

    return rewrite_trees(of_members)


def dump(content: Any) -> Attack:
    return lambda file: skops.io.dump(content, file)


def call(module: str, name: str, loader: str) -> Attack:
    """Put into the place of the fits what a loader of skops would call or import."""
    node = {"__module__": module, "__class__": name, "__loader__": loader, "content": {}}
    return change_schema(lambda schema: schema["content"].append(node))


NO_PART = "is no part of gradient-boosted trees"
TREES = [
    Case("trees with a function that skops trusts", REFUSED, dump([np.add]), NO_PART),
    Case("trees with a call that skops would make", REFUSED, dump([partial(int, base=2)]), NO_PART),
    Case("trees with a method that skops would bind", REFUSED, call("os", "system", "MethodNode"), NO_PART),
    Case("trees with another loader for a known type", REFUSED, call("builtins", "list", "ObjectNode"), NO_PART),
    Case("trees with a model that skops trusts", REFUSED, dump([FunctionTransformer()]), NO_PART),
    Case(
        "trees with objects in an array", REFUSED, dump([np.array([{}], dtype=object)]), "NdArrayNode|no part|expected"
    ),
    Case(
        "trees by an older loader of skops",
        REFUSED,
        change_schema(lambda schema: schema.update(protocol=0)),
        "protocol",
    ),
    Case("trees with another file in their archive", REFUSED, rewrite_trees(lambda m: m.update({"x.py": b""})), "x.py"),
    Case(
        "a path outside of the folder among the trees",
        REFUSED,
        rewrite_trees(lambda m: m.update({"../1.npy": b""})),
        "../1",
    ),
    Case(
        "trees that unpack to a thousand times their size",
        REFUSED,
        rewrite_trees(lambda m: m.update({"9.npy": bytes(70 * 2**20)})),
        "bytes, more than",
    ),
    Case("trees without their schema", REFUSED, rewrite_trees(lambda m: m.pop("schema.json")), "expected schema.json"),
    Case(
        "no archive of trees", REFUSED, lambda file: file.write_bytes(b"x") and None, "trees.skops: File is not a zip"
    ),
]


@documented(SECTION, TREES)
def test_trees_of_a_stranger_are_refused(case: Case, grown: tuple[BoostedTrees, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(grown[1], tmp_path / "trees")
    case.given(folder / "trees.skops")
    with nothing_outside(), pytest.raises(ValueError, match=case.expected):
        read_trees(grown[0], folder)


def test_trees_are_read_as_they_were_written(grown: tuple[BoostedTrees, Path]) -> None:
    rows = pd.DataFrame({"area": [60.0, 100.0, 140.0], "kind": ["loft", None, "barn"]})
    expected = grown[0].predict(rows)
    np.testing.assert_array_equal(read_trees(clone(grown[0]), grown[1]).predict(rows), expected)
