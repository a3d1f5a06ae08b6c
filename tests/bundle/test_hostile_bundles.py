"""A bundle from a stranger is refused with the reason, also when its author has computed the digests anew.

Each attack is tried as it is, which the digests tell, and signed: with digests of what is there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from estimator_helpers import SCHEMA
from hostile_helpers import CHANGED, REFUSED, SECTION, Attack, edit, nothing_outside, refuse, sign, write
from reliability import Case, documented

from mixed_data.estimator import MixedDataRegressor, load
from mixed_data.files.checked_json import MOST_BYTES, write_json
from mixed_data.intervals import IntervalCalibrator
from mixed_data.network.checked_keras_files import write_keras
from mixed_data.network.fused_network import NetworkSettings, build_network, make_predictor
from mixed_data.preprocessing import MixedDataPreprocessor, TargetTransformer

DIFFERENT = "the golden rows are predicted differently"


# Files


def put_link(name: str, target: str) -> Attack:
    def attack(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return attack


def put_pipe(name: str) -> Attack:
    def attack(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return attack


def put_hole(name: str, num_bytes: int) -> Attack:
    def attack(folder: Path) -> None:
        with open(folder / name, "ab") as file:
            file.truncate(num_bytes)

    return attack


def name_outside(folder: Path) -> None:
    edit(folder / "manifest.json", lambda manifest: manifest["files"].update({"../secret": "0" * 64}))


NO_FILE = "is neither a file nor a folder, but a link or a device"
FILES = [
    Case("a link to a file outside of the folder", REFUSED, put_link("notes.txt", "../secret"), NO_FILE),
    Case("a link in the place of a file", REFUSED, put_link("target.json", "../secret"), NO_FILE),
    Case("links in a circle", REFUSED, put_link("a", "a"), NO_FILE),
    Case("a link to the folder itself", REFUSED, put_link("golden/loop", "../.."), NO_FILE),
    Case("a pipe, which nobody writes to", "refused without waiting", put_pipe("target.json"), NO_FILE),
    Case("a manifest that is a link", REFUSED, put_link("manifest.json", "../secret"), "manifest.json is no file, but"),
    Case("a manifest that is a pipe", "refused without waiting", put_pipe("manifest.json"), "is no file, but"),
    Case("a manifest that names a file outside of the folder", REFUSED, name_outside, rf"{CHANGED}: \.\./secret"),
    Case("a file of 5 GB that is a hole", REFUSED, put_hole("notes.txt", 5 * 2**30), "more than .* files or 4 GB"),
]


@documented(SECTION, FILES)
def test_nothing_outside_of_the_folder_is_opened(case: Case, copied_bundle: Path) -> None:
    case.given(copied_bundle)
    refuse(copied_bundle, case.expected)
    if case.expected is NO_FILE:
        sign(copied_bundle)
        refuse(copied_bundle, case.expected)


# What belongs together


def take_preprocessing(folder: Path, sales: pd.DataFrame) -> None:
    MixedDataPreprocessor(SCHEMA, image_size=16).fit(sales[:2]).save(folder / "preprocessing.json")


def take_photo_size(folder: Path, sales: pd.DataFrame) -> None:
    MixedDataPreprocessor(SCHEMA, image_size=24).fit(sales).save(folder / "preprocessing.json")


def take_network(folder: Path, sales: pd.DataFrame) -> None:
    network = build_network(3, (2, 16, 16, 3), NetworkSettings(units=4))
    write_keras(make_predictor(network), folder / "model.keras")


def take_backbone(folder: Path, sales: pd.DataFrame) -> None:
    photos = keras.Input((16, 16, 3), dtype="uint8")
    vectors = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1.0)(photos))
    write_keras(keras.Model(photos, vectors), folder / "model.keras")


def take_target(folder: Path, sales: pd.DataFrame) -> None:
    write_json(folder / "target.json", TargetTransformer().fit(sales["price"] * 2).get_state())


def take_intervals(folder: Path, sales: pd.DataFrame) -> None:
    price, difficulty = sales["price"], np.zeros((len(sales), 2))
    calibrator = IntervalCalibrator().fit(price, price, difficulty=difficulty, pattern=["all"] * len(sales))
    write_json(folder / "intervals.json", calibrator.get_state())


APART = "model.keras and preprocessing.json do not belong together: the network reads"
SWAPPED = [
    Case("the preprocessing of another bundle, with other columns", REFUSED, take_preprocessing, APART),
    Case("the preprocessing of another bundle, with larger photos", REFUSED, take_photo_size, APART),
    Case("the network of another bundle", REFUSED, take_network, APART),
    Case("a backbone in the place of the network", REFUSED, take_backbone, APART),
    Case("the target of another bundle", REFUSED, take_target, DIFFERENT),
    Case("the intervals of another bundle", REFUSED, take_intervals, r"intervals.json: expected \(inputs, log\)"),
]


@documented(SECTION, SWAPPED)
def test_parts_of_two_bundles_are_not_put_together(case: Case, copied_bundle: Path, sales: pd.DataFrame) -> None:
    case.given(copied_bundle, sales)
    refuse(copied_bundle, CHANGED)
    sign(copied_bundle)
    refuse(copied_bundle, case.expected)


# JSON


def replace(name: str, old: str, new: str) -> Attack:
    def attack(folder: Path) -> None:
        text = (folder / name).read_text("utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), "utf-8")

    return attack


DEEP = "[" * 200 + "]" * 200
TEXTS = [
    Case("a JSON file of 100 MB", REFUSED, put_hole("target.json", 100 * 2**20), "target.json .* larger than 32 MB"),
    Case(
        "a million brackets, which take much memory",
        REFUSED,
        write("target.json", b"[" + b"[]," * 1_000_000 + b"0]"),
        "more than 500,000 brackets",
    ),
    Case("brackets nested 200 deep", REFUSED, write("target.json", DEEP.encode()), "nested more than 50 deep"),
    Case("brackets nested 100,000 deep", REFUSED, write("target.json", b"[" * 100_000), "nested more than 50 deep"),
    Case("NaN in JSON", REFUSED, replace("target.json", '"mean": ', '"mean": NaN, "x": '), "NaN is no number there"),
    Case(
        "infinity in JSON", REFUSED, replace("target.json", '"std": ', '"std": 1e999, "x": '), "'std' must be a finite"
    ),
    Case("a field that is there twice", REFUSED, replace("target.json", "{", '{"mean": 0,'), "'mean' is there twice"),
    Case(
        "an integer of 400 digits",
        REFUSED,
        replace("target.json", '"mean": ', f'"mean": {10**400}, "x": '),
        "'mean' must be a finite number",
    ),
    Case(
        "an integer of 5,000 digits",
        REFUSED,
        replace("target.json", '"mean": ', f'"mean": 1{"0" * 5000}, "x": '),
        "target.json is not a JSON file",
    ),
    Case("a file that is not UTF-8", REFUSED, write("target.json", b'{"\xff": 0}'), "target.json is not a JSON file"),
    Case(
        "photos so large that a row takes 12 GB",
        REFUSED,
        lambda folder: edit(folder / "preprocessing.json", lambda state: state["images"].update(size=[45000, 45000])),
        "MB per row",
    ),
    Case(
        "preprocessing that would open photos of any size",
        REFUSED,
        lambda folder: edit(folder / "preprocessing.json", lambda state: state["images"].update(max_pixels=10**12)),
        "max_pixels of at most 50000000",
    ),
]


@documented(SECTION, TEXTS)
def test_a_file_that_is_no_state_is_refused(case: Case, copied_bundle: Path) -> None:
    case.given(copied_bundle)
    refuse(copied_bundle, CHANGED)
    sign(copied_bundle)
    refuse(copied_bundle, case.expected)


# The manifest and the golden rows


def change_manifest(change: Callable[[dict[str, Any]], Any]) -> Attack:
    return lambda folder: edit(folder / "manifest.json", change)


def set_parameter(name: str, value: Any) -> Attack:
    return change_manifest(lambda manifest: manifest["regressor"]["parameters"].update({name: value}))


def change_golden(change: Callable[[list[Any]], Any]) -> Attack:
    return lambda folder: edit(folder / "golden" / "golden.json", change)


def claim_pixels(side: int) -> Attack:
    """Let the header of a small JPEG claim that many pixels."""

    def attack(folder: Path) -> None:
        photo = folder / "golden" / "0.jpg"
        content = photo.read_bytes()
        place = content.index(b"\xff\xc0") + 5
        photo.write_bytes(content[:place] + side.to_bytes(2, "big") * 2 + content[place + 4 :])

    return attack


MANIFESTS = [
    Case(
        "a bundle of another format version", REFUSED, change_manifest(lambda m: m.update(version=3)), "version 6, got"
    ),
    Case(
        "a bundle of an unknown kind",
        REFUSED,
        change_manifest(lambda m: m.update(kind="x")),
        "a bundle of 'network' or 'stack'",
    ),
    Case("a manifest that is too large", REFUSED, put_hole("manifest.json", MOST_BYTES + 1), "larger than 32 MB"),
    Case(
        "digests that are no texts", REFUSED, change_manifest(lambda m: m["files"].update(a=[])), "'a' must be a text"
    ),
    Case("a setting that does not exist", REFUSED, set_parameter("colour", "red"), "'colour' is unknown"),
    Case("a setting of another kind", REFUSED, set_parameter("epochs", "many"), "'epochs' must be a number"),
    Case("a setting out of range", REFUSED, set_parameter("dropout", 7), r"dropout must be in \[0, 1\)"),
    Case(
        "golden rows that are predicted differently",
        REFUSED,
        change_manifest(lambda m: m.update(golden_predictions=[2 * each for each in m["golden_predictions"]])),
        DIFFERENT,
    ),
    Case(
        "golden predictions beyond all numbers",
        REFUSED,
        change_manifest(lambda m: m.update(golden_predictions=[10**300] * 4)),
        DIFFERENT,
    ),
]


@documented(SECTION, MANIFESTS)
def test_a_manifest_of_a_stranger_is_refused(case: Case, copied_bundle: Path) -> None:
    case.given(copied_bundle)
    refuse(copied_bundle, case.expected)


GOLDEN = [
    Case("no golden rows", REFUSED, change_golden(list.clear), "expected a list of 1 to 16 objects"),
    Case("a million golden rows", REFUSED, change_golden(lambda rows: rows.extend([{}] * 400_000)), "1 to 16 objects"),
    Case(
        "a golden row with an object in a cell",
        REFUSED,
        change_golden(lambda rows: rows[0].update(area={})),
        "'area' must be a text, a number or null",
    ),
    Case(
        "a golden photo outside of the folder",
        "refused, and not opened",
        change_golden(lambda rows: rows[0].update(front="../../secret")),
        "'../../secret' is no name of a file beside it",
    ),
    Case("a golden photo that is a bomb", REFUSED, claim_pixels(65_500), "'0.jpg' is no JPEG file beside it"),
    Case("a golden photo that is large", REFUSED, claim_pixels(8_000), "expected a photo of 96 x 96 pixels, got"),
    Case(
        "a golden photo that is no JPEG",
        REFUSED,
        write("golden/0.jpg", b"%!PS"),
        "'0.jpg' is no JPEG file beside it",
    ),
]


@documented(SECTION, GOLDEN)
def test_golden_rows_of_a_stranger_are_refused(case: Case, copied_bundle: Path) -> None:
    case.given(copied_bundle)
    refuse(copied_bundle, CHANGED)
    sign(copied_bundle)
    refuse(copied_bundle, case.expected)


ADDRESSES = [
    Case("settings that name weights on the web", "never opened", "https://evil.example/secret.weights.h5"),
    Case("settings that name weights on the disk", "never opened", "../secret"),
]


@documented(SECTION, ADDRESSES)
def test_weights_that_the_settings_name_are_not_opened(case: Case, copied_bundle: Path) -> None:
    set_parameter("image_weights", case.given)(copied_bundle)
    set_parameter("image_branch", "pretrained")(copied_bundle)
    with nothing_outside():
        assert load(copied_bundle).get_params()["image_weights"] == case.given


# What is not refused


def test_an_unchanged_bundle_that_was_signed_again_is_loaded(
    copied_bundle: Path, quick_regressor: MixedDataRegressor, sales: pd.DataFrame
) -> None:
    sign(copied_bundle)
    np.testing.assert_array_equal(load(copied_bundle).predict(sales), quick_regressor.predict(sales))
