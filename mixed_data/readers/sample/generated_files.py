"""The sample on disk: generated once per set of parameters, then read like anybody's own data."""

from __future__ import annotations

import json
import logging
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixed_data.readers.sample.drawn_photos import photo_path, write_photos
from mixed_data.readers.sample.house_columns import table_term
from mixed_data.readers.sample.market import VIEWS, Houses, draw_houses, expected_log_price, log_price, photo_term
from mixed_data.readers.table import read_table
from mixed_data.schema import Schema

_SCHEMA = Schema(
    target="price",
    numeric=("bedrooms", "bathrooms", "area", "year_built", "lot_size"),
    codes=("zipcode",),
    images=tuple(f"{view}_photo" for view in VIEWS),
    id="id",
)

# Raise it with every change of what is drawn: a sample made by older code must not be taken for today's.
_VERSION = 1
# Houses drawn from one random stream, and in memory at a time. Changing it changes every house.
_HOUSES_PER_BLOCK = 1_000
# Below this, starting worker processes takes longer than drawing.
_MIN_ROWS_FOR_WORKERS = 400

_TABLE_FILE, _TRUTH_FILE, _MANIFEST_FILE = "houses.csv", "truth.csv", "manifest.json"

_logger = logging.getLogger(__name__)


def read_sample(
    root: str | os.PathLike[str], *, rows: int = 2_000, seed: int = 0, photo_signal: float = 1.0
) -> tuple[pd.DataFrame, Schema]:
    """Return the generated house prices; generate them first if they are not there yet.

    They lie in a sub-folder of ``root`` that is named after the parameters: ``houses.csv`` and ``photos/``, the format
    of a user's own data, read by the same reader. The first call takes about 4 ms per house on two cores, and about 20
    KB of disk.

    Args:
        root: folder for generated samples; made if it is not there.
        rows: number of houses. House i is the same whatever their number.
        seed: another seed gives other houses of the same market.
        photo_signal: factor on everything the pictures add to the log price: 0 for pictures that say nothing.

    Returns:
        the table with absolute photo paths, one row per house, and its schema.

    Raises:
        ValueError: a parameter is out of range, or the sub-folder holds something else.

    Example:
        >>> table, schema = read_sample("data", rows=200)  # doctest: +SKIP
    """
    folder = _finished_folder(root, rows=rows, seed=seed, photo_signal=photo_signal)
    return read_table(data=folder / _TABLE_FILE, schema=_SCHEMA)


def oracle_predictions(
    root: str | os.PathLike[str], *, rows: int = 2_000, seed: int = 0, photo_signal: float = 1.0
) -> pd.DataFrame:
    """Return the best possible predictions of the prices that ``read_sample`` gives for the same arguments.

    They know the price equation and the hidden factors of every photo that is there: a yardstick, never a feature.

    Returns:
        one row per house, in the same order: ``id`` (text), and in dollars ``table`` (given the columns alone),
        ``image`` (given the photos alone) and ``both``; each the exponential of the mean log price.
    """
    folder = _finished_folder(root, rows=rows, seed=seed, photo_signal=photo_signal)
    truth = pd.read_csv(folder / _TRUTH_FILE, dtype={"id": str})
    predictions = {name: np.exp(truth[f"log_price_given_{name}"]) for name in ("table", "image", "both")}
    return pd.DataFrame({"id": truth["id"], **predictions})


def generate_sample(
    folder: str | os.PathLike[str], *, rows: int = 2_000, seed: int = 0, photo_signal: float = 1.0
) -> None:
    """Write the sample of ``read_sample`` into a new folder, which appears when everything is in it, or not at all.

    A thousand houses are in memory at a time, whatever their number. Besides ``houses.csv`` and ``photos/`` the folder
    gets ``truth.csv``, which is for the oracle only: hidden factors, terms of the price equation and best predictions.

    Raises:
        ValueError: a parameter is out of range, or the folder is there already.
    """
    folder = Path(folder)
    manifest = _manifest(rows, seed, photo_signal)
    if folder.exists():
        raise ValueError(f"expected a new folder, but {folder} is there already; choose another one")
    folder.parent.mkdir(parents=True, exist_ok=True)
    _logger.info("drawing %d houses into %s", rows, folder)
    from joblib import Parallel

    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unfinished-", ignore_cleanup_errors=True) as temporary:
        unfinished = Path(temporary) / "sample"
        unfinished.mkdir()
        with Parallel(n_jobs=-1 if rows >= _MIN_ROWS_FOR_WORKERS else 1, return_as="generator") as parallel:
            for start in range(0, rows, _HOUSES_PER_BLOCK):
                num_houses = min(_HOUSES_PER_BLOCK, rows - start)
                _write_block(unfinished, start, num_houses, seed, photo_signal, parallel)
                _logger.info("drew %d of %d houses", start + num_houses, rows)
        (unfinished / _MANIFEST_FILE).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        try:
            unfinished.replace(folder)
        except OSError:
            # Another process made the same sample in the meantime: the same bytes, so either will do.
            if not _is_finished(folder, manifest):
                raise


def _write_block(folder: Path, start: int, num_houses: int, seed: int, photo_signal: float, parallel: Any) -> None:
    random = np.random.default_rng([seed, start // _HOUSES_PER_BLOCK])
    houses = draw_houses(random, _HOUSES_PER_BLOCK).head(num_houses)
    ids = pd.RangeIndex(start, start + num_houses, name="id")
    write_photos(
        folder, houses.factors.set_index(ids), houses.missing_photos.set_index(ids), seed=seed, parallel=parallel
    )
    truth = _truth(houses, photo_signal)
    for name, part in ((_TABLE_FILE, _table(houses, ids, truth["log_price"])), (_TRUTH_FILE, truth)):
        part.set_index(ids).to_csv(folder / name, mode="a", header=start == 0, lineterminator="\n")


def _table(houses: Houses, ids: pd.RangeIndex, log_prices: pd.Series) -> pd.DataFrame:
    table = houses.seen_columns().astype({"year_built": "Int64", "lot_size": "Int64"})
    for view in VIEWS:
        paths = pd.Series([photo_path(house, view) for house in ids])
        table[f"{view}_photo"] = paths.mask(houses.missing_photos[view])
    return table.assign(price=(100 * np.rint(np.exp(log_prices) / 100)).astype("int64"))


def _truth(houses: Houses, photo_signal: float) -> pd.DataFrame:
    return houses.factors.assign(
        table_term=table_term(houses.columns),
        photo_term=photo_signal * photo_term(houses.factors),
        noise=houses.noise,
        log_price=log_price(houses, photo_signal),
        **expected_log_price(houses, photo_signal).add_prefix("log_price_given_"),
    )


def _finished_folder(root: str | os.PathLike[str], *, rows: int, seed: int, photo_signal: float) -> Path:
    manifest = _manifest(rows, seed, photo_signal)
    folder = Path(root) / f"sample-{rows}-seed{seed}-signal{float(photo_signal)}-v{_VERSION}"
    if not folder.exists():
        generate_sample(folder, rows=rows, seed=seed, photo_signal=photo_signal)
    if not _is_finished(folder, manifest):
        raise ValueError(f"expected a finished sample in {folder}, found something else; delete that folder")
    return folder


def _is_finished(folder: Path, manifest: dict[str, float]) -> bool:
    try:
        return bool(json.loads((folder / _MANIFEST_FILE).read_text(encoding="utf-8")) == manifest)
    except (OSError, ValueError):
        return False


def _manifest(rows: int, seed: int, photo_signal: float) -> dict[str, float]:
    problems = []
    for name, number, least in (("rows", rows, 1), ("seed", seed, 0)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            problems.append(f"{name}: expected a whole number from {least}, got {number!r}")
    if not (math.isfinite(photo_signal) and photo_signal >= 0):
        problems.append(f"photo_signal: expected a number from 0, got {photo_signal!r}")
    if problems:
        raise ValueError("; ".join(problems))
    return {"version": _VERSION, "rows": rows, "seed": seed, "photo_signal": float(photo_signal)}
