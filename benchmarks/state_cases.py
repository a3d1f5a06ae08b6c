"""Small good manifests, states and tables, ways to damage them, and what must become of the damaged ones.

`benchmarks.fuzz_states` runs them at length, `tests/test_fuzz_states.py` a few of them.
"""

from __future__ import annotations

import copy
import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.array_cases import ARRAY_USES, UnfitError, damage_arrays, make_array_files
from benchmarks.mutations import mutate
from mixed_data.boosting import make_features
from mixed_data.boosting.tree_features import TreeFeatures
from mixed_data.bundle.bundle_manifest import check_digests, read_manifest, write_manifest
from mixed_data.bundle.golden_rows import read_golden_rows, write_golden_rows
from mixed_data.estimator import MixedDataRegressor
from mixed_data.estimator.saved_network import check_entry
from mixed_data.estimator.stacked_regressor import read_weights
from mixed_data.files.checked_json import read_json, write_json
from mixed_data.files.digests import digest_file
from mixed_data.intervals import IntervalCalibrator
from mixed_data.prediction.missing_patterns import PATTERNS
from mixed_data.preprocessing import MixedDataPreprocessor, TabularPreprocessor, TargetTransformer
from mixed_data.readers import read_table
from mixed_data.readers.table import read_rows
from mixed_data.schema import Schema

Places = tuple[str | int, ...]

JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 7, 255, 2**31, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400),
    *(0.0, -0.0, 0.5, -1.5, 1e-320, 1e-5, 1e15, 1e17, 1e300, 1.7e308, -1.7e308),
    *(float("nan"), float("inf"), -float("inf")),
    *("", " ", "0", "-1", "1e999", "nan", "true", "a", "x" * 1000, "\0", "\n", "é", "🏠", "\ud800", "\u202e"),
    *(
        "'\"<>&;,",
        "../../etc/passwd",
        "/dev/zero",
        "C:\\a",
        ".",
        "..",
        "a/b",
        "<missing>",
        "<other>",
        "numeric",
        "categorical",
    ),
    *("log", "identity", "auto", "price", "area", "kind", "zipcode", "front", "all", "85255"),
    *([], {}, [[]], [{}], {"": {}}, [None], [1, "a"], ["a", "a"], [0.5] * 50, [[1.0, 2.0]], {"a": 1, "b": [2]}),
)
"""What is put in the place of a value, or beside it."""

ACTIONS = ("replace", "remove", "add", "repeat", "rename", "swap", "scale", "nest")


class Originals(NamedTuple):
    """What is damaged, and a folder of photos and other files that it speaks of.

    Attributes:
        folder: which holds a photo ``0.png`` and a bundle's files.
        files: kind -> content.
        table: rows of the schema, to read with what was loaded.
    """

    folder: Path
    files: dict[str, bytes]
    table: pd.DataFrame


SCHEMA = Schema(target="price", numeric=("area", "rooms"), categorical=("kind",), codes=("zipcode",), images=("front",))


def make_originals(folder: Path) -> Originals:
    """Fit small preprocessing on a table of 40 rows and write the states of all kinds."""
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / "0.png")
    num_rows = 40
    table = pd.DataFrame(
        {
            "area": random.lognormal(5, 1, num_rows).round(1),
            "rooms": random.integers(1, 6, num_rows).astype(float),
            "kind": random.choice(["loft", "ranch", None], num_rows),
            "zipcode": random.choice(["85255", "85266", "90011"], num_rows),
            "front": [str(folder / "0.png") if row % 3 else None for row in range(num_rows)],
            "price": random.lognormal(12, 1, num_rows).round(),
        }
    )
    table.loc[3, "area"] = np.nan
    preprocessor = MixedDataPreprocessor(SCHEMA, image_size=8, min_frequency=2).fit(table)
    features = make_features(SCHEMA, TabularPreprocessor(SCHEMA))
    features.fit_transform(table, table["price"])
    difficulty = random.normal(size=(num_rows, 2))
    pattern = np.where(np.arange(num_rows) % 2, "all", "no photos")
    calibrator = IntervalCalibrator("log").fit(
        table["price"], table["price"] * random.lognormal(0, 0.1, num_rows), difficulty=difficulty, pattern=pattern
    )
    states = {
        "preprocessing": preprocessor.get_state(),
        "target": TargetTransformer().fit(table["price"]).get_state(),
        "intervals": calibrator.get_state(),
        "features": features.get_state(),
        "stack": {"weights": dict.fromkeys(PATTERNS, 0.5)},
    }
    for name, state in states.items():
        write_json(folder / name, state)
    write_golden_rows(preprocessor, folder / "golden")
    states["golden"] = read_json(folder / "golden" / "golden.json")
    _write_manifest(folder / "bundle", folder / "target")
    files = {name: (folder / name).read_bytes() for name in states if name != "golden"} | make_array_files(folder)
    files["golden"] = (folder / "golden" / "golden.json").read_bytes()
    files["manifest"] = (folder / "bundle" / "manifest.json").read_bytes()
    shown = table.assign(front=[Path(path).name if isinstance(path, str) else None for path in table["front"]])
    files["table"] = shown.to_csv(index=False).encode()
    return Originals(folder, files, table.iloc[:6])


def _write_manifest(folder: Path, file: Path) -> None:
    folder.mkdir()
    (folder / "target.json").write_bytes(file.read_bytes())
    settings = MixedDataRegressor().get_params(deep=False)
    parameters = {name: value for name, value in settings.items() if name not in ("schema", "preprocessor")}
    history = {"loss": [1.0, None], "val_loss": []}
    backbones = [{"file": digest_file(file), "suffix": ".keras", "settings": {}}]
    entry = {"backend": "jax", "parameters": parameters, "backbones": backbones, "photo_readers": []}
    entry["history"] = history
    write_manifest(
        folder,
        kind="network",
        regressor=entry,
        metrics={"mape": 20.0, "r2": None},
        metric_intervals={"mape": [18.0, 23.5]},
        about={"unit": "US dollars"},
        fusion_weights={"tabular": 0.4, "image": 0.6},
        golden_predictions=[1.0, 2.0],
    )


def damage(kind: str, content: bytes, random: Random, donors: list[bytes]) -> bytes:
    """Damage a file of some kind: mostly its values, sometimes its bytes."""
    if random.random() < 0.3:
        return mutate(content, random, donors=donors)
    if kind == "table":
        return damage_cells(content, random)
    if kind in ARRAY_USES:
        return damage_arrays(content, random, donors)
    value = json.loads(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        place, action, junk = random.randrange(10**6), random.choice(ACTIONS), random.choice(JUNK)
        if random.random() < 0.5:  # what is of the right kind gets furthest
            places = list(_places(value))
            old = _get(value, places[place % len(places)])
            action, junk = "replace", random.choice([each for each in JUNK if type(each) is type(old)] or [junk])
        value = edit(value, place, action, junk)
    return write_anything(value)


def write_anything(value: Any) -> bytes:
    """Write JSON as a stranger may, with NaN and with half a character."""
    return json.dumps(value).encode()


def edit(value: Any, place: int, action: str, junk: Any) -> Any:
    """Return the value, changed in one place.

    Args:
        value: of a JSON file; it stays as it is.
        place: number of the place, counted on beyond the last one.
        action: one of `ACTIONS`.
        junk: one of `JUNK`.
    """
    value = copy.deepcopy(value)
    places = list(_places(value))
    path = places[place % len(places)]
    if not path:
        return junk if action == "replace" else [value] if action == "nest" else value
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    key, old = path[-1], holder[path[-1]]
    if action == "remove":
        del holder[key]
    elif action == "add":
        _add(old if isinstance(old, dict | list) else holder, junk)
    elif action == "repeat" and isinstance(holder, list):
        holder.insert(int(key), old)
    elif action == "rename" and isinstance(holder, dict):
        holder[junk if isinstance(junk, str) else "x"] = holder.pop(str(key))
    elif action == "swap":
        other = places[(place * 7 + 3) % len(places)]
        holder[key] = copy.deepcopy(_get(value, other))
    elif action == "scale" and isinstance(old, int | float):
        holder[key] = old * 10**9 if place % 2 else -old
    elif action == "nest":
        holder[key] = [old]
    else:
        holder[key] = junk
    return value


def damage_cells(content: bytes, random: Random) -> bytes:
    """Damage a CSV by its cells, rows and columns."""
    rows = list(csv.reader(io.StringIO(content.decode())))
    for _ in range(random.choice((1, 1, 2, 5, 40))):
        row, junk = random.randrange(len(rows)), random.choice(JUNK)
        text = "" if junk is None else str(junk)
        column = random.randrange(max(1, len(rows[row])))
        change = random.choice(("cell", "cell", "cell", "column", "drop row", "drop cell", "repeat row", "header"))
        if change == "cell":
            rows[row][column : column + 1] = [text]
        elif change == "column":
            for each in rows:
                each[column : column + 1] = [text]
        elif change == "drop row" and len(rows) > 1:
            del rows[row]
        elif change == "drop cell":
            del rows[row][column : column + 1]
        elif change == "repeat row":
            rows.insert(row, rows[row])
        elif change == "header":
            rows[0][column : column + 1] = [text]
    out = io.StringIO()
    csv.writer(out, delimiter=random.choice(",,,,;\t"), lineterminator=random.choice(("\n", "\r\n"))).writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass")


def use(kind: str, content: bytes, originals: Originals, random: Random) -> None:
    """Read a file of some kind and do with it what the program does.

    Raises:
        ValueError: it is refused.
        UnfitError: it was accepted, but what came out is not fit for use.
    """
    file = originals.folder / "damaged" / "file.json"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    _USES[kind](file, originals, random)


def _use_preprocessing(file: Path, originals: Originals, random: Random) -> None:
    preprocessor = MixedDataPreprocessor.load(file)
    json.dumps(preprocessor.get_state(), allow_nan=False)
    width = len(preprocessor.get_feature_names_out())
    inputs = preprocessor.transform(originals.table)
    _require(inputs["tabular"].shape == (len(originals.table), width), "the features are not those that are named")
    _require(np.isfinite(inputs["tabular"]).all(), "a feature is no finite number")


def _use_target(file: Path, originals: Originals, random: Random) -> None:
    transformer = TargetTransformer.from_state(read_json(file))
    _require(np.isfinite(transformer.inverse_transform([-1e30, -1.0, 0.0, 1.0, 1e30])).all(), "not finite")
    transformer.transform([1.0, 2.0])


def _use_intervals(file: Path, originals: Originals, random: Random) -> None:
    calibrator = IntervalCalibrator.from_state(read_json(file))
    difficulty = np.array([[-3.0, 0.0], [0.0, 1e6]])
    lower, upper = calibrator.predict([1.0, 1e5], difficulty=difficulty, pattern=["all"] * 2, coverage=0.5)
    _require(np.isfinite([lower, upper]).all() and (lower <= upper).all(), "no intervals")


def _use_features(file: Path, originals: Originals, random: Random) -> None:
    features, width = TreeFeatures(SCHEMA, TabularPreprocessor(SCHEMA)).restore(read_json(file))
    made = features.transform(originals.table)
    _require(made.shape == (len(originals.table), width), "another width")
    _require(not np.isinf(made).any(), "a feature is infinite")


def _use_manifest(file: Path, originals: Originals, random: Random) -> None:
    folder = file.parent / "bundle"
    folder.mkdir(exist_ok=True)
    (folder / "target.json").write_bytes(originals.files["target"])
    file.replace(folder / "manifest.json")
    manifest = read_manifest(folder)
    check_digests(folder, manifest)
    check_entry(manifest["regressor"], MixedDataRegressor().get_params(deep=False), folder)


def _use_golden(file: Path, originals: Originals, random: Random) -> None:
    golden = originals.folder / "golden"
    file.replace(golden / "golden.json")
    rows = read_golden_rows(golden, SCHEMA)
    preprocessor = MixedDataPreprocessor.load(originals.folder / "preprocessing")
    _require(np.isfinite(preprocessor.transform(rows)["tabular"]).all(), "a feature is no finite number")


def _use_table(file: Path, originals: Originals, random: Random) -> None:
    given = {"schema": SCHEMA} if random.random() < 0.5 else {"target": "price"}
    policy = random.choice(("error", "skip", "mask"))
    table, schema = read_table(originals.folder, data=file, on_bad_row=policy, **given)
    preprocessor = MixedDataPreprocessor(schema, image_size=8).fit(table)
    inputs = preprocessor.transform(table)
    _require(np.isfinite(inputs["tabular"]).all(), "a feature is no finite number")
    TargetTransformer().fit(table[schema.target])
    again = MixedDataPreprocessor.from_state(json.loads(json.dumps(preprocessor.get_state(), allow_nan=False)))
    rows = read_rows(file, schema, root=originals.folder, on_bad_row=policy)
    _require(np.isfinite(again.transform(rows)["tabular"]).all(), "a feature is no finite number")


_USES: dict[str, Callable[[Path, Originals, Random], None]] = {
    "manifest": _use_manifest,
    "preprocessing": _use_preprocessing,
    "target": _use_target,
    "intervals": _use_intervals,
    "features": _use_features,
    "stack": lambda file, originals, random: read_weights(file) and None,
    "golden": _use_golden,
    "table": _use_table,
    **ARRAY_USES,
}

KINDS = tuple(_USES)


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise UnfitError(otherwise)


def _places(value: Any, path: Places = ()) -> Iterator[Places]:
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(item, (*path, key))


def _get(value: Any, path: Places) -> Any:
    for key in path:
        value = value[key]
    return value


def _add(holder: Any, junk: Any) -> None:
    if isinstance(holder, dict):
        holder[junk if isinstance(junk, str) else "extra"] = junk
    else:
        holder.append(junk)
