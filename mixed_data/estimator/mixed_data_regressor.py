"""The scikit-learn face of it all: a regressor over a DataFrame with columns of numbers, labels and photo paths."""

from __future__ import annotations

import os
from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from mixed_data.estimator import network_fit, out_of_fold, settings
from mixed_data.estimator.predicted_rows import RowRegressor
from mixed_data.intervals import IntervalCalibrator
from mixed_data.network.fused_network import INPUT_NAMES, make_predictor
from mixed_data.network.photo_vectors import PhotoEmbedder
from mixed_data.network.training import JIT_COMPILE
from mixed_data.preprocessing import SUITED_PREPROCESSING, Inputs, MixedDataPreprocessor, TargetTransformer
from mixed_data.schema import Schema

NUM_ROWS_PER_STEP = 32
"""Rows that the network sees at once while predicting, never more and never fewer."""

_SMALLEST_SPREAD = 0.02
"""Standard deviations of the target that are added to the members' spread, so that its logarithm is one."""


class MixedDataRegressor(RowRegressor, BaseEstimator):
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
        tabular_branch: a name in `mixed_data.network.TABULAR_BRANCHES`.
        image_branch: a name in `mixed_data.network.IMAGE_BRANCHES`: "cnn" learns to see from the photos given,
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
        modality_dropout: share of the rows whose photos, and of those whose table, are hidden in training, for a
            network that will meet rows without. None means 0.2, or 0 where photos go through convolutions that are
            trained: on the sample, such a network does without all the same.
        auxiliary: weight of the losses of predictions from each branch alone, in training; 0 for none.
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
        modality_dropout: float | None = None,
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
        embedder = network_fit.make_embedder(self, preprocessor)
        inputs = preprocessor.transform(X, embedder)
        scaled = transformer.transform(target)
        network, components, self.history_ = network_fit.fit_network(
            self, inputs, scaled, embedder, training_rows, validation_rows, callbacks
        )
        if self.finetune and components is not None:
            pixels = preprocessor.transform(X)
            embedder = network_fit.finetune(self, network, components, pixels, scaled, training_rows, callbacks)
            inputs = preprocessor.transform(X, embedder)
        self.set_parts(make_predictor(network, components), preprocessor, transformer, embedder)
        if self.intervals:
            self.calibrator_ = self._calibrate(X, target, schema, inputs, validation_rows)
        return self

    def _calibrate(
        self, X: pd.DataFrame, target: np.ndarray, schema: Schema, inputs: Inputs, validation_rows: np.ndarray
    ) -> IntervalCalibrator:
        """Calibrate on the rows set aside, which decided only when to stop; else on all, by models of inner folds."""
        if len(validation_rows):
            predicted = out_of_fold.predict_patterns(self, inputs.take(validation_rows))
            predicted["row"] = validation_rows[predicted["row"]]
        else:
            splits = out_of_fold.inner_splits(X, target, schema, self.random_state)
            predicted = out_of_fold.predict_out_of_fold(self, X, target, schema, splits)
        columns = (out_of_fold.LEVEL, out_of_fold.SPREAD)
        return out_of_fold.calibrate(
            target, predicted, self.target_transformer_, inputs=columns, seed=self.random_state
        )

    def set_parts(
        self,
        model: keras.Model,
        preprocessor: MixedDataPreprocessor,
        transformer: TargetTransformer,
        embedder: PhotoEmbedder | None = None,
    ) -> None:
        """Make this a fitted regressor, without intervals, of parts that `fit` or a loaded bundle brings."""
        self.model_ = model
        self.model_.jit_compile = JIT_COMPILE
        self.preprocessor_ = preprocessor
        self.target_transformer_ = transformer
        self.embedder_ = embedder
        self.calibrator_ = None
        self.feature_names_in_ = preprocessor.feature_names_in_
        self.n_features_in_ = preprocessor.n_features_in_

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

    def describe(self, table: pd.DataFrame, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
        """Predict rows, and give the prediction and the members' spread to tell easy ones from hard ones."""
        return self.describe_members(self.predict_members(inputs))

    def describe_members(self, scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the members' mean ``(n,)``; and ``(n, 2)``, that and the logarithm of their standard deviation."""
        mean = scaled.mean(axis=1)
        return mean, np.column_stack([mean, np.log(scaled.std(axis=1) + _SMALLEST_SPREAD)])

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
