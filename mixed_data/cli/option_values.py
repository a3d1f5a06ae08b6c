"""What the value of an option may be: checked while the command line is read, before any data and before Keras.

The names stand here as they do in registries that import Keras or pandas; a test compares them.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


class UsageError(ValueError):
    """The options do not belong together: the command was typed wrongly."""


FUSION_NAMES = (
    *("concat", "weighted_sum", "weighted_product", "gated", "film", "low_rank_bilinear", "attention", "late"),
)
"""Keys of `mixed_data.fusion.FUSIONS`."""

NETWORK_NAMES = ("table", "image", "best", *FUSION_NAMES)
IMAGE_BRANCH_NAMES = ("cnn", "patches", "pretrained")
STACK_BRANCH_NAMES = ("patches", "pretrained")
"""The image branches of "best"."""

BAD_ROW_NAMES = ("error", "skip", "mask")
LOSS_NAMES = (
    *("mae", "mse", "mape", "msle", "huber", "log_cosh"),
    *("mean_absolute_error", "mean_squared_error", "mean_absolute_percentage_error", "mean_squared_logarithmic_error"),
)
BACKBONE_FILES = (".keras", ".onnx")
EXPORT_FORMATS = ("onnx", "saved_model", "litert", "mlflow")
"""Keys of `mixed_data.export.EXPORTERS`."""


class Number:
    """Reads a number within bounds, for `argparse`.

    Args:
        kind: int or float.
        allows: whether a number is within them.
        bounds: the same in words.
    """

    def __init__(self, kind: type, allows: Callable[[float], bool], bounds: str) -> None:
        self._kind, self._allows = kind, allows
        self.text = f"{'a whole number' if kind is int else 'a number'} {bounds}"

    def __call__(self, text: str) -> float:
        """Return the number.

        Raises:
            ArgumentTypeError: it is none, or out of bounds.
        """
        try:
            number = self._kind(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or not self._allows(number):
            raise argparse.ArgumentTypeError(f"expected {self.text}, got {text!r:.80}")
        return number


FROM_ZERO = Number(int, lambda number: number >= 0, "from 0")
FROM_ONE = Number(int, lambda number: number >= 1, "from 1")
FROM_TWO = Number(int, lambda number: number >= 2, "from 2")
FOLDS_OR_NONE = Number(int, lambda number: number == 0 or number >= 2, "from 2, or 0 for one hold-out split")
JOBS = Number(int, lambda number: number == -1 or number >= 1, "from 1, or -1 for one per core")
SEED = Number(int, lambda number: 0 <= number < 2**32, "from 0 and below 2^32")
NOT_NEGATIVE = Number(float, lambda number: number >= 0, "from 0")
POSITIVE = Number(float, lambda number: number > 0, "above 0")
SHARE = Number(float, lambda number: 0 <= number < 1, "from 0 and below 1")
INNER_SHARE = Number(float, lambda number: 0 < number < 1, "above 0 and below 1")


def read_names(text: str) -> str | list[str]:
    """Read one name or path, or several that are separated by commas; a file's name may hold commas."""
    names = [text] if Path(text).is_file() else [name.strip() for name in text.split(",")]
    return names[0] if len(names) == 1 else names


def read_network_names(text: str) -> Sequence[str]:
    """Read the names of networks, separated by commas.

    Raises:
        ArgumentTypeError: one is unknown.
    """
    return _check_names([name.strip() for name in text.split(",")], NETWORK_NAMES)


def read_backbones(text: str) -> str | list[str]:
    """Read names of models and paths of files, separated by commas.

    Raises:
        ArgumentTypeError: a model is unknown.
    """
    names = read_names(text)
    models = [name for name in list_given(names) if not name.endswith(BACKBONE_FILES)]
    _check_names(models, BACKBONE_NAMES, f"{' or '.join(BACKBONE_FILES)} files")
    return names


def list_given(names: str | Sequence[str] | None) -> Sequence[str]:
    """Return what `read_names` read as a list; empty for None."""
    return [] if names is None else [names] if isinstance(names, str) else names


def read_scalings(text: str) -> str | list[str]:
    """Read names of pixel scalings, separated by commas.

    Raises:
        ArgumentTypeError: one is unknown.
    """
    from mixed_data.preprocessing.pixel_conventions import PIXEL_SCALINGS

    names = read_names(text)
    _check_names(list_given(names), tuple(PIXEL_SCALINGS))
    return names


def read_address(text: str) -> str:
    """Read the address of a Dask scheduler.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not re.fullmatch(r"(tcp|tls)://[^/\s]+:\d+", text):
        raise argparse.ArgumentTypeError(f"expected tcp://HOST:PORT or tls://HOST:PORT, got {text!r}")
    return text


def read_out_file(text: str) -> Path:
    """Read the path of a file to write.

    Raises:
        ArgumentTypeError: it is a folder, or its folder is not there: better said before the work than after it.
    """
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder; name a file")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent} to write {path.name} into")
    return path


def read_out_folder(text: str) -> Path:
    """Read the path of a folder to write into, which may be there.

    Raises:
        ArgumentTypeError: it is a file, or the folder that it is to stand in is not there.
    """
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a file; name a folder")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent} to make {path.name} in")
    return path


def read_positions(text: str) -> list[int]:
    """Read the positions of rows, separated by commas; one that is named twice counts once.

    Raises:
        ArgumentTypeError: one is no whole number from 0.
    """
    return [int(FROM_ZERO(part.strip())) for part in dict.fromkeys(text.split(","))]


def _check_names(names: Sequence[str], known: Sequence[str], others: str = "") -> Sequence[str]:
    if unknown := [name for name in names if name not in known]:
        expected = ", ".join(known) + (f", or {others}" if others else "")
        raise argparse.ArgumentTypeError(f"expected names of {expected}; got {', '.join(map(repr, unknown))}")
    return names


def choices_or_type(reads: Any) -> dict[str, Any]:
    """Return what `add_argument` takes: choices for a tuple of names, a switch for bool, else a type."""
    if reads is bool:
        return {"action": argparse.BooleanOptionalAction}
    return {"choices": reads} if isinstance(reads, tuple) else {"type": reads}


BACKBONE_NAMES = (
    *(
        "ConvNeXtBase",
        "ConvNeXtLarge",
        "ConvNeXtSmall",
        "ConvNeXtTiny",
        "ConvNeXtXLarge",
    ),
    *(
        "DenseNet121",
        "DenseNet169",
        "DenseNet201",
        "EfficientNetB0",
        "EfficientNetB1",
    ),
    *(
        "EfficientNetB2",
        "EfficientNetB3",
        "EfficientNetB4",
        "EfficientNetB5",
        "EfficientNetB6",
    ),
    *(
        "EfficientNetB7",
        "EfficientNetV2B0",
        "EfficientNetV2B1",
        "EfficientNetV2B2",
        "EfficientNetV2B3",
    ),
    *(
        "EfficientNetV2L",
        "EfficientNetV2M",
        "EfficientNetV2S",
        "InceptionResNetV2",
        "InceptionV3",
    ),
    *(
        "MobileNet",
        "MobileNetV2",
        "MobileNetV3Large",
        "MobileNetV3Small",
        "NASNetLarge",
    ),
    *(
        "NASNetMobile",
        "ResNet101",
        "ResNet101V2",
        "ResNet152",
        "ResNet152V2",
    ),
    *(
        "ResNet50",
        "ResNet50V2",
        "VGG16",
        "VGG19",
        "Xception",
    ),
)
"""The models of `keras.applications`."""
