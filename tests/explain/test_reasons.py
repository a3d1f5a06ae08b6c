"""Reasons of a model whose terms are known, by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from explain_helpers import KnownModel, by_name, make_photo, make_row

from mixed_data.explain import reasons, shapley_values
from mixed_data.explain.reasons import explain_rows
from mixed_data.prediction.typical_photos import TypicalPhotos
from mixed_data.preprocessing import feature_columns


def test_parts_of_a_sum_get_their_own_terms_and_multiply_to_prediction_over_reference():
    model = KnownModel()
    (found,) = explain_rows(model, make_row())
    unit = model.target_transformer_.std_
    columns, views, both = by_name(found.columns), by_name(found.views), by_name(found.modalities)
    assert columns.area.factor == pytest.approx(math.exp(2 * unit))
    assert columns.zip.factor == pytest.approx(math.exp(0.5 * unit))
    assert views.front.factor == pytest.approx(math.exp(1.0 * unit))
    assert views.kitchen.factor == pytest.approx(math.exp(0.2 * unit))
    assert both.table.factor == pytest.approx(math.exp(2.5 * unit))
    assert found.reference.value == pytest.approx(200.0)  # the geometric mean of the training targets
    assert columns.area.amount == pytest.approx(found.prediction * (1 - math.exp(-2 * unit)))
    assert (columns.area.value, views.front.value) == ("200", f"a photo of {len(make_photo(255)):,} bytes")
    assert found.reference.text == "the prediction where neither a column nor a photo is known"


def test_a_photo_counts_from_the_typical_one_of_its_view_where_that_is_known():
    model = KnownModel()
    vectors = np.zeros((2, 64))
    vectors[:, 0] = (0.4, 0.9)
    model.typical_photos_ = TypicalPhotos(vectors, np.array([True, False]))
    (found,) = explain_rows(model, make_row())
    unit = model.target_transformer_.std_
    views = by_name(found.views)
    assert math.log(views.front.factor) == pytest.approx((1.0 - 0.4) * unit)
    assert math.log(views.kitchen.factor) == pytest.approx(0.2 * unit)  # hidden as missing
    assert math.log(found.prediction / found.reference.value) == pytest.approx((2.5 + 0.6 + 0.2) * unit)
    assert found.reference.text == "the prediction where no column is known and each of its photos is a typical one"
    assert [one.prediction for one in found.without] == pytest.approx(
        [found.prediction / math.exp(1.0 * unit), found.prediction / math.exp(0.2 * unit)]
    )
    (bare,) = explain_rows(model, make_row(front=None))
    assert by_name(bare.views).front.factor == 1.0
    assert math.log(bare.prediction / bare.reference.value) == pytest.approx((2.5 + 0.2) * unit)
    (bare,) = explain_rows(model, make_row(front=None, kitchen=None))
    assert bare.reference.text == "the prediction where neither a column nor a photo is known"


def test_a_product_is_shared_by_halves_and_photos_still_multiply_to_their_modality():
    model = KnownModel(product=0.3)
    (found,) = explain_rows(model, make_row())
    unit = model.target_transformer_.std_
    columns, views, both = by_name(found.columns), by_name(found.views), by_name(found.modalities)
    assert math.log(columns.area.factor) == pytest.approx((2 + 0.3) * unit)
    assert math.log(views.front.factor) == pytest.approx((1 + 0.3) * unit)
    assert views.front.factor * views.kitchen.factor == pytest.approx(both.photos.factor)
    assert columns.area.factor * columns.zip.factor == pytest.approx(both.table.factor)
    assert both.table.factor * both.photos.factor == pytest.approx(found.prediction / found.reference.value)


def test_cells_are_read_once_however_many_coalitions_there_are(monkeypatch):
    model, read, parse_numbers = KnownModel(product=0.3), [], feature_columns.parse_numbers
    monkeypatch.setattr(feature_columns, "parse_numbers", lambda *args: read.append(1) or parse_numbers(*args))
    explain_rows(model, make_row())
    assert len(read) == 2  # the row, and what its parts are hidden from


def test_what_is_missing_did_nothing_and_what_is_there_says_what_would_be_without_it():
    (found,) = explain_rows(KnownModel(), make_row(area=None, kitchen=None))
    columns, views = by_name(found.columns), by_name(found.views)
    assert (columns.area.present, columns.area.factor, columns.area.amount, columns.area.value) == (
        False,
        1.0,
        0.0,
        None,
    )
    assert (views.kitchen.present, views.kitchen.factor, views.kitchen.value) == (False, 1.0, None)
    (without,) = found.without
    assert without.view == "front"
    assert without.prediction == pytest.approx(found.prediction / views.front.factor)
    assert "area is missing: imputed 200" in found.warnings


def test_on_a_linear_scale_amounts_add_up():
    model = KnownModel(method="identity", product=0.3)
    (found,) = explain_rows(model, make_row())
    assert found.scale == "identity"
    assert {part.factor for part in (*found.modalities, *found.views, *found.columns)} == {None}
    for parts in (found.modalities, (*found.views, *found.columns)):
        assert sum(part.amount for part in parts) == pytest.approx(found.prediction - found.reference.value)


def test_members_that_disagree_give_an_interval_of_students_t():
    model = KnownModel(spread=1.2)
    (found,) = explain_rows(model, make_row())
    unit = model.target_transformer_.std_
    area = by_name(found.columns).area
    # Members say 2.0 and 2.4: mean 2.2, standard error 0.2, and t of one degree of freedom is 6.314.
    assert math.log(area.factor) == pytest.approx(2.2 * unit)
    assert [math.log(area.lower), math.log(area.upper)] == pytest.approx([(2.2 - 1.2628) * unit, (2.2 + 1.2628) * unit])


class TwiceAsWideWithoutPhotos:
    """Stands in for calibrated intervals: a factor of e² for rows without photos, of e for others."""

    def predict(self, prediction, *, difficulty, pattern, coverage):
        reach = np.exp(np.where(np.array(pattern) == "no photos", 2.0, 1.0))
        return prediction / reach, prediction * reach


def test_a_first_photo_narrows_the_interval_and_a_further_one_does_not():
    model = KnownModel()
    model.calibrator_ = TwiceAsWideWithoutPhotos()
    (bare,) = explain_rows(model, make_row(front=None, kitchen=None))
    assert {one.view: one.width for one in bare.narrowing} == pytest.approx({"front": 0.5, "kitchen": 0.5})
    (partial,) = explain_rows(model, make_row(kitchen=None))
    assert [(one.view, one.width) for one in partial.narrowing] == [("kitchen", pytest.approx(1.0))]
    assert partial.lower == pytest.approx(partial.prediction / math.e)
    (without,) = partial.without
    assert without.upper == pytest.approx(without.prediction * math.e**2)
    assert explain_rows(model, make_row())[0].narrowing == []


@pytest.mark.parametrize(("modalities", "names"), [("tabular", ["table"]), ("image", ["photos"])])
def test_a_model_of_one_modality_has_reasons_of_that_one_only(modalities, names):
    (found,) = explain_rows(KnownModel(modalities=modalities), make_row())
    assert [part.name for part in found.modalities] == names
    assert bool(found.columns) == (modalities == "tabular")
    assert bool(found.views) == (modalities == "image")


def test_a_row_is_explained_alike_whatever_comes_with_it_and_as_plain_values():
    model, rows = KnownModel(product=0.3), pd.concat([make_row(), make_row(area=None), make_row(front=None)])
    together = [one.to_dict() for one in explain_rows(model, rows)]
    assert together == [explain_rows(model, rows.iloc[row : row + 1])[0].to_dict() for row in range(3)]
    assert json.loads(json.dumps(together)) == together


def test_a_table_that_does_not_fit_and_a_coverage_that_is_none_are_refused():
    with pytest.raises(ValueError, match="area"):
        explain_rows(KnownModel(), make_row().drop(columns="area"))
    with pytest.raises(ValueError, match="share above 0 and below 1"):
        explain_rows(KnownModel(), make_row(), coverage=90)


def test_drawn_orders_come_near_the_exact_values_and_say_by_how_much_they_may_be_off(monkeypatch):
    random = np.random.default_rng(0)
    pairs = random.normal(size=(6, 6))

    def worth(who):
        return np.einsum("mi,ij,mj->m", who, pairs, who)[:, None]

    exact, none = shapley_values.shapley_values(worth, 6)
    assert none is None
    assert exact.ravel() == pytest.approx((pairs + pairs.T).sum(axis=1) / 2)
    monkeypatch.setattr(shapley_values, "MOST_PLAYERS", 5)
    # Of products of two, an order and the same backwards together say it all: three more for chance to play with.
    drawn, errors = shapley_values.shapley_values(lambda who: worth(who) ** 2, 6)
    monkeypatch.setattr(shapley_values, "MOST_PLAYERS", 12)
    true, _ = shapley_values.shapley_values(lambda who: worth(who) ** 2, 6)
    assert errors.min() > 0
    assert np.abs((drawn - true) / errors).max() < 4
    assert drawn.sum() == pytest.approx(true.sum())


def test_with_more_than_twelve_columns_standard_errors_are_given(monkeypatch):
    monkeypatch.setattr(shapley_values, "MOST_PLAYERS", 1)
    (found,) = reasons.explain_rows(KnownModel(product=0.3), make_row())
    columns = by_name(found.columns)
    assert columns.area.standard_error is not None
    assert math.log(columns.area.factor) == pytest.approx(2.3 * KnownModel().target_transformer_.std_)
    assert by_name(found.modalities).table.standard_error is None
