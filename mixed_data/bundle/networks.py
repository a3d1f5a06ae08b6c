"""The part of a bundle that is one fitted `MixedDataRegressor`.

Its parts may come from different bundles, or from a stranger, so that they are checked against each other.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras

from mixed_data.bundle.manifest import digest_file, make_plain
from mixed_data.estimator import MixedDataRegressor
from mixed_data.estimator.settings import check_options
from mixed_data.files.checked_json import (
    NUMBER,
    OBJECT,
    TEXT,
    Kind,
    check_fields,
    optional,
    read_json,
    write_json,
)
from mixed_data.network.checked_keras_files import read_keras, write_keras
from mixed_data.network.fused_network import INPUT_NAMES
from mixed_data.network.photo_vectors import PhotoEmbedder
from mixed_data.preprocessing import MixedDataPreprocessor, TargetTransformer

BACKBONE_FILE = "backbone.keras"
NETWORK_FILE = "model.keras"
_FIELDS = {"parameters": OBJECT, "backbone": TEXT, "history": OBJECT}
_STAND_ELSEWHERE = ("schema", "preprocessor")  # parameters that preprocessing.json holds
_TEXTS_OR_NULL = ("image_weights", "loss")
_SETTING = Kind(
    "a number, true, false or null", lambda value: isinstance(value, bool) or optional(NUMBER).accepts(value)
)
_LOSSES = Kind(
    "a list of numbers or nulls", lambda value: isinstance(value, list) and all(map(optional(NUMBER).accepts, value))
)

Backbones = dict[str, str]
"""Digest of a backbone -> digest of the file that it stands in, so that several networks share one file."""


def write_network(regressor: MixedDataRegressor, folder: Path, backbones: Backbones) -> dict[str, Any]:
    """Write a network and what it needs, but for a backbone that stands elsewhere already.

    Args:
        regressor: fitted.
        folder: exists.
        backbones: those that have been written; a new one is added.

    Returns:
        What the manifest says of it.
    """
    backbone = ""
    if regressor.embedder_ is not None:
        if regressor.embedder_.digest not in backbones:
            write_keras(regressor.embedder_.backbone, folder / BACKBONE_FILE)
            backbones[regressor.embedder_.digest] = digest_file(folder / BACKBONE_FILE)
        backbone = backbones[regressor.embedder_.digest]
    # Without the optimizer, whose state is twice the size of the network, and which another backend may not know.
    network = keras.models.clone_model(regressor.model_)
    network.set_weights(regressor.model_.get_weights())
    write_keras(network, folder / NETWORK_FILE)
    regressor.preprocessor_.save(folder / "preprocessing.json")
    write_json(folder / "target.json", regressor.target_transformer_.get_state())
    parameters = regressor.get_params(deep=False)
    if isinstance(parameters["image_weights"], os.PathLike):
        parameters["image_weights"] = os.fspath(parameters["image_weights"])
    for name in _STAND_ELSEWHERE:
        del parameters[name]
    entry = {"parameters": parameters, "backbone": backbone, "history": regressor.history_}
    return check_entry(make_plain(entry), folder)


def read_network(folder: Path, entry: Any, places: list[Path]) -> MixedDataRegressor:
    """Read what `write_network` wrote.

    Args:
        folder: that it was written to.
        entry: what the manifest says of it.
        places: further folders in which its backbone may stand.

    Raises:
        BundleError: the backbone is missing or was changed.
        ValueError: something else is wrong.
    """
    entry = check_entry(entry, folder)
    preprocessor = MixedDataPreprocessor.load(folder / "preprocessing.json")
    transformer = TargetTransformer.from_state(read_json(folder / "target.json"))
    unfitted = MixedDataPreprocessor(**preprocessor.get_params(deep=False))
    regressor = MixedDataRegressor(preprocessor.schema, preprocessor=unfitted, **entry["parameters"])
    check_options(regressor)
    embedder = None
    if entry["backbone"]:
        embedder = PhotoEmbedder(_read_backbone([folder, *places], entry["backbone"], preprocessor), cached=False)
    model = read_keras(folder / NETWORK_FILE)
    _check_shapes(model, regressor.modalities, preprocessor, embedder)
    regressor.set_parts(model, preprocessor, transformer, embedder)
    regressor.history_ = entry["history"]
    return regressor


def check_entry(entry: Any, folder: Path) -> dict[str, Any]:
    """Check what the manifest says of a network.

    Args:
        entry: of any kind.
        folder: of the network, for the message.

    Raises:
        ValueError: a setting or something else is missing, unknown or of another kind.
    """
    what = f"{folder}: the manifest's entry"
    entry = check_fields(entry, what, _FIELDS)
    kinds = {
        name: TEXT if isinstance(value, str) else _SETTING for name, value in MixedDataRegressor().get_params().items()
    }
    kinds |= dict.fromkeys(_TEXTS_OR_NULL, optional(TEXT))
    for name in _STAND_ELSEWHERE:
        del kinds[name]
    check_fields(entry["parameters"], f"{what}, parameters", kinds)
    check_fields(entry["history"], f"{what}, history", dict.fromkeys(entry["history"], _LOSSES))
    return entry


def _read_backbone(places: list[Path], digest: str, preprocessor: MixedDataPreprocessor) -> keras.Model:
    for file in (place / BACKBONE_FILE for place in places):
        if not file.is_symlink() and file.is_file() and digest_file(file) == digest:
            backbone = read_keras(file)
            height, width = preprocessor.images_.get_state()["size"]
            if _input_shapes(backbone) != {"photos": [None, height, width, 3]} or len(backbone.output_shape) != 2:
                raise ValueError(
                    f"{file.name} turns {_input_shapes(backbone)} into {backbone.output_shape}; expected photos of "
                    f"{height} x {width} pixels, as preprocessing.json makes them, into vectors"
                )
            return backbone
    raise ValueError(f"{places[0]}: the backbone that reads the photos is missing or was changed")


def _check_shapes(
    model: keras.Model, modalities: str, preprocessor: MixedDataPreprocessor, embedder: PhotoEmbedder | None
) -> None:
    """Check that a network reads what the preprocessing makes."""
    num_views = len(preprocessor.views_)
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
            f"{NETWORK_FILE} and preprocessing.json do not belong together: the network reads {found}, "
            f"the preprocessing makes {expected}"
        )
    if len(model.output_shape) != 2 or not model.output_shape[1]:
        raise ValueError(f"{NETWORK_FILE}: expected one number per row and member, got {model.output_shape}")


def _input_shapes(model: keras.Model) -> dict[str, list[int | None]]:
    inputs = model.input if isinstance(model.input, dict) else {"photos": model.input}
    return {name: list(tensor.shape) for name, tensor in inputs.items()}
