"""The scikit-learn face of it all: a regressor over a DataFrame with columns of numbers, labels and photo paths."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from mixed_data.audit import find_groups
from mixed_data.branches import IMAGE_BRANCHES, TABULAR_BRANCHES
from mixed_data.fusion import FUSIONS
from mixed_data.inference import find_targets
from mixed_data.model import INPUT_NAMES, build_model, choose
from mixed_data.preprocessing import Inputs, MixedDataPreprocessor, TargetTransformer
from mixed_data.schema import Schema
from mixed_data.split import hold_out
from mixed_data.training import JIT_COMPILE, seeded, train

NUM_ROWS_AT_ONCE = 1024
"""Rows whose photos are held in memory at once while predicting."""

NUM_ROWS_PER_STEP = 32
"""Rows that the network sees at once while predicting, never more and never fewer."""

FEW_ROWS = 1000
"""Below this number of training rows, what is None in `MixedDataRegressor` becomes what suits few rows."""

SCHEMA_FOR = {
    "both": lambda schema: schema,
    "tabular": Schema.without_images,
    "image": Schema.only_images,
}


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
        image_branch: a name in `mixed_data.branches.IMAGE_BRANCHES`.
        units: width of each branch's vector.
        dropout: of the tabular branch.
        image_dropout: of the image branch. None means 0.6 from 1,000 rows on and 0.8 below, where a network from
            scratch learns the training photos by heart (houses, 5 folds, ``random_state=1``: RMSE of log 0.357 with
            0.6, 0.349 with 0.8).
        target_transform: "auto", "log" or "identity"; see `TargetTransformer`.
        loss: a Keras loss, by name, on the transformed target. "huber" is quadratic for ordinary errors, which learns
            most from few rows, and linear for outliers such as a price with a zero too many.
        epochs: at most so many.
        batch_size: rows per training step.
        learning_rate: of AdamW, decaying to zero (cosine).
        weight_decay: of AdamW.
        validation_fraction: share of the groups set aside for early stopping; 0 trains all epochs on all rows. None
            means 0.1 from 1,000 rows on and 0 below: of so few rows, each is worth more for training than as a judge
            (houses, 5 folds, columns only: RMSE of log 0.363 with 0.1, 0.355 with 0); the decaying rate ends the
            training.
        patience: epochs without improvement before stopping.
        random_state: seed of everything random here.

    Attributes:
        model_: the fitted Keras model.
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
        units: int = 64,
        dropout: float = 0.15,
        image_dropout: float | None = None,
        target_transform: str = "auto",
        loss: str = "huber",
        epochs: int = 20,
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        validation_fraction: float | None = None,
        patience: int = 10,
        random_state: int = 0,
    ) -> None:
        self.schema = schema
        self.preprocessor = preprocessor
        self.modalities = modalities
        self.fusion = fusion
        self.normalize = normalize
        self.tabular_branch = tabular_branch
        self.image_branch = image_branch
        self.units = units
        self.dropout = dropout
        self.image_dropout = image_dropout
        self.target_transform = target_transform
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
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
        self._check_options()
        target = _check_target(X, y)
        schema = self._resolve_schema(X, target, getattr(y, "name", None))
        training_rows, validation_rows = self._set_aside(X, target, schema)
        base = MixedDataPreprocessor(schema) if self.preprocessor is None else clone(self.preprocessor)
        preprocessor = base.set_params(schema=schema).fit(X.iloc[training_rows])
        transformer = TargetTransformer(self.target_transform).fit(target[training_rows])
        scaled = transformer.transform(target)
        inputs = preprocessor.transform(X)
        with seeded(self.random_state):
            model = self._build(inputs)
            self.history_ = train(
                model,
                inputs,
                scaled,
                training_rows=training_rows,
                validation_rows=validation_rows,
                epochs=self.epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                loss=self.loss,
                patience=self.patience,
                random_state=self.random_state,
                callbacks=callbacks,
            )
        self.set_parts(model, preprocessor, transformer)
        return self

    def set_parts(
        self, model: keras.Model, preprocessor: MixedDataPreprocessor, transformer: TargetTransformer
    ) -> None:
        """Make this a fitted regressor of parts that were fitted elsewhere (`fit`, or a loaded bundle)."""
        self.model_ = model
        self.model_.jit_compile = JIT_COMPILE
        self.preprocessor_ = preprocessor
        self.target_transformer_ = transformer
        self.feature_names_in_ = preprocessor.feature_names_in_
        self.n_features_in_ = preprocessor.n_features_in_

    @property
    def fusion_weights_(self) -> dict[str, float]:
        """Branch -> weight; see the class."""
        check_is_fitted(self)
        if self.modalities != "both":
            return {}
        layer = self.model_.get_layer("fusion")
        if not hasattr(layer, "fusion_weights"):
            return {}
        return dict(zip(("tabular", "image"), map(float, layer.fusion_weights()), strict=True))

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

    def predict_rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """Predict rows and say of each what it was made from.

        Args:
            table: as for `predict`.

        Returns:
            One line per row, in order, with the index of ``table``: ``prediction`` (float64, target units),
            ``images_used`` (int64, number of photos), ``warnings`` (text, parts separated by "; ", empty for a row
            in order).

        Raises:
            ValueError: as for `predict`.
        """
        check_is_fitted(self)
        self.preprocessor_.schema.validate(table, needs_target=False)
        predictions, images_used = [], []
        warnings: list[str] = []
        for start in range(0, len(table), NUM_ROWS_AT_ONCE):
            inputs = self.preprocessor_.transform(table.iloc[start : start + NUM_ROWS_AT_ONCE])
            predictions.append(self.predict_inputs(inputs))
            images_used.append(inputs["image_mask"].sum(axis=1))
            warnings.extend("; ".join(row) for row in inputs.row_warnings)
        return pd.DataFrame(
            {
                "prediction": np.concatenate(predictions),
                "images_used": np.concatenate(images_used).astype("int64"),
                "warnings": warnings,
            },
            index=table.index,
        )

    def predict_inputs(self, inputs: Inputs) -> np.ndarray:
        """Predict rows that `preprocessor_` has already transformed.

        Sums of products are added up in an order that may depend on the number of rows. So that a row gets the same
        answer to the last bit whatever comes with it, every step has `NUM_ROWS_PER_STEP` rows; copies of the last row
        fill up the last step.

        Returns:
            float64 ``(n,)``, target units.
        """
        num_rows = len(inputs["image_mask"])
        scaled = np.empty(num_rows)
        for start in range(0, num_rows, NUM_ROWS_PER_STEP):
            rows = np.minimum(np.arange(start, start + NUM_ROWS_PER_STEP), num_rows - 1)
            output = self.model_.predict_on_batch({name: inputs[name][rows] for name in INPUT_NAMES[self.modalities]})
            scaled[start : start + NUM_ROWS_PER_STEP] = output[: num_rows - start, 0]
        return self.target_transformer_.inverse_transform(scaled)

    def save(self, path: str | os.PathLike[str], *, metrics: dict[str, float] | None = None) -> None:
        """Write this fitted regressor as a bundle; see `mixed_data.bundle.save_bundle`."""
        from mixed_data.bundle import save_bundle

        save_bundle(self, path, metrics=metrics)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> MixedDataRegressor:
        """Read a bundle; see `mixed_data.bundle.load_bundle`."""
        from mixed_data.bundle import load_bundle

        return load_bundle(path)

    def _check_options(self) -> None:
        least = {"units": 1, "epochs": 1, "batch_size": 1, "patience": 0, "weight_decay": 0}
        problems = [f"{name} must be {low} or more" for name, low in least.items() if not getattr(self, name) >= low]
        shares = {name: getattr(self, name) for name in ("dropout", "image_dropout", "validation_fraction")}
        problems += [f"{name} must be in [0, 1)" for name, share in shares.items() if not 0 <= (share or 0) < 1]
        if not self.learning_rate > 0:
            problems.append("learning_rate must be above 0")
        choose(FUSIONS, self.fusion, "fusion")
        choose(TABULAR_BRANCHES, self.tabular_branch, "tabular_branch")
        choose(IMAGE_BRANCHES, self.image_branch, "image_branch")
        if problems:
            got = {name: getattr(self, name) for name in (problem.split()[0] for problem in problems)}
            raise ValueError(f"MixedDataRegressor: {'; '.join(problems)}; got {got}")

    def _resolve_schema(self, X: pd.DataFrame, target: np.ndarray, name: str | None) -> Schema:
        """Return the schema for this modality, inferred if none was given; ``name`` is what the target is called."""
        schema = self.schema
        if schema is None:
            if name is not None and name not in X.columns and not find_targets(X.columns, ()):
                X = X.assign(**{name: target})
            schema = Schema.infer(X, target=name if name in X.columns else None)
        restrict = SCHEMA_FOR.get(self.modalities)
        if restrict is None:
            raise ValueError(f"modalities: expected one of {list(SCHEMA_FOR)}, got {self.modalities!r}")
        return restrict(schema)

    def _set_aside(self, X: pd.DataFrame, target: np.ndarray, schema: Schema) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the rows to train on and of those that tell when to stop; checks the table first."""
        table = X if schema.target is None else X.assign(**{schema.target: target})
        replace(schema, id=None).validate(table, needs_target=schema.target is not None)
        fraction = self.validation_fraction
        if fraction is None:
            fraction = 0.0 if len(X) < FEW_ROWS else 0.1
        if fraction == 0:
            return np.arange(len(X)), np.arange(0)
        return hold_out(find_groups(table, schema), test_size=fraction, random_state=self.random_state)

    def _build(self, inputs: Inputs) -> keras.Model:
        image_dropout = self.image_dropout
        if image_dropout is None:
            image_dropout = 0.8 if len(inputs["tabular"]) < FEW_ROWS else 0.6
        return build_model(
            num_features=inputs["tabular"].shape[1],
            image_shape=inputs["images"].shape[1:],
            modalities=self.modalities,
            fusion=self.fusion,
            normalize=self.normalize,
            tabular_branch=self.tabular_branch,
            image_branch=self.image_branch,
            units=self.units,
            dropout=self.dropout,
            image_dropout=image_dropout,
        )


def _check_target(X: pd.DataFrame, y: ArrayLike) -> np.ndarray:
    if not isinstance(X, pd.DataFrame):
        raise ValueError(f"expected a pandas DataFrame with named columns, got {type(X).__name__}")
    target = np.asarray(y, dtype="float64")
    if target.ndim == 2 and target.shape[1] == 1:
        target = target[:, 0]
    if target.shape != (len(X),):
        raise ValueError(f"expected one target per row, ({len(X)},), got shape {target.shape}")
    return target
