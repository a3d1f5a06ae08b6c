"""Training a network, on pixels or on what a pretrained backbone saw."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import keras
import numpy as np

from mixed_data.files.temporary_records import TemporaryRecords
from mixed_data.network import PrincipalComponents
from mixed_data.network.fused_network import NetworkSettings, build_network, inner_network, make_predictor
from mixed_data.network.pretrained_branch import split_evenly
from mixed_data.network.spare_networks import copy_variables, name_recipe, take_spare
from mixed_data.network.training import Training, TrainingSettings, seeded
from mixed_data.preprocessing import Inputs, stored_photos
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder
from mixed_data.preprocessing.row_reader import spread_evenly
from mixed_data.preprocessing.stored_photos import Part, StoredPhotos, take_rows

logger = logging.getLogger(__name__)

NUM_COMPONENTS = 64
"""Principal components per view of what a pretrained backbone saw."""

NUM_ROWS_OF_COMPONENTS = 5_000
"""Training rows that these are learned from, at most: more change no direction that matters, and take memory."""

History = dict[str, list[float]]


@dataclass(frozen=True)
class Trained:
    """A trained network, and rows that more is learned from.

    Attributes:
        model: from `make_predictor`.
        history: losses per epoch.
        inputs: of some rows of the table.
        rows: positions of these rows in the table.
        training: positions in ``inputs`` of the rows that were trained on.
        validation: positions in ``inputs`` of those that told when to stop.
    """

    model: keras.Model
    history: History
    inputs: Inputs
    rows: np.ndarray
    training: np.ndarray
    validation: np.ndarray


def train_alone(
    inputs: Inputs,
    target: np.ndarray,
    settings: tuple[NetworkSettings, TrainingSettings],
    embedder: PhotoEmbedder | None,
    *,
    training_rows: np.ndarray,
    validation_rows: np.ndarray,
    callbacks: Sequence[keras.callbacks.Callback],
) -> Trained:
    """Train a network by this process alone.

    Args:
        inputs: of all rows.
        target: float ``(n,)``, transformed.
        settings: of the network and of its training.
        embedder: what made vectors of the photos, if anything did.
        training_rows: positions of the rows to train on.
        validation_rows: positions of the rows that tell when to stop.
        callbacks: of Keras.
    """
    how: dict[str, Any] = {"validation_rows": validation_rows, "callbacks": callbacks}
    with seeded(settings[1].random_state):
        model, arrays = build_for(inputs, *settings, embedder, training_rows)
        network = inner_network(model)
        training = Training(network, arrays, target, settings[1], training_rows=training_rows, **how)
        history = training.losses(network.fit(**training.arguments))
    return Trained(model, history, inputs, np.arange(len(target)), training_rows, validation_rows)


def build_for(
    inputs: Inputs,
    settings: NetworkSettings,
    training_settings: TrainingSettings,
    embedder: PhotoEmbedder | None,
    training_rows: np.ndarray,
) -> tuple[keras.Model, dict[str, np.ndarray]]:
    """Build the network for some rows, or take a spare one of the same kind and give it the weights of a new one.

    Args:
        inputs: of all rows.
        settings: of the network.
        training_settings: of its training.
        embedder: what made vectors of the photos, if anything did.
        training_rows: positions of the rows that components are learned from; of many, `NUM_ROWS_OF_COMPONENTS`.

    Returns:
        The predictor, whose network, see `inner_network`, is untrained; and what the network reads: the inputs, where
        there is an embedder with the components in place of the vectors, once for all epochs instead of in every step.
    """
    components, arrays = None, dict(inputs)
    if embedder is not None:
        components = PrincipalComponents(NUM_COMPONENTS, embedder.block_sizes, name="components")
        some = spread_evenly(training_rows, NUM_ROWS_OF_COMPONENTS)
        components.adapt(take_rows(inputs["images"], some), inputs["image_mask"][some])
        arrays["images"] = _project(components, inputs)
    shapes = inputs["tabular"].shape[1], arrays["images"].shape[1:]
    network = build_network(*shapes, settings)
    num_batches = math.ceil(len(training_rows) / training_settings.batch_size)  # the learning rate's decay is made for
    vectors = None if components is None else (inputs["images"].shape[1:], tuple(components.blocks or ()))
    policy, own = keras.config.dtype_policy().name, replace(training_settings, random_state=0)
    recipe = settings, own, shapes, num_batches, vectors, policy
    model = take_spare(recipe)
    if model is None:
        model = make_predictor(network, components)
    else:
        copy_variables(network, inner_network(model))
        if components is not None:
            spare = next(layer for layer in model.layers if isinstance(layer, PrincipalComponents))
            spare.mean.assign(components.mean)
            spare.kernel.assign(components.kernel)
    name_recipe(model, recipe)
    return model, arrays


def _project(components: PrincipalComponents, inputs: Inputs) -> np.ndarray:
    """Return the components of all photos, float32 ``(n, V, P)``; those of many rows stay on disk."""
    images, mask = inputs["images"], inputs["image_mask"]
    of_row = mask.shape[1], components.num_components
    if 4 * len(mask) * math.prod(of_row) > stored_photos.STORED_ABOVE_BYTES:
        try:
            records = TemporaryRecords(4 * math.prod(of_row))
            for rows in split_evenly(len(mask)):
                records.append(components.project(images[rows], mask[rows]))
            return cast(np.ndarray, StoredPhotos([Part(records)], np.arange(len(mask))[:, None], of_row, np.float32))
        except OSError as error:
            logger.warning("Components of photos cannot be kept on disk (%s); all are held in memory.", error)
    return components.project(images, mask)
