"""Hiding photos or table of some rows in training, so that a network learns to do without them."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from mixed_data.network.view_layers import Shape


@keras.saving.register_keras_serializable(package="mixed_data")
class ModalityDropout(keras.layers.Layer):
    """Hides a modality of a row (all photos, or the whole table) now and then in training, to learn to do without.

    Args:
        rate: share of the rows from which a modality is hidden, each by a draw of its own.
        seed: of the random draws.
        **kwargs: as for every Keras layer.

    Shape:
        A mask per modality, ``[(n, ..., V1), (n, ..., V2)]``, bool, True = it is there; unchanged but for the hidden
        rows.

    Reference:
        Neverova et al. 2016, ModDrop: adaptive multi-modal gesture recognition, arXiv:1501.00102.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate: expected a share of the rows, at least 0 and below 1, got {rate}")
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: list[keras.KerasTensor], training: bool = False) -> list[keras.KerasTensor]:
        """Hide something if ``training``; an argument named "mask" would mean something else to Keras."""
        masks = [ops.cast(mask, "bool") for mask in inputs]
        if not training or self.rate == 0:
            return masks
        shape = (*ops.shape(inputs[0])[:-1], len(inputs))
        keeps = keras.random.uniform(shape, seed=self.seed_generator) >= self.rate
        return [ops.logical_and(mask, keeps[..., i : i + 1]) for i, mask in enumerate(masks)]

    def compute_output_spec(self, inputs: list[keras.KerasTensor], training: bool = False) -> list[keras.KerasTensor]:
        """Return the shapes of the inputs, bool."""
        return [keras.KerasTensor(mask.shape, dtype="bool") for mask in inputs]

    def compute_output_shape(self, input_shape: list[Shape]) -> list[Shape]:
        """Return the shapes of the inputs."""
        return [tuple(shape) for shape in input_shape]

    def get_config(self) -> dict[str, Any]:
        """Everything needed to make this layer again."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
