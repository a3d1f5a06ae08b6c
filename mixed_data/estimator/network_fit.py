"""How `MixedDataRegressor` trains its network, on pixels or on what a pretrained backbone saw."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import keras
import numpy as np

from mixed_data.estimator.settings import suited_settings
from mixed_data.network import PrincipalComponents
from mixed_data.network.fused_network import build_network, put_backbone_before
from mixed_data.network.photo_vectors import PhotoEmbedder
from mixed_data.network.pretrained_backbones import block_sizes, build_backbone, unfreeze
from mixed_data.network.training import seeded, train
from mixed_data.preprocessing import Inputs, MixedDataPreprocessor

if TYPE_CHECKING:
    from mixed_data.estimator.mixed_data_regressor import MixedDataRegressor

NUM_COMPONENTS = 64
"""Principal components per view of what a pretrained backbone saw."""

FINETUNE_EPOCHS = 5
FINETUNE_RATE = 0.01
"""Learning rate of fine-tuning, as a share of the first training's: large steps would undo what ImageNet taught."""

History = dict[str, list[float]]


def make_embedder(regressor: MixedDataRegressor, preprocessor: MixedDataPreprocessor) -> PhotoEmbedder | None:
    """The embedder that the regressor's image branch reads photos with, None for a branch that reads pixels."""
    if regressor.image_branch != "pretrained" or regressor.modalities == "tabular":
        return None
    return _frozen_embedder(regressor.backbone, _as_text(regressor.image_weights), _sides(preprocessor))


def fit_network(
    regressor: MixedDataRegressor,
    inputs: Inputs,
    scaled: np.ndarray,
    embedder: PhotoEmbedder | None,
    training_rows: np.ndarray,
    validation_rows: np.ndarray,
    callbacks: Sequence[keras.callbacks.Callback],
) -> tuple[keras.Model, PrincipalComponents | None, History]:
    """Build and train the network.

    Args:
        regressor: with the settings.
        inputs: of all rows.
        scaled: transformed target of all rows.
        embedder: what made vectors of the photos, if anything did.
        training_rows: positions.
        validation_rows: positions, none for no early stopping.
        callbacks: of the user.

    Returns:
        The network, the components that stand before it if there is an embedder, and the losses per epoch.
    """
    components, arrays = None, dict(inputs)
    suited = suited_settings(regressor, len(scaled))
    with seeded(regressor.random_state):
        if embedder is not None:
            components = PrincipalComponents(NUM_COMPONENTS, block_sizes(embedder.backbone), name="components")
            components.adapt(inputs["images"][training_rows], inputs["image_mask"][training_rows])
            # Once for all epochs, instead of in every step.
            arrays["images"] = components.project(inputs["images"], inputs["image_mask"])
        network = build_network(
            num_features=inputs["tabular"].shape[1],
            image_shape=arrays["images"].shape[1:],
            modalities=regressor.modalities,
            fusion=regressor.fusion,
            normalize=regressor.normalize,
            tabular_branch=regressor.tabular_branch,
            image_branch=regressor.image_branch,
            units=regressor.units,
            dropout=regressor.dropout,
            modality_dropout=suited["modality_dropout"],
            auxiliary_heads=regressor.auxiliary > 0,
            members=suited["members"],
            image_dropout=suited["image_dropout"],
        )
        history = train(
            network,
            arrays,
            scaled,
            training_rows=training_rows,
            validation_rows=validation_rows,
            epochs=suited["epochs"],
            batch_size=regressor.batch_size,
            learning_rate=regressor.learning_rate,
            weight_decay=regressor.weight_decay,
            loss=suited["loss"],
            patience=regressor.patience,
            auxiliary=regressor.auxiliary,
            random_state=regressor.random_state,
            callbacks=callbacks,
        )
    return network, components, history


def finetune(
    regressor: MixedDataRegressor,
    network: keras.Model,
    components: PrincipalComponents,
    pixels: Inputs,
    scaled: np.ndarray,
    training_rows: np.ndarray,
    callbacks: Sequence[keras.callbacks.Callback],
) -> PhotoEmbedder:
    """Train a trained network on together with the last blocks of its backbone, a few epochs with small steps.

    Args:
        regressor: with the settings.
        network: trained on the frozen backbone's vectors; changed in place.
        components: adapted to those; unchanged.
        pixels: inputs of all rows, photos as pixels.
        scaled: transformed target of all rows.
        training_rows: positions.
        callbacks: of the user.

    Returns:
        An embedder with the changed backbone.
    """
    with seeded(regressor.random_state):
        size = pixels["images"].shape[2:4]
        backbone = build_backbone(regressor.backbone, regressor.image_weights, size)
        # Random weights (None) must be those that the network was trained on.
        backbone.set_weights(
            _frozen_embedder(regressor.backbone, _as_text(regressor.image_weights), size).backbone.get_weights()
        )
        unfreeze(backbone, regressor.finetune)
        train(
            put_backbone_before(network, components, backbone),
            pixels,
            scaled,
            training_rows=training_rows,
            validation_rows=np.arange(0),
            epochs=FINETUNE_EPOCHS,
            batch_size=regressor.batch_size,
            learning_rate=regressor.learning_rate * FINETUNE_RATE,
            weight_decay=0.0,
            loss=suited_settings(regressor, len(scaled))["loss"],
            patience=0,
            auxiliary=regressor.auxiliary,
            random_state=regressor.random_state,
            callbacks=callbacks,
        )
    return PhotoEmbedder(backbone)


@lru_cache(maxsize=2)
def _frozen_embedder(name: str, weights: str | None, size: tuple[int, int]) -> PhotoEmbedder:
    """One backbone for all fits of a process: it takes seconds to build, and nobody changes it."""
    with seeded(0):  # random weights (None) are the same in every process
        return PhotoEmbedder(build_backbone(name, weights, size))


def _as_text(weights: str | os.PathLike[str] | None) -> str | None:
    return None if weights is None else os.fspath(weights)


def _sides(preprocessor: MixedDataPreprocessor) -> tuple[int, int]:
    size = preprocessor.image_size
    return size if isinstance(size, tuple) else (size, size)
