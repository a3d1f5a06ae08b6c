"""The regressor in scikit-learn's tools."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from estimator_helpers import make_regressor
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import StackingRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

from mixed_data.estimator import MixedDataRegressor


def test_clone_has_the_same_parameters_and_is_not_fitted(quick_regressor: MixedDataRegressor) -> None:
    copy = clone(quick_regressor)
    assert not hasattr(copy, "model_")
    parameters = {name: value for name, value in quick_regressor.get_params().items() if name != "preprocessor"}
    assert {name: copy.get_params()[name] for name in parameters} == parameters
    copy.set_params(preprocessor__image_size=8, units=3)
    assert quick_regressor.preprocessor.image_size == 16


def test_cross_val_score_scores_each_fold(sales: pd.DataFrame, without_training: list[dict[str, Any]]) -> None:
    regressor = make_regressor(modalities="tabular", epochs=1)
    scores = cross_val_score(regressor, sales, sales["price"], cv=KFold(2), error_score="raise")
    assert scores.shape == (2,)
    assert [len(call["target"]) for call in without_training] == [36, 36]
    assert np.all(np.isfinite(scores))


def test_grid_search_reaches_the_preprocessor(sales: pd.DataFrame, without_training: list[dict[str, Any]]) -> None:
    grid = {"preprocessor__image_size": [8, 12]}
    search = GridSearchCV(make_regressor(), grid, cv=KFold(2), error_score="raise").fit(sales, sales["price"])
    size = search.best_params_["preprocessor__image_size"]
    assert search.best_estimator_.model_.input["images"].shape == (None, 2, size, size, 3)
    assert np.ptp(search.cv_results_["mean_test_score"]) > 0


def test_stacking_combines_it_with_others(sales: pd.DataFrame, without_training: list[dict[str, Any]]) -> None:
    estimators = [("mixed", make_regressor()), ("median", DummyRegressor(strategy="median"))]
    stack = StackingRegressor(estimators, LinearRegression(), cv=KFold(2)).fit(sales, sales["price"])
    alone = stack.named_estimators_["mixed"].predict(sales)
    weights = stack.final_estimator_
    np.testing.assert_allclose(
        stack.predict(sales),
        weights.intercept_ + alone * weights.coef_[0] + sales["price"].median() * weights.coef_[1],
    )


def test_permutation_importance_finds_the_columns_that_matter(
    fitted_regressor: MixedDataRegressor, sales: pd.DataFrame
) -> None:
    importance = permutation_importance(fitted_regressor, sales, sales["price"], n_repeats=2, random_state=0)
    mean = dict(zip(sales.columns, importance.importances_mean, strict=True))
    assert min(mean["area"], mean["front"]) > 0.3
    assert max(mean["kind"], mean["zipcode"], mean["back"]) < 0.15
    assert mean["price"] == mean["bright"] == 0
