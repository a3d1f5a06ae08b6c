"""A network and gradient-boosted trees together, each as much as it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LinearRegression
from sklearn.utils.validation import check_is_fitted

from mixed_data.boosting import BoostedTrees
from mixed_data.boosting.saved_trees import read_trees, write_trees
from mixed_data.bundle import Backbones
from mixed_data.estimator.mixed_data_regressor import MixedDataRegressor
from mixed_data.estimator.out_of_fold import SPREAD, Splits, calibrate, inner_splits, predict_out_of_fold
from mixed_data.estimator.saved_regressor import SavedRegressor
from mixed_data.estimator.settings import check_callbacks, read_training_rows
from mixed_data.files.checked_json import INTEGER, NUMBERS, OBJECT, check_fields, read_json, write_json
from mixed_data.intervals import IntervalCalibrator
from mixed_data.prediction.missing_patterns import PATTERNS, PHOTO_PATTERN, name_patterns
from mixed_data.preprocessing import Inputs, MixedDataPreprocessor, TabularPreprocessor, TargetTransformer
from mixed_data.preprocessing.lost_photos import find_lost_photos, warn_of_lost_photos, without_photo_warnings
from mixed_data.schema import Schema

PHOTOS = "<prediction from the photos>"
_MEMBERS = ("network", "trees")
_DIFFICULTY = ("level", SPREAD, "disagreement")
_SMALLEST_DISAGREEMENT = 0.02
_STACK_FILE = "stack.json"


class StackedRegressor(SavedRegressor, BaseEstimator):
    """A weighted sum of a fused network and of boosted trees that are told what the photos alone predict.

    Trees read a small table better than networks do, and networks read photos. Every training row is predicted by
    networks that have not seen it (grouped folds): what the one on the photos alone predicts is one more column for the
    trees; and on such predictions, all on the transformed target, non-negative least squares learn how much network and
    trees count (stacked regression; whatever does not help gets no weight). Rows without photos, or without a table,
    have weights of their own; for a row without any cell, what the photos predict stands in for the trees. On the
    houses each of the two alone is worse. Takes twelve fits of a network; `joblib.parallel_config` says how many at a
    time.

    (`sklearn.ensemble.StackingRegressor` keeps none of the predictions that it learns from; intervals, and weights of
    rows with something missing, need them.)

    Args:
        network: unfitted, with a schema of both modalities; its settings are those of both networks.
        intervals: whether `fit` also learns how far off predictions are, for `predict_interval`.
        random_state: seed of the folds and the trees.

    Attributes:
        network_: the fitted `MixedDataRegressor` of both modalities; on the transformed target, as all three.
        photos_: that on the photos alone.
        trees_: the fitted `BoostedTrees`.
        weights_: pattern -> weight of network and trees.
        preprocessor_: the fitted `MixedDataPreprocessor` of the network.
        member_weights_: of the network, as are `fusion_weights_` and `history_`; see `MixedDataRegressor`.
        target_transformer_: the fitted `TargetTransformer`.
        calibrator_: the fitted `IntervalCalibrator`, or None.

    Reference:
        Breiman 1996, Stacked Regressions, doi:10.1007/BF00117832.
    """

    kind = "stack"
    modalities = "both"

    def __init__(self, network: MixedDataRegressor, *, intervals: bool = False, random_state: int = 0) -> None:
        self.network = network
        self.intervals = intervals
        self.random_state = random_state

    def fit(
        self, X: pd.DataFrame, y: ArrayLike, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> StackedRegressor:
        """Learn from the training rows.

        Args:
            X: the rows.
            y: target ``(n,)``, target units.
            callbacks: Keras callbacks for the two networks that are kept, e.g. a progress bar.

        Returns:
            self.

        Raises:
            ValueError: the schema lacks columns or photos, not one row has a photo, or as for
                `MixedDataRegressor.fit`.
        """
        check_callbacks(callbacks)
        schema, X, target = read_training_rows(self._schema(), "both", X, y)
        warn_of_lost_photos([find_lost_photos(X, schema.images)], X)
        transformer = TargetTransformer(self.network.target_transform).fit(target)
        scaled = transformer.transform(target)
        # They see the target as the transformer leaves it, so that they need no other one.
        network = clone(self.network).set_params(schema=schema, target_transform="identity", intervals=False)
        photos = clone(network).set_params(modalities="image")
        splits = inner_splits(X, target, schema, self.random_state)
        by_network = predict_out_of_fold(network, X, scaled, schema, splits)
        by_photos = predict_out_of_fold(photos, X, scaled, schema.only_images(), splits)
        predicted = self._join(by_network, by_photos)
        predicted["trees"] = self._predict_trees_out_of_fold(X, scaled, predicted, splits)
        told = X.assign(**{PHOTOS: _of_each_row(predicted, len(X))})
        with without_photo_warnings():
            network.fit(X, scaled, callbacks)
            photos.fit(X, scaled, callbacks)
        trees = self.make_trees().fit(told, scaled)
        self.set_parts(network, photos, trees, transformer, _learn_weights(predicted, scaled))
        if self.intervals:
            self.calibrator_ = self._calibrate(target, predicted)
        return self

    def set_parts(
        self,
        network: MixedDataRegressor,
        photos: MixedDataRegressor,
        trees: BoostedTrees,
        transformer: TargetTransformer,
        weights: dict[str, tuple[float, float]],
    ) -> None:
        """Make this a fitted regressor, without intervals, of parts that `fit` or a loaded bundle brings."""
        self.network_ = network
        self.photos_ = photos
        self.trees_ = trees
        self.target_transformer_ = transformer
        self.weights_ = weights
        self.calibrator_ = None
        self.preprocessor_: MixedDataPreprocessor = network.preprocessor_
        self.member_weights_, self.fusion_weights_ = network.member_weights_, network.fusion_weights_
        self.history_ = network.history_
        self.feature_names_in_ = network.feature_names_in_
        self.n_features_in_ = network.n_features_in_

    def make_trees(self) -> BoostedTrees:
        """Return the unfitted trees."""
        preprocessor = self.network.preprocessor
        settings = {} if preprocessor is None else preprocessor.get_params(deep=False)
        schema = replace(self._schema(), target=None)
        shared = {name: settings[name] for name in TabularPreprocessor().get_params() if name in settings}
        tabular = TabularPreprocessor(**{**shared, "schema": schema})
        return BoostedTrees(schema, tabular, extra=(PHOTOS,), random_state=self.random_state)

    def _schema(self) -> Schema:
        schema = self.network.schema
        if not isinstance(schema, Schema) or not schema.features or not schema.images:
            raise ValueError(f"StackedRegressor needs a network whose schema has columns and photos, got {schema}")
        if self.network.modalities != "both":
            raise ValueError(f"StackedRegressor needs a network of both modalities, got {self.network.modalities!r}")
        return schema

    def describe_rows(self, table: pd.DataFrame) -> tuple[Inputs, np.ndarray, np.ndarray]:
        """Read and predict rows; hard ones are told by the prediction, the network's spread, and how far both disagree.

        Both networks read the photos alike, unless their backbones were fine-tuned: then they are read twice.
        """
        check_is_fitted(self)
        inputs, own, difficulty = self.network_.describe_rows(table)
        is_shared = _reading_of(self.network_) == _reading_of(self.photos_)
        seen, _ = self.photos_.describe_inputs(inputs if is_shared else self.photos_.read_rows(table))
        pattern, by_photos = name_patterns(inputs, "both"), self.photos_.target_transformer_.inverse_transform(seen)
        predicted = pd.DataFrame(
            {
                "pattern": pattern,
                "network": self.network_.target_transformer_.inverse_transform(own),
                "trees": _stand_in(pattern, self.trees_.predict(table.assign(**{PHOTOS: by_photos})), by_photos),
                SPREAD: difficulty[:, 1],
            }
        )
        predicted = _weigh(predicted, self.weights_)
        return inputs, predicted["level"].to_numpy(), predicted[list(_DIFFICULTY)].to_numpy()

    @property
    def networks_(self) -> dict[str, MixedDataRegressor]:
        """Folder in a bundle -> the network that stands there."""
        return {"network": self.network_, "photos": self.photos_}

    def write_parts(self, folder: Path, backbones: Backbones) -> dict[str, Any]:
        """Write this fitted regressor's part of a bundle; see `mixed_data.bundle.Bundled`."""
        entries: dict[str, Any] = {}
        for name, network in self.networks_.items():
            (folder / name).mkdir()
            entries[name] = network.write_parts(folder / name, backbones)["."]
        write_trees(self.trees_, folder)
        write_json(folder / "target.json", self.target_transformer_.get_state())
        weights = {pattern: list(weights) for pattern, weights in self.weights_.items()}
        write_json(folder / _STACK_FILE, {"random_state": int(self.random_state), "weights": weights})
        return entries

    @classmethod
    def read_parts(cls, folder: Path, entries: dict[str, Any], places: Sequence[Path]) -> StackedRegressor:
        """Read what `write_parts` wrote; see `mixed_data.bundle.Bundled`."""
        if set(entries) != {"network", "photos"}:
            raise ValueError(f"expected a stack of two networks, got {list(entries)[:3]!r:.200}")
        places = [place / name for place in (folder, *places) for name in (".", "network", "photos")]
        network, photos = (
            MixedDataRegressor.read_parts(folder / name, {".": entries[name]}, places) for name in ("network", "photos")
        )
        random_state, weights = read_weights(folder / _STACK_FILE)
        transformer = TargetTransformer.from_state(read_json(folder / "target.json"))
        unfitted = clone(network).set_params(target_transform=transformer.method)
        stack = cls(unfitted, intervals=(folder / "intervals.json").exists(), random_state=random_state)
        trees = read_trees(stack.make_trees(), folder)
        stack.set_parts(network, photos, trees, transformer, weights)
        return stack

    def _join(self, by_network: pd.DataFrame, by_photos: pd.DataFrame) -> pd.DataFrame:
        """Give each row and pattern the network's prediction and that from the photos."""
        found = by_photos.set_index(["row", "pattern"])["prediction"]
        wanted = pd.MultiIndex.from_arrays([by_network["row"], by_network["pattern"].map(PHOTO_PATTERN)])
        columns = {"network": by_network["prediction"], PHOTOS: found.loc[wanted].to_numpy()}
        return by_network[["row", "pattern", SPREAD]].assign(**columns)

    def _predict_trees_out_of_fold(
        self, X: pd.DataFrame, scaled: np.ndarray, predicted: pd.DataFrame, splits: Splits
    ) -> np.ndarray:
        """Predict the rows and patterns of ``predicted`` by trees that have not seen the row."""
        told = X.assign(**{PHOTOS: _of_each_row(predicted, len(X))})
        by_trees = np.empty(len(predicted))
        for training_rows, held_out_rows in splits:
            trees = self.make_trees().fit(told.iloc[training_rows], scaled[training_rows])
            asked = np.flatnonzero(predicted["row"].isin(held_out_rows))
            rows = X.iloc[predicted["row"].iloc[asked]].assign(**{PHOTOS: predicted[PHOTOS].to_numpy()[asked]})
            by_trees[asked] = trees.predict(rows)
        return _stand_in(predicted["pattern"].to_numpy(), by_trees, predicted[PHOTOS].to_numpy())

    def _calibrate(self, target: np.ndarray, predicted: pd.DataFrame) -> IntervalCalibrator:
        weighed = _weigh(predicted, self.weights_)
        weighed["prediction"] = self.target_transformer_.inverse_transform(weighed["level"].to_numpy())
        return calibrate(target, weighed, self.target_transformer_, inputs=_DIFFICULTY, seed=self.random_state)


def _stand_in(pattern: np.ndarray, by_trees: np.ndarray, by_photos: np.ndarray) -> np.ndarray:
    """Return what the trees predict; for rows without any cell, what the photos do."""
    return np.where(np.isin(pattern, [name for name in PATTERNS if "tabular" in PATTERNS[name]]), by_photos, by_trees)


def _of_each_row(predicted: pd.DataFrame, num_rows: int) -> np.ndarray:
    """Return what the photos predict for each row as it is, with all that it has: the first of its patterns."""
    return predicted.drop_duplicates("row").set_index("row")[PHOTOS].loc[range(num_rows)].to_numpy()


def _learn_weights(predicted: pd.DataFrame, scaled: np.ndarray) -> dict[str, tuple[float, float]]:
    weights = {}
    for pattern, rows in predicted.groupby("pattern"):
        # No intercept: the target's mean is 0, and both know it.
        regression = LinearRegression(positive=True, fit_intercept=False)
        network, trees = regression.fit(rows[list(_MEMBERS)].to_numpy(), scaled[rows["row"]]).coef_
        weights[str(pattern)] = (float(network), float(trees))
    if "all" not in weights:
        raise ValueError("StackedRegressor needs training rows that have both cells and photos, got none")
    return weights


def _weigh(predicted: pd.DataFrame, weights: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """Add the stack's prediction, and by how much network and trees disagree (logarithm)."""
    of_rows = np.array([weights[pattern] for pattern in predicted["pattern"]]).reshape(-1, 2)
    members = predicted[list(_MEMBERS)].to_numpy()
    disagreement = np.log(np.abs(members[:, 0] - members[:, 1]) + _SMALLEST_DISAGREEMENT)
    return predicted.assign(level=(of_rows * members).sum(axis=1), disagreement=disagreement)


def _reading_of(network: MixedDataRegressor) -> tuple[dict[str, Any], str]:
    """Return what decides how a network reads photos."""
    embedder = network.embedder_
    return network.preprocessor_.images_.get_state(), "" if embedder is None else embedder.digest


def read_weights(file: Path) -> tuple[int, dict[str, tuple[float, float]]]:
    """Read the seed of a stack, and how much network and trees count in each pattern.

    Raises:
        ValueError: the file holds something else.
    """
    state = check_fields(read_json(file), file.name, {"random_state": INTEGER, "weights": OBJECT})
    weights = check_fields(state["weights"], f"{file.name}, weights", dict.fromkeys(PATTERNS, NUMBERS))
    if any(len(pair) != 2 for pair in weights.values()):
        raise ValueError(f"{file.name}: expected two weights for each of {list(PATTERNS)}, got {weights!s:.300}")
    return state["random_state"], {pattern: (pair[0], pair[1]) for pattern, pair in weights.items()}
