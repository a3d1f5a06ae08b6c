"""Photos as vectors of frozen backbones: each photo is computed once, and kept on disk for every later run."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mixed_data.files.array_memory import ArrayMemory
from mixed_data.files.digests import digest_file
from mixed_data.files.record_store import NOWHERE, RecordStore
from mixed_data.preprocessing.photo_decoding import PhotoError
from mixed_data.preprocessing.photo_memory import file_identity
from mixed_data.preprocessing.photo_store import PhotoStore

logger = logging.getLogger(__name__)

NUM_PHOTOS_PER_STEP = 16
"""Photos that are decoded before a backbone reads them."""

_MEMORY_BYTES = 32 * 2**20

_memory = ArrayMemory(_MEMORY_BYTES)


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
        """Turn photos, uint8 ``(n, H, W, 3)``, RGB, into vectors, float ``(n, D)``, each by itself."""

    def write(self, file: Path) -> None:
        """Write the network."""


@dataclass(frozen=True)
class PhotoEmbedder:
    """Turns photo files into vectors, and remembers them.

    A vector is kept under the digests of the file's content, of the network with all its weights, and of how the photo
    is decoded, see `mixed_data.files.record_store`. So another file under the same name, other weights or another size
    never get an old vector, and the same photo under two names is computed once. Several processes may use one cache. A
    disk that cannot be written is reported in the log and done without.

    The vectors of several backbones stand side by side, each as it is; `mixed_data.network.PrincipalComponents`, for
    one, brings their blocks to one scale. Each is kept by itself, so that one more backbone leaves the others' be.

    Attributes:
        backbones: one or more.
        cached: whether to look into the memory and the file of earlier results, and to add to them.
        remember: whether decoded photos are remembered, see `load_photo`.
        on_progress: called with how many new photos are computed and how many there are, for each backbone in turn;
            None for nobody.
    """

    backbones: tuple[Backbone, ...]
    cached: bool = True
    remember: bool = True
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

    def embed(
        self, photos: Iterable[str | bytes], *, resize: str, max_pixels: int
    ) -> dict[str | bytes, np.ndarray | PhotoError]:
        """Turn photos into vectors.

        Args:
            photos: their paths or contents; each is looked at once per backbone, however often it is named.
            resize: see `mixed_data.preprocessing.photo_decoding.load_photo`.
            max_pixels: see `load_photo`.

        Returns:
            For every one its vector, float32 ``(D,)``, read-only, or the reason why the photo cannot be used.
        """
        photos = list(dict.fromkeys(photos))
        parts = [self._embed(backbone, photos, resize, max_pixels) for backbone in self.backbones]
        return parts[0] if len(parts) == 1 else {photo: _join([part[photo] for part in parts]) for photo in photos}

    def place(
        self, photos: Iterable[str], stores: Sequence[RecordStore], *, resize: str, max_pixels: int
    ) -> dict[str, np.ndarray | PhotoError]:
        """Have the vectors of photos on disk.

        Args:
            photos: their paths.
            stores: from `open_stores`, one for each backbone.
            resize: as for `embed`.
            max_pixels: as for `embed`.

        Returns:
            For every one int64 ``(backbones,)``, its places in the stores, or the reason why it cannot be used.

        Raises:
            OSError: the disk cannot be used.
        """
        photos = list(dict.fromkeys(photos))
        of_all = zip(self.backbones, stores, strict=True)
        parts = [self._place(backbone, store, photos, resize, max_pixels) for backbone, store in of_all]
        return {photo: _join([part[photo] for part in parts]) for photo in photos}

    def open_stores(self, *, resize: str, max_pixels: int) -> list[RecordStore]:
        """Return where the vectors of each backbone are kept on disk; a place is one of that very store."""
        names = [_name_encoder(backbone, resize, max_pixels) for backbone in self.backbones]
        return [_open_store(*each) for each in zip(self.backbones, names, strict=True)]

    def _embed(
        self, backbone: Backbone, photos: Iterable[str | bytes], resize: str, max_pixels: int
    ) -> dict[str | bytes, np.ndarray | PhotoError]:
        encoder = _name_encoder(backbone, resize, max_pixels)
        results: dict[str | bytes, np.ndarray | PhotoError] = {}
        identities = _read_each(_identify, photos, results)
        # What came as bytes, such as an upload, is neither remembered nor written anywhere.
        kept = {photo for photo in identities if self.cached and isinstance(photo, str)}
        remembered = {photo: _memory.get((encoder, identities[photo])) for photo in kept}
        results |= {photo: vector for photo, vector in remembered.items() if vector is not None}
        digests = _read_each(_digest, [photo for photo in identities if photo not in results], results)
        store = _open_store(backbone, encoder) if kept else None
        known = _find_vectors(store, {digest for photo, digest in digests.items() if photo in kept}) if store else {}
        for computed in self._compute_new(backbone, digests, known, results, resize, max_pixels):
            if store:
                _keep_vectors(store, {digests[photo]: vector for photo, vector in computed.items() if photo in kept})
            known |= {digests[photo]: vector for photo, vector in computed.items()}
        for photo, digest in digests.items():
            if digest in known:
                results[photo] = known[digest]
                if photo in kept:
                    _memory.put((encoder, identities[photo]), known[digest])
        return results

    def _place(
        self, backbone: Backbone, store: RecordStore, photos: Iterable[str], resize: str, max_pixels: int
    ) -> dict[str | bytes, np.ndarray | PhotoError]:
        results: dict[str | bytes, np.ndarray | PhotoError] = {}
        digests = _read_each(_digest, _read_each(_identify, photos, results), results)  # it hangs at no pipe
        into = memoryview(bytearray(store.num_bytes))
        places = {digest: store.find(bytes.fromhex(digest), into) for digest in set(digests.values())}
        known = {digest: np.array([place]) for digest, place in places.items() if place != NOWHERE}
        for computed in self._compute_new(backbone, digests, known, results, resize, max_pixels):
            found = {digests[photo]: vector for photo, vector in computed.items()}
            known |= zip(found, np.array(_append(store, found))[:, None], strict=True)
        return results | {photo: known[digest] for photo, digest in digests.items() if digest in known}

    def _compute_new(
        self,
        backbone: Backbone,
        digests: dict[str | bytes, str],
        known: Collection[str],
        failed: dict[str | bytes, np.ndarray | PhotoError],
        resize: str,
        max_pixels: int,
    ) -> Iterator[dict[str | bytes, np.ndarray]]:
        """Compute the vectors of photos whose digests are not known, each once.

        Args:
            backbone: computes them.
            digests: of the photos.
            known: digests of those that are there.
            failed: why a photo cannot be used is added to it.
            resize: see `embed`.
            max_pixels: see `embed`.

        Yields:
            the vectors of one step of photos.
        """
        photo_store = PhotoStore(*backbone.size, resize=resize, max_pixels=max_pixels)
        first_photos = {digest: photo for photo, digest in reversed(digests.items()) if digest not in known}
        todo = list(first_photos.values())
        for start in range(0, len(todo), NUM_PHOTOS_PER_STEP):
            with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
                some = todo[start : start + NUM_PHOTOS_PER_STEP]
                loaded = photo_store.load(some, pool, remember=self.remember and not self.cached)
            pixels = {photo: found for photo, found in loaded.items() if not isinstance(found, PhotoError)}
            yield dict(zip(pixels, _compute(backbone, list(pixels.values())), strict=True))
            failed |= {photo: found for photo, found in loaded.items() if isinstance(found, PhotoError)}
            if self.on_progress:
                self.on_progress(min(start + NUM_PHOTOS_PER_STEP, len(todo)), len(todo))
        failed |= {
            photo: failed[first_photos[digest]]
            for photo, digest in digests.items()
            if digest in first_photos and first_photos[digest] in failed
        }


def _name_encoder(backbone: Backbone, resize: str, max_pixels: int) -> str:
    """Return the digest of all that decides what a photo's vector is, beside the photo."""
    decoding = {"size": list(backbone.size), "resize": resize, "max_pixels": max_pixels, "pillow": version("pillow")}
    return hashlib.sha256(json.dumps([backbone.digest, decoding], sort_keys=True).encode()).hexdigest()


def _open_store(backbone: Backbone, encoder: str) -> RecordStore:
    return RecordStore.open("vectors", encoder, 4 * sum(backbone.block_sizes))


def can_keep_vectors() -> bool:
    """Tell whether the packages are there that memory and disk need, which the base installation lacks."""
    return all(map(find_spec, ("cachetools", "filelock")))


def _identify(photo: str | bytes) -> tuple[object, ...]:
    """Return what changes whenever the photo does."""
    return () if isinstance(photo, bytes) else file_identity(photo)


def _digest(photo: str | bytes) -> str:
    return hashlib.sha256(photo).hexdigest() if isinstance(photo, bytes) else digest_file(photo)


def _compute(backbone: Backbone, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Run a backbone on at most one step of photos."""
    if not photos:
        return []
    vectors = np.asarray(backbone.compute(np.stack(photos)), dtype="<f4")
    # Copies that nobody can change, because they are remembered.
    return [np.frombuffer(vector.tobytes(), "<f4") for vector in vectors]


def _join(parts: Sequence[np.ndarray | PhotoError]) -> np.ndarray | PhotoError:
    """Put what was found of one photo side by side; a photo that one backbone cannot use is none."""
    found = [part for part in parts if not isinstance(part, PhotoError)]
    if len(found) < len(parts):
        return next(part for part in parts if isinstance(part, PhotoError))
    joined = np.concatenate(found)
    joined.flags.writeable = False
    return joined


def _read_each(
    read: Callable[[Any], Any], photos: Iterable[str | bytes], failed: dict[str | bytes, Any]
) -> dict[str | bytes, Any]:
    """Return what a function reads from each photo; why it cannot is added to ``failed``."""

    def attempt(photo: str | bytes) -> Any:
        try:
            return read(photo)
        except PhotoError as error:
            return error
        except OSError as error:
            return PhotoError("cannot be opened", error.strerror or str(error))

    photos = list(photos)
    outcomes = dict(zip(photos, map(attempt, photos), strict=True))
    failed |= {photo: outcome for photo, outcome in outcomes.items() if isinstance(outcome, PhotoError)}
    return {photo: outcome for photo, outcome in outcomes.items() if not isinstance(outcome, PhotoError)}


def _find_vectors(store: RecordStore, digests: Iterable[str]) -> dict[str, np.ndarray]:
    found = {}
    for digest in digests:
        vector = bytearray(store.num_bytes)
        if store.find(bytes.fromhex(digest), memoryview(vector)) != NOWHERE:
            found[digest] = np.frombuffer(bytes(vector), "<f4")
    return found


def _keep_vectors(store: RecordStore, vectors: Mapping[str, np.ndarray]) -> None:
    try:
        _append(store, vectors)
    except OSError as error:
        logger.warning("Vectors of photos cannot be kept on disk (%s); each run computes them.", error)


def _append(store: RecordStore, vectors: Mapping[str, np.ndarray]) -> list[int]:
    return store.append([*map(bytes.fromhex, vectors)], [vector.view("u1").data for vector in vectors.values()])
