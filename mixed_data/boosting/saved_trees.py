"""The part of a bundle that is fitted `BoostedTrees`: the trees by skops, everything else as JSON."""

from __future__ import annotations

import io
import json
import re
import zipfile
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.ensemble import HistGradientBoostingRegressor

from mixed_data.boosting import BoostedTrees
from mixed_data.boosting.tree_features import read_features, state_of_features
from mixed_data.files.checked_json import parse_json, read_json, write_json

_FEATURES_FILE, _TREES_FILE = "features.json", "trees.skops"
_SCHEMA = "schema.json"
_ARRAY = re.compile(r"[0-9]+\.npy")
_MOST_BYTES = 2**26  # unpacked; five fits of 400 trees take 9 MB
_BOOSTING = "sklearn.ensemble._hist_gradient_boosting"
# What skops does not trust by itself. A tree is an array of numbers, which `_check_tree` looks at.
_TRUSTED = [f"{_BOOSTING}.predictor.TreePredictor"]
# skops by itself trusts all of scikit-learn, NumPy and SciPy. Trees need this, by the skops node that makes it.
_CLASSES = {
    "CachedNode": {f"{_BOOSTING}.predictor.TreePredictor", "builtins.list", "builtins.dict", "builtins.tuple"},
    "DictNode": {"builtins.dict"},
    "JsonNode": {"builtins.str"},
    "ListNode": {"builtins.list"},
    "LossNode": {"sklearn._loss._loss.CyAbsoluteError"},
    "NdArrayNode": {"numpy.ndarray", "numpy.uint64"},
    "ObjectNode": {
        "sklearn._loss.link.IdentityLink",
        "sklearn._loss.link.Interval",
        "sklearn._loss.loss.AbsoluteError",
        f"{_BOOSTING}.binning._BinMapper",
        f"{_BOOSTING}.gradient_boosting.HistGradientBoostingRegressor",
        f"{_BOOSTING}.predictor.TreePredictor",
    },
    "RandomGeneratorNode": {"numpy.random._generator.Generator"},
    "TupleNode": {"builtins.tuple"},
    "TypeNode": {"builtins.str"},
}


def write_trees(trees: BoostedTrees, folder: Path) -> None:
    """Write fitted trees."""
    write_json(folder / _FEATURES_FILE, state_of_features(trees.features_))
    skops.io.dump(trees.trees_, folder / _TREES_FILE, compression=zipfile.ZIP_DEFLATED, compresslevel=6)
    _check_archive(folder / _TREES_FILE)


def read_trees(unfitted: BoostedTrees, folder: Path) -> BoostedTrees:
    """Read what `write_trees` wrote.

    Args:
        unfitted: with the settings of those that were written.
        folder: that they were written to.

    Returns:
        the same, fitted.

    Raises:
        ValueError: a file holds something else, such as a type that no trees need.
    """
    features, width = read_features(read_json(folder / _FEATURES_FILE), unfitted.schema, unfitted.tabular)
    _check_archive(folder / _TREES_FILE)
    fits = skops.io.load(folder / _TREES_FILE, trusted=_TRUSTED)
    if not isinstance(fits, list) or not fits:
        raise ValueError(f"{folder / _TREES_FILE}: expected a list of fits, got {type(fits).__name__}")
    width += len(unfitted.extra)
    for fit in fits:
        if type(fit) is not HistGradientBoostingRegressor or fit.n_features_in_ != width:
            raise ValueError(f"expected HistGradientBoostingRegressor on {width} features, got {fit!r:.200}")
        for tree in chain(*fit._predictors):
            _check_tree(tree.nodes, width)
    unfitted.features_, unfitted.trees_ = features, fits
    return unfitted


def _check_archive(file: Path) -> None:
    """Check what skops would unpack and make, before it does."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            strange = [name for name in names if name != _SCHEMA and not _ARRAY.fullmatch(name)]
            if strange or len(set(names)) < len(names) or _SCHEMA not in names:
                raise ValueError(f"expected {_SCHEMA} and arrays, each once, got {(strange or names)[:5]!r:.300}")
            if (num_bytes := sum(member.file_size for member in members)) > _MOST_BYTES:
                raise ValueError(f"it holds {num_bytes:,} bytes, more than {_MOST_BYTES:,}")
            schema = parse_json(archive.read(_SCHEMA))
        protocol = json.loads(zipfile.ZipFile(io.BytesIO(skops.io.dumps([]))).read(_SCHEMA))["protocol"]
        if not isinstance(schema, dict) or schema.get("protocol") != protocol:
            raise ValueError(f"expected what skops writes by protocol {protocol}; use the skops that wrote it")
        _check_nodes(schema)
    except (ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file.name}: {error}") from error


def _check_nodes(schema: dict[str, Any]) -> None:
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += part.values()
            if {"__loader__", "__class__", "__module__"} & set(part):
                loader, name = part.get("__loader__"), f"{part.get('__module__')}.{part.get('__class__')}"
                if name not in _CLASSES.get(str(loader), ()):
                    raise ValueError(f"{name!r:.200} (as {loader!r:.80}) is no part of gradient-boosted trees")
        elif isinstance(part, list):
            waiting += part


def _check_tree(nodes: np.ndarray, width: int) -> None:
    """Check what compiled code will follow without looking: wrong positions would make it read foreign memory."""
    positions = np.arange(len(nodes))
    inner = nodes["is_leaf"] == 0
    for side in ("left", "right"):
        if np.any((nodes[side] >= len(nodes)) | (nodes[side] <= positions), where=inner):
            raise ValueError("a tree's node points outside the tree, or back")
    if not len(nodes) or np.any((nodes["feature_idx"] < 0) | (nodes["feature_idx"] >= width), where=inner):
        raise ValueError(f"a tree asks for a feature that is none of {width}")
    if np.any(nodes["is_categorical"], where=inner) or not np.isfinite(nodes["value"]).all():
        raise ValueError("a tree has categorical splits, which are never made here, or values that are not finite")
