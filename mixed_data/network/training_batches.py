"""Rows of preprocessed inputs in batches, in an order that depends on the seed only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np


class Batches(keras.utils.PyDataset):
    """Rows of preprocessed inputs in batches, in a new order each epoch that depends on the seed only.

    Each member of a packed ensemble gets an order of its own: a batch holds ``batch_size`` rows for every member.

    Args:
        inputs: what `MixedDataPreprocessor.transform` gave, or the like; never copied as a whole.
        target: float ``(n,)``, transformed.
        rows: positions of the rows to use.
        network: from `build_network`; says which inputs are taken, and how many orders.
        batch_size: rows per batch; the last one may be smaller, none is dropped.
        seed: of the order of the rows; None keeps the order.
    """

    def __init__(
        self,
        inputs: Mapping[str, np.ndarray],
        target: np.ndarray,
        rows: np.ndarray,
        *,
        network: keras.Model,
        batch_size: int,
        seed: int | None,
    ) -> None:
        super().__init__()
        self._inputs = {name: inputs[name] for name in network.input}
        self._target = np.asarray(target, dtype="float32")
        self._batch_size = batch_size
        self._generator = None if seed is None else np.random.default_rng(seed)
        num_orders = next(iter(network.input.values())).shape[1]
        self._num_members = network.output.shape[1]
        self._orders = np.tile(rows, (num_orders, 1))
        self.on_epoch_end()

    def __len__(self) -> int:
        """Return the number of batches."""
        return math.ceil(self._orders.shape[1] / self._batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return one batch: inputs ``(b, orders, ...)`` and the target ``(b, members)``."""
        rows = self._orders[:, index * self._batch_size : (index + 1) * self._batch_size].T
        target = np.broadcast_to(self._target[rows], (len(rows), self._num_members))
        return {name: array[rows] for name, array in self._inputs.items()}, target

    def on_epoch_end(self) -> None:
        """Shuffle."""
        if self._generator is not None:
            self._orders = self._generator.permuted(self._orders, axis=1)

    def release(self) -> None:
        """Let go of the inputs, when the training is over: TensorFlow keeps every dataset that it ever trained on."""
        self._inputs = {}

    def skip(self, num_epochs: int) -> None:
        """Shuffle as often as in so many epochs."""
        for _ in range(num_epochs):
            self.on_epoch_end()
