"""Categories and codes as mean targets, each level leaning on the one above it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mixed_data.boosting.level_text import read_levels
from mixed_data.files.checked_json import NUMBER, OBJECTS, Kind, check_fields
from mixed_data.files.learned import Learned
from mixed_data.preprocessing.table_encoder import TableEncoder
from mixed_data.schema import Schema
from mixed_data.schema.cell_values import spell_as

_NUM_FOLDS = 5
_LISTS = Kind("lists of objects", lambda value: isinstance(value, list) and all(map(OBJECTS.accepts, value)))
_CHAIN = {"mean": NUMBER, "levels": OBJECTS}
_RIDGE_STRENGTHS = (0.1, 1.0, 10.0, 100.0)


class LevelMeans(Learned):
    """Mean target of each row's levels, smoothed towards the level above: 85255 towards 852, that towards 85.

    The mean of a level of k rows counts k, that of the level above counts ``smoothing``. A zipcode with one house says
    little by itself, and an unseen one is what its neighbourhood is. There is a second set of means, of what is left of
    the target when a ridge regression on the numeric columns is taken off: what a place adds to a house of its size.

    Like scikit-learn's `TargetEncoder`, `fit_transform` gives every training row the means of other rows (those of the
    other folds): its own target would tell on it. Do not call `fit` and `transform` on the same rows instead.

    Args:
        schema: roles of the columns.
        numeric: unfitted transformer of the table to numbers, for the ridge; None for no second set.
        code_prefixes: lengths of the leading parts of codes that are levels.
        smoothing: in rows.
        random_state: of the folds.

    Attributes:
        means_: for the target, and for what the ridge leaves: one dict of level -> mean per column of levels, from the
            coarsest to the code itself, with the mean of all rows under None.

    Reference:
        Micci-Barreca 2001, A Preprocessing Scheme for High-Cardinality Categorical Attributes in Classification and
        Prediction Problems, doi:10.1145/507533.507538 (section 5 for hierarchies).
    """

    def __init__(
        self,
        schema: Schema,
        *,
        numeric: TableEncoder | None = None,
        code_prefixes: Sequence[int] = (3, 2),
        smoothing: float = 3.0,
        random_state: int = 0,
    ) -> None:
        self.schema = schema
        self.numeric = numeric
        self.code_prefixes = code_prefixes
        self.smoothing = smoothing
        self.random_state = random_state

    def fit(self, table: pd.DataFrame, y: ArrayLike) -> LevelMeans:
        """Learn the means.

        Args:
            table: the training rows.
            y: target ``(n,)``, as the trees will see it.
        """
        self.means_ = self._learn(*self._read(table, y))
        return self

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        """Return the means for rows that were not in training, float64 ``(n, columns)``."""
        self.check_fitted()
        return self._look_up(self._levels(table), self.means_)

    def fit_transform(self, table: pd.DataFrame, y: ArrayLike) -> np.ndarray:
        """Learn the means, and return for each training row those of the folds that it is not in."""
        from sklearn.model_selection import KFold

        levels, numbers, target = self._read(table, y)
        self.means_ = self._learn(levels, numbers, target)
        encoded = self._look_up(levels, self.means_)
        if len(target) < _NUM_FOLDS:
            return encoded
        for others, fold in KFold(_NUM_FOLDS, shuffle=True, random_state=self.random_state).split(target):
            means = self._learn(levels.iloc[others], None if numbers is None else numbers[others], target[others])
            encoded[fold] = self._look_up(levels.iloc[fold], means)
        return encoded

    def get_state(self) -> dict[str, Any]:
        """Return what was learned as a JSON-able dict."""
        self.check_fitted()
        return {
            "means": [[{"mean": chain[0][None], "levels": chain[1:]} for chain in chains] for chains in self.means_]
        }

    def restore(self, state: Any) -> LevelMeans:
        """Make this, with the settings of the one whose `get_state` it is, a fitted one.

        Raises:
            ValueError: the state is not of these columns, or a mean is no finite number.
        """
        sets = check_fields(state, "LevelMeans state", {"means": _LISTS})["means"]
        lengths = [len(chain) for chain in self._chains()]
        means = [[_read_chain(chain) for chain in chains] for chains in sets]
        if any([len(chain) - 1 for chain in chains] != lengths for chains in means):
            raise ValueError(f"LevelMeans state: expected chains of {lengths} levels; fit and save it again")
        if len(means) != (1 if self.numeric is None else 2):
            raise ValueError(f"LevelMeans state: {len(means)} sets of means do not fit; fit and save it again")
        self.means_ = means
        return self

    def _read(self, table: pd.DataFrame, y: ArrayLike) -> tuple[pd.DataFrame, np.ndarray | None, np.ndarray]:
        numbers = None if self.numeric is None else self.numeric.fit(table).transform(table)
        return self._levels(table), numbers, np.asarray(y, dtype="float64")

    def _levels(self, table: pd.DataFrame) -> pd.DataFrame:
        return read_levels(table, self.schema, self.code_prefixes)

    def _chains(self) -> list[list[str]]:
        """Columns of levels that lean on each other, from the coarsest to the finest."""
        prefixes = sorted(self.code_prefixes)
        codes = [[*(f"{name}[:{length}]" for length in prefixes), name] for name in self.schema.codes]
        return [[name] for name in self.schema.categorical] + codes

    def _learn(
        self, levels: pd.DataFrame, numbers: np.ndarray | None, target: np.ndarray
    ) -> list[list[list[dict[str | None, float]]]]:
        from sklearn.linear_model import RidgeCV

        targets = [target]
        if numbers is not None:
            is_known = numbers.shape[1] > 0  # A column that is the same in all rows is no number.
            known = RidgeCV(_RIDGE_STRENGTHS).fit(numbers, target).predict(numbers) if is_known else target.mean()
            targets.append(target - known)
        return [[self._learn_chain(levels[chain], values) for chain in self._chains()] for values in targets]

    def _learn_chain(self, levels: pd.DataFrame, target: np.ndarray) -> list[dict[str | None, float]]:
        above = np.full(len(target), target.mean())
        means: list[dict[str | None, float]] = [{None: float(target.mean())}]
        for name in levels:
            rows = pd.DataFrame({"level": levels[name].to_numpy(), "target": target, "above": above})
            groups = rows.groupby("level", sort=True)
            # Rows of one level share the level above, unless a chain is no hierarchy; then its mean stands for it.
            smoothed = (groups["target"].sum() + self.smoothing * groups["above"].mean()) / (
                groups.size() + self.smoothing
            )
            means.append({str(level): float(mean) for level, mean in smoothed.items()})
            above = rows["level"].map(smoothed).to_numpy()
        return means

    def _look_up(self, levels: pd.DataFrame, means: list[list[list[dict[str | None, float]]]]) -> np.ndarray:
        columns = []
        for of_target in means:
            for chain, found in zip(self._chains(), of_target, strict=True):
                value = np.full(len(levels), found[0][None])
                for name, known in zip(chain, found[1:], strict=True):
                    texts = spell_as([level for level in known if level is not None], levels[name].tolist())
                    own = pd.Series(texts, dtype=object).map(known).to_numpy(dtype="float64")
                    value = np.where(np.isnan(own), value, own)
                    columns.append(value)
        return np.column_stack(columns)


def _read_chain(state: Any) -> list[dict[str | None, float]]:
    chain = check_fields(state, "LevelMeans state, means", _CHAIN)
    for levels in chain["levels"]:
        check_fields(levels, "LevelMeans state, levels", dict.fromkeys(levels, NUMBER))
    return [{None: float(chain["mean"])}, *chain["levels"]]  # an integer of more than 64 bits is no float64 by itself
