"""The scikit-learn face of it all."""

from mixed_data.estimator.mixed_data_regressor import MixedDataRegressor
from mixed_data.estimator.settings import FEW_ROWS

__all__ = ["FEW_ROWS", "MixedDataRegressor"]
