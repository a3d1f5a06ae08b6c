"""`fit` and `predict` say which photos cannot be used: once, before the training, and never of empty cells."""

from __future__ import annotations

import warnings

import pandas as pd
import pyarrow
import pytest
from estimator_helpers import little_work, make_eye, make_regressor, make_stack
from reliability import Case, documented

from mixed_data.estimator import MixedDataRegressor, out_of_fold
from mixed_data.network.pretrained_backbones import KerasBackbone
from mixed_data.preprocessing.lost_photos import PhotoWarning

LOST = (
    "20 of 20 photos of 'front' cannot be used: 20 no such file; the first: /nowhere/0.jpg: no such file: there is no "
)


@pytest.fixture
def rows(sales: pd.DataFrame) -> pd.DataFrame:
    """Twenty rows, without one front and with few backs, none of them broken."""
    table = sales[:20].assign(front=[f"/nowhere/{row}.jpg" for row in range(20)]).astype({"back": object})
    table.loc[2:, "back"] = None
    return table


def sentences_of(caught: pytest.WarningsRecorder) -> list[str]:
    return [str(warning.message) for warning in caught if issubclass(warning.category, PhotoWarning)]


def fit_quietly(regressor: MixedDataRegressor, table: pd.DataFrame) -> MixedDataRegressor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PhotoWarning)
        return regressor.fit(table, table["price"])


@documented(
    "Photos that lead nowhere",
    [
        Case("`fit` with no photo of a column", "one warning before the training, counted by reason", {}),
        Case("`fit` with intervals, which fits five more times", "one warning", {"intervals": True}),
        Case("`fit` with a pretrained backbone", "one warning", {"image_branch": "pretrained"}),
    ],
)
def test_fit_warns_once_before_it_trains(case: Case, rows, without_training, monkeypatch) -> None:
    monkeypatch.setattr(out_of_fold, "NUM_FOLDS", 2)
    eye = KerasBackbone(make_eye((16, 16)))
    monkeypatch.setattr("mixed_data.estimator.photo_backbones.load_backbone", lambda *arguments: eye)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PhotoWarning)
        make_regressor(validation_fraction=0.0, **case.given).fit(rows, rows["price"])
    (warning,) = [warning for warning in caught if issubclass(warning.category, PhotoWarning)]
    assert str(warning.message).startswith(LOST)
    assert warning.filename == __file__


@documented(
    "Photos that lead nowhere",
    [
        Case("`predict` with no photo of a column", "one warning, counted by reason", "predict"),
        Case("`predict_interval` with no photo of a column", "one warning, counted by reason", "predict_interval"),
    ],
)
def test_predict_warns_once_however_many_rows_are_read_at_a_time(
    case: Case, rows, without_training, monkeypatch
) -> None:
    monkeypatch.setattr("mixed_data.prediction.predicted_rows.NUM_ROWS_AT_ONCE", 7)
    monkeypatch.setattr(out_of_fold, "NUM_FOLDS", 2)
    regressor = fit_quietly(make_regressor(validation_fraction=0.0, intervals=True), rows)
    with pytest.warns(PhotoWarning) as caught:
        getattr(regressor, case.given)(rows, *([0.5] if case.given == "predict_interval" else []))
    (sentence,) = sentences_of(caught)
    assert sentence.startswith(LOST)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert regressor.predict_rows(rows)["warnings"].str.startswith("front: /nowhere/").all()
        regressor.predict(rows.assign(front=None))


@documented(
    "Photos that lead nowhere",
    [
        Case("`fit` with a column that names no photo", "one warning", None, "no cell of 'back' names a photo"),
        Case(
            "`fit` with an empty column and one of lost photos", "one warning", "/no/1.jpg", "; no cell of 'back' names"
        ),
    ],
)
def test_fit_says_which_column_names_no_photo(case: Case, rows, without_training) -> None:
    table = rows.assign(back=None, front=case.given or rows["back"].iloc[0])
    with pytest.warns(PhotoWarning) as caught:
        make_regressor(validation_fraction=0.0).fit(table, table["price"])
    (sentence,) = sentences_of(caught)
    assert case.expected in sentence
    assert ("cannot be used" in sentence) == bool(case.given)


def test_predict_warns_of_the_photos_of_an_arrow_table(rows, without_training) -> None:
    regressor = fit_quietly(make_regressor(validation_fraction=0.0), rows)
    with pytest.warns(PhotoWarning) as caught:
        regressor.predict(pyarrow.Table.from_pandas(rows))
    assert sentences_of(caught)[0].startswith(LOST)


def test_a_stack_warns_once_before_all_its_fits(rows, monkeypatch):
    def fit(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("mixed_data.kernels.KernelMachines.learn", fit)
    with little_work(), pytest.warns(PhotoWarning) as caught, pytest.raises(ZeroDivisionError):
        make_stack().fit(rows, rows["price"])
    assert [sentence[: len(LOST)] for sentence in sentences_of(caught)] == [LOST]
