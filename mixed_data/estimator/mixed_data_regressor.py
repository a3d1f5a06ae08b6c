"""The scikit-learn face of it all: a regressor over a DataFrame with columns of numbers, labels and photo paths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from mixed_data.bundle import Backbones
from mixed_data.estimator.distributed_fit import Learned, Reading, learn_once, split_once, train_together
from mixed_data.estimator.network_fit import Trained, train_alone
from mixed_data.estimator.out_of_fold import calibrate_network, predict_unseen
from mixed_data.estimator.photo_backbones import learn_embedder, load_embedder
from mixed_data.estimator.saved_network import NetworkParts, check_entry, read_network, write_network
from mixed_data.estimator.saved_regressor import SavedRegressor
from mixed_data.estimator.settings import (
    check_callbacks,
    check_options,
    read_training_rows,
    resolve_settings,
    set_aside,
)
from mixed_data.network.distribution import current_job
from mixed_data.network.member_predictions import measure_fusion, predict_members, read_member_weights
from mixed_data.network.training import JIT_COMPILE
from mixed_data.prediction.member_spread import describe_members
from mixed_data.prediction.predicted_rows import NUM_ROWS_AT_ONCE
from mixed_data.prediction.typical_photos import TypicalPhotos
from mixed_data.preprocessing import SUITED_PREPROCESSING, Inputs, MixedDataPreprocessor, TargetTransformer
from mixed_data.preprocessing.backbone_options import Names, resolve_backbones
from mixed_data.preprocessing.lost_photos import warn_of_lost_photos
from mixed_data.preprocessing.photo_arguments import height_and_width
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder
from mixed_data.preprocessing.row_reader import Rows
from mixed_data.schema import Schema


class MixedDataRegressor(SavedRegressor, BaseEstimator):
    """Predict a number from a table plus pictures with a CNN and an MLP branch and a fusion layer.

    Everything is learned from the rows given to `fit`, part of which (whole groups, see `mixed_data.audit`) is set
    aside to decide when to stop. The same seed on the same machine gives the same model. Works wherever scikit-learn
    passes DataFrames on: `clone`, `cross_val_score`, `GridSearchCV`, `StackingRegressor`, `permutation_importance`.

    Args:
        schema: which column plays which role; None infers it from the rows given to `fit`.
        preprocessor: how cells and photos become arrays, unfitted; None means
            ``MixedDataPreprocessor(schema)``. Its settings are reached as ``preprocessor__image_size`` and so on.
        modalities: "both", or "tabular" or "image" for the unimodal network from the same code.
        fusion: a name in `mixed_data.fusion.FUSIONS`.
        normalize: put both branches on one scale before the fusion, row by row.
        image_branch: a name in `mixed_data.network.IMAGE_BRANCHES`: "cnn" learns to see from the photos given,
            "patches" from what their patches differ in, without the target and in less time, and
            "pretrained" reads them with a frozen network that has seen a million others, once per photo.
        backbone: for "pretrained", the name of a model in `keras.applications`, such as "MobileNetV2", or the path of a
            ``.keras`` or ``.onnx`` file; or a list of these, whose vectors are put side by side.
        image_weights: of models of `keras.applications`: "imagenet" (Keras downloads them once), or for each of them
            the path of a ``.weights.h5`` file.
        backbone_scaling: how files expect their pixels, a name in
            `mixed_data.preprocessing.pixel_conventions.PIXEL_SCALINGS`; one, or one for each file.
        flip_average: whether a backbone reads the mirror image of each photo too, and the mean counts.
        units: width of each branch's vector.
        dropout: of the tabular branch.
        image_dropout: of the image branch. None means 0.3 for "pretrained", 0.9 for "patches"; for "cnn" 0.6 from 1,000
            rows on and 0.8 below, where a network from scratch learns the training photos by heart (houses, 5 folds,
            ``random_state=1``: RMSE of log 0.357 with 0.6, 0.349 with 0.8).
        members: networks that are trained as one and averaged (a packed ensemble, see `mixed_data.members`). None means
            8, or 1 where photos go through convolutions that are trained.
        modality_dropout: share of the rows whose photos, and of those whose table, are hidden in training, for a
            network that will meet rows without. None means 0.2 with "pretrained" photos; 0 with
            "cnn", which on the sample does without all the same, and with "patches".
        target_transform: "auto", "log" or "identity"; see `TargetTransformer`.
        loss: a Keras loss, by name, on the transformed target. None means "huber" from 1,000 rows on: quadratic for
            ordinary errors, linear for outliers such as a price with a zero too many; and "mae" below, where a single
            wrong price weighs more.
        epochs: at most so many. None means 20, or 40 below 1,000 rows where no photos go through convolutions; half as
            many again where ``modality_dropout`` hides something.
        batch_size: rows per training step.
        learning_rate: of AdamW, decaying to zero (cosine).
        weight_decay: of AdamW.
        validation_fraction: share of the groups set aside for early stopping; 0 trains all epochs on all rows. None
            means 0.1 from 1,000 rows on and 0 below: of so few rows, each is worth more for training than as a judge
            (houses, 5 folds, columns only: RMSE of log 0.363 with 0.1, 0.355 with 0); the decaying rate ends the
            training.
        patience: epochs without improvement before stopping.
        intervals: whether `fit` also learns how far off predictions are, for `predict_interval`. Where no rows are set
            aside for early stopping this takes five more fits.
        random_state: seed of everything random here.

    Attributes:
        model_: the fitted Keras model, from `make_predictor`.
        embedder_: the `PhotoEmbedder` of an image branch over a backbone, else None.
        calibrator_: the fitted `IntervalCalibrator`, or None.
        preprocessor_: the fitted `MixedDataPreprocessor`.
        target_transformer_: the fitted `TargetTransformer`.
        fusion_weights_: branch -> learned weight, summing to 1; empty where the fusion has none. On one scale: the
            share of what moves the fused vector over the training rows; see `mixed_data.fusion.WeightedSum`.
        history_: ``loss`` and ``val_loss`` per epoch.
        typical_photos_: `TypicalPhotos`, the mean photo of each view, or None.
        feature_names_in_: the columns that are read.
        n_features_in_: how many they are.

    Example:
        >>> regressor = MixedDataRegressor(schema, fusion="weighted_sum", random_state=0)
        >>> prediction = regressor.fit(table, table["price"]).predict(new_table)
    """

    kind = "network"

    def __init__(
        self,
        schema: Schema | None = None,
        *,
        preprocessor: MixedDataPreprocessor | None = None,
        modalities: str = "both",
        fusion: str = "weighted_sum",
        normalize: bool = False,
        image_branch: str = "cnn",
        backbone: Names = "MobileNetV2",
        image_weights: Names | None = "imagenet",
        backbone_scaling: str | Sequence[str] | None = None,
        flip_average: bool = True,
        units: int = 64,
        dropout: float = 0.15,
        image_dropout: float | None = None,
        members: int | None = None,
        modality_dropout: float | None = None,
        target_transform: str = "auto",
        loss: str | None = None,
        epochs: int | None = None,
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        validation_fraction: float | None = None,
        patience: int = 10,
        intervals: bool = False,
        random_state: int = 0,
    ) -> None:
        self.schema = schema
        self.preprocessor = preprocessor
        self.modalities = modalities
        self.fusion = fusion
        self.normalize = normalize
        self.image_branch = image_branch
        self.backbone = backbone
        self.image_weights = image_weights
        self.backbone_scaling = backbone_scaling
        self.flip_average = flip_average
        self.units = units
        self.dropout = dropout
        self.image_dropout = image_dropout
        self.members = members
        self.modality_dropout = modality_dropout
        self.target_transform = target_transform
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.intervals = intervals
        self.random_state = random_state

    def fit(
        self,
        X: pd.DataFrame,
        y: ArrayLike,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        *,
        out_of_fold: pd.DataFrame | None = None,
    ) -> MixedDataRegressor:
        """Learn from the training rows.

        A `PhotoWarning` says, before the training and counted by reason, which photos cannot be used, and which column
        names none.

        Args:
            X: the rows, a table of pandas, polars or pyarrow; columns are matched by name, those without a role (also
                the target, which may be absent) are ignored.
            y: target ``(n,)`` or ``(n, 1)``, in target units: finite numbers, or texts of them as in a column.
            callbacks: Keras callbacks, e.g. a progress bar.
            out_of_fold: what models that had not seen the rows predict for them, where there are such: intervals are
                then learned from it, and not by fits of inner folds. The columns of
                `mixed_data.estimator.out_of_fold.predict_patterns`, with ``row`` as the position in ``X``; ignored
                where rows are set aside.

        Returns:
            self.

        Raises:
            ValueError: the table does not fit the schema, the target is not a column of finite numbers, or an
                option is out of range. Without a schema, also where a column of ``X`` has the values of ``y`` under
                another name, or its name with other values.
        """
        schema, X, target, trained = self._train(X, y, callbacks)
        if (job := current_job()) is not None and not job.is_first:
            return self
        measure_fusion(self.model_, trained.inputs, trained.training)
        if self.intervals:
            if out_of_fold is None or len(trained.validation):
                out_of_fold = predict_unseen(self, X, target, schema, trained)
            self.calibrator_ = calibrate_network(target, out_of_fold, self.target_transformer_, seed=self.random_state)
        return self

    def fit_to_predict(self, X: pd.DataFrame, y: ArrayLike) -> MixedDataRegressor:
        """Learn from the training rows as `fit` does, but not how far off predictions are, nor what a fusion weighs."""
        self._train(X, y)
        return self

    def _train(
        self, X: pd.DataFrame, y: ArrayLike, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> tuple[Schema, pd.DataFrame, np.ndarray, Trained]:
        """Train the network, and return the schema, the rows and their target as they were read, and what is left."""
        check_options(self.get_params(deep=False))
        check_callbacks(callbacks)
        schema, X, target = read_training_rows(self.schema, self.modalities, X, y)
        settings = resolve_settings(self.get_params(deep=False), len(X))
        job = current_job()
        split = partial(set_aside, self.validation_fraction, X, target, schema, self.random_state)
        training_rows, validation_rows = split() if job is None else split_once(job, split)
        learn = partial(self._learn, schema, X, target, training_rows)
        preprocessor, embedder, transformer = learn() if job is None else learn_once(job, learn)
        scaled = transformer.transform(target)
        how: dict[str, Any] = {"training_rows": training_rows, "validation_rows": validation_rows}
        if job is None:
            inputs = preprocessor.transform_checked(X, embedder)
            warn_of_lost_photos(inputs.row_warnings, X, schema.images, depth=3)
            trained = train_alone(inputs, scaled, settings, embedder, callbacks=callbacks, **how)
        else:
            trained = train_together(job, preprocessor, X, scaled, settings, callbacks=callbacks, **how)
        typical = TypicalPhotos.learn(trained.inputs, trained.training) if preprocessor.views_ else None
        self.set_parts(NetworkParts(trained.model, preprocessor, transformer, embedder, trained.history, typical))
        return schema, X, target, trained

    def _learn(self, schema: Schema, X: pd.DataFrame, target: np.ndarray, training_rows: np.ndarray) -> Learned:
        """Learn from training rows and their target how cells, photos and targets are read."""
        transformer = TargetTransformer(self.target_transform).fit(target[training_rows])
        return *self.make_reading(schema, X, training_rows), transformer

    def embed_photos(self, table: pd.DataFrame, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Have a pretrained backbone read all photos before anything is fitted; later fits find the vectors kept.

        Without one, or without image columns in the schema, nothing is done.

        Args:
            table: all rows.
            on_progress: called with how many new photos are computed and how many there are, part by part.
        """
        if self.schema is None or not self.schema.images or self.image_branch != "pretrained":
            return
        preprocessor = self._make_preprocessor(self.schema.only_images()).fit(table)
        embedder = self._load_embedder(preprocessor, table, slice(None))
        if embedder is not None:
            embedder = replace(embedder, on_progress=on_progress)
            for start in range(0, len(table), NUM_ROWS_AT_ONCE):
                preprocessor.transform_checked(table.iloc[start : start + NUM_ROWS_AT_ONCE], embedder)

    def make_reading(self, schema: Schema, table: pd.DataFrame, rows: Rows = slice(None)) -> Reading:
        """Return the preprocessor, fitted on training rows, and what reads their photos, if they are no pixels."""
        preprocessor = self._make_preprocessor(schema).fit_checked(table, rows)
        return preprocessor, self._load_embedder(preprocessor, table, rows)

    def _make_preprocessor(self, schema: Schema) -> MixedDataPreprocessor:
        if self.preprocessor is None:
            return MixedDataPreprocessor(schema, **SUITED_PREPROCESSING.get(self.image_branch, {}))
        return clone(self.preprocessor).set_params(schema=schema)

    def _load_embedder(self, reader: MixedDataPreprocessor, table: pd.DataFrame, rows: Rows) -> PhotoEmbedder | None:
        """Return what reads photos; nothing for a branch that reads pixels."""
        if self.image_branch == "cnn" or self.modalities == "tabular":
            return None
        if self.image_branch == "patches":
            return learn_embedder(reader.transform_checked(table.iloc[rows]))
        return load_embedder(resolve_backbones(self.get_params(deep=False)), height_and_width(reader.image_size))

    def set_parts(self, parts: NetworkParts) -> None:
        """Make this a fitted regressor, without intervals, of parts that `fit` or a loaded bundle brings."""
        self.model_ = parts.model
        self.model_.jit_compile = JIT_COMPILE
        self.preprocessor_ = parts.preprocessor
        self.target_transformer_ = parts.transformer
        self.embedder_ = parts.embedder
        self.history_ = parts.history
        self.typical_photos_ = parts.typical
        self.calibrator_ = None
        self.feature_names_in_ = parts.preprocessor.feature_names_in_
        self.n_features_in_ = parts.preprocessor.n_features_in_

    @property
    def fusion_weights_(self) -> dict[str, float]:
        """Branch -> weight; see the class."""
        weights = self.member_weights_
        return {} if weights is None else dict(zip(("tabular", "image"), weights.mean(axis=0).tolist(), strict=True))

    @property
    def member_weights_(self) -> np.ndarray | None:
        """The fusion's weights of every member, ``(members, 2)``; None where the fusion has none."""
        check_is_fitted(self)
        return read_member_weights(self.model_)

    def read_rows(self, table: pd.DataFrame) -> Inputs:
        """Turn rows that fit the schema into what the network reads, with the photos as vectors if it reads those."""
        return self.preprocessor_.transform_checked(table, self.embedder_)

    def describe_rows(self, table: pd.DataFrame) -> tuple[Inputs, np.ndarray, np.ndarray]:
        """Read and predict rows; hard ones are told by the prediction and by the members' spread."""
        inputs = self.read_rows(table)
        return inputs, *self.describe_inputs(inputs)

    def describe_inputs(self, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
        """Predict rows that `read_rows` has read.

        Returns:
            The members' mean ``(n,)``, on the scale of `target_transformer_`; and ``(n, 3)``, that, the logarithm of
            their standard deviation, and the rarity of the row's levels.
        """
        return describe_members(self.predict_members(inputs), inputs)

    def predict_members(self, inputs: Inputs) -> np.ndarray:
        """Predict rows that `read_rows` has read, by every member; see `mixed_data.network.member_predictions`."""
        return predict_members(self.model_, inputs)

    def write_parts(self, folder: Path, backbones: Backbones, *, for_runtime: bool = True) -> dict[str, Any]:
        """Write this fitted regressor's part of a bundle; see `mixed_data.bundle.Bundled`."""
        reading = (self.preprocessor_, self.target_transformer_, self.embedder_)
        parts = NetworkParts(self.model_, *reading, self.history_, self.typical_photos_)
        return write_network(self.get_params(deep=False), parts, folder, backbones, for_runtime=for_runtime)

    @classmethod
    def read_parts(cls, folder: Path, entry: dict[str, Any], places: Sequence[Path]) -> MixedDataRegressor:
        """Read what `write_parts` wrote; see `mixed_data.bundle.Bundled`."""
        defaults = cls().get_params(deep=False)
        entry = check_entry(entry, defaults, folder)
        check_options({**defaults, **entry["parameters"]})
        parts = read_network(folder, entry, places)
        unfitted = MixedDataPreprocessor(**parts.preprocessor.get_params(deep=False))
        regressor = cls(parts.preprocessor.schema, preprocessor=unfitted, **entry["parameters"])
        regressor.set_parts(parts)
        return regressor
