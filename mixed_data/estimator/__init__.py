"""The scikit-learn face of it all: regressors over a DataFrame, and reading them back from a bundle of any kind."""

import os
from typing import Any

from mixed_data.bundle import load_bundle
from mixed_data.estimator.mixed_data_regressor import MixedDataRegressor
from mixed_data.estimator.stacked_regressor import StackedRegressor

KINDS = {"network": MixedDataRegressor, "stack": StackedRegressor}
"""Kind of a bundle -> the regressor that writes and reads such."""

__all__ = ["KINDS", "MixedDataRegressor", "StackedRegressor", "load"]


def load(path: str | os.PathLike[str]) -> Any:
    """Read a bundle of any kind.

    Args:
        path: a folder written by `MixedDataRegressor.save` or `train`.

    Returns:
        The fitted regressor that was saved; it predicts what that one predicted.

    Raises:
        BundleError: see `mixed_data.bundle.load_bundle`.
    """
    return load_bundle(path, KINDS)
