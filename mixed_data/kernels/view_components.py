"""The directions in which the photos of each view differ most."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

_NUM_ROWS_AT_ONCE = 1024  # beside the float64 copy of one view, no more are in memory


def learn_components(
    vectors: np.ndarray, mask: np.ndarray, num_components: int, blocks: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Learn principal components, each view by itself.

    The blocks of a vector (the backbone's layers) are first brought to one scale, so that a layer with larger numbers
    does not win by them. The components keep their own variances, unwhitened, so that the first count most.

    Args:
        vectors: float ``(n, V, D)``, of the training rows; may be on disk, and is read view by view.
        mask: bool ``(n, V)``, True where the photo is there.
        num_components: ``P``, at most.
        blocks: sizes of the parts that a vector consists of, summing to D.

    Returns:
        mean, float64 ``(V, D)``, and kernel, float64 ``(V, D, P)``: components are ``(vector - mean) @ kernel``. Zero
        for a view with fewer than two photos, or with the same photo in all rows.
    """
    from sklearn.decomposition import PCA

    _, num_views, width = vectors.shape
    mean, kernel = np.zeros((num_views, width)), np.zeros((num_views, width, num_components))
    edges = np.cumsum([0, *blocks])
    for view in range(num_views):
        there = np.flatnonzero(mask[:, view])
        parts = [slice(start, start + _NUM_ROWS_AT_ONCE) for start in range(0, len(there), _NUM_ROWS_AT_ONCE)]
        rows = np.empty((len(there), width))
        for part in parts:
            rows[part] = vectors[there[part], view]
        found = min(num_components, len(rows) - 1, width)
        if found < 1 or not np.ptp(rows, axis=0).any():
            continue
        mean[view] = rows.mean(axis=0)
        rows -= mean[view]
        scales = np.ones(width)
        for start, end in pairwise(edges):
            squares = np.concatenate([np.sum(rows[part, start:end] ** 2, axis=1) for part in parts])
            scales[start:end] = 1 / max(np.sqrt(np.mean(squares)), 1e-12)
        rows *= scales
        pca = PCA(found, copy=False, random_state=0).fit(rows)  # of many rows, a copy takes gigabytes
        kernel[view, :, :found] = scales[:, None] * pca.components_.T
    return mean, kernel
