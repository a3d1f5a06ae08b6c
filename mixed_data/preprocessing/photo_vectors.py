"""Photos as vectors of a frozen backbone: each photo is computed once, and kept on disk for every later run."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import cachetools
import numpy as np
import pooch

from mixed_data.files.digests import digest_file
from mixed_data.preprocessing.photo_decoding import PhotoError, file_identity, load_photo

logger = logging.getLogger(__name__)

CACHE_VARIABLE = "MIXED_DATA_CACHE"
"""Environment variable with the folder of the cache; without it, the user's own cache folder."""

NUM_PHOTOS_PER_STEP = 16
"""Photos that the backbone sees at once, never more and never fewer: sums are added up in an order that may depend on
the number, and a photo's vector must not depend on what came with it."""

_MEMORY_BYTES = 256 * 2**20
_SECONDS_TO_WAIT = 60.0
_NUM_PER_QUERY = 500

_memory: cachetools.LRUCache[tuple[object, ...], np.ndarray] = cachetools.LRUCache(
    maxsize=_MEMORY_BYTES, getsizeof=lambda vector: vector.nbytes
)
_memory_lock = threading.Lock()

Embeddings = dict[str, "np.ndarray | PhotoError"]


def find_cache() -> Path:
    """Return the file in which vectors are kept; it may be deleted at any time."""
    return Path(os.environ.get(CACHE_VARIABLE) or pooch.os_cache("mixed_data")) / "embeddings.sqlite"


@dataclass(frozen=True)
class PhotoEmbedder:
    """Turns photo files into vectors, and remembers them.

    A vector is kept under the digests of the file's content, of the network with all its weights, and of how the photo
    is decoded. So another file under the same name, other weights or another size never get an old vector, and the
    same photo under two names is computed once. Several processes may use one cache. A cache that cannot be read or
    written is reported in the log and done without.

    Attributes:
        compute: the network: uint8 ``(n, H, W, 3)``, RGB, to float ``(n, D)``.
        digest: of what it computes.
        num_features: ``D``, the length of a vector.
        cached: whether to look into the memory and the file of earlier results, and to add to them.
        on_progress: called with how many new photos are computed and how many there are; None for nobody.
    """

    compute: Callable[[np.ndarray], np.ndarray]
    digest: str
    num_features: int
    cached: bool = True
    on_progress: Callable[[int, int], None] | None = None

    def embed(
        self,
        paths: Iterable[str],
        *,
        height: int,
        width: int,
        resize: str,
        max_pixels: int,
    ) -> Embeddings:
        """Turn photos into vectors.

        Args:
            paths: of the photos; each is looked at once, however often it is named.
            height: pixels that the backbone was built for.
            width: pixels that the backbone was built for.
            resize: see `mixed_data.preprocessing.photo_decoding.load_photo`.
            max_pixels: see `load_photo`.

        Returns:
            For every path its vector, float32 ``(D,)``, read-only, or the reason why the photo cannot be used.
        """
        decoding = {"size": [height, width], "resize": resize, "max_pixels": max_pixels, "pillow": version("pillow")}
        encoder = hashlib.sha256(json.dumps([self.digest, decoding], sort_keys=True).encode()).hexdigest()
        paths = list(dict.fromkeys(paths))
        identities, results = _identify(paths)
        if self.cached:
            with _memory_lock:
                remembered = {path: _memory.get((encoder, identity)) for path, identity in identities.items()}
            results |= {path: vector for path, vector in remembered.items() if vector is not None}
        digests = _digest_files([path for path in paths if path not in results], results)
        known = _read_cache(encoder, set(digests.values())) if self.cached else {}
        known = {digest: vector for digest, vector in known.items() if vector.shape == (self.num_features,)}
        first_paths = {digest: path for path, digest in reversed(digests.items()) if digest not in known}
        todo = list(first_paths.items())
        for start in range(0, len(todo), NUM_PHOTOS_PER_STEP):
            step = dict(todo[start : start + NUM_PHOTOS_PER_STEP])
            computed, failed = self._compute(step, height, width, resize, max_pixels)
            if self.cached:
                _write_cache(encoder, computed)
            known |= computed
            results |= {path: failed[digest] for path, digest in digests.items() if digest in failed}
            if self.on_progress:
                self.on_progress(min(start + NUM_PHOTOS_PER_STEP, len(todo)), len(todo))
        for path, digest in digests.items():
            if digest in known:
                results[path] = known[digest]
                if self.cached:
                    with _memory_lock:
                        _memory[encoder, identities[path]] = known[digest]
        return results

    def _compute(
        self, files: Mapping[str, str], height: int, width: int, resize: str, max_pixels: int
    ) -> tuple[dict[str, np.ndarray], dict[str, PhotoError]]:
        """Decode at most one step of photos, given as digest -> path, and run the backbone on them."""

        def load(path: str) -> np.ndarray | PhotoError:
            try:
                return load_photo(path, height, width, resize=resize, max_pixels=max_pixels)
            except PhotoError as error:
                return error

        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            photos = dict(zip(files, pool.map(load, files.values()), strict=True))
        failed = {digest: photo for digest, photo in photos.items() if isinstance(photo, PhotoError)}
        good = {digest: photo for digest, photo in photos.items() if isinstance(photo, np.ndarray)}
        if not good:
            return {}, failed
        batch = np.zeros((NUM_PHOTOS_PER_STEP, height, width, 3), dtype="uint8")
        batch[: len(good)] = np.stack(list(good.values()))
        vectors = np.asarray(self.compute(batch), dtype="<f4")
        # Copies that nobody can change, because they are remembered.
        return {digest: np.frombuffer(vectors[row].tobytes(), "<f4") for row, digest in enumerate(good)}, failed


def _identify(paths: Iterable[str]) -> tuple[dict[str, tuple[object, ...]], Embeddings]:
    """Return what changes when a file does, per path; and why a path is no photo."""
    identities: dict[str, tuple[object, ...]] = {}
    failed: Embeddings = {}
    for path in paths:
        try:
            identities[path] = file_identity(path)
        except PhotoError as error:
            failed[path] = error
    return identities, failed


def _digest_files(paths: Iterable[str], failed: Embeddings) -> dict[str, str]:
    """SHA-256 of the files' contents; what cannot be read is added to ``failed``."""
    digests = {}
    for path in paths:
        try:
            digests[path] = digest_file(path)
        except OSError as error:
            failed[path] = PhotoError(f"cannot be opened: {error.strerror or error}")
    return digests


def _read_cache(encoder: str, photos: Iterable[str]) -> dict[str, np.ndarray]:
    path = find_cache()
    if not path.exists():
        return {}
    wanted = list(photos)
    rows: list[tuple[str, object]] = []
    try:
        with closing(sqlite3.connect(path, timeout=_SECONDS_TO_WAIT)) as connection:
            for start in range(0, len(wanted), _NUM_PER_QUERY):
                some = wanted[start : start + _NUM_PER_QUERY]
                marks = ", ".join("?" * len(some))
                query = f"SELECT photo, vector FROM vectors WHERE encoder = ? AND photo IN ({marks})"
                rows += connection.execute(query, (encoder, *some))
    except sqlite3.Error as error:
        logger.warning("The cache of photo vectors, %s, cannot be read (%s); delete it if this stays so.", path, error)
        return {}
    return {
        photo: np.frombuffer(vector, dtype="<f4")
        for photo, vector in rows
        if isinstance(vector, bytes) and len(vector) % 4 == 0
    }


def _write_cache(encoder: str, vectors: Mapping[str, np.ndarray]) -> None:
    path = find_cache()
    rows = [(encoder, photo, vector.astype("<f4").tobytes()) for photo, vector in vectors.items()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=_SECONDS_TO_WAIT)) as connection, connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors "
                "(encoder TEXT, photo TEXT, vector BLOB, PRIMARY KEY (encoder, photo)) WITHOUT ROWID"
            )
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
    except (OSError, sqlite3.Error) as error:
        logger.warning("The cache of photo vectors, %s, cannot be written (%s); each run computes them.", path, error)
