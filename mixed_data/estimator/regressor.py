"""The scikit-learn face of it all: a regressor over a DataFrame with columns of numbers, labels and photo paths."""

from __future__ import annotations

import os
from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from mixed_data.embedding import PhotoEmbedder
from mixed_data.estimator import calibration, fitting, settings
from mixed_data.intervals import IntervalCalibrator
from mixed_data.model import INPUT_NAMES, make_predictor
from mixed_data.preprocessing import SUITED_PREPROCESSING, Inputs, MixedDataPreprocessor, TargetTransformer
from mixed_data.schema import Schema
from mixed_data.training import JIT_COMPILE

NUM_ROWS_AT_ONCE = 1024
"""Rows whose photos are held in memory at once while predicting."""

NUM_ROWS_PER_STEP = 32
"""Rows that the network sees at once while predicting, never more and never fewer."""


class MixedDataRegressor(RegressorMixin, BaseEstimator):
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
        normalize: put both branches on one scale before the fusion, so that its weights can be compared.
        tabular_branch: a name in `mixed_data.branches.TABULAR_BRANCHES`.
        image_branch: a name in `mixed_data.branches.IMAGE_BRANCHES`: "cnn" learns to see from the photos given,
            "pretrained" reads them with a frozen network that has seen a million others, once per photo.
        backbone: for "pretrained", the name of a model in `keras.applications`, such as "MobileNetV2",
            "EfficientNetV2B0" or "ConvNeXtTiny".
        image_weights: of the backbone: "imagenet" (Keras downloads them once) or the path of a ``.weights.h5`` file.
        finetune: how many of the backbone's last blocks are trained on, after the rest; 0 for none.
        units: width of each branch's vector.
        dropout: of the tabular branch.
        image_dropout: of the image branch. None means 0.3 for "pretrained"; for "cnn" 0.6 from 1,000 rows on and 0.8
            below, where a network from scratch learns the training photos by heart (houses, 5 folds,
            ``random_state=1``: RMSE of log 0.357 with 0.6, 0.349 with 0.8).
        members: networks that are trained as one and averaged (a packed ensemble, see `mixed_data.members`). None means
            8, or 1 where photos go through convolutions that are trained.
        modality_dropout: share of the rows whose photos are hidden in training, for a network that will meet rows
            without.
        auxiliary: weight of the losses of predictions from each branch alone, in training; 0 for none.
        target_transform: "auto", "log" or "identity"; see `TargetTransformer`.
        loss: a Keras loss, by name, on the transformed target. None means "huber" from 1,000 rows on: quadratic for
            ordinary errors, linear for outliers such as a price with a zero too many; and "mae" below, where a single
            wrong price weighs more.
        epochs: at most so many. None means 20, or 40 below 1,000 rows where no photos go through convolutions.
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
        fusion_weights_: branch -> learned (or fixed) weight, summing to 1; empty where the fusion has none. Says how
            the vectors are mixed, not how important a modality is: see `mixed_data.fusion.WeightedSum`.
        history_: ``loss`` and ``val_loss`` per epoch.
        feature_names_in_: the columns that are read.
        n_features_in_: how many they are.

    Example:
        >>> regressor = MixedDataRegressor(schema, fusion="weighted_sum", random_state=0)
        >>> prediction = regressor.fit(table, table["price"]).predict(new_table)
    """

    def __init__(
        self,
        schema: Schema | None = None,
        *,
        preprocessor: MixedDataPreprocessor | None = None,
        modalities: str = "both",
        fusion: str = "weighted_sum",
        normalize: bool = False,
        tabular_branch: str = "mlp",
        image_branch: str = "cnn",
        backbone: str = "MobileNetV2",
        image_weights: str | os.PathLike[str] | None = "imagenet",
        finetune: int = 0,
        units: int = 64,
        dropout: float = 0.15,
        image_dropout: float | None = None,
        members: int | None = None,
        modality_dropout: float = 0.0,
        auxiliary: float = 0.0,
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
        self.tabular_branch = tabular_branch
        self.image_branch = image_branch
        self.backbone = backbone
        self.image_weights = image_weights
        self.finetune = finetune
        self.units = units
        self.dropout = dropout
        self.image_dropout = image_dropout
        self.members = members
        self.modality_dropout = modality_dropout
        self.auxiliary = auxiliary
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
        self, X: pd.DataFrame, y: ArrayLike, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> MixedDataRegressor:
        """Learn from the training rows.

        Args:
            X: the rows; columns are matched by name, those without a role (also the target, which may be absent)
                are ignored.
            y: target ``(n,)``, finite numbers in target units.
            callbacks: Keras callbacks, e.g. a progress bar.

        Returns:
            self.

        Raises:
            ValueError: the table does not fit the schema, the target is not a column of finite numbers, or an
                option is out of range.
        """
        settings.check_options(self)
        target = settings.check_target(X, y)
        schema = settings.resolve_schema(self, X, target, getattr(y, "name", None))
        training_rows, validation_rows = settings.set_aside(self, X, target, schema)
        if self.preprocessor is None:
            base = MixedDataPreprocessor(schema, **SUITED_PREPROCESSING.get(self.image_branch, {}))
        else:
            base = clone(self.preprocessor).set_params(schema=schema)
        preprocessor = base.fit(X.iloc[training_rows])
        transformer = TargetTransformer(self.target_transform).fit(target[training_rows])
        embedder = fitting.make_embedder(self, preprocessor)
        inputs = preprocessor.transform(X, embedder)
        scaled = transformer.transform(target)
        network, components, self.history_ = fitting.fit_network(
            self, inputs, scaled, embedder, training_rows, validation_rows, callbacks
        )
        if self.finetune and components is not None:
            pixels = preprocessor.transform(X)
            embedder = fitting.finetune(self, network, components, pixels, scaled, training_rows, callbacks)
            inputs = preprocessor.transform(X, embedder)
        self.set_parts(make_predictor(network, components), preprocessor, transformer, embedder)
        if self.intervals:
            rows = validation_rows
            validation = (inputs.take(rows), target[rows]) if len(rows) else None
            calibrator = calibration.calibrate(self, X, target, schema, validation)
            self.set_parts(self.model_, preprocessor, transformer, embedder, calibrator)
        return self

    def set_parts(
        self,
        model: keras.Model,
        preprocessor: MixedDataPreprocessor,
        transformer: TargetTransformer,
        embedder: PhotoEmbedder | None = None,
        calibrator: IntervalCalibrator | None = None,
    ) -> None:
        """Make this a fitted regressor of parts that were fitted elsewhere (`fit`, or a loaded bundle)."""
        self.model_ = model
        self.model_.jit_compile = JIT_COMPILE
        self.preprocessor_ = preprocessor
        self.target_transformer_ = transformer
        self.embedder_ = embedder
        self.calibrator_ = calibrator
        self.feature_names_in_ = preprocessor.feature_names_in_
        self.n_features_in_ = preprocessor.n_features_in_

    def transform(self, table: pd.DataFrame) -> Inputs:
        """Turn rows into what the fitted network reads: `preprocessor_`, with the photos as vectors if it reads those.

        Args:
            table: as for `predict`.
        """
        return self.preprocessor_.transform(table, self.embedder_)

    @property
    def fusion_weights_(self) -> dict[str, float]:
        """Branch -> weight; see the class."""
        weights = self.member_weights_
        if weights is None:
            return {}
        return dict(zip(("tabular", "image"), map(float, weights.mean(axis=0)), strict=True))

    @property
    def member_weights_(self) -> np.ndarray | None:
        """The fusion's weights of every member, ``(members, 2)``; None where the fusion has none."""
        check_is_fitted(self)
        network = next((layer for layer in self.model_.layers if isinstance(layer, keras.Model)), None)
        layer = network.get_layer("fusion") if network is not None and self.modalities == "both" else None
        return None if layer is None or not hasattr(layer, "fusion_weights") else layer.fusion_weights()

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Predict rows; each by itself, in their order.

        Args:
            X: rows with the columns of `feature_names_in_`; others are ignored.

        Returns:
            float64 ``(n,)``, target units.

        Raises:
            ValueError: the table does not fit the schema (all problems are listed).
        """
        return self.predict_rows(X)["prediction"].to_numpy()

    def predict_interval(self, X: pd.DataFrame, coverage: float = 0.9) -> np.ndarray:
        """Predict intervals that hold the true value in a chosen share of cases like the training rows.

        Conformal intervals, narrower for rows whose members agree; rows without photos have a calibration of their own.
        See `mixed_data.intervals.IntervalCalibrator`.

        Args:
            X: as for `predict`.
            coverage: above 0 and below 1.

        Returns:
            float64 ``(n, 2)``, lower and upper end, target units.

        Raises:
            ValueError: the table does not fit the schema, this was fitted with ``intervals=False``, or there were too
                few training rows for such a coverage.
        """
        return self.predict_rows(X, coverage=coverage)[["lower", "upper"]].to_numpy()

    def predict_rows(self, table: pd.DataFrame, coverage: float | None = None) -> pd.DataFrame:
        """Predict rows and say of each what it was made from.

        Args:
            table: as for `predict`.
            coverage: of the intervals; None for no intervals.

        Returns:
            One line per row, in order, with the index of ``table``: ``prediction`` (float64, target units),
            with a coverage ``lower`` and ``upper`` (likewise), ``images_used`` (int64, number of photos), ``warnings``
            (text, parts separated by "; ", empty for a row in order).

        Raises:
            ValueError: as for `predict` and `predict_interval`.
        """
        check_is_fitted(self)
        if coverage is not None and self.calibrator_ is None:
            raise ValueError("this regressor knows no intervals: it was fitted with intervals=False")
        self.preprocessor_.schema.validate(table, needs_target=False)
        parts = []
        for start in range(0, max(len(table), 1), NUM_ROWS_AT_ONCE):
            inputs = self.transform(table.iloc[start : start + NUM_ROWS_AT_ONCE])
            scaled = self.predict_members(inputs)
            columns = {"prediction": self.target_transformer_.inverse_transform(scaled.mean(axis=1))}
            if coverage is not None and self.calibrator_ is not None:
                difficulty, pattern = calibration.describe_rows(self, inputs, scaled)
                columns["lower"], columns["upper"] = self.calibrator_.predict(
                    columns["prediction"], difficulty=difficulty, pattern=pattern, coverage=coverage
                )
            columns["images_used"] = inputs["image_mask"].sum(axis=1).astype("int64")
            parts.append(pd.DataFrame({**columns, "warnings": ["; ".join(row) for row in inputs.row_warnings]}))
        return pd.concat(parts).set_axis(table.index, axis="index")

    def predict_members(self, inputs: Inputs) -> np.ndarray:
        """Predict rows that `transform` has read, by every member of the ensemble.

        Sums of products are added up in an order that may depend on the number of rows. So that a row gets the same
        answer to the last bit whatever comes with it, every step has `NUM_ROWS_PER_STEP` rows; copies of the last row
        fill up the last step.

        Returns:
            float64 ``(n, members)``, on the scale of `target_transformer_`.
        """
        num_rows = len(inputs["image_mask"])
        scaled = np.empty((num_rows, self.model_.output_shape[1]))
        for start in range(0, num_rows, NUM_ROWS_PER_STEP):
            rows = np.minimum(np.arange(start, start + NUM_ROWS_PER_STEP), num_rows - 1)
            output = self.model_.predict_on_batch({name: inputs[name][rows] for name in INPUT_NAMES[self.modalities]})
            scaled[start : start + NUM_ROWS_PER_STEP] = output[: num_rows - start]
        return scaled

    def save(self, path: str | os.PathLike[str], *, metrics: dict[str, float] | None = None) -> None:
        """Write this fitted regressor as a bundle; see `mixed_data.bundle.save_bundle`."""
        from mixed_data.bundle import save_bundle

        save_bundle(self, path, metrics=metrics)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> MixedDataRegressor:
        """Read a bundle; see `mixed_data.bundle.load_bundle`."""
        from mixed_data.bundle import load_bundle

        return load_bundle(path)
