"""What the models of a comparison are called, beside the fusions, which have their names in `FUSIONS`."""

from __future__ import annotations

BOOSTING = "boosting"
TABLE = "table"
IMAGE = "image"
PLACEBO = "placebo"
BEST = "best"

_WITHOUT = "without "


def name_without(column: str) -> str:
    """Name the main network that goes without one image column."""
    return _WITHOUT + column


def is_ablation(name: str) -> bool:
    """Whether a model is a fused network without one of its parts."""
    return name in (TABLE, IMAGE, PLACEBO) or name.startswith(_WITHOUT)


def lacks_part_of(name: str, main: str) -> bool:
    """Whether a model is the main one without one of its parts.

    A network on one modality lacks the trees of a stack too, so that what it is worse by cannot be put down to photos.
    """
    return is_ablation(name) and name != main and not (main == BEST and name in (TABLE, IMAGE))
