"""One weight per branch, fixed or learned, inside [0, 1] and summing to 1 whatever happens."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import keras
import numpy as np
from keras import ops

from mixed_data.fusion.base_fusion import Fusion
from mixed_data.members import Shape

# Of three or more learned weights the largest is at most this many times the smallest. The gradient of a
# softmax shrinks with the weight, so a branch pushed further down would hardly come back.
_LARGEST_RATIO = 1000.0


class WeightedFusion(Fusion):
    """Base class of fusions with one weight per input; keeps the weights, leaves ``merge`` to the subclass.

    Two inputs share one number, alpha: the weights are alpha and 1 - alpha. Three or more learn one logit
    each, and the weights are their softmax. Both are bounded twice: by a constraint after each optimizer
    step, and in the forward pass, where the value is bounded while the gradient passes unchanged ("straight
    through"). So a checkpoint that holds -0.5, or a training loop that ignores constraints, still gives
    weights inside [0, 1], and an alpha that was driven to 0 or 1 comes back when the data say so.

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
        Straight-through gradient: Bengio, Léonard and Courville (2013), arXiv:1308.3432.
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
        self._variable: keras.Variable | None = None

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
        if len(shapes) == 2:
            self._add_variable("alpha", self._starting_weights[0], UnitInterval())
        else:
            floor = self._starting_weights.max() / _LARGEST_RATIO
            self._add_variable("logits", np.log(np.maximum(self._starting_weights, floor)), BoundedLogits())

    def fusion_weights(self) -> np.ndarray:
        """Report the weights in use now; see ``WeightedSum`` for what they do and do not mean.

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
        return ops.convert_to_numpy(self._bounded_weights()).astype(np.float64)

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
        return {**super().get_config(), "alpha": alpha, "learnable": self.learnable}

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

    def _add_variable(self, name: str, start: np.ndarray, bound: keras.constraints.Constraint) -> None:
        """Add the variable behind the weights; mixed precision must not round it."""
        self._bound = bound
        self._variable = self.add_weight(
            name=name,
            shape=self.weight_shape(*start.shape),
            initializer=lambda shape, dtype: ops.convert_to_tensor(np.broadcast_to(start, shape), dtype=dtype),
            constraint=bound,
            autocast=False,
        )

    def _bounded_weights(self) -> Any:
        """Tensor ([members,] number of inputs) of the weights, in the variable dtype."""
        if self._variable is None:
            fixed = np.broadcast_to(self._starting_weights, self.weight_shape(self._starting_weights.size))
            return ops.convert_to_tensor(fixed, dtype=self.variable_dtype)
        bounded = _straight_through(self._variable, self._bound)
        if len(self._starting_weights) == 2:
            return ops.stack([bounded, 1 - bounded], axis=-1)
        return ops.softmax(bounded, axis=-1)


@keras.saving.register_keras_serializable(package="mixed_data")
class UnitInterval(keras.constraints.Constraint):
    """Clips a weight to [0, 1]; ``MinMaxNorm(0, 1)`` would bound its norm and let -0.5 pass."""

    def __call__(self, w: Any) -> Any:
        """Return the clipped weight."""
        return ops.clip(w, 0.0, 1.0)


@keras.saving.register_keras_serializable(package="mixed_data")
class BoundedLogits(keras.constraints.Constraint):
    """Shifts each row of logits so that the largest is 0 and raises the others to at least -log(1000).

    The shift changes no softmax weight and stops the logits from drifting away together. The bound keeps the
    smallest weight at a thousandth of the largest or more, so its gradient stays large enough to come back.
    """

    def __call__(self, w: Any) -> Any:
        """Return the shifted and bounded logits."""
        return ops.maximum(w - ops.max(w, axis=-1, keepdims=True), -math.log(_LARGEST_RATIO))


def _straight_through(variable: keras.Variable, bound: Callable[[Any], Any]) -> Any:
    """Return the value ``bound(variable)`` with the gradient of ``variable`` itself."""
    value = ops.convert_to_tensor(variable)
    # The bracket is exactly zero, so the value is exactly the bounded one; another order would round it.
    return ops.stop_gradient(bound(value)) + (value - ops.stop_gradient(value))


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
