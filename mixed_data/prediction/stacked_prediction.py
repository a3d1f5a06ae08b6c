"""A fitted stack of boosted trees and kernel machines: what each says of a row, and how much each counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mixed_data.boosting.boosted_trees import BoostedTrees
from mixed_data.files.checked_json import NUMBER, OBJECT, check_fields, read_json, write_json
from mixed_data.kernels.kernel_machines import KernelMachines
from mixed_data.prediction.missing_patterns import PATTERNS, name_patterns
from mixed_data.prediction.rare_levels import RARITY, measure_rarity
from mixed_data.preprocessing.row_reader import Inputs

PHOTOS = "<prediction from the photos>"
"""Column that tells the trees what the photos predict."""

STACK_FILE, KERNELS_FILE = "stack.json", "kernels.npz"

DIFFICULTY = ("level", "disagreement", RARITY)
"""What may go with the size of an error: the prediction, how far its parts disagree, and how rare its levels are."""

_SMALLEST_DISAGREEMENT = 0.02
_MEMBERS = ("trees", "kernel")


@dataclass(frozen=True)
class StackedPrediction:
    """What predicts rows once a stack is fitted.

    Attributes:
        machines: kernel machines, on the transformed target.
        trees: likewise; they see the columns and `PHOTOS`.
        weights: pattern -> weight of the trees; the kernel machine has the rest.
    """

    machines: KernelMachines
    trees: BoostedTrees
    weights: dict[str, float]

    def describe(self, table: pd.DataFrame, inputs: Inputs, *, num_together: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Predict rows, each by itself.

        Args:
            table: the rows, which fit the schema.
            inputs: the same rows, read.
            num_together: rows that are computed at a time, see `KernelMachines.predict`.

        Returns:
            Predictions on the scale of the transformed target, float64 ``(n,)``, and `DIFFICULTY`, ``(n, 3)``.
        """
        found = self.machines.predict(inputs, num_together=num_together)
        by_trees = self.trees.predict(table.assign(**{PHOTOS: tell_trees(inputs, found)}))
        predicted = weigh(choose(name_patterns(inputs, "both"), found, by_trees), self.weights)
        predicted[RARITY] = measure_rarity(inputs)
        return predicted["level"].to_numpy(), predicted[list(DIFFICULTY)].to_numpy()


def tell_trees(inputs: Inputs, found: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return what the photos of each row predict; of a row without any, what its columns let expect of them."""
    return np.where(inputs["image_mask"].any(axis=1), found["photos"], found["imputed"])


def choose(pattern: np.ndarray, found: Mapping[str, np.ndarray], by_trees: np.ndarray) -> pd.DataFrame:
    """Return what trees and kernel machine say of each row, by what the row has."""
    nothing = np.zeros(len(pattern))
    kernels = {"all": found["mixed"], "no photos": found["table"], "no table": found["photos"], "nothing": nothing}
    kernel, trees = np.empty(len(pattern)), by_trees.copy()
    for name, of_pattern in kernels.items():
        rows = pattern == name
        kernel[rows] = of_pattern[rows]
        if "tabular" in PATTERNS[name]:
            trees[rows] = of_pattern[rows]
    return pd.DataFrame({"pattern": pattern, "trees": trees, "kernel": kernel})


def weigh(predicted: pd.DataFrame, weights: Mapping[str, float]) -> pd.DataFrame:
    """Add the stack's prediction, and by how much trees and machine disagree (logarithm)."""
    share = np.array([weights[pattern] for pattern in predicted["pattern"]])
    trees, kernel = (predicted[name].to_numpy() for name in _MEMBERS)
    disagreement = np.log(np.abs(trees - kernel) + _SMALLEST_DISAGREEMENT)
    return predicted.assign(level=share * trees + (1 - share) * kernel, disagreement=disagreement)


def write_weights(file: Path, weights: Mapping[str, float]) -> None:
    """Write how much the trees count in each pattern."""
    write_json(file, {"weights": dict(weights)})


def read_weights(file: Path) -> dict[str, float]:
    """Read how much the trees count in each pattern.

    Raises:
        ValueError: the file holds something else.
    """
    state = check_fields(read_json(file), file.name, {"weights": OBJECT})
    weights = check_fields(state["weights"], f"{file.name}, weights", dict.fromkeys(PATTERNS, NUMBER))
    if not all(0 <= weight <= 1 for weight in weights.values()):
        raise ValueError(f"{file.name}: expected weights between 0 and 1, got {weights}")
    return {pattern: float(weight) for pattern, weight in weights.items()}
