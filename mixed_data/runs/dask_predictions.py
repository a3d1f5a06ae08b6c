"""The rows of Parquet, predicted by the workers of a Dask cluster: the same lines as from one process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mixed_data.files.digests import digest_file
from mixed_data.files.progress import track
from mixed_data.readers.parquet_rows import Slice
from mixed_data.readers.table import FilePath, SliceReader, check_slices, cut_table
from mixed_data.runs.bundle_scores import PredictedLines, name_lines, predict_part
from mixed_data.runs.dask_cluster import Cluster, ClusterError, connect, find_on_worker, worker_address, worker_threads
from mixed_data.runtime import Predictor
from mixed_data.schema import Schema

_LIBRARIES = ("numpy", "pandas", "pyarrow", "onnxruntime", "pillow")

_MANIFEST_FILE = "manifest.json"  # which has the digests of all other files

_NUM_WITH_PHOTOS = 2048
"""Rows with photos that a worker predicts at once; what a worker that dies has to leave to others."""

_turn = threading.Lock()
"""Of the threads of a worker: one at a time loads the bundle, and predicts by the threads of that."""


class _SharedBundle(NamedTuple):
    path: Path
    digest: str


@contextmanager
def open_lines_on_dask(
    address: str, bundle: Path, predictor: Predictor, data: FilePath, *, coverage: float | None, **how: Any
) -> Iterator[PredictedLines]:
    """Check the rows of Parquet on a Dask cluster, and predict them there while their lines are read.

    Args:
        address: of the scheduler, see `mixed_data.runs.dask_cluster.connect`.
        bundle: in a folder that all workers see under the same path.
        predictor: of the same bundle.
        data: a Parquet file, or a folder of such files, which all workers see, and the photos too.
        coverage: of the intervals; None for no intervals.
        **how: further arguments of `mixed_data.readers.table.check_slices`.

    Raises:
        ValueError: the rows do not fit, as from one process.
        ClusterError: the cluster cannot be used, or a worker finds no file, no bundle, or another one.
    """
    slices = cut_table(data)
    shared = _SharedBundle(bundle.absolute(), digest_file(bundle / _MANIFEST_FILE))
    with connect(address, _LIBRARIES) as cluster:
        everywhere = partial(_read_on, cluster)
        reader, checks = check_slices(slices, data, predictor.schema, everywhere, **how)
        sizes = [max(where.num_rows or 0, 1) for where in slices]
        at_once = _NUM_WITH_PHOTOS if predictor.views else max(sizes)
        pieces = [
            (where, range(start, min(start + at_once, size)))
            for where, size in zip(slices, sizes, strict=True)
            for start in range(0, size, at_once)
        ]
        lines = cluster.map_in_order(_predict_piece, pieces, reader, shared, predictor.schema, coverage)
        lines = track(lines, "predicting", len(pieces))
        whole = (pd.concat(list(islice(lines, -(-size // at_once)))) for size in sizes)
        yield PredictedLines(checks.num_rows, checks.num_skipped, whole)


def _read_on(cluster: Cluster, read: Callable[[Slice], Any], slices: Sequence[Slice]) -> Iterator[Any]:
    return cluster.map_in_order(_read_found, slices, read)


def _read_found(where: Slice, read: Callable[[Slice], Any]) -> Any:
    find_on_worker(where.path, "file")
    return read(where)


def _predict_piece(
    piece: tuple[Slice, range], reader: SliceReader, bundle: _SharedBundle, schema: Schema, coverage: float | None
) -> pd.DataFrame:
    """Predict some rows of a slice; on a worker, which loads the bundle when it is asked for the first time."""
    where, rows = piece
    checked = _read_found(where, reader.read).cut(rows.start, rows.stop)
    with _turn:
        predictor = _load(bundle, worker_threads())
        return name_lines(checked, predict_part(predictor, checked, coverage), schema)


@lru_cache(maxsize=1)
def _load(bundle: _SharedBundle, num_threads: int) -> Predictor:
    """Load a bundle once, the same one as in the process that asks."""
    manifest = bundle.path / _MANIFEST_FILE
    find_on_worker(manifest, "bundle")
    if (found := digest_file(manifest)) != bundle.digest:
        raise ClusterError(
            f"the worker {worker_address()} finds another bundle at {bundle.path}: the SHA-256 of its {_MANIFEST_FILE} "
            f"is {found[:12]}…, not {bundle.digest[:12]}…; copy the same one there, or use a folder that all share"
        )
    return Predictor(bundle.path, num_threads=num_threads)
