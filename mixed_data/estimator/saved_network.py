"""The part of a bundle that is one fitted `MixedDataRegressor`.

Its parts may come from different bundles, or from a stranger, so that they are checked against each other.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from mixed_data.bundle import Backbones
from mixed_data.estimator.saved_backbones import read_backbones, write_backbones
from mixed_data.estimator.saved_onnx import write_onnx
from mixed_data.files.checked_json import (
    NUMBER,
    OBJECT,
    OBJECTS,
    TEXT,
    TEXTS,
    Kind,
    check_fields,
    make_plain,
    optional,
    read_json,
    write_json,
)
from mixed_data.network.checked_keras_files import read_keras, write_keras
from mixed_data.network.onnx_export import split_predictor
from mixed_data.prediction.missing_patterns import INPUT_NAMES
from mixed_data.prediction.typical_photos import TYPICAL_FILE, TypicalPhotos
from mixed_data.preprocessing import MixedDataPreprocessor, TargetTransformer
from mixed_data.preprocessing.backbone_options import list_names
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder

_NETWORK_FILE = "model.keras"
_FIELDS = {"backend": TEXT, "parameters": OBJECT, "backbones": OBJECTS, "photo_readers": OBJECTS, "history": OBJECT}
_STAND_ELSEWHERE = ("schema", "preprocessor")  # parameters that preprocessing.json holds
_NAMES = ("backbone", "image_weights", "backbone_scaling")
_SETTING = Kind(
    "a number, true, false or null", lambda value: isinstance(value, bool) or optional(NUMBER).accepts(value)
)
_TEXTS = Kind("a text, a list of texts or null", lambda value: optional(TEXT).accepts(value) or TEXTS.accepts(value))
_LOSSES = Kind(
    "a list of numbers or nulls", lambda value: isinstance(value, list) and all(map(optional(NUMBER).accepts, value))
)


@dataclass(frozen=True)
class NetworkParts:
    """What a fitted network consists of.

    Attributes:
        model: from `make_predictor`.
        preprocessor: fitted.
        transformer: fitted.
        embedder: that reads the photos, or None.
        history: losses per epoch.
        typical: the typical photo of each view; None where they are not known.
    """

    model: keras.Model
    preprocessor: MixedDataPreprocessor
    transformer: TargetTransformer
    embedder: PhotoEmbedder | None
    history: dict[str, Any]
    typical: TypicalPhotos | None = None


def write_network(
    parameters: dict[str, Any], parts: NetworkParts, folder: Path, backbones: Backbones, *, for_runtime: bool
) -> dict[str, Any]:
    """Write a network and what it needs, but for a backbone that stands elsewhere already.

    Args:
        parameters: of the regressor.
        parts: of the network.
        folder: exists.
        backbones: those that have been written; a new one is added.
        for_runtime: whether it is written as ONNX, too.

    Returns:
        What the manifest says of it.
    """
    entries, readers = write_backbones(
        parts.embedder.backbones if parts.embedder else (), folder, backbones, for_runtime=for_runtime
    )
    # Without the optimizer, whose state is twice the size of the network, and which another backend may not know.
    network = keras.models.clone_model(parts.model)
    network.set_weights(parts.model.get_weights())
    write_keras(network, folder / _NETWORK_FILE)
    encoder, predictor = split_predictor(network)
    if for_runtime:
        readers = write_onnx(encoder, predictor, folder / _NETWORK_FILE) or readers
    if parts.typical is not None:
        _to_vectors(parts.typical, encoder).write(folder / TYPICAL_FILE)
    parts.preprocessor.save(folder / "preprocessing.json")
    write_json(folder / "target.json", parts.transformer.get_state())
    return make_entry(parameters, entries, readers, parts.history, folder)


def read_network(folder: Path, entry: Mapping[str, Any], places: Sequence[Path]) -> NetworkParts:
    """Read what `write_network` wrote.

    Args:
        folder: that it was written to.
        entry: what the manifest says of it, checked.
        places: further folders in which its backbone may stand.

    Raises:
        ValueError: the backbone is missing or was changed, or something else is wrong.
    """
    preprocessor = MixedDataPreprocessor.load(folder / "preprocessing.json")
    transformer = TargetTransformer.from_state(read_json(folder / "target.json"))
    embedder = None
    if entry["backbones"]:
        embedder = PhotoEmbedder(read_backbones(entry["backbones"], [folder, *places]), cached=False)
    model = read_keras(folder / _NETWORK_FILE)
    _check_shapes(model, entry["parameters"]["modalities"], preprocessor, embedder)
    typical = TypicalPhotos.read(folder / TYPICAL_FILE, num_views=len(preprocessor.views_))
    return NetworkParts(model, preprocessor, transformer, embedder, entry["history"], typical)


def _to_vectors(typical: TypicalPhotos, encoder: keras.Model | None) -> TypicalPhotos:
    """Turn typical photos into what a network's encoder reads from them, unless they are vectors already."""
    if encoder is None or typical.images.ndim == 2:
        return typical
    vectors = keras.ops.convert_to_numpy(encoder(typical.images, training=False))
    return replace(typical, images=vectors.astype("float32") * typical.is_known[:, None])


def make_entry(
    parameters: dict[str, Any],
    backbones: list[dict[str, Any]],
    photo_readers: list[dict[str, Any]],
    history: dict[str, Any],
    folder: Path,
) -> dict[str, Any]:
    """Return what the manifest says of a regressor; see `NetworkParts`, `check_entry` and `write_backbones`."""
    kept = {name: value for name, value in parameters.items() if name not in _STAND_ELSEWHERE}
    for name in _NAMES:
        if kept[name] is not None and not isinstance(kept[name], str):
            names = list_names(kept[name])
            kept[name] = names[0] if isinstance(kept[name], os.PathLike) else names
    backend = keras.backend.backend()
    entry = {"backend": backend, "parameters": kept, "backbones": backbones, "photo_readers": photo_readers}
    entry["history"] = history
    return check_entry(make_plain(entry), parameters, folder)


def check_entry(entry: Any, parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Check what the manifest says of a network.

    Args:
        entry: of any kind.
        parameters: of a regressor; text where the entry must hold text.
        folder: of the network, for the message.

    Raises:
        ValueError: a setting or something else is missing, unknown or of another kind.
    """
    what = f"{folder}: the manifest's entry"
    entry = check_fields(entry, what, _FIELDS)
    kinds = {name: TEXT if isinstance(value, str) else _SETTING for name, value in parameters.items()}
    kinds |= {name: optional(TEXT) for name in ("loss",) if name in kinds} | dict.fromkeys(_NAMES, _TEXTS)
    for name in _STAND_ELSEWHERE:
        del kinds[name]
    check_fields(entry["parameters"], f"{what}, parameters", kinds)
    check_fields(entry["history"], f"{what}, history", dict.fromkeys(entry["history"], _LOSSES))
    return entry


def _check_shapes(
    model: keras.Model, modalities: str, preprocessor: MixedDataPreprocessor, embedder: PhotoEmbedder | None
) -> None:
    """Check that a network reads what the preprocessing makes."""
    num_views = len(preprocessor.images_.views_)
    photo = [*preprocessor.images_.get_state()["size"], 3] if embedder is None else [embedder.num_features]
    made = {
        "tabular": [None, len(preprocessor.get_feature_names_out())],
        "tabular_mask": [None, 1],
        "images": [None, num_views, *photo],
        "image_mask": [None, num_views],
    }
    expected = {name: made[name] for name in INPUT_NAMES[modalities]}
    found = _input_shapes(model)
    if found != expected:
        raise ValueError(
            f"{_NETWORK_FILE} and preprocessing.json do not belong together: the network reads {found}, "
            f"the preprocessing makes {expected}"
        )
    if len(model.output_shape) != 2 or not model.output_shape[1]:
        raise ValueError(f"{_NETWORK_FILE}: expected one number per row and member, got {model.output_shape}")


def _input_shapes(model: keras.Model) -> dict[str, list[int | None]]:
    inputs = model.input if isinstance(model.input, dict) else {"photos": model.input}
    return {name: list(tensor.shape) for name, tensor in inputs.items()}
