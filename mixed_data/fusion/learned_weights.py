"""One weight per branch, fixed or learned, inside [0, 1] and summing to 1 whatever happens."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any

import keras
import numpy as np
from keras import ops

from mixed_data.fusion.base_fusion import Fusion
from mixed_data.members import Shape


class WeightedFusion(Fusion):
    """Base class of fusions with one weight per input; keeps the weights, leaves ``terms`` to the subclass.

    Two inputs share one number, alpha: the weights are alpha and 1 - alpha. Three or more learn one number each.
    The numbers are the weights themselves, not logits, so that a small weight moves as fast as a large one and every
    optimizer finds the best ones. They are bounded twice: by a constraint after each optimizer step, which takes the
    nearest weights that are allowed, and in the forward pass, where the value is bounded while the gradient passes
    unchanged ("straight through"). So a checkpoint that holds -0.5, or a training loop that ignores constraints, still
    gives weights inside [0, 1], and a weight that was driven to 0 or 1 comes back when the data say so.

    Where the layers before are trained as well, they take up any weight by the scale of what they give out, and a
    learned weight alone says nothing. ``measure`` looks at some rows, and then ``fusion_weights`` reports the weights
    on one scale: those that would give the same result if all terms had the same spread.

    Args:
        alpha: weight of the first of two inputs, or one weight per input, summing to 1. ``None`` starts all
            inputs with equal weights and learns.
        learnable: whether to train the weights, starting from ``alpha``. Default: only without ``alpha``.
        units: project every input to this many features first. ``None`` merges the inputs as they are.
        normalize: put every branch on one scale first, see ``Fusion``.
        members: networks at once, see ``Fusion``. Each learns weights of its own; a fixed alpha holds for all.
        **kwargs: ``name``, ``dtype``, ``trainable``: as for every Keras layer.

    Raises:
        ValueError: if a weight is outside [0, 1], the weights do not sum to 1, or ``learnable=False`` comes
            without ``alpha``; when built, if the number of weights is not the number of inputs.

    Reference:
        Straight-through gradient: Bengio, Léonard and Courville (2013), arXiv:1308.3432. The nearest point of the
        simplex: Duchi, Shalev-Shwartz, Singer and Chandra (2008), doi:10.1145/1390156.1390191.
    """

    def __init__(
        self,
        alpha: float | Sequence[float] | None = None,
        *,
        learnable: bool | None = None,
        units: int | None = None,
        normalize: bool = False,
        members: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units=units, normalize=normalize, members=members, **kwargs)
        if alpha is None and learnable is False:
            raise ValueError(
                f"{type(self).__name__}: learnable=False needs the weights to fix, got alpha=None. "
                "Give alpha=, for example alpha=0.5 for two inputs"
            )
        self.alpha = _checked_alpha(type(self).__name__, alpha)
        self.learnable = alpha is None if learnable is None else learnable
        self.spreads: np.ndarray | None = None
        self._variable: keras.Variable | None = None

    def terms(self, inputs: list[Any]) -> list[Any]:
        """Return what is weighed: the prepared inputs themselves."""
        return inputs

    def merge(self, inputs: list[Any]) -> Any:
        """Sum the terms, each times its weight."""
        return self.weighted_total(self.terms(inputs))

    def measure(self, inputs: Sequence[Any]) -> None:
        """Learn how far each term spreads over some rows, for the weights to be reported on one scale.

        Changes nothing but what ``fusion_weights`` reports of learned weights. It is kept with the layer.

        Args:
            inputs: as the layer is called on.
        """
        spreads = []
        for term in self.terms(self.prepare(list(inputs))):
            values = ops.convert_to_numpy(ops.cast(term, self.variable_dtype)).astype(np.float64)
            rows = np.moveaxis(values, 1, 0) if self.members is not None else values[None]
            variances = np.square(rows - rows.mean(axis=1, keepdims=True)).reshape(len(rows), -1).mean(axis=1)
            spreads.append(np.sqrt(variances))
        self.spreads = np.stack(spreads, axis=-1).reshape(self.weight_shape(len(spreads)))

    def build_merge(self, shapes: list[Shape], widths: list[int]) -> None:
        """Make the variable behind the weights if they are learned.

        Args:
            shapes: one shape per input, as it reaches ``merge``.
            widths: features of each branch as it reaches ``merge``.

        Raises:
            ValueError: if the number of weights is not the number of inputs.
        """
        self._starting_weights = self._weights_for(len(shapes))
        if not self.learnable:
            return
        is_pair = len(shapes) == 2
        start = self._starting_weights[0] if is_pair else self._starting_weights
        self._bound = UnitInterval() if is_pair else Simplex()
        self._variable = self.add_weight(
            name="alpha",
            shape=self.weight_shape(*start.shape),
            initializer=lambda shape, dtype: ops.convert_to_tensor(np.broadcast_to(start, shape), dtype=dtype),
            constraint=self._bound,
            autocast=False,  # Mixed precision must not round it.
        )

    def fusion_weights(self) -> np.ndarray:
        """Report the weights in use now, on one scale after ``measure``; see ``WeightedSum`` for what they mean.

        Returns:
            float64 array (number of inputs,), each inside [0, 1], summing to 1; with members (members, number of
            inputs), each row so.

        Raises:
            ValueError: if the layer was not built yet.
        """
        if not self.built:
            raise ValueError(f"{self.name} has no weights yet: call it on its inputs (or build it) first")
        if self._variable is None:
            return np.broadcast_to(self._starting_weights, self.weight_shape(self._starting_weights.size)).copy()
        weights = ops.convert_to_numpy(self._bounded_weights()).astype(np.float64)
        if self.spreads is None:
            return weights
        scaled = weights * self.spreads
        total = scaled.sum(axis=-1, keepdims=True)
        return np.divide(scaled, total, out=weights, where=total > 0)  # Nothing spreads where all rows are alike.

    def weighted_total(self, terms: list[Any]) -> Any:
        """Sum the terms, each times its branch's weight, in the dtype of the terms.

        Args:
            terms: one tensor per input, all of one shape and dtype.

        Returns:
            Tensor of the same shape and dtype.
        """
        weights = ops.cast(self._bounded_weights(), terms[0].dtype)
        one_each = ops.unstack(weights, num=len(terms), axis=-1)
        weighted = (self.align(weight, term) * term for weight, term in zip(one_each, terms, strict=True))
        return reduce(operator.add, weighted)

    def get_config(self) -> dict[str, Any]:
        """Return everything needed to make this layer again."""
        alpha = list(self.alpha) if isinstance(self.alpha, tuple) else self.alpha
        config = {**super().get_config(), "alpha": alpha, "learnable": self.learnable}
        return config if self.spreads is None else {**config, "spreads": self.spreads.tolist()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WeightedFusion:
        """Make the layer of a config, with what it measured."""
        arguments = dict(config)
        spreads = arguments.pop("spreads", None)
        layer = super().from_config(arguments)
        if spreads is not None:
            layer.spreads = np.asarray(spreads, dtype=np.float64)
            if not np.all(np.isfinite(layer.spreads) & (layer.spreads >= 0)):
                raise ValueError(f"{cls.__name__}: spreads must be numbers of at least 0, got {spreads!r:.80}")
        return layer

    def _weights_for(self, num_inputs: int) -> np.ndarray:
        """Turn ``alpha`` into one weight per input."""
        if self.alpha is None:
            return np.full(num_inputs, 1 / num_inputs)
        weights = (self.alpha, 1 - self.alpha) if isinstance(self.alpha, float) else self.alpha
        if len(weights) != num_inputs:
            raise ValueError(
                f"{type(self).__name__}: alpha={self.alpha} gives weights for {len(weights)} inputs, got "
                f"{num_inputs} inputs. Give a sequence of {num_inputs} weights that sum to 1"
            )
        return np.array(weights)

    def _bounded_weights(self) -> Any:
        """Tensor ([members,] number of inputs) of the weights, in the variable dtype."""
        if self._variable is None:
            fixed = np.broadcast_to(self._starting_weights, self.weight_shape(self._starting_weights.size))
            return ops.convert_to_tensor(fixed, dtype=self.variable_dtype)
        value = ops.convert_to_tensor(self._variable)
        bounded = ops.stop_gradient(self._bound(value))
        is_pair = len(self._starting_weights) == 2
        if not is_pair:
            # The gradient without what would move all weights alike: Adam would take that for the whole.
            value = value - ops.mean(value, axis=-1, keepdims=True)
        # The bracket is exactly zero, so the value is exactly the bounded one; another order would round it.
        weights = bounded + (value - ops.stop_gradient(value))
        return ops.stack([weights, 1 - weights], axis=-1) if is_pair else weights


@keras.saving.register_keras_serializable(package="mixed_data")
class UnitInterval(keras.constraints.Constraint):
    """Clips a weight to [0, 1]; ``MinMaxNorm(0, 1)`` would bound its norm and let -0.5 pass."""

    def __call__(self, w: Any) -> Any:
        """Return the clipped weight."""
        return ops.clip(w, 0.0, 1.0)


@keras.saving.register_keras_serializable(package="mixed_data")
class Simplex(keras.constraints.Constraint):
    """Moves each row of weights to the nearest one whose weights are at least 0 and sum to 1.

    All weights are lowered by one number, and those below 0 become 0. The number is the largest of those that would
    bring the sum of the k greatest weights to 1, for all k.
    """

    def __call__(self, w: Any) -> Any:
        """Return the nearest weights."""
        w = w - ops.max(w, axis=-1, keepdims=True)  # Changes nothing but the rounding.
        reaches = ops.cast(w[..., None, :] >= w[..., :, None], w.dtype)
        excess = ops.sum(reaches * w[..., None, :], axis=-1) - 1
        return ops.relu(w - ops.max(excess / ops.sum(reaches, axis=-1), axis=-1, keepdims=True))


def _checked_alpha(name: str, alpha: float | Sequence[float] | None) -> float | tuple[float, ...] | None:
    """Return ``alpha`` as a float or tuple of floats after checking that it holds weights."""
    if alpha is None:
        return None
    expected = f"{name}: alpha must be a number in [0, 1] or at least two such numbers that sum to 1, got {alpha!r}."
    try:
        weights = np.asarray(alpha, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(expected) from error
    if weights.ndim > 1 or not np.all((weights >= 0) & (weights <= 1)):
        raise ValueError(expected)
    if weights.ndim == 0:
        return float(weights)
    if weights.size < 2:
        raise ValueError(expected)
    if not math.isclose(math.fsum(weights), 1, abs_tol=1e-6):
        raise ValueError(f"{expected} These sum to {math.fsum(weights):g}; divide them by their sum")
    return tuple(weights.tolist())
