"""Training a network by several processes, or on several devices; see `mixed_data.network.distribution.Job`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
import pandas as pd

from mixed_data.estimator.network_fit import Trained
from mixed_data.network.dealt_batches import NO_ROW, deal_rows
from mixed_data.network.distribution import Job
from mixed_data.network.fused_network import NetworkSettings, build_network, make_predictor
from mixed_data.network.member_predictions import NUM_ROWS_TO_MEASURE
from mixed_data.network.training import Training, TrainingSettings, seeded
from mixed_data.preprocessing import MixedDataPreprocessor, TargetTransformer
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder
from mixed_data.preprocessing.row_reader import spread_evenly

Reading = tuple[MixedDataPreprocessor, PhotoEmbedder | None]
"""What reads cells and photos, and what makes vectors of photos if anything does."""

Learned = tuple[MixedDataPreprocessor, PhotoEmbedder | None, TargetTransformer]
"""`Reading`, and what scales the target."""


def split_once(job: Job, split: Callable[[], tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Have process 0 split the rows, for which all photos are read, and give all processes the positions.

    Args:
        job: of this process.
        split: returns the positions of the rows to train on, and of those that tell when to stop.
    """
    training, validation = job.share([rows.tolist() for rows in split()] if job.is_first else None)
    return np.array(training, dtype=int), np.array(validation, dtype=int)


def learn_once(job: Job, learn: Callable[[], Learned]) -> Learned:
    """Have process 0 learn how rows are read, and all processes read them so.

    Args:
        job: of this process.
        learn: from the training rows; called by process 0.

    Raises:
        ValueError: photos are read by a backbone, whose vectors a small network is trained on.
    """
    states = None
    if job.is_first:
        preprocessor, embedder, transformer = learn()
        if embedder is not None:
            raise ValueError(
                'a network on the vectors of a backbone is trained by one process; give image_branch="cnn", or do not '
                "distribute the training"
            )
        states = preprocessor.get_state(), transformer.get_state()
    preprocessing, target = job.share(states)
    return MixedDataPreprocessor.from_state(preprocessing), None, TargetTransformer.from_state(target)


def train_together(
    job: Job,
    preprocessor: MixedDataPreprocessor,
    table: pd.DataFrame,
    target: np.ndarray,
    settings: tuple[NetworkSettings, TrainingSettings],
    *,
    training_rows: np.ndarray,
    validation_rows: np.ndarray,
    callbacks: Sequence[keras.callbacks.Callback],
) -> Trained:
    """Train a network by all processes of a job, each of which reads the rows of its places of the batches.

    Args:
        job: of this process.
        preprocessor: the same in all processes.
        table: all rows; photos are read of this process's rows only.
        target: float ``(n,)``, transformed.
        settings: of the network and of its training.
        training_rows: positions of the rows to train on.
        validation_rows: positions of the rows that tell when to stop.
        callbacks: of Keras, for this process.

    Returns:
        The network, on one device of this process; and, in process 0, rows that more is learned from: some of those
        that were trained on, and all that told when to stop. The others get no rows.

    Raises:
        ValueError: a batch has fewer rows than there are devices, or there are fewer rows than a batch has.
    """
    size, seed = settings[1].batch_size, settings[1].random_state
    if len(training_rows) < size:
        raise ValueError(f"a batch has {size} rows, and there are {len(training_rows)} to train on; lower batch_size")
    dealt = [deal_rows(rows, size, job.places(size)) for rows in (training_rows, validation_rows)]
    read = np.unique(np.concatenate(dealt, axis=None))
    read = read[read != NO_ROW]
    inputs = preprocessor.transform_checked(table.iloc[read])
    own_training, own_validation = (np.where(rows == NO_ROW, NO_ROW, np.searchsorted(read, rows)) for rows in dealt)
    shapes = inputs["tabular"].shape[1], inputs["images"].shape[1:]
    with seeded(seed), job.scope():
        network = build_network(*shapes, settings[0])
        training = Training(
            network,
            inputs,
            target[read],
            settings[1],
            training_rows=own_training,
            validation_rows=own_validation,
            callbacks=callbacks,
            job=job,
        )
        history = training.losses(network.fit(**training.arguments))
    with seeded(seed):
        local = build_network(*shapes, settings[0])
    local.set_weights(network.get_weights())
    if not job.is_first:
        nothing = np.arange(0)
        return Trained(make_predictor(local), history, inputs.take(nothing), nothing, nothing, nothing)
    some = spread_evenly(training_rows, NUM_ROWS_TO_MEASURE)
    kept = np.concatenate([some, validation_rows])
    inputs = preprocessor.transform_checked(table.iloc[kept])
    first, rest = np.split(np.arange(len(kept)), [len(some)])
    return Trained(make_predictor(local), history, inputs, kept, first, rest)
