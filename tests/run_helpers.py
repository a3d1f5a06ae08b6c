"""Runs of the command line that many tests share, and the table that they read."""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from PIL import Image

NUM_LISTINGS = 40
TINY_NETWORK = {"epochs": 1, "image_size": 32, "units": 8, "target_transform": "log"}


def make_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that the first worker which needs it makes, and the others wait for."""
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder, is_made = root / f"shared {name}", root / f"{name} is made"
    with FileLock(root / f"{name}.lock"):
        if not is_made.exists():
            folder.mkdir()
            make(folder)
            is_made.touch()
    return folder


def write_listings(folder: Path) -> None:
    """Write a CSV as people have them, beside its photos: a missing cell, a missing file, one photo in two rows."""
    random = np.random.default_rng(0)
    rows = range(NUM_LISTINGS)
    for row in rows:
        for view in ("front", "kitchen"):
            pixels = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((32, 32)).save(folder / f"{row}_{view}.png")
    (folder / "8_front.png").write_bytes((folder / "7_front.png").read_bytes())
    (folder / "5_kitchen.png").unlink()
    area = random.uniform(60.0, 260.0, NUM_LISTINGS).round(2)
    table = pd.DataFrame(
        {
            "listing_id": [f"L{row}" for row in rows],
            "area [m2]": area,
            "rooms": random.integers(1, 7, NUM_LISTINGS),
            "zipcode": random.choice(["02139", "85255", "10001"], NUM_LISTINGS),
            "style": random.choice(["loft", "ranch"], NUM_LISTINGS),
            "front": [f"{row}_front.png" for row in rows],
            "kitchen": [f"{row}_kitchen.png" for row in rows],
            "price": (3_000.0 * area * np.exp(random.normal(0.0, 0.8, NUM_LISTINGS))).round(2),
        }
    )
    table.loc[3, "front"] = None
    table.loc[4, "area [m2]"] = None
    table.to_csv(folder / "listings.csv", index=False)


@dataclass(frozen=True)
class CommandRun:
    """A run of the command line: how it was typed, its folder, and what it printed."""

    arguments: list[str]
    folder: Path
    output: str
    errors: str


def run_command(arguments: list[str], folder: Path) -> None:
    """Run a command into a folder "run" in this one, and write what it printed beside that."""
    from estimator_helpers import eagerly

    from mixed_data.cli import main

    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors), two_inner_folds(), eagerly():
        assert main([*arguments, "--out", str(folder / "run")]) == 0, errors.getvalue()
    (folder / "printed.json").write_text(json.dumps([output.getvalue(), errors.getvalue()]))


@contextlib.contextmanager
def fork_server(*modules: str) -> Iterator[None]:
    """Let processes of `multiprocessing` begin as copies of one that has imported modules, in this environment."""
    forkserver._forkserver._stop()  # another one, with other modules
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(modules))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "PYTHONPATH", os.pathsep.join(sys.path)
        )  # Python 3.11 does not tell it, and it skips what it lacks
        forkserver.ensure_running()
    try:
        yield
    finally:
        forkserver._forkserver._stop()


@contextlib.contextmanager
def two_inner_folds() -> Iterator[None]:
    """Calibrate intervals by two further fits instead of five."""
    from mixed_data.estimator import out_of_fold

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(out_of_fold, "NUM_FOLDS", 2)
        yield


@dataclass(frozen=True)
class FoldsRun:
    """A cross-validated study with its folder, and the (network, fold) pairs that were announced before each fit."""

    study: Any
    table: pd.DataFrame
    folder: Path
    watched: list[tuple[str, int]]


def run_folds(listings: Path, folder: Path) -> FoldsRun:
    """Run two folds of "weighted_sum" only, without intervals, with reference predictions that are 1 % too high."""
    from estimator_helpers import eagerly

    from mixed_data.evaluation.run_folder import RunFolder
    from mixed_data.files.checked_json import write_json
    from mixed_data.preprocessing import MixedDataPreprocessor
    from mixed_data.readers import read_table
    from mixed_data.runs.train_run import Plan, run_study, write_run

    table, schema = read_table(data=listings)
    network = {**TINY_NETWORK}
    network["preprocessor"] = MixedDataPreprocessor(schema, image_size=network.pop("image_size"))
    plan = Plan(networks=["weighted_sum"], options=network, folds=2, intervals=False)
    watched = []
    references = pd.DataFrame({"oracle": table["price"] * 1.01})
    with eagerly():
        found = run_study(
            table, schema, plan, references=references, watch=lambda name, fold: watched.append((name, fold)) or ()
        )
    config = {"main": "weighted_sum", "schema": schema.to_dict()}
    write_json(folder / "config.json", config)
    write_run(RunFolder(folder), found, config)
    return FoldsRun(found, table, folder, watched)
