"""Training rows in a bundle: only on request, found by a distance worked out by hand, refused where hostile."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from estimator_helpers import NO_PHOTOS, NO_TABLE
from hostile_helpers import edit, sign

from mixed_data.bundle import BundleError
from mixed_data.bundle.bundle_manifest import read_manifest
from mixed_data.bundle.comparable_rows import COMPARABLES_FILE, ComparableRows
from mixed_data.cli import main
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.runs.train_run import Plan
from mixed_data.runtime import Predictor
from mixed_data.schema import Schema

SCHEMA = Schema(
    target="price",
    numeric=("rooms",),
    categorical=("style",),
    codes=("zip",),
    dates=("built",),
    images=("front",),
    id="name",
)
ROWS = pd.DataFrame(
    {
        "name": ["a", "b", "c", "d"],
        "rooms": [1.0, 2.0, 3.0, 4.0],
        "style": ["loft", "ranch", "loft", None],
        "zip": ["85255", "85299", "02139", "02139"],
        "built": ["2000-01-01", "2001-01-01", "2002-01-01", None],
        "front": "private.jpg",
        "price": [100.0, 200.0, 300.0, 400.0],
    }
)


@pytest.fixture(scope="module")
def preprocessor() -> MixedDataPreprocessor:
    return MixedDataPreprocessor(SCHEMA).fit(ROWS)


@pytest.fixture(scope="module")
def comparables(preprocessor: MixedDataPreprocessor) -> ComparableRows:
    return ComparableRows.learn(preprocessor, ROWS)


def make_row(**cells: Any) -> pd.DataFrame:
    return pd.DataFrame([{name: cells.get(name) for name in ("rooms", "style", "zip", "built", "front")}], dtype=object)


def distances(comparables: ComparableRows, **cells: Any) -> dict[str | None, float]:
    (found,) = comparables.find(make_row(**cells), 4)
    assert [one.similarity for one in found] == sorted((one.similarity for one in found), reverse=True)
    return {one.id: 1 / one.similarity - 1 for one in found}


def scale(rooms: float) -> float:
    """Return the distance from the median in interquartile ranges, drawn in to 3."""
    ranges = (rooms - 2.5) / 1.5
    return ranges / math.sqrt(1 + (ranges / 3) ** 2)


def test_a_number_counts_in_interquartile_ranges(comparables):
    assert distances(comparables, rooms=1) == pytest.approx(
        {name: scale(rooms) - scale(1) for name, rooms in zip("abcd", (1, 2, 3, 4), strict=True)}, abs=1e-6
    )
    assert distances(comparables, rooms=1e9)["d"] < 3


def test_a_category_differs_or_does_not_and_a_code_differs_by_its_levels(comparables):
    assert distances(comparables, style="loft") == pytest.approx({"a": 0, "c": 0, "b": 1, "d": 1}, abs=1e-6)
    expected = {"a": 0, "b": math.sqrt(1 / 3), "c": 1, "d": 1}  # 85255 and 85299 share 852 and 85
    assert distances(comparables, zip="85255") == pytest.approx(expected, abs=1e-6)


def test_columns_count_alike_and_those_that_are_missing_do_not(comparables):
    found = distances(comparables, rooms=1, style="ranch")
    for name, rooms, is_other in (("a", 1, 1), ("b", 2, 0), ("c", 3, 1), ("d", 4, 1)):
        assert found[name] == pytest.approx(math.sqrt(((scale(rooms) - scale(1)) ** 2 + is_other) / 2), abs=1e-6)
    assert min(distances(comparables, built="2002-01-01").items(), key=lambda item: item[1]) == ("c", 0)
    assert comparables.find(make_row()) == [[]]


def test_cells_and_target_are_those_of_the_row_and_a_row_is_not_its_own_comparable(comparables):
    (found,) = comparables.find(make_row(rooms=3, zip=2139, style="loft").assign(name="c"), 1)
    assert [one.id for one in found] == ["d"]
    assert (found[0].target, found[0].cells) == (400, {"rooms": 4, "style": None, "zip": "02139", "built": None})
    (found,) = comparables.find(make_row(rooms=3, zip="02139", style="loft"), 1)
    assert (found[0].id, found[0].similarity, found[0].cells["built"]) == ("c", 1, "2002-01-01")


def test_what_is_written_is_read_again_and_names_no_photo(comparables, preprocessor, tmp_path):
    comparables.write(tmp_path / COMPARABLES_FILE)
    assert "private" not in (tmp_path / COMPARABLES_FILE).read_text("utf-8")
    again = ComparableRows.read(tmp_path / COMPARABLES_FILE, preprocessor)
    assert again.find(ROWS) == comparables.find(ROWS)
    assert len(again) == 4


def test_without_an_id_a_row_is_called_by_its_place(tmp_path):
    schema = Schema(target="price", numeric=("rooms",))
    rows = ROWS[["rooms", "price"]].iloc[[3, 1]]
    found = ComparableRows.learn(MixedDataPreprocessor(schema).fit(rows), rows)
    assert [one.id for one in found.find(pd.DataFrame({"rooms": [2]}))[0]] == ["1", "3"]


def test_a_schema_without_target_and_too_many_rows_are_refused(preprocessor, comparables, monkeypatch, tmp_path):
    nameless = MixedDataPreprocessor(Schema(numeric=("rooms",))).fit(ROWS)
    with pytest.raises(ValueError, match="which the schema does not name"):
        ComparableRows.learn(nameless, ROWS)
    monkeypatch.setattr("mixed_data.bundle.comparable_rows.MOST_BYTES", 100)
    with pytest.raises(ValueError, match="4 rows are too many to be kept"):
        comparables.write(tmp_path / COMPARABLES_FILE)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda state: state.update(version=2), "expected version 1"),
        (lambda state: state.update(more=1), "'more' is unknown"),
        (lambda state: state["target"].__setitem__(0, "1"), "'target' must be a list of finite numbers"),
        (lambda state: state["target"].append(1.0), "as many ids as targets"),
        (lambda state: state["cells"]["rooms"].pop(), "as many ids as targets"),
        (lambda state: state["cells"].pop("zip"), "numbers and nulls for each of rooms, style, zip, built"),
        (lambda state: state["cells"]["zip"].__setitem__(0, ["x"]), "numbers and nulls for each of"),
        (lambda state: state["cells"]["rooms"].__setitem__(0, "many"), "'rooms'"),
        (lambda state: state["ids"].__setitem__(0, {}), "'ids' must be texts or nulls"),
        (
            lambda state: state.update(ids=[], target=[], cells={name: [] for name in state["cells"]}),
            "the table has no rows",
        ),
    ],
)
def test_rows_of_a_stranger_are_refused(comparables, preprocessor, tmp_path, change, why):
    file = tmp_path / COMPARABLES_FILE
    comparables.write(file)
    edit(file, change)
    with pytest.raises(ValueError, match=why):
        ComparableRows.read(file, preprocessor)


def test_a_bundle_carries_rows_only_on_request_and_says_so(
    quick_regressor, saved_bundle: Path, sales, tmp_path, capsys, monkeypatch
):
    plain = Predictor(saved_bundle)
    assert not (saved_bundle / COMPARABLES_FILE).exists()
    assert "holds" not in read_manifest(saved_bundle)["about"]
    assert not plain.has_comparables
    with pytest.raises(ValueError, match="carries no training rows"):
        plain.find_comparables(sales[:1])
    bundle = tmp_path / "bundle"
    quick_regressor.save(bundle, comparables=sales)
    predictor = Predictor(bundle)
    assert read_manifest(bundle)["about"]["holds"].startswith("training rows")
    (found,) = predictor.find_comparables(sales[7:8].assign(**NO_PHOTOS))
    assert (len(found), found[0].target, found[0].similarity) == (5, sales["price"][7], 1)
    assert predictor.find_comparables(sales[:1].assign(**NO_TABLE)) == [[]]
    assert main(["info", str(bundle), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["has_comparables"]
    assert main(["info", str(bundle)]) == 0
    assert "holds:        training rows, with their ids" in capsys.readouterr().out
    assert main(["info", str(saved_bundle), "--json"]) == 0
    assert not json.loads(capsys.readouterr().out)["has_comparables"]
    changed = shutil.copytree(bundle, tmp_path / "changed")
    edit(changed / COMPARABLES_FILE, lambda state: state["target"].pop())
    with pytest.raises(BundleError, match="missing, added or changed"):
        Predictor(changed)
    sign(changed)
    with pytest.raises(BundleError, match=r"comparables\.json cannot be used: expected as many ids"):
        Predictor(changed)


def test_train_keeps_the_rows_that_it_trained_on_and_none_of_the_others(
    listings, tmp_path, without_training, monkeypatch
):
    assert not Plan().comparables
    saved = {}
    monkeypatch.setattr("mixed_data.runs.train_run.save_bundle", lambda *_, **options: saved.update(options))
    monkeypatch.setattr("mixed_data.runs.train_run._measure_importance", lambda *_: [])
    monkeypatch.setattr("mixed_data.runs.train_run.write_report", lambda folder: None)
    how = ["--networks=weighted_sum", "--no-intervals", "--image-size=32", "--units=8", "--id=listing_id"]
    command = ["train", "--quiet", "--dataset=table", f"--data={listings}", *how, f"--out={tmp_path / 'run'}"]
    assert main([*command, "--comparables"]) == 0
    held_out = set(pd.read_csv(tmp_path / "run/held_out.csv")["listing_id"])
    everything = pd.read_csv(listings).set_index("listing_id")
    kept = saved["comparables"].set_index("listing_id")
    assert set(kept.index) == set(everything.index) - held_out
    assert kept["price"].tolist() == everything["price"].loc[kept.index].tolist()
