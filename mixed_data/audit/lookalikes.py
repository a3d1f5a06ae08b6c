"""Photos that look the same in files that are not: a perceptual hash proposes pairs, the pixels decide.

The limits were set by looking at pairs. Of the 2.3 million pairs of the Houses data's photos, the 24 with the same
picture have hashes that differ in 0 to 8 of 256 bits, and correlations of pixels of 0.997 and more; the next pair, of
two different bathrooms, differs in 76 bits. The drawings of the sample resemble each other more: of 8,000, the closest
two differ in 10 bits, and no pair within 24 bits has a correlation above 0.980. Copies of 60 photos of the Houses data
that were compressed at quality 10, reduced to a quarter or mirrored differed in up to 14 bits, with correlations from
0.985, and were all found. Of copies cut by 1 % at each side half are found; of those cut by 2 %, made grey, or with a
white box over a corner, few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mixed_data.audit.photo_facts import PhotoError, PhotoFile, load_thumbnail
from mixed_data.split.rows_kept_together import join_pairs

_MAX_DISTANCE = 24  # Bits, of 256, in which the hashes of two copies of a photo may differ.
_MIN_CORRELATION = 0.985  # Of the pixels of two copies, all three colours together.
_NUM_CHUNKS, _CHUNK_BITS = 16, 16  # of a hash
MAX_EXACT = 100_000
"""Photos up to which all pairs within the distance are found."""
_MAX_COMPARED = 256  # Photos of an equal chunk that one is compared with, where there are more photos than that.
_PAIRS_AT_A_TIME = 2**20
_NONE = np.iinfo(np.int64).max


def label_alike(paths: Sequence[str], files: Mapping[str, PhotoFile]) -> NDArray[np.int64]:
    """Enumerate the photos so that those which look the same share a number.

    Each photo is compared with the one before it whose hash is nearest, also mirrored; alikeness chains. No two of the
    photos have the same bytes; one without a hash is like no other.
    """
    hashes = {place: found for place, path in enumerate(paths) if (found := files[path].hashes) is not None}
    hashed = list(hashes)
    later, earlier, mirrored = _nearest_earlier(np.array(list(hashes.values()), dtype=np.bool_))
    pairs = (
        (hashed[one], hashed[other])
        for one, other, flip in zip(later, earlier, mirrored, strict=True)
        if _look_the_same(paths[hashed[one]], paths[hashed[other]], flip)
    )
    return join_pairs(pairs, len(paths))


def describe_recall(num_photos: int) -> str:
    """Say what may have been missed among so many photos; empty where nothing is.

    The share is of pairs that differ in 24 bits drawn at random (20,000 draws; in 20 bits 99.9 %).
    """
    if num_photos <= MAX_EXACT:
        return ""
    return f"of more than {MAX_EXACT:,} photos, copies that differ in 16 to 24 bits of their hashes are found in 99 %"


def _nearest_earlier(hashes: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Find for each photo the nearest one before it, within `_MAX_DISTANCE`, also mirrored.

    Hashes are cut into 16 chunks of 16 bits. Of two that differ in at most 24 bits, one chunk differs in at most one,
    so that looking up each chunk, and the 16 that differ from it in one bit, finds all such pairs. Beyond `MAX_EXACT`
    photos only equal chunks are looked up, and 256 photos of each at most; see `describe_recall`.

    Args:
        hashes: of each photo and of its mirror image, ``(m, 2, 256)``.

    Returns:
        the positions of the photos that have such a one, int64 ``(k,)``; its position; and whether it is nearest
        mirrored.

    Reference:
        Norouzi, Punjani, Fleet 2012, Fast Search in Hamming Space with Multi-Index Hashing, arXiv:1307.2982.
    """
    num_photos = len(hashes)
    if num_photos < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_)
    packed = np.packbits(hashes[:, :, _draw_bits()], axis=2)
    words, chunks = packed.view(np.uint64), packed.view(np.uint16).astype(np.int64)
    is_exact = num_photos <= MAX_EXACT
    flips = [0, *(1 << np.arange(_CHUNK_BITS))] if is_exact else [0]
    # Distance, then side, then position: the least of these is the nearest photo, the first one of several.
    best = np.full(num_photos, _NONE)
    for chunk in range(_NUM_CHUNKS):
        keys = chunks[:, 0, chunk]
        order = np.argsort(keys, kind="stable")
        # In each bucket of equal keys the positions ascend, so that those before a photo come first.
        places = keys[order] * num_photos + order
        for side in (0, 1):
            for flip in flips:
                wanted = (chunks[:, side, chunk] ^ flip) * num_photos
                start = np.searchsorted(places, wanted)
                end = np.searchsorted(places, wanted + np.arange(num_photos))
                if not is_exact:
                    start = np.maximum(start, end - _MAX_COMPARED)
                _compare(words, side, order, start, end, best)
    later = np.flatnonzero(best < _NONE)
    found = best[later]
    return later, found % num_photos, (found // num_photos) % 2 == 1


def _draw_bits() -> NDArray[np.int64]:
    """Return the bits of the chunks, one chunk after the other.

    Neighbouring bits of a hash go together; chunks that are drawn at random tell photos apart better.
    """
    return np.random.default_rng(0).permutation(_NUM_CHUNKS * _CHUNK_BITS)


def _compare(
    words: NDArray[np.uint64],
    side: int,
    order: NDArray[np.int64],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    best: NDArray[np.int64],
) -> None:
    """Compare one side of each photo with those from ``start`` to ``end`` in an order, and keep the nearest."""
    asking = np.flatnonzero(end > start)
    sizes = (end - start)[asking]
    ends = np.cumsum(sizes)
    num_photos, done = len(words), 0
    while done < len(asking):
        before = ends[done - 1] if done else 0
        until = max(done + 1, int(np.searchsorted(ends, before + _PAIRS_AT_A_TIME, side="right")))
        here, num = asking[done:until], sizes[done:until]
        first = np.cumsum(num) - num
        one = np.repeat(here, num)
        other = order[np.arange(len(one)) + np.repeat(start[here] - first, num)]
        # Most pairs differ in too many bits of the first quarter already.
        is_near = np.bitwise_count(words[one, side, 0] ^ words[other, 0, 0]) <= _MAX_DISTANCE
        one, other = one[is_near], other[is_near]
        distance = np.bitwise_count(words[one, side] ^ words[other, 0]).sum(axis=1, dtype=np.int64)
        is_near = distance <= _MAX_DISTANCE
        value = (distance * 2 + side) * num_photos + other
        np.minimum.at(best, one[is_near], value[is_near])
        done = until


def _look_the_same(one: str, other: str, mirrored: bool) -> bool:
    try:
        first, second = load_thumbnail(one), load_thumbnail(other)
    except PhotoError:  # removed since it was hashed
        return False
    if mirrored:
        second = second[:, ::-1]
    return bool(np.corrcoef(first.ravel(), second.ravel())[0, 1] >= _MIN_CORRELATION)
