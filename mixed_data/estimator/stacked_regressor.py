"""Boosted trees and kernel machines on what a pretrained backbone saw, each as much as it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from mixed_data.boosting import BoostedTrees
from mixed_data.bundle import Backbones
from mixed_data.estimator.mixed_data_regressor import MixedDataRegressor
from mixed_data.estimator.out_of_fold import calibrate, inner_splits
from mixed_data.estimator.saved_backbones import read_backbones, write_backbones
from mixed_data.estimator.saved_network import check_entry, make_entry
from mixed_data.estimator.saved_regressor import SavedRegressor
from mixed_data.estimator.settings import check_callbacks, check_options, group_rows, read_training_rows
from mixed_data.files.checked_json import read_json, write_json
from mixed_data.kernels import KernelMachines
from mixed_data.prediction.missing_patterns import PATTERNS, name_patterns
from mixed_data.prediction.rare_levels import RARITY, measure_rarity
from mixed_data.prediction.stacked_prediction import (
    DIFFICULTY,
    KERNELS_FILE,
    PHOTOS,
    STACK_FILE,
    StackedPrediction,
    choose,
    read_weights,
    tell_trees,
    weigh,
    write_weights,
)
from mixed_data.preprocessing import Inputs, MixedDataPreprocessor, TabularPreprocessor, TargetTransformer
from mixed_data.preprocessing.backbone_options import Names
from mixed_data.preprocessing.lost_photos import warn_of_lost_photos
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder
from mixed_data.schema import Schema

BRANCHES = ("patches", "pretrained")
"""Image branches of networks that a stack can use: their backbones are not trained on the target."""

_NUM_FITS_OF_TREES = 2


class StackedRegressor(SavedRegressor, BaseEstimator):
    """A weighted sum of boosted trees and of kernel machines, for a table with photos. No network is trained.

    A backbone that is not trained on the target turns the photos into vectors. Kernel machines learn from vectors and
    columns together, and from each alone (`mixed_data.kernels`). Trees learn from the columns and from what the photos
    alone predict; of training rows that is the prediction by machines that have not seen the row's group. The weight of
    the trees in the sum is the one with the smallest absolute error on rows that neither had seen (stacked regression,
    grouped folds). The machines learn from `mixed_data.kernels.kernel_machines.MOST_ROWS` rows at most, in whole groups
    that are drawn; the trees from all.

    Rows without photos, and rows without a table, have weights and intervals of their own. Without photos, the trees
    are told what the columns let expect of the photos, and the kernel machine on the columns takes the place of the
    mixed one. Without a table, the photos' prediction is the answer; without both, the mean is.

    (`sklearn.ensemble.StackingRegressor` keeps none of the predictions that it learns from; intervals, and weights of
    rows with something missing, need them.)

    Args:
        schema: which column plays which role, columns and photos among them; None infers it from the rows given to
            `fit`.
        preprocessor: as for `MixedDataRegressor`, as are the others.
        image_branch: "pretrained", or "patches" for a backbone that learns from the training photos.
        backbone: that reads the photos; or several.
        image_weights: of backbones.
        backbone_scaling: of backbones that are files.
        flip_average: whether photo and mirror image are averaged.
        target_transform: "auto", "log" or "identity".
        intervals: whether `fit` also learns how far off predictions are, for `predict_interval`.
        random_state: seed of the folds and the trees.

    Attributes:
        machines_: the fitted `KernelMachines`; on the transformed target, as the trees.
        trees_: the fitted `BoostedTrees`.
        weights_: pattern -> weight of the trees; the kernel machine has the rest.
        preprocessor_: the fitted `MixedDataPreprocessor`.
        embedder_: the `PhotoEmbedder` of the backbone.
        target_transformer_: the fitted `TargetTransformer`.
        calibrator_: the fitted `IntervalCalibrator`, or None.

    Reference:
        Breiman 1996, Stacked Regressions, doi:10.1007/BF00117832.
    """

    kind = "stack"
    modalities = "both"

    def __init__(
        self,
        schema: Schema | None = None,
        *,
        preprocessor: MixedDataPreprocessor | None = None,
        image_branch: str = "pretrained",
        backbone: Names = "MobileNetV2",
        image_weights: Names | None = "imagenet",
        backbone_scaling: str | Sequence[str] | None = None,
        flip_average: bool = True,
        target_transform: str = "auto",
        intervals: bool = False,
        random_state: int = 0,
    ) -> None:
        self.schema = schema
        self.preprocessor = preprocessor
        self.image_branch = image_branch
        self.backbone = backbone
        self.image_weights = image_weights
        self.backbone_scaling = backbone_scaling
        self.flip_average = flip_average
        self.target_transform = target_transform
        self.intervals = intervals
        self.random_state = random_state

    def fit(
        self, X: pd.DataFrame, y: ArrayLike, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> StackedRegressor:
        """Learn from the training rows.

        Args:
            X: the rows.
            y: target ``(n,)``, target units.
            callbacks: not called, since nothing here is trained in epochs; there because networks have them.

        Returns:
            self.

        Raises:
            ValueError: the schema lacks columns or photos, not one row has both, or as for `MixedDataRegressor.fit`.
        """
        check_options(self._make_reader().get_params(deep=False))
        if self.image_branch not in BRANCHES:
            raise ValueError(f"StackedRegressor: image_branch must be one of {BRANCHES}, got {self.image_branch!r}")
        check_callbacks(callbacks)
        schema, X, target = read_training_rows(self.schema, "both", X, y)
        if not schema.features or not schema.images:
            raise ValueError(f"StackedRegressor needs a schema with columns and photos, got {schema}")
        preprocessor, found = self._make_reader().make_reading(schema, X)
        embedder = cast(PhotoEmbedder, found)  # These branches have one.
        inputs = preprocessor.transform_checked(X, embedder)
        warn_of_lost_photos(inputs.row_warnings, X, schema.images)
        if not np.any(name_patterns(inputs, "both") == "all"):
            raise ValueError("StackedRegressor needs training rows that have both cells and photos, got none")
        transformer = TargetTransformer(self.target_transform).fit(target)
        scaled = transformer.transform(target)
        groups = group_rows(X, target, schema)
        splits = inner_splits(groups, self.random_state)
        machines, held_out = KernelMachines.learn(
            inputs, scaled, groups=groups, splits=splits, blocks=embedder.block_sizes, random_state=self.random_state
        )
        told = X.assign(**{PHOTOS: tell_trees(inputs, held_out)})
        imputed = X.assign(**{PHOTOS: held_out["imputed"]})
        by_trees = {"told": np.empty(len(X)), "imputed": np.empty(len(X))}
        for training_rows, held_out_rows in splits:
            trees = self._make_trees(schema).fit(told.iloc[training_rows], scaled[training_rows])
            for name, rows in (("told", told), ("imputed", imputed)):
                by_trees[name][held_out_rows] = trees.predict(rows.iloc[held_out_rows])
        trees = self._make_trees(schema).fit(told, scaled)
        predicted = _predict_patterns(inputs, held_out, by_trees)
        weights = {
            str(pattern): _learn_weight(rows["trees"].to_numpy(), rows["kernel"].to_numpy(), scaled[rows["row"]])
            for pattern, rows in predicted.groupby("pattern")
        }
        self._set_parts(preprocessor, embedder, transformer, machines, trees, weights)
        if self.intervals:
            predicted = weigh(predicted, weights)
            of_rows = measure_rarity(inputs, seen=True)[predicted["row"]]
            has_table = [pattern in ("all", "no photos") for pattern in predicted["pattern"]]
            predicted[RARITY] = np.where(has_table, of_rows, 0.0)
            predicted["prediction"] = transformer.inverse_transform(predicted["level"].to_numpy())
            self.calibrator_ = calibrate(target, predicted, transformer, inputs=DIFFICULTY, seed=self.random_state)
        return self

    def describe_rows(self, table: pd.DataFrame) -> tuple[Inputs, np.ndarray, np.ndarray]:
        """Read and predict rows; hard ones are told by the prediction, and by how far trees and machines disagree."""
        check_is_fitted(self)
        inputs = self.preprocessor_.transform_checked(table, self.embedder_)
        return inputs, *StackedPrediction(self.machines_, self.trees_, self.weights_).describe(table, inputs)

    def write_parts(self, folder: Path, backbones: Backbones, *, for_runtime: bool = True) -> dict[str, Any]:
        """Write this fitted regressor's part of a bundle; see `mixed_data.bundle.Bundled`."""
        self.preprocessor_.save(folder / "preprocessing.json")
        write_json(folder / "target.json", self.target_transformer_.get_state())
        write_weights(folder / STACK_FILE, self.weights_)
        self.machines_.write(folder / KERNELS_FILE)
        self.trees_.write(folder)
        entries, readers = write_backbones(self.embedder_.backbones, folder, backbones, for_runtime=for_runtime)
        return make_entry(self.get_params(deep=False), entries, readers, {}, folder)

    @classmethod
    def read_parts(cls, folder: Path, entry: dict[str, Any], places: Sequence[Path]) -> StackedRegressor:
        """Read what `write_parts` wrote; see `mixed_data.bundle.Bundled`."""
        entry = check_entry(entry, cls().get_params(deep=False), folder)
        preprocessor = MixedDataPreprocessor.load(folder / "preprocessing.json")
        transformer = TargetTransformer.from_state(read_json(folder / "target.json"))
        embedder = PhotoEmbedder(read_backbones(entry["backbones"], [folder, *places]), cached=False)
        unfitted = MixedDataPreprocessor(**preprocessor.get_params(deep=False))
        stack = cls(preprocessor.schema, preprocessor=unfitted, **entry["parameters"])
        machines = KernelMachines.read(
            folder / KERNELS_FILE,
            num_views=len(preprocessor.views_),
            num_features=sum(embedder.block_sizes),
            num_columns=len(preprocessor.get_feature_names_out()),
        )
        trees = stack._make_trees(preprocessor.schema_).restore(folder)
        stack._set_parts(preprocessor, embedder, transformer, machines, trees, read_weights(folder / STACK_FILE))
        return stack

    def _set_parts(
        self,
        preprocessor: MixedDataPreprocessor,
        embedder: PhotoEmbedder,
        transformer: TargetTransformer,
        machines: KernelMachines,
        trees: BoostedTrees,
        weights: dict[str, float],
    ) -> None:
        """Make this a fitted regressor, without intervals, of parts that `fit` or a bundle brings."""
        self.preprocessor_, self.embedder_, self.target_transformer_ = preprocessor, embedder, transformer
        self.machines_, self.trees_, self.weights_ = machines, trees, weights
        self.calibrator_ = None
        self.feature_names_in_ = preprocessor.feature_names_in_
        self.n_features_in_ = preprocessor.n_features_in_

    @property
    def fusion_weights_(self) -> dict[str, float]:
        """Member -> its weight in the sum, for rows that lack nothing."""
        check_is_fitted(self)
        return {"trees": self.weights_["all"], "kernel": 1 - self.weights_["all"]}

    def _make_reader(self) -> MixedDataRegressor:
        """Return an unfitted regressor that reads rows as this one is to."""
        return MixedDataRegressor(**self.get_params(deep=False))

    def _make_preprocessor(self, schema: Schema) -> MixedDataPreprocessor:
        return self._make_reader()._make_preprocessor(schema)

    def _make_trees(self, schema: Schema) -> BoostedTrees:
        settings = {} if self.preprocessor is None else self.preprocessor.get_params(deep=False)
        shared = {name: settings[name] for name in TabularPreprocessor().get_params() if name in settings}
        schema = replace(schema, target=None)
        return BoostedTrees(
            schema,
            TabularPreprocessor(**{**shared, "schema": schema}),
            extra=(PHOTOS,),
            num_fits=_NUM_FITS_OF_TREES,
            random_state=self.random_state,
        )


def _predict_patterns(
    inputs: Inputs, held_out: Mapping[str, np.ndarray], by_trees: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Predict each row as it is, and as if photos, cells and both were missing.

    Args:
        inputs: of the rows.
        held_out: of each of `mixed_data.kernels.kernel_machines.MACHINES`, predictions of rows that it had not seen.
        by_trees: likewise, "told" by the photos and by what is "imputed" for them.
    """
    own = name_patterns(inputs, "both")
    parts = []
    for pattern, missing in PATTERNS.items():
        rows = np.flatnonzero([set(PATTERNS[name]) <= set(missing) for name in own])
        of_trees = by_trees["imputed" if "image" in missing else "told"][rows]
        found = {name: predicted[rows] for name, predicted in held_out.items()}
        parts.append(choose(np.full(len(rows), pattern, dtype=object), found, of_trees).assign(row=rows))
    return pd.concat(parts, ignore_index=True)


def _learn_weight(trees: np.ndarray, kernel: np.ndarray, target: np.ndarray) -> float:
    """Return the weight of the trees with the smallest mean absolute error: a weighted median, within [0, 1]."""
    difference = trees - kernel
    apart = difference != 0
    if not apart.any():
        return 0.5
    best = (target - kernel)[apart] / difference[apart]
    order = np.argsort(best, kind="stable")
    counts = np.cumsum(np.abs(difference[apart])[order])
    return float(np.clip(best[order[np.searchsorted(counts, counts[-1] / 2)]], 0.0, 1.0))
