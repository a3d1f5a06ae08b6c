"""What a row has of what a regressor reads: everything, no photo, no cell of its table, or nothing at all."""

from __future__ import annotations

import numpy as np

from mixed_data.preprocessing.row_reader import Inputs
from mixed_data.preprocessing.stored_photos import zeros_like

INPUT_NAMES = {
    "both": ("tabular", "tabular_mask", "images", "image_mask"),
    "tabular": ("tabular",),
    "image": ("images", "image_mask"),
}
"""Modalities -> what a network of them reads of `Inputs`."""

PATTERNS: dict[str, tuple[str, ...]] = {
    "all": (),
    "no photos": ("image",),
    "no table": ("tabular",),
    "nothing": ("tabular", "image"),
}
"""Pattern -> the modalities that are missing. A single photo or cell counts as being there."""

PHOTO_PATTERN = {pattern: "no photos" if "image" in missing else "all" for pattern, missing in PATTERNS.items()}
"""Pattern -> what it is for a regressor that reads photos only."""

_ARRAYS = {"image": ("images", "image_mask"), "tabular": ("tabular", "tabular_mask", "level_counts")}


def name_patterns(inputs: Inputs, modalities: str) -> np.ndarray:
    """Return the pattern of each row, text ``(n,)``, for a regressor of these modalities.

    A regressor on the table alone knows "all" only: its missing cells are imputed.
    """
    no_photo = ~inputs["image_mask"].any(axis=1) & (modalities != "tabular")
    no_cell = ~inputs["tabular_mask"].any(axis=1) & (modalities == "both")
    names = np.array([["all", "no table"], ["no photos", "nothing"]], dtype=object)
    return names[no_photo.astype(int), no_cell.astype(int)]


def hide(inputs: Inputs, pattern: str) -> Inputs:
    """Return the same rows without what the pattern lacks."""
    names = [name for modality in PATTERNS[pattern] for name in _ARRAYS[modality]]
    return Inputs({**inputs, **{name: zeros_like(inputs[name]) for name in names}}, inputs.row_warnings)
