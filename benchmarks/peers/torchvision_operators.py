"""Lets torchvision be imported beside a torch that it was not built for (a CPU build from another index).

Then torchvision's compiled operators cannot be loaded, and its import stops at registering two of them. No peer calls
them here, so it is enough that they have a signature.
"""

from __future__ import annotations

import torch

SIGNATURES = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_libraries: list[torch.library.Library] = []


def declare_missing_operators() -> None:
    """Import torchvision; where its operators are missing, declare them first."""
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        library = torch.library.Library("torchvision", "DEF")
        for signature in SIGNATURES:
            library.define(signature)
        _libraries.append(library)  # the declarations live as long as this object
        import torchvision  # noqa: F401
