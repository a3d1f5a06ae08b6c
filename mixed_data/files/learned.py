"""What every class that learns has in common, with scikit-learn and without."""

from __future__ import annotations


class Learned:
    """Something with a `fit`, whose learned attributes end in "_", as scikit-learn has it.

    It is used in a runtime that has no scikit-learn too. Where a class is also one of scikit-learn's estimators,
    `check_fitted` raises scikit-learn's own error.
    """

    def check_fitted(self) -> None:
        """Check that something was learned.

        Raises:
            ValueError: nothing was.
        """
        if not any(name.endswith("_") and not name.startswith("__") for name in vars(self)):
            raise ValueError(f"this {type(self).__name__} is not fitted yet; call fit first, or load a fitted one")
