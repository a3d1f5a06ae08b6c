"""Small good files of arrays, ways to damage them, and what must become of the damaged ones: see `state_cases`."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from benchmarks.mutations import mutate
from mixed_data.boosting import make_boosting
from mixed_data.boosting.grown_trees import GrownTrees
from mixed_data.kernels import KernelMachines
from mixed_data.preprocessing import Inputs

_EXTREMES = (0, 1, -1, 2, 7, 2**15, 2**31 - 1, -(2**31), 0.5, 1e30, 1.7e308, float("nan"), float("inf"))
_DTYPES = ("float64", "float32", "int32", "int64", "bool", "complex128", ">f8", "U3", "object")
_NUM_ROWS, _NUM_VIEWS, _WIDTH, _NUM_COLUMNS = 20, 2, 5, 3


class UnfitError(Exception):
    """What was accepted gives numbers that are none, or of another shape."""


def make_array_files(folder: Path) -> dict[str, bytes]:
    """Fit a few trees and kernel machines, and write them."""
    target = np.sin(np.arange(_NUM_ROWS))
    inputs = _make_inputs()
    fits = [make_boosting(seed).set_params(max_iter=3).fit(inputs["tabular"], target) for seed in range(2)]
    GrownTrees.of(fits).write(folder / "trees")
    rows = np.arange(_NUM_ROWS)
    splits = [(rows[10:], rows[:10]), (rows[:10], rows[10:])]
    machines, _ = KernelMachines.learn(inputs, target, groups=rows, splits=splits, blocks=[3, 2], random_state=0)
    machines.write(folder / "kernels")
    return {name: (folder / name).read_bytes() for name in ARRAY_USES}


def damage_arrays(content: bytes, random: Random, donors: list[bytes]) -> bytes:
    """Damage one of the arrays of a file: its numbers, its size, its kind, or its bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice(sorted(members))
    if random.random() < 0.3:
        members[name] = mutate(members[name], random, donors=donors)
    else:
        buffer = io.BytesIO()
        np.save(buffer, _damage_array(np.load(io.BytesIO(members[name])), random))
        members[name] = buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return buffer.getvalue()


def _damage_array(array: np.ndarray, random: Random) -> np.ndarray:
    change = random.choice(("number", "number", "number", "drop", "repeat", "kind", "dimension", "empty"))
    axis = random.randrange(array.ndim)
    if change == "number":
        with np.errstate(all="ignore"):
            array = array.copy()
            value = np.array(random.choice(_EXTREMES)).astype(array.dtype)
            array.flat[[random.randrange(array.size) for _ in range(random.choice((1, 1, 2, 50)))]] = value
        return array
    if change == "drop":
        return np.delete(array, random.randrange(array.shape[axis]), axis)
    if change == "repeat":
        return np.repeat(array, 2, axis)
    if change == "kind":
        return array.astype(random.choice(_DTYPES))
    return array[..., None] if change == "dimension" else np.take(array, [], axis)


def _use_trees(file: Path, originals: Any, random: Random) -> None:
    trees = GrownTrees.read(file, _NUM_COLUMNS)
    with np.errstate(all="ignore"):
        _require(trees.predict(_make_inputs()["tabular"].astype("float64")), "trees")


def _use_kernels(file: Path, originals: Any, random: Random) -> None:
    machines = KernelMachines.read(file, num_views=_NUM_VIEWS, num_features=_WIDTH, num_columns=_NUM_COLUMNS)
    with np.errstate(all="ignore"):
        for name, predicted in machines.predict(_make_inputs()).items():
            _require(predicted, name)


def _require(predicted: np.ndarray, what: str) -> None:
    if predicted.shape != (_NUM_ROWS,):  # numbers too large are for the golden rows to tell
        raise UnfitError(f"{what}: predictions of another shape")


def _make_inputs() -> Inputs:
    random = np.random.default_rng(0)
    return Inputs(
        {
            "tabular": random.normal(size=(_NUM_ROWS, _NUM_COLUMNS)).astype("float32"),
            "tabular_mask": np.ones((_NUM_ROWS, 1), dtype=bool),
            "level_counts": np.zeros((_NUM_ROWS, 0), dtype=np.int64),
            "images": random.normal(size=(_NUM_ROWS, _NUM_VIEWS, _WIDTH)).astype("float32"),
            "image_mask": np.ones((_NUM_ROWS, _NUM_VIEWS), dtype=bool),
        },
        [[]] * _NUM_ROWS,
    )


ARRAY_USES: dict[str, Callable[[Path, Any, Random], None]] = {"trees": _use_trees, "kernels": _use_kernels}
