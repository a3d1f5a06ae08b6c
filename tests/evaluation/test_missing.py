"""What the main model of a run is worth for rows without photos, without columns, or without both."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from comparison_helpers import HOUSE_SCHEMA, make_table
from sklearn.base import BaseEstimator

from mixed_data.estimator import load
from mixed_data.evaluation.compared_models import Candidate
from mixed_data.evaluation.hidden_modality_scores import predict_hidden, score_hidden
from mixed_data.metrics import regression_metrics
from mixed_data.prediction.predicted_rows import RowRegressor
from mixed_data.readers import read_table
from mixed_data.runs.compare_run import compare_models
from mixed_data.schema import Schema
from mixed_data.split import find_groups, k_fold

SCHEMA = Schema(target="price", numeric=["area"], images=["front"])
TABLE = pd.DataFrame({"area": [1.0, 2.0], "front": ["a.jpg", "b.jpg"], "price": [10.0, 20.0]})
HIDDEN = {"all": [], "no photos": ["front", "kitchen"], "no table": ["area [m2]", "rooms", "zipcode", "style"]}
HIDDEN["nothing"] = HIDDEN["no photos"] + HIDDEN["no table"]


class Teller:
    """A model that predicts how many cells of a row there are."""

    calibrator_ = None

    def __init__(self, modalities: str) -> None:
        self.modalities = modalities

    def predict_rows(self, table: pd.DataFrame, coverage: float | None = None) -> pd.DataFrame:
        assert coverage is None
        told = table[["area", "front"]].notna().sum(axis=1).astype("float64")
        return pd.DataFrame({"prediction": told, "images_used": 0, "warnings": ""})


def ask(modalities: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Predict rows as they are and with something hidden."""
    teller = Teller(modalities)
    return predict_hidden(teller, rows, teller.predict_rows(rows), SCHEMA, None)


def test_what_is_hidden_is_hidden_and_scored_like_the_rows_as_they_are(hold_out_run):
    scores = json.loads((hold_out_run.folder / "missing.json").read_text(encoding="utf-8"))
    assert [entry["pattern"] for entry in scores] == list(HIDDEN)
    table, schema = read_table(data=hold_out_run.folder / "held_out.csv", schema=_schema(hold_out_run.folder))
    regressor = load(hold_out_run.folder / "bundle")
    assert {*schema.features, *schema.images} == set(HIDDEN["nothing"])
    for entry in scores:
        rows = regressor.predict_rows(table.assign(**dict.fromkeys(HIDDEN[entry.pop("pattern")])), coverage=0.9)
        inside = (rows["lower"] <= table["price"]) & (table["price"] <= rows["upper"])
        assert entry.pop("coverage") == pytest.approx(100 * inside.mean())
        assert entry.pop("median_width") == pytest.approx((rows["upper"] - rows["lower"]).median(), rel=1e-6)
        assert entry == pytest.approx(regression_metrics(table["price"], rows["prediction"]), rel=1e-6)


def test_with_folds_each_row_is_predicted_by_the_model_that_has_not_seen_it(folds_run):
    scores = folds_run.study.missing
    everything = {name: score for name, score in scores[0].items() if name != "pattern"}
    assert everything == pytest.approx(folds_run.study.main.metrics, rel=1e-6)
    assert len({score["mape"] for score in scores}) == 4
    assert not {"coverage", "median_width"} & set(scores[0])  # it was fitted without intervals


@pytest.mark.parametrize(
    ("modalities", "told"),
    [
        ("both", {"all": 2.0, "no photos": 1.0, "no table": 1.0, "nothing": 0.0}),
        ("image", {"all": 2.0, "no photos": 1.0}),
        ("tabular", {}),
    ],
)
def test_only_what_a_model_reads_can_be_hidden_from_it(modalities, told):
    hidden = [ask(modalities, TABLE[row : row + 1]) for row in (1, 0)]
    scores = score_hidden([pd.concat(hidden)], TABLE["price"].to_numpy())
    expected = {name: np.mean([10.0 - value, 20.0 - value]) for name, value in told.items()}
    assert {score["pattern"]: score["mae"] for score in scores} == expected


def test_of_several_rounds_the_mean_counts():
    lines = ask("image", TABLE)
    ends = lines.assign(lower=0.0, upper=[12.0, 14.0, 12.0, 14.0])
    other = ends.assign(prediction=ends["prediction"] + 4.0, upper=[24.0, 24.0, 12.0, 14.0])
    (everything, no_photos) = score_hidden([ends, other], TABLE["price"].to_numpy())
    assert (everything["pattern"], everything["mae"], everything["coverage"]) == ("all", 11.0, 75.0)
    assert (no_photos["pattern"], no_photos["mae"], no_photos["coverage"]) == ("no photos", 12.0, 50.0)
    assert everything["median_width"] == 18.5


class MeanOfCells(RowRegressor, BaseEstimator):
    """Predicts the training rows' mean, and more for each cell that is there; stops after ``fits_left`` fits."""

    modalities = "both"
    calibrator_ = None
    fits_left = 1_000

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def describe_rows(self, table: pd.DataFrame) -> None:
        raise NotImplementedError

    def fit(self, table: pd.DataFrame, target: pd.Series, callbacks: object = ()) -> MeanOfCells:
        if not MeanOfCells.fits_left:
            raise KeyboardInterrupt
        MeanOfCells.fits_left -= 1
        self.mean_ = target.mean()
        return self

    def predict_rows(self, table: pd.DataFrame, coverage: float | None = None) -> pd.DataFrame:
        num_cells = table[["area", "zipcode", "front"]].notna() @ [3, 2, 1]
        return pd.DataFrame({"prediction": self.mean_ * (1 + num_cells / 10), "images_used": 0, "warnings": ""})


def test_a_comparison_hides_from_its_main_model_also_where_it_was_stopped(tmp_path, monkeypatch):
    table = make_table(tmp_path)
    models = {name: Candidate(MeanOfCells(), hide=name == "film") for name in ("table", "film")}
    monkeypatch.setattr("mixed_data.runs.compare_run.make_candidates", lambda *arguments, **options: models)
    settings = {"fusion": "film", "networks": ["table"], "views": False, "repeats": 2, "folds": 3, "random_state": 5}
    monkeypatch.setattr(MeanOfCells, "fits_left", 7)
    with pytest.raises(KeyboardInterrupt):
        compare_models(table, HOUSE_SCHEMA, out=tmp_path / "run", **settings)
    monkeypatch.setattr(MeanOfCells, "fits_left", 5)
    compare_models(table, HOUSE_SCHEMA, resume=tmp_path / "run", **settings)
    scores = json.loads((tmp_path / "run/missing.json").read_text(encoding="utf-8"))

    groups, price = find_groups(table, HOUSE_SCHEMA), table["price"].to_numpy()
    columns = {"all": [], "no photos": ["front"], "no table": ["area", "zipcode"], "nothing": list(table)}
    assert [entry["pattern"] for entry in scores] == list(columns)
    for entry in scores:
        hidden, by_hand = table.assign(**dict.fromkeys(columns[entry.pop("pattern")])), []
        for repeat in range(2):
            prediction = np.zeros(len(table))
            for training_rows, rows in k_fold(groups, 3, random_state=5 + repeat):
                model = MeanOfCells()
                model.mean_ = price[training_rows].mean()
                prediction[rows] = model.predict_rows(hidden.iloc[rows])["prediction"]
            by_hand.append(regression_metrics(price, prediction))
        assert entry == pytest.approx(pd.DataFrame(by_hand).mean().to_dict())


def _schema(folder):
    return Schema.from_dict(json.loads((folder / "config.json").read_text(encoding="utf-8"))["schema"])
