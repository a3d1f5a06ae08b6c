"""What networks for photos expect of pixels, and what their outputs hold; by the names that their authors use."""

from __future__ import annotations

PIXEL_SCALINGS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "raw": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "unit": ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    "tf": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "torch": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "clip": ((122.7709383, 116.7460125, 104.09373615), (68.5005327, 66.6321579, 70.3231638)),
}
"""Name -> mean and standard deviation of red, green and blue, by which pixels from 0 to 255 are standardised.

"raw" leaves them (a network that scales them itself), "unit" is 0 to 1, "tf" is -1 to 1 (MobileNet, SigLIP), "torch" is
the mean and standard deviation of ImageNet (torchvision, timm, DINOv2), "clip" those of CLIP.
"""

SCALING_HELP = "raw (0 to 255), unit (0 to 1), tf (-1 to 1; SigLIP), torch (ImageNet's mean and SD; DINOv2) or clip"

_PATCH_SIDES = range(4, 65)
_MOST_PREFIX_TOKENS = 16


def count_prefix_tokens(num_tokens: int, size: tuple[int, int]) -> int:
    """Tell how many of a transformer's tokens come before those of the patches.

    They are the class token and registers; none, one and five are usual (SigLIP, ViT, DINOv2 with registers). The
    patches of a photo are a grid of squares, so that their number tells.

    Args:
        num_tokens: of one photo.
        size: height and width of the photos, in pixels.

    Returns:
        The smallest number that leaves a grid.

    Raises:
        ValueError: none does.

    Example:
        >>> [count_prefix_tokens(number, (224, 224)) for number in (196, 197, 261)]
        [0, 1, 5]
    """
    grids = {(size[0] // side) * (size[1] // side) for side in _PATCH_SIDES}
    for number in range(_MOST_PREFIX_TOKENS + 1):
        if num_tokens - number in grids - {0}:
            return number
    raise ValueError(
        f"{num_tokens} tokens are no grid of patches of {size[0]} x {size[1]} pixels with at most "
        f"{_MOST_PREFIX_TOKENS} tokens before it; export one vector per photo instead"
    )
