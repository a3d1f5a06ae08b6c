"""Photos as vectors of frozen backbones: each photo is computed once, and kept on disk for every later run."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import cachetools
import numpy as np
import pooch

from mixed_data.files.digests import digest_file
from mixed_data.preprocessing.photo_decoding import PhotoError, file_identity, load_photo

logger = logging.getLogger(__name__)

NUM_PHOTOS_PER_STEP = 16
"""Photos that the backbone sees at once, never more and never fewer: sums are added up in an order that may depend on
the number, and a photo's vector must not depend on what came with it."""

_MEMORY_BYTES = 256 * 2**20
_SECONDS_TO_WAIT = 60.0

_memory: cachetools.LRUCache[tuple[object, ...], np.ndarray] = cachetools.LRUCache(
    maxsize=_MEMORY_BYTES, getsizeof=lambda vector: vector.nbytes
)
_memory_lock = threading.Lock()


def find_cache() -> Path:
    """Return the file in which vectors are kept; it may be deleted at any time.

    It is in the folder that the environment variable MIXED_DATA_CACHE names, or else in the user's own cache folder.
    """
    return Path(os.environ.get("MIXED_DATA_CACHE") or pooch.os_cache("mixed_data")) / "embeddings.sqlite"


class Backbone(Protocol):
    """A frozen network that turns photos into vectors.

    Attributes:
        digest: of what it computes, a SHA-256 in hexadecimal.
        size: height and width of the photos that it reads, in pixels.
        block_sizes: sizes of the parts that a vector consists of (layers of the network), in order, each with a scale
            of its own.
        suffix: of the file that `write` writes.
        settings: what must be known to read that file, as JSON can hold it.
    """

    @property
    def digest(self) -> str: ...  # noqa: D102 - see the class

    @property
    def size(self) -> tuple[int, int]: ...  # noqa: D102

    @property
    def block_sizes(self) -> tuple[int, ...]: ...  # noqa: D102

    @property
    def suffix(self) -> str: ...  # noqa: D102

    @property
    def settings(self) -> dict[str, Any]: ...  # noqa: D102

    def compute(self, photos: np.ndarray) -> np.ndarray:
        """Turn photos, uint8 ``(n, H, W, 3)``, RGB, into vectors, float ``(n, D)``."""

    def write(self, file: Path) -> None:
        """Write the network."""


@dataclass(frozen=True)
class PhotoEmbedder:
    """Turns photo files into vectors, and remembers them.

    A vector is kept under the digests of the file's content, of the network with all its weights, and of how the photo
    is decoded. So another file under the same name, other weights or another size never get an old vector, and the
    same photo under two names is computed once. Several processes may use one cache. A cache that cannot be read or
    written is reported in the log and done without.

    The vectors of several backbones stand side by side, each as it is; `mixed_data.network.PrincipalComponents`, for
    one, brings their blocks to one scale. Each is kept by itself, so that one more backbone leaves the others' be.

    Attributes:
        backbones: one or more.
        cached: whether to look into the memory and the file of earlier results, and to add to them.
        on_progress: called with how many new photos are computed and how many there are, for each backbone in turn;
            None for nobody.
    """

    backbones: tuple[Backbone, ...]
    cached: bool = True
    on_progress: Callable[[int, int], None] | None = None

    @property
    def block_sizes(self) -> tuple[int, ...]:
        """Sizes of the parts that a vector consists of, in order, each with a scale of its own."""
        return tuple(size for backbone in self.backbones for size in backbone.block_sizes)

    @property
    def num_features(self) -> int:
        """``D``, the length of a vector."""
        return sum(self.block_sizes)

    @property
    def digest(self) -> str:
        """Tells what is computed."""
        return "+".join(backbone.digest for backbone in self.backbones)

    def embed(self, paths: Iterable[str], *, resize: str, max_pixels: int) -> dict[str, np.ndarray | PhotoError]:
        """Turn photos into vectors.

        Args:
            paths: of the photos; each is looked at once per backbone, however often it is named.
            resize: see `mixed_data.preprocessing.photo_decoding.load_photo`.
            max_pixels: see `load_photo`.

        Returns:
            For every path its vector, float32 ``(D,)``, read-only, or the reason why the photo cannot be used.
        """
        paths = list(dict.fromkeys(paths))
        parts = [self._embed(backbone, paths, resize, max_pixels) for backbone in self.backbones]
        return parts[0] if len(parts) == 1 else {path: _join([part[path] for part in parts]) for path in paths}

    def _embed(
        self, backbone: Backbone, paths: Iterable[str], resize: str, max_pixels: int
    ) -> dict[str, np.ndarray | PhotoError]:
        height, width = backbone.size
        decoding = {"size": [height, width], "resize": resize, "max_pixels": max_pixels, "pillow": version("pillow")}
        encoder = hashlib.sha256(json.dumps([backbone.digest, decoding], sort_keys=True).encode()).hexdigest()
        load = partial(load_photo, height=height, width=width, resize=resize, max_pixels=max_pixels)
        shape = (sum(backbone.block_sizes),)
        results: dict[str, np.ndarray | PhotoError] = {}
        identities = _read_each(file_identity, paths, results)
        if self.cached:
            with _memory_lock:
                remembered = {path: _memory.get((encoder, identity)) for path, identity in identities.items()}
            results |= {path: vector for path, vector in remembered.items() if vector is not None}
        digests = _read_each(digest_file, [path for path in identities if path not in results], results)
        known = _read_cache(encoder, set(digests.values())) if self.cached else {}
        known = {digest: vector for digest, vector in known.items() if vector.shape == shape}
        first_paths = {digest: path for path, digest in reversed(digests.items()) if digest not in known}
        todo = list(first_paths.values())
        for start in range(0, len(todo), NUM_PHOTOS_PER_STEP):
            with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
                photos = _read_each(load, todo[start : start + NUM_PHOTOS_PER_STEP], results, pool.map)
            vectors = _compute(backbone, list(photos.values()))
            computed = {digests[path]: vector for path, vector in zip(photos, vectors, strict=True)}
            if self.cached:
                _write_cache(encoder, computed)
            known |= computed
            if self.on_progress:
                self.on_progress(min(start + NUM_PHOTOS_PER_STEP, len(todo)), len(todo))
        for path, digest in digests.items():
            if digest not in known:
                results[path] = results[first_paths[digest]]
                continue
            results[path] = known[digest]
            if self.cached:
                with _memory_lock:
                    _memory[encoder, identities[path]] = known[digest]
        return results


def _compute(backbone: Backbone, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Run a backbone on at most one step of photos."""
    if not photos:
        return []
    batch = np.zeros((NUM_PHOTOS_PER_STEP, *photos[0].shape), dtype="uint8")
    batch[: len(photos)] = photos
    vectors = np.asarray(backbone.compute(batch), dtype="<f4")
    # Copies that nobody can change, because they are remembered.
    return [np.frombuffer(vector.tobytes(), "<f4") for vector in vectors[: len(photos)]]


def _join(parts: Sequence[np.ndarray | PhotoError]) -> np.ndarray | PhotoError:
    """Put the vectors of one photo side by side; a photo that one backbone cannot use is none."""
    vectors = [part for part in parts if not isinstance(part, PhotoError)]
    if len(vectors) < len(parts):
        return next(part for part in parts if isinstance(part, PhotoError))
    return np.frombuffer(b"".join(vector.tobytes() for vector in vectors), "<f4")


def _read_each(
    read: Callable[[str], Any], paths: Iterable[str], failed: dict[str, Any], run: Callable[..., Iterable[Any]] = map
) -> dict[str, Any]:
    """Return what a function reads from each photo; why it cannot is added to ``failed``."""

    def attempt(path: str) -> Any:
        try:
            return read(path)
        except PhotoError as error:
            return error
        except OSError as error:
            return PhotoError("cannot be opened", error.strerror or str(error))

    paths = list(paths)
    outcomes = dict(zip(paths, run(attempt, paths), strict=True))
    failed |= {path: outcome for path, outcome in outcomes.items() if isinstance(outcome, PhotoError)}
    return {path: outcome for path, outcome in outcomes.items() if not isinstance(outcome, PhotoError)}


def _read_cache(encoder: str, photos: Iterable[str]) -> dict[str, np.ndarray]:
    path = find_cache()
    if not path.exists():
        return {}
    query = "SELECT photo, vector FROM vectors WHERE encoder = ? AND photo IN (SELECT value FROM json_each(?))"
    try:
        with closing(sqlite3.connect(path, timeout=_SECONDS_TO_WAIT)) as connection:
            rows = connection.execute(query, (encoder, json.dumps(list(photos)))).fetchall()
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
