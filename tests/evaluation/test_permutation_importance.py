"""Permutation importance of a model whose terms are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from explain_helpers import KnownModel, make_photo

from mixed_data.evaluation import permutation_importance
from mixed_data.evaluation.permutation_importance import measure_importance
from mixed_data.files.record_store import RecordStore
from mixed_data.preprocessing import Inputs
from mixed_data.preprocessing.stored_photos import Part, StoredPhotos

NUM_ROWS = 40


class Exact(KnownModel):
    """Counts the photos that are read."""

    num_read = 0

    def __init__(self):
        super().__init__(method="identity")

    def embed_photo(self, pixels):
        self.num_read += 1
        return super().embed_photo(pixels)


def make_rows(model: Exact) -> pd.DataFrame:
    """Rows whose target is what the model predicts; the kitchen looks alike everywhere, and three have no front."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "area": random.uniform(100, 300, NUM_ROWS),
            "zip": random.choice(["1", "2"], NUM_ROWS),
            "front": [make_photo(int(level)) for level in random.integers(0, 256, NUM_ROWS)],
            "kitchen": [make_photo(100)] * NUM_ROWS,
        }
    )
    rows.loc[[1, 5, 7], "front"] = None
    predicted = model.predict_together(rows, model.read_rows(rows)).mean(axis=1)
    return rows.assign(price=model.target_transformer_.inverse_transform(predicted))


@pytest.fixture
def model() -> Exact:
    return Exact()


@pytest.fixture
def rows(model) -> pd.DataFrame:
    return make_rows(model)


def by_part(found):
    return {entry["part"]: entry for entry in found}


def mean_distance(values) -> float:
    """Mean over all shuffles of how far a row's value is from the one that it gets."""
    values = np.asarray(values, dtype="float64")
    return float(np.abs(values[:, None] - values[None]).mean())


def test_the_error_grows_by_the_mean_distance_of_the_terms(model, rows):
    found = by_part(measure_importance([(model, rows)]))
    unit = model.target_transformer_.std_
    area, zip_code, front = (found[name]["mae"] for name in ("area", "zip", "front"))
    assert area["increase"] == pytest.approx(unit * mean_distance(rows["area"] / 100), rel=0.15)
    assert area["low"] < unit * mean_distance(rows["area"] / 100) < area["high"]
    assert zip_code["increase"] == pytest.approx(unit * mean_distance(0.5 * (rows["zip"] == "1")), rel=0.15)
    levels = model.read_rows(rows)["images"][:, 0, 0]
    with_photo = rows["front"].notna()
    share = with_photo.mean()
    assert front["increase"] == pytest.approx(share * unit * mean_distance(levels[with_photo]), rel=0.15)
    assert found["kitchen"]["mae"] == {"increase": 0.0, "low": 0.0, "high": 0.0}
    assert [(name, found[name]["kind"], found[name]["num_rows"]) for name in ("area", "front")] == [
        ("area", "column", NUM_ROWS),
        ("front", "photos", NUM_ROWS - 3),
    ]
    assert list(found) == sorted(found, key=lambda name: -found[name]["mae"]["increase"])


def test_a_row_without_a_photo_stays_without_one(model, rows):
    changed = []
    predict = model.predict_together
    model.predict_together = lambda table, inputs: changed.append(inputs["image_mask"].copy()) or predict(table, inputs)
    measure_importance([(model, rows)])
    assert len(changed) == 1 + 4 * permutation_importance.NUM_REPEATS
    assert all((mask == changed[0]).all() for mask in changed)


def test_each_photo_is_read_once(model, rows):
    model.num_read = 0
    measure_importance([(model, rows)])
    assert model.num_read == 2 * NUM_ROWS


def test_vectors_on_disk_are_shuffled_as_those_in_memory(model, rows, monkeypatch):
    expected = measure_importance([(model, rows)])
    read_rows, predict = model.read_rows, model.predict_together
    reads = []

    def predict_from_disk(table, inputs):
        reads.append(type(inputs["images"]))
        return predict(table, Inputs({**inputs, "images": np.asarray(inputs["images"])}))

    def read_to_disk(table):
        inputs = read_rows(table)
        vectors = inputs["images"]
        store = RecordStore("tests", "0" * 64, vectors[0, 0].nbytes)
        records = [vector.view(np.uint8).data for vector in vectors.reshape(-1, vectors.shape[-1])]
        places = store.append([number.to_bytes(32) for number in range(len(records))], records)
        places = np.reshape(places, (*vectors.shape[:2], 1))
        inputs["images"] = StoredPhotos([Part(store)], places, vectors.shape[2:], vectors.dtype)
        return inputs

    monkeypatch.setattr(model, "read_rows", read_to_disk)
    monkeypatch.setattr(model, "predict_together", predict_from_disk)
    assert measure_importance([(model, rows)]) == expected
    assert reads[0] is StoredPhotos


def test_percentages_are_left_out_where_a_target_is_zero(model, rows):
    assert by_part(measure_importance([(model, rows)]))["area"]["mape"]["increase"] > 0
    rows.loc[0, "price"] = 0.0
    found = by_part(measure_importance([(model, rows)]))["area"]
    assert (found["mape"], found["mae"] is None) == (None, False)


def test_rows_of_several_models_count_together_and_of_many_rows_some_are_drawn(model, rows, monkeypatch):
    parts = [(model, rows[:25]), (Exact(), rows[25:])]
    assert by_part(measure_importance(parts))["area"]["num_rows"] == NUM_ROWS
    monkeypatch.setattr(permutation_importance, "MOST_ROWS", 12)
    first = measure_importance(parts)
    assert by_part(first)["area"]["num_rows"] == 12
    assert first == measure_importance(parts)
    assert first != measure_importance(parts, seed=1)
