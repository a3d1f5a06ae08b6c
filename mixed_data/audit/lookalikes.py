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
_CELLS_AT_A_TIME = 2**23


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


def _nearest_earlier(hashes: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Find for each photo the nearest one before it, within `_MAX_DISTANCE`, also mirrored.

    Hashes have shape ``(m, 2, bits)``, of each photo and of its mirror image. Returned are the positions of the photos
    that have such a one, its position, and whether it is nearest mirrored.
    """
    num_photos = len(hashes)
    if num_photos < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_)
    num_bits = hashes.shape[2]
    signs = np.where(hashes, np.float32(1), np.float32(-1))  # a product of signs counts equal minus different bits
    best = np.empty((2, num_photos), dtype=np.int64)
    distance = np.empty((2, num_photos))
    step = max(1, _CELLS_AT_A_TIME // num_photos)
    for start in range(0, num_photos, step):
        here = slice(start, start + step)
        is_earlier = np.arange(num_photos) < np.arange(num_photos)[here, None]
        for side in (0, 1):
            apart = np.where(is_earlier, (num_bits - signs[here, 0] @ signs[:, side].T) / 2, np.inf)
            best[side, here], distance[side, here] = apart.argmin(axis=1), apart.min(axis=1)
    mirrored = distance[1] < distance[0]
    later = np.flatnonzero(distance.min(axis=0) <= _MAX_DISTANCE)
    return later, np.where(mirrored, best[1], best[0])[later], mirrored[later]


def _look_the_same(one: str, other: str, mirrored: bool) -> bool:
    try:
        first, second = load_thumbnail(one), load_thumbnail(other)
    except PhotoError:  # removed since it was hashed
        return False
    if mirrored:
        second = second[:, ::-1]
    return bool(np.corrcoef(first.ravel(), second.ravel())[0, 1] >= _MIN_CORRELATION)
