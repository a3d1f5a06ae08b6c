"""A network and gradient-boosted trees together, put together by scikit-learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingRegressor, VotingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

from mixed_data.audit import find_groups
from mixed_data.boosting import make_boosting, make_features
from mixed_data.estimator import MixedDataRegressor
from mixed_data.preprocessing import TabularPreprocessor, TargetTransformer
from mixed_data.schema import Schema
from mixed_data.split import k_fold

NUM_FOLDS = 5
NUM_BOOSTINGS = 5


class StackedRegressor(RegressorMixin, BaseEstimator):
    """The mean of a fused network and of gradient-boosted trees that are told what the photos alone predict.

    Trees read a small table better than networks do, and networks read photos. So a network on the photos alone
    predicts each training row from the rows of other folds (whole groups, see `mixed_data.audit`), its prediction is
    one more column for the trees (`sklearn.ensemble.StackingRegressor`), and their mean with the fused network
    (`sklearn.ensemble.VotingRegressor`), both on the transformed target, is the answer. On the houses each of the two
    alone is worse. Takes seven fits of a network.

    Args:
        network: unfitted, with a schema of both modalities; its settings are those of both networks.
        random_state: seed of the folds and the trees.

    Attributes:
        stack_: the fitted `sklearn.compose.TransformedTargetRegressor`.

    Reference:
        Wolpert 1992, Stacked Generalization, doi:10.1016/S0893-6080(05)80023-1.
    """

    def __init__(self, network: MixedDataRegressor, *, random_state: int = 0) -> None:
        self.network = network
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> StackedRegressor:
        """Learn from the training rows.

        Args:
            X: the rows.
            y: target ``(n,)``, target units.

        Returns:
            self.

        Raises:
            ValueError: the schema lacks columns or photos, or as for `MixedDataRegressor.fit`.
        """
        schema = self.network.schema
        if not isinstance(schema, Schema) or not schema.features or not schema.images:
            raise ValueError(f"StackedRegressor needs a network whose schema has columns and photos, got {schema}")
        target = np.asarray(y, dtype="float64")
        table = X if schema.target is None else X.assign(**{schema.target: target})
        splits = k_fold(find_groups(table, schema), NUM_FOLDS, random_state=self.random_state)
        # The trees and networks see the target as the transformer leaves it, so that they need no other one.
        network = clone(self.network).set_params(schema=replace(schema, target=None), target_transform="identity")
        trees = VotingRegressor([(str(seed), self._make_trees(schema, X, seed)) for seed in range(NUM_BOOSTINGS)])
        photos = [("photos", clone(network).set_params(modalities="image"))]
        boosting = StackingRegressor(photos, trees, cv=splits, passthrough=True)
        self.stack_ = TransformedTargetRegressor(
            VotingRegressor([("network", network), ("boosting", boosting)]),
            transformer=TargetTransformer(self.network.target_transform),
        ).fit(X, target)
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Predict rows, float64 ``(n,)``, target units."""
        check_is_fitted(self)
        return self.stack_.predict(X)

    def _make_trees(self, schema: Schema, X: pd.DataFrame, seed: int) -> BaseEstimator:
        preprocessor = self.network.preprocessor
        settings = {} if preprocessor is None else preprocessor.get_params(deep=False)
        shared = {name: settings[name] for name in TabularPreprocessor().get_params() if name in settings}
        tabular = TabularPreprocessor(**{**shared, "schema": schema})
        features = make_features(schema, tabular, self.random_state + seed)
        return make_pipeline(BesidePrediction(features, list(X.columns)), make_boosting(self.random_state + seed))


class BesidePrediction(TransformerMixin, BaseEstimator):
    """Reads what `StackingRegressor` passes through: a prediction, then the columns of the table as one object array.

    Args:
        features: unfitted transformer of the table.
        columns: names of the table's columns.
    """

    def __init__(self, features: BaseEstimator, columns: list[str]) -> None:
        self.features = features
        self.columns = columns

    def fit(self, rows: np.ndarray, y: ArrayLike) -> BesidePrediction:
        """Fit the features."""
        self.fit_transform(rows, y)
        return self

    def fit_transform(self, rows: np.ndarray, y: ArrayLike) -> np.ndarray:
        """Fit the features; training rows may get others than new rows would."""
        self.features_ = clone(self.features)
        return self._join(rows, self.features_.fit_transform(self._read(rows), y))

    def transform(self, rows: np.ndarray) -> np.ndarray:
        """Return float64 ``(n, 1 + features)``, the prediction first."""
        return self._join(rows, self.features_.transform(self._read(rows)))

    def _read(self, rows: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(rows[:, 1:], columns=self.columns)

    def _join(self, rows: np.ndarray, features: np.ndarray) -> np.ndarray:
        return np.column_stack([rows[:, 0].astype("float64"), features])
