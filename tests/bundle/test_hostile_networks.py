"""Networks from a stranger: nothing but what this project's own are made of is read from their files."""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
from hostile_helpers import CHANGED, REFUSED, SECTION, Attack, refuse, sign, write
from reliability import Case, documented

from mixed_data.estimator import load
from mixed_data.fusion import FUSIONS
from mixed_data.network.checked_keras_files import check_classes, read_keras, write_keras
from mixed_data.network.fused_network import NetworkSettings, build_network, make_predictor

# The network


def rewrite(change: Callable[[dict[str, bytes]], Any], compression: int = zipfile.ZIP_STORED) -> Attack:
    """Change the members of ``model.keras``."""

    def attack(folder: Path) -> None:
        with zipfile.ZipFile(folder / "model.keras") as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        change(members)
        with zipfile.ZipFile(folder / "model.keras", "w", compression) as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return attack


def change_config(change: Callable[[dict[str, Any]], Any]) -> Attack:
    def of_members(members: dict[str, bytes]) -> None:
        config = json.loads(members["config.json"])
        change(config)
        members["config.json"] = json.dumps(config).encode()

    return rewrite(of_members)


def put_layer(module: str | None, name: str, config: dict[str, Any], registered: str | None = None) -> Attack:
    """Put a layer of some class among those of the network."""
    entry = {"module": module, "class_name": name, "config": config, "registered_name": registered}
    return change_config(lambda model: model["config"]["layers"].append({**entry, "name": "x", "inbound_nodes": []}))


def set_in_layers(name: str, key: str, value: Any) -> Attack:
    """Set something in the config of all layers of a class, also of inner models."""

    def change(part: Any) -> None:
        if isinstance(part, dict):
            if part.get("class_name") == name:
                part["config"][key] = value
            for each in part.values():
                change(each)
        elif isinstance(part, list):
            for each in part:
                change(each)

    return change_config(change)


def change_weights(change: Callable[[h5py.File], Any]) -> Attack:
    def of_members(members: dict[str, bytes]) -> None:
        content = io.BytesIO(members["model.weights.h5"])
        with h5py.File(content, "r+") as file:
            change(file)
        members["model.weights.h5"] = content.getvalue()

    return rewrite(of_members)


def first_dataset(file: h5py.File) -> str:
    names: list[str] = []
    file.visititems(lambda name, found: names.append(name) if isinstance(found, h5py.Dataset) else None)
    return names[0]


def replace_dataset(make: Callable[[h5py.File, str, tuple[int, ...]], Any]) -> Attack:
    def change(file: h5py.File) -> None:
        name = first_dataset(file)
        shape = file[name].shape
        del file[name]
        make(file, name, shape)

    return change_weights(change)


def zip_bomb(folder: Path) -> None:
    rewrite(lambda members: members.update({"model.weights.h5": bytes(20 * 2**20)}), zipfile.ZIP_DEFLATED)(folder)


def add_twice(folder: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(folder / "model.keras", "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("config.json", "{}")


def virtual(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    layout = h5py.VirtualLayout(shape, dtype="float32")
    layout[...] = h5py.VirtualSource("../secret", "x", shape)
    file.create_virtual_dataset(name, layout)


SAVED_MODEL = {"filepath": "../secret", "call_endpoint": "serve"}
VOCABULARY = {"vocabulary": "../secret", "max_tokens": 10}
FOREIGN = "is none of the classes"
NOT_HERE = "is no array of numbers, or stands in another file"
NETWORKS = [
    Case("a Lambda layer", REFUSED, put_layer("keras.layers", "Lambda", {}), f"keras.layers.Lambda {FOREIGN}"),
    Case("a layer that runs a saved graph", REFUSED, put_layer("keras.layers", "TFSMLayer", SAVED_MODEL), FOREIGN),
    Case("a layer that runs Torch or JAX", REFUSED, put_layer("keras.layers", "TorchModuleWrapper", {}), FOREIGN),
    Case(
        "a layer that reads a vocabulary file", REFUSED, put_layer("keras.layers", "StringLookup", VOCABULARY), FOREIGN
    ),
    Case("a class of another package", REFUSED, put_layer("os", "system", {}), f"os.system {FOREIGN}"),
    Case("a class that calls itself ours", REFUSED, put_layer("os", "system", {}, "mixed_data>system"), FOREIGN),
    Case(
        "a known class under the name of another",
        REFUSED,
        put_layer("keras.layers", "Dense", {}, "stranger>Dense"),
        FOREIGN,
    ),
    Case("a class without a module, as old files have it", REFUSED, put_layer(None, "Lambda", {}), FOREIGN),
    Case(
        "a function where a name should be",
        REFUSED,
        set_in_layers("MemberDense", "activation", {"module": "builtins", "class_name": "function", "config": "eval"}),
        f"builtins.function {FOREIGN}",
    ),
    Case(
        "a model that is compiled, with an optimizer and losses of its own",
        REFUSED,
        change_config(lambda model: model.update(compile_config={"optimizer": "adam", "loss": "mse"})),
        "Functional is compiled",
    ),
    Case(
        "layers far wider than their weights",
        "refused before memory is taken for them",
        set_in_layers("Conv2D", "filters", 2_000_000_000),
        "its weights are not those of its network|incompatible with the layer",
    ),
    Case("a number beyond all sizes", REFUSED, set_in_layers("MemberDense", "units", 10**30), "number beyond"),
    Case(
        "an archive that holds more than Keras writes", REFUSED, rewrite(lambda m: m.update({"x": b""})), "the members"
    ),
    Case("a path outside of the folder in an archive", REFUSED, rewrite(lambda m: m.update({"../x": b""})), "'../x'"),
    Case("an archive that lacks the weights", REFUSED, rewrite(lambda m: m.pop("model.weights.h5")), "the members"),
    Case("an archive with one name twice", REFUSED, add_twice, "expected the members"),
    Case("an archive that unpacks to a hundred times its size", REFUSED, zip_bomb, "is compressed"),
    Case("no archive", REFUSED, write("model.keras", b"no archive"), "model.keras is no network that Keras wrote"),
    Case(
        "a config of 9 MB",
        REFUSED,
        rewrite(lambda m: m.update({"config.json": b" " * 9 * 2**20})),
        "its config.json or metadata.json is larger than 8 MB",
    ),
    Case("weights that are no HDF5", REFUSED, rewrite(lambda m: m.update({"model.weights.h5": b"x"})), "Keras wrote"),
    Case(
        "weights that link to another file",
        REFUSED,
        change_weights(lambda file: file.update({"x": h5py.ExternalLink("../secret", "/")})),
        "'x' is a link",
    ),
    Case(
        "weights that link to themselves",
        REFUSED,
        change_weights(lambda file: file.update({"x": h5py.SoftLink("/x")})),
        "'x' is a link",
    ),
    Case(
        "weights that stand in another file",
        REFUSED,
        replace_dataset(
            lambda file, name, shape: file.create_dataset(
                name, shape, "float32", external=[("../secret", 0, h5py.h5f.UNLIMITED)]
            )
        ),
        NOT_HERE,
    ),
    Case("weights that are a view of another file", REFUSED, replace_dataset(virtual), NOT_HERE),
    Case(
        "weights that are texts",
        REFUSED,
        replace_dataset(lambda file, name, shape: file.create_dataset(name, shape, h5py.string_dtype())),
        NOT_HERE,
    ),
    Case(
        "weights that declare 4 TB and hold nothing",
        REFUSED,
        replace_dataset(lambda file, name, shape: file.create_dataset(name, (10**6, 10**6), "float32")),
        "declares 4000000000000 bytes and holds 0",
    ),
    Case(
        "weights that unpack to a thousand times their size",
        REFUSED,
        replace_dataset(
            lambda file, name, shape: file.create_dataset(name, data=np.zeros(10**6, "float32"), compression="gzip")
        ),
        NOT_HERE,
    ),
    Case(
        "weights of another shape",
        REFUSED,
        replace_dataset(lambda file, name, shape: file.create_dataset(name, data=np.zeros((3, 5, 7), "float32"))),
        r"of the shapes .* are missing and \[\(3, 5, 7\)\] too many",
    ),
    Case(
        "weights that are missing", REFUSED, change_weights(lambda file: file.pop(first_dataset(file))), "are missing"
    ),
    Case(
        "weights that belong to nothing",
        REFUSED,
        change_weights(lambda file: file.create_dataset("x", data=np.zeros(3, "float32"))),
        r"\[\(3,\)\] too many",
    ),
    Case(
        "weights that are no numbers",
        REFUSED,
        replace_dataset(lambda file, name, shape: file.create_dataset(name, data=np.full(shape, np.nan, "float32"))),
        "NaN|golden",
    ),
]


@documented(SECTION, NETWORKS)
def test_a_network_of_a_stranger_is_refused(case: Case, copied_bundle: Path) -> None:
    case.given(copied_bundle)
    refuse(copied_bundle, CHANGED)
    sign(copied_bundle)
    refuse(copied_bundle, case.expected)
    assert sorted(os.listdir(copied_bundle.parent)) == ["bundle", "secret"]


HUGE = [Case("an operation that makes a huge array of every row", "refused before memory is taken for it")]


@documented(SECTION, HUGE)
def test_a_network_that_needs_too_much_memory_is_neither_read_nor_written(case: Case, tmp_path: Path) -> None:
    row = keras.Input((4,))
    network = keras.Model(row, keras.ops.repeat(row, 2**25, axis=1))
    reason = r"makes \(None, 134217728\) of a row, more than 67,108,864 numbers"
    with pytest.raises(ValueError, match=reason):
        write_keras(network, tmp_path / "x.keras")
    network.save(tmp_path / "x.keras")
    with pytest.raises(ValueError, match=reason):
        read_keras(tmp_path / "x.keras")


@pytest.mark.parametrize("fusion", list(FUSIONS))
def test_the_closed_list_has_all_that_networks_are_made_of(fusion: str) -> None:
    with keras.StatelessScope(initialize_variables=False):
        for image_shape in ((2, 16, 16, 3), (2, 5)):
            branch = "cnn" if len(image_shape) == 4 else "pretrained"
            network = build_network(
                3,
                image_shape,
                NetworkSettings(
                    fusion=fusion, image_branch=branch, units=4, normalize=True, modality_dropout=0.1, members=2
                ),
            )
            check_classes(json.loads(make_predictor(network).to_json()))


def test_a_network_is_read_as_it_was_written_and_leaves_nothing_behind(tmp_path: Path) -> None:
    photos = keras.Input((8, 8, 3), dtype="uint8", name="photos")
    vectors = keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(keras.layers.Rescaling(1 / 255)(photos)))
    network = keras.Model(photos, vectors)
    write_keras(network, tmp_path / "x.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype="uint8")
    expected = network.predict_on_batch(pixels)
    np.testing.assert_array_equal(read_keras(tmp_path / "x.keras").predict_on_batch(pixels), expected)
    assert os.listdir(tmp_path) == ["x.keras"]
    with pytest.raises(ValueError, match="Lambda"):
        write_keras(keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)]), tmp_path / "y.keras")


def test_a_network_is_read_after_its_layers_have_moved_to_another_module(
    copied_bundle: Path, sales: pd.DataFrame
) -> None:
    def move(members: dict[str, bytes]) -> None:
        assert b"mixed_data.network.view_layers" in members["config.json"]
        members["config.json"] = members["config.json"].replace(b"mixed_data.network.", b"mixed_data.elsewhere.")

    expected = load(copied_bundle).predict(sales[:3])
    rewrite(move)(copied_bundle)
    sign(copied_bundle)
    np.testing.assert_array_equal(load(copied_bundle).predict(sales[:3]), expected)
