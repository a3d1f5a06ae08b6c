"""Training a network, on pixels or on what a pretrained backbone saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import keras
import numpy as np

from mixed_data.network import PrincipalComponents
from mixed_data.network.fused_network import NetworkSettings, build_network, put_backbone_before
from mixed_data.network.pretrained_backbones import block_sizes, build_backbone, make_embedder, unfreeze
from mixed_data.network.training import TrainingSettings, seeded, train
from mixed_data.preprocessing import Inputs
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder

NUM_COMPONENTS = 64
"""Principal components per view of what a pretrained backbone saw."""

FINETUNE_EPOCHS = 5
FINETUNE_RATE = 0.01
"""Learning rate of fine-tuning, as a share of the first training's: large steps would undo what ImageNet taught."""

History = dict[str, list[float]]


@lru_cache(maxsize=2)
def load_backbone(name: str, weights: str | None, size: tuple[int, int]) -> tuple[keras.Model, PhotoEmbedder]:
    """Return a frozen backbone and its embedder, one for all fits of a process.

    It takes seconds to build, and nobody changes it.

    Args:
        name: see `build_backbone`.
        weights: likewise.
        size: likewise.
    """
    with seeded(0):  # random weights (None) are the same in every process
        backbone = build_backbone(name, weights, size)
    return backbone, make_embedder(backbone)


def fit_network(
    inputs: Inputs,
    scaled: np.ndarray,
    settings: tuple[NetworkSettings, TrainingSettings],
    backbone: keras.Model | None,
    *,
    training_rows: np.ndarray,
    validation_rows: np.ndarray,
    callbacks: Sequence[keras.callbacks.Callback],
) -> tuple[keras.Model, PrincipalComponents | None, History]:
    """Build and train the network.

    Args:
        inputs: of all rows.
        scaled: transformed target of all rows.
        settings: of the network and of its training.
        backbone: what made vectors of the photos, if anything did.
        training_rows: positions.
        validation_rows: positions, none for no early stopping.
        callbacks: of the user.

    Returns:
        The network, the components that stand before it if there is a backbone, and the losses per epoch.
    """
    components, arrays = None, dict(inputs)
    network_settings, training_settings = settings
    with seeded(training_settings.random_state):
        if backbone is not None:
            components = PrincipalComponents(NUM_COMPONENTS, block_sizes(backbone), name="components")
            components.adapt(inputs["images"][training_rows], inputs["image_mask"][training_rows])
            # Once for all epochs, instead of in every step.
            arrays["images"] = components.project(inputs["images"], inputs["image_mask"])
        network = build_network(inputs["tabular"].shape[1], arrays["images"].shape[1:], network_settings)
        history = train(
            network,
            arrays,
            scaled,
            training_settings,
            training_rows=training_rows,
            validation_rows=validation_rows,
            callbacks=callbacks,
        )
    return network, components, history


def finetune(
    network: keras.Model,
    components: PrincipalComponents,
    frozen: keras.Model,
    num_blocks: int,
    pixels: Inputs,
    scaled: np.ndarray,
    settings: TrainingSettings,
    *,
    training_rows: np.ndarray,
    callbacks: Sequence[keras.callbacks.Callback],
) -> keras.Model:
    """Train a trained network on together with the last blocks of its backbone, a few epochs with small steps.

    Args:
        network: trained on the frozen backbone's vectors; changed in place.
        components: adapted to those; unchanged.
        frozen: the backbone; unchanged.
        num_blocks: how many of the backbone's last blocks learn.
        pixels: inputs of all rows, photos as pixels.
        scaled: transformed target of all rows.
        settings: of the first training.
        training_rows: positions.
        callbacks: of the user.

    Returns:
        The changed backbone.
    """
    with seeded(settings.random_state):
        backbone = keras.models.clone_model(frozen)
        backbone.set_weights(frozen.get_weights())
        unfreeze(backbone, num_blocks)
        train(
            put_backbone_before(network, components, backbone),
            pixels,
            scaled,
            replace(
                settings,
                epochs=FINETUNE_EPOCHS,
                learning_rate=settings.learning_rate * FINETUNE_RATE,
                weight_decay=0.0,
                patience=0,
            ),
            training_rows=training_rows,
            validation_rows=np.arange(0),
            callbacks=callbacks,
        )
    return backbone
