"""Fitting a network: batches, optimizer, early stopping. No hand-written training loop."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras.src.random import seed_generator  # no public name says where layers take their seeds from

from mixed_data.network.dealt_batches import DealtBatches, compile_for_dealt
from mixed_data.network.distribution import Job
from mixed_data.network.epoch_checkpoint import EpochCheckpoint
from mixed_data.network.training_batches import Batches

JIT_COMPILE = keras.backend.backend() == "jax"
"""Whether steps are compiled with XLA. JAX is slow without it; TensorFlow needs 3 to 10 s per network for it and saves
nothing at this size. Keras' own choice would depend on whether the machine has a GPU."""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python, NumPy and the Keras backend, and give the first two their own state back afterwards.

    Keras layers draw their seeds from Python's global generator. A library that leaves it changed makes the
    caller's other random acts repeat. Any thread of the process may draw from it meanwhile, as those of a Dask worker
    do, so that layers draw from one like it, which nobody else knows.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - saved, not used
    source = seed_generator.python_random
    try:
        keras.utils.set_random_seed(seed)
        seed_generator.python_random = random.Random(seed)
        yield
    finally:
        seed_generator.python_random = source
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002


class _StopAtNaN(keras.callbacks.Callback):
    """Ends training as soon as the loss is no finite number; `keras.callbacks.TerminateOnNaN` without its print."""

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the mean loss of the epoch so far, which stays NaN once it is."""
        if logs and not math.isfinite(logs["loss"]):
            self.model.stop_training = True


def make_optimizer(*, learning_rate: float, weight_decay: float, num_steps: int) -> keras.optimizers.Optimizer:
    """AdamW with cosine decay to zero over ``num_steps``.

    Weight decay pulls towards zero, which is a prior for kernels only: a fusion weight, a bias, a norm or an
    embedding would be biased by it.

    Reference:
        Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization, arXiv:1711.05101.
    """
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps=num_steps)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=weight_decay)
    others = ["alpha", "bias", "gamma", "beta", "scale", "shift", "missing"]
    # TensorFlow looks for these in the whole path of a variable, where a layer may be called "gamma".
    optimizer.exclude_from_weight_decay(var_names=[rf"(^|/){name}(:\d+)?$" for name in others])
    return optimizer


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained.

    Attributes:
        epochs: at most so many.
        batch_size: rows per step.
        learning_rate: at the start; cosine decay brings it to zero after ``epochs``.
        weight_decay: of AdamW, on kernels only.
        loss: a Keras loss, by name, on the transformed target.
        patience: epochs without improvement on the validation rows before stopping.
        random_state: seed of the order of the rows.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    loss: str
    patience: int
    random_state: int


class Training:
    """A network that is compiled and ready to be fitted: ``training.losses(model.fit(**training.arguments))``.

    With validation rows, training stops early and the best epoch's weights are kept.

    Args:
        model: from `build_network`; fitted in place.
        inputs: of all rows.
        target: float ``(n,)``, transformed.
        settings: see there.
        training_rows: positions of the rows to train on.
        validation_rows: positions of the rows that tell when to stop; with none, all epochs are trained and the
            last weights stay.
        callbacks: more Keras callbacks, e.g. a progress bar. With an `EpochCheckpoint` among them, a training that was
            stopped goes on after its last kept epoch, and ends as it would have.
        job: whose processes train together, or None. ``inputs`` and ``target`` are then of the rows that this process
            reads, ``training_rows`` and ``validation_rows`` what `mixed_data.network.dealt_batches.deal_rows` dealt it,
            and the checkpoint is that of process 0.

    Attributes:
        arguments: of `keras.Model.fit`.
    """

    def __init__(
        self,
        model: keras.Model,
        inputs: Mapping[str, np.ndarray],
        target: np.ndarray,
        settings: TrainingSettings,
        *,
        training_rows: np.ndarray,
        validation_rows: np.ndarray,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        job: Job | None = None,
    ) -> None:
        size, epochs = settings.batch_size, settings.epochs
        make: Any = Batches if job is None else DealtBatches
        how = {"network": model} | ({"batch_size": size} if job is None else {"places": job.places(size)})
        batches = make(inputs, target, training_rows, seed=settings.random_state, **how)
        rate, decay = settings.learning_rate, settings.weight_decay
        if not model.compiled:  # one from `take_spare` is
            optimizer = make_optimizer(learning_rate=rate, weight_decay=decay, num_steps=epochs * len(batches))
            optimizer.build(model.trainable_variables)  # Otherwise TensorFlow traces the training step a second time.
            if job is None:
                model.compile(optimizer, settings.loss, jit_compile=JIT_COMPILE)
            else:
                compile_for_dealt(model, optimizer, settings.loss)
        validation = stop = None
        if len(validation_rows):
            validation = make(inputs, target, validation_rows, seed=None, **how)
            patience = settings.patience
            stop = keras.callbacks.EarlyStopping("val_loss", mode="min", patience=patience, restore_best_weights=True)
        checkpoint = next((callback for callback in callbacks if isinstance(callback, EpochCheckpoint)), None)
        others = [callback for callback in callbacks if callback is not checkpoint]
        if job is not None and checkpoint is None:
            checkpoint = EpochCheckpoint(None)
        num_finished = 0 if checkpoint is None else checkpoint.restore(model, stop, epochs, job)
        batches.skip(num_finished)
        self._checkpoint, self._learning_rate = checkpoint, rate
        self.arguments: dict[str, Any] = {
            "x": batches,
            "validation_data": validation,
            "initial_epoch": num_finished,
            "epochs": epochs,
            # The checkpoint comes last, to see what the others did.
            "callbacks": [callback for callback in (_StopAtNaN(), *others, stop, checkpoint) if callback is not None],
            "shuffle": False,  # Keras would shuffle the batches by Python's global generator, and in another thread.
            "verbose": 0,
        }

    def losses(self, history: keras.callbacks.History) -> dict[str, list[float]]:
        """End the training, and return the loss per epoch: ``loss``, and ``val_loss`` with validation rows.

        Args:
            history: what `keras.Model.fit` returned.

        Raises:
            ValueError: training diverged, and there is no earlier epoch to go back to.
        """
        for batches in (self.arguments["x"], self.arguments["validation_data"]):
            if batches is not None:
                batches.release()
        losses = history.history if self._checkpoint is None else self._checkpoint.losses
        kept = losses["loss"][-1:] if self.arguments["validation_data"] is None else losses["val_loss"]
        if not np.isfinite(kept).any():
            raise ValueError(
                f"training diverged: expected a finite loss, got {kept[-1]} in epoch {len(losses['loss'])}; "
                f"give a lower learning_rate than {self._learning_rate:g}"
            )
        return losses
