"""Batches that several processes fill together, each its own places with its own rows, and their loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from mixed_data.network.training_batches import Batches

NO_ROW = -1


def deal_rows(rows: np.ndarray, batch_size: int, places: range) -> np.ndarray:
    """Deal rows to the places of batches in turn, as cards are dealt, so that each place has rows of its own.

    Which rows a place has depends on neither the number of processes nor the epoch: a process needs the rows of its
    places, and no others.

    Args:
        rows: positions of the rows, int64 ``(n,)``.
        batch_size: places that rows are dealt to.
        places: that are asked for; those from ``batch_size`` on get no rows.

    Returns:
        int64 ``(batches, places)``; `NO_ROW` where there is none: only in the last batch, and in places without rows.

    Example:
        >>> deal_rows(np.array([7, 8, 9]), 2, range(0, 2)).tolist()
        [[7, 8], [9, -1]]
    """
    num_batches = -(-len(rows) // batch_size)
    dealt = np.full((num_batches, max(batch_size, places.stop)), NO_ROW)
    dealt[:, :batch_size] = np.pad(rows, (0, num_batches * batch_size - len(rows)), constant_values=NO_ROW).reshape(
        num_batches, batch_size
    )
    return dealt[:, places.start : places.stop]


class DealtBatches(Batches):
    """One process's part of every batch: the rows of its places, each place's in a new order each epoch.

    A place without a row holds some other row, with weight zero. So all batches have one shape, and a batch with few
    rows counts as if it had no others.

    Args:
        inputs: of the rows that this process reads.
        target: float ``(n,)`` of these rows, transformed.
        rows: from `deal_rows`, as positions in ``inputs``.
        network: as for `Batches`.
        seed: of the orders; None keeps the order.
        places: of the batch, which ``rows`` are of.
    """

    def __init__(
        self,
        inputs: Mapping[str, np.ndarray],
        target: np.ndarray,
        rows: np.ndarray,
        *,
        network: keras.Model,
        seed: int | None,
        places: range,
    ) -> None:
        self._shape = rows.shape
        self._num_rows = (rows != NO_ROW).sum(axis=0)
        # A generator per place, so that a process draws no numbers for the rows of others.
        self._generators = [] if seed is None else [np.random.default_rng([seed, place]) for place in places]
        super().__init__(inputs, target, rows.ravel(), network=network, batch_size=rows.shape[1], seed=None)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return this process's part of a batch: inputs and target as of `Batches`, and the weights ``(b,)``."""
        return *super().__getitem__(index), (index < self._num_rows).astype("float32")

    def on_epoch_end(self) -> None:
        """Shuffle the rows of each place."""
        orders = self._orders.reshape(-1, *self._shape)
        for place, generator in enumerate(self._generators):
            own = orders[:, : self._num_rows[place], place]
            orders[:, : self._num_rows[place], place] = generator.permuted(own, axis=1)


class MeanOfRows(keras.losses.Loss):
    """A loss whose mean is over the rows that have a weight, not over all places of the batch.

    Args:
        loss: of Keras, by name.
    """

    def __init__(self, loss: str) -> None:
        super().__init__(reduction="mean_with_sample_weight")
        self._loss = keras.losses.get(loss)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each row."""
        return self._loss(y_true, y_pred)


def compile_for_dealt(model: keras.Model, optimizer: keras.optimizers.Optimizer, loss: str) -> None:
    """Compile a network for `DealtBatches`, of which the loss of an epoch is the mean over its rows.

    Keras' own mean over an epoch counts the last batch by its places. The metric takes its place under its name.
    """
    mean = keras.metrics.MeanMetricWrapper(keras.losses.get(loss), name="loss")
    model.compile(optimizer, MeanOfRows(loss), weighted_metrics=[mean], jit_compile=True)
