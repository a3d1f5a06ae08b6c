"""The number to predict, as a network likes it: perhaps logarithmic, mean 0, standard deviation 1."""

from __future__ import annotations

import logging
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from mixed_data.files.checked_json import FLAG, NUMBER, TEXT, check_state
from mixed_data.files.first_few import name_some
from mixed_data.files.learned import Learned
from mixed_data.preprocessing.numeric_column import RELATIVE_NOISE, SKEWNESS_FOR_LOG, skewness

logger = logging.getLogger(__name__)

_FORMAT = "mixed_data.TargetTransformer"
_VERSION = 1
_METHODS = ("auto", "log", "identity")
_FARTHEST = 20.0  # standard deviations; a wild prediction beyond is brought back to there


class TargetScale(Learned):
    """Standardise the target, after a logarithm where it is positive and skewed, and undo it exactly.

    Prices spread over factors, not over sums: on the logarithmic scale an error of 10 % weighs the same for a cheap
    house and for a dear one. `inverse_transform` never gives infinity: a prediction farther out than 20 standard
    deviations (or than the farthest training target, if that is farther) counts as one that far out.

    Args:
        method: "log", "identity", or "auto": the log if all training targets are positive and their skewness is above
            1.

    Attributes:
        log_: whether the logarithm is taken.
        mean_: of the training targets, after the log if any.
        std_: their standard deviation; 1 where they do not vary, so that they become 0.
        farthest_: how many standard deviations from the mean a prediction may lie.

    Example:
        >>> transformer = TargetScale().fit([100_000.0, 200_000.0, 400_000.0, 3_200_000.0])
        >>> transformer.log_
        True
        >>> transformer.inverse_transform([0.0]).round().tolist()
        [400000.0]
    """

    def __init__(self, method: str = "auto") -> None:
        self.method = method

    def fit(self, y: ArrayLike) -> Self:
        """Learn from the training targets.

        Args:
            y: (n,) or (n, 1), n at least 1, in target units.

        Raises:
            ValueError: a target is no finite number, or not positive although `method="log"`.
        """
        if self.method not in _METHODS:
            raise ValueError(f"TargetTransformer: method must be one of {_METHODS}, got {self.method!r}")
        values = _read(y)
        if not values.size:
            raise ValueError("expected at least one training target, got none")
        self.log_ = self.method == "log" or (
            self.method == "auto" and bool(values.min() > 0) and skewness(values) > SKEWNESS_FOR_LOG
        )
        worked = self._work(values)
        self.mean_ = float(worked.mean())
        self.std_ = float(worked.std())
        if self.std_ <= RELATIVE_NOISE * np.abs(worked).max():
            logger.warning("The training targets are all the same (%.10g).", values.flat[0])
            self.std_ = 1.0
        self.farthest_ = max(_FARTHEST, float(np.abs(worked - self.mean_).max()) / self.std_)
        logger.info("target: %s scale", "logarithmic" if self.log_ else "linear")
        return self

    def transform(self, y: ArrayLike) -> np.ndarray:
        """Standardise targets.

        Args:
            y: (n,) or (n, 1), in target units.

        Returns:
            float64, same shape as `y`, in standard deviations from the mean. Cast it to float32 for a network; the
            exact inverse needs the float64.

        Raises:
            ValueError: a target is no finite number, or not positive on a logarithmic scale.
        """
        self.check_fitted()
        with np.errstate(over="ignore"):
            return (self._work(_read(y)) - self.mean_) / self.std_

    def inverse_transform(self, standardised: ArrayLike) -> np.ndarray:
        """Bring predictions back to target units.

        Args:
            standardised: (n,) or (n, 1), in standard deviations from the mean; infinities are allowed.

        Returns:
            float64, same shape, in target units, always finite; positive on a logarithmic scale.

        Raises:
            ValueError: a prediction is NaN.
        """
        self.check_fitted()
        values = np.asarray(standardised, dtype=np.float64)
        if np.isnan(values).any():
            rows = _name_rows(np.isnan(values))
            raise ValueError(f"predictions are NaN in {rows}; the model diverged: train it with a lower rate")
        with np.errstate(over="ignore"):
            worked = np.clip(values, -self.farthest_, self.farthest_) * self.std_ + self.mean_
        largest = np.finfo(np.float64).max
        if not self.log_:
            return np.clip(worked, -largest, largest)
        return np.exp(np.clip(worked, np.log(np.finfo(np.float64).tiny), np.log(largest)))

    def get_state(self) -> dict[str, Any]:
        """Return the method and all that was learned as a JSON-able dict."""
        self.check_fitted()
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "method": self.method,
            "log": self.log_,
            "mean": self.mean_,
            "std": self.std_,
            "farthest": self.farthest_,
        }

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Rebuild the fitted transformer of `get_state`; nothing in the state is executed.

        Raises:
            ValueError: the state has another format or version, or a field is missing or out of range.
        """
        fields = {"method": TEXT, "log": FLAG, "mean": NUMBER, "std": NUMBER, "farthest": NUMBER}
        state = check_state(state, _FORMAT, _VERSION, fields)
        if state["method"] not in _METHODS or state["std"] <= 0 or state["farthest"] <= 0:
            raise ValueError(f"{_FORMAT} state: method {_METHODS}, std > 0, farthest > 0; got {state}")
        transformer = cls(state["method"])
        transformer.log_ = state["log"]
        transformer.mean_ = float(state["mean"])
        transformer.std_ = float(state["std"])
        transformer.farthest_ = float(state["farthest"])
        return transformer

    def _work(self, values: np.ndarray) -> np.ndarray:
        if not self.log_:
            return values
        if (values <= 0).any():
            raise ValueError(
                f"a logarithmic target must be positive, but is not in {_name_rows(values <= 0)}; "
                "correct these rows, leave them out, or use method='identity'"
            )
        return np.log(values)


def _read(y: ArrayLike) -> np.ndarray:
    """Return the targets as float64 in the shape they came in."""
    try:
        values = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected numbers as targets: {error}") from error
    if values.ndim != 1 and values.shape[1:] != (1,):
        raise ValueError(f"expected targets of shape (n,) or (n, 1), got {values.shape}")
    if not np.isfinite(values).all():
        rows = _name_rows(~np.isfinite(values))
        raise ValueError(f"targets must be finite numbers, but are not in {rows}; leave these rows out")
    return values


def _name_rows(selected: np.ndarray) -> str:
    rows = np.flatnonzero(selected)
    return f"row{'s' if len(rows) > 1 else ''} {name_some(rows)}"
