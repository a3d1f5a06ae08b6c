"""How a table becomes numbers that trees read well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mixed_data.boosting.level_means import LevelMeans
from mixed_data.boosting.level_text import CodeOrder
from mixed_data.files.checked_json import OBJECT, check_fields, optional
from mixed_data.files.learned import Learned
from mixed_data.preprocessing.table_encoder import TableEncoder
from mixed_data.schema import Schema

_PARTS = ("tabularpreprocessor", "levelmeans", "codeorder")


class TreeFeatures(Learned):
    """Numbers for trees: numeric columns, mean targets of levels, and places of codes in their order.

    Trees need many splits to read one-hot levels, so that categories and codes become mean targets instead, and codes
    also places in their order.

    Args:
        schema: roles of the columns.
        tabular: its settings are used for the numeric columns, and its ``code_prefixes``.
        random_state: of the folds in which training rows get their means.

    Attributes:
        parts_: name -> `TableEncoder`, `LevelMeans` and `CodeOrder`, as far as the schema has columns for them.
    """

    def __init__(self, schema: Schema, tabular: TableEncoder, random_state: int = 0) -> None:
        self.schema = schema
        self.tabular = tabular
        self.random_state = random_state

    def fit(self, table: pd.DataFrame, y: ArrayLike) -> TreeFeatures:
        """Learn from training rows.

        Args:
            table: the rows.
            y: target ``(n,)``, as the trees will see it.
        """
        self.fit_transform(table, y)
        return self

    def fit_transform(self, table: pd.DataFrame, y: ArrayLike) -> np.ndarray:
        """Learn from training rows, and return their numbers, float64 ``(n, d)``; see `LevelMeans.fit_transform`."""
        self.parts_ = self._make_parts()
        found = []
        for part in self.parts_.values():
            if isinstance(part, LevelMeans):
                found.append(part.fit_transform(table, y))
            else:
                found.append(part.fit(table, y).transform(table))
        return np.hstack(found)

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        """Return the numbers of rows that were not in training, float64 ``(n, d)``."""
        self.check_fitted()
        return np.hstack([part.transform(table) for part in self.parts_.values()])

    def get_state(self) -> dict[str, Any]:
        """Return what was learned as a JSON-able dict."""
        self.check_fitted()
        return dict.fromkeys(_PARTS) | {name: part.get_state() for name, part in self.parts_.items()}

    def restore(self, state: Any) -> tuple[TreeFeatures, int]:
        """Make this, with the settings of the one whose `get_state` it is, a fitted one; nothing in it is executed.

        Returns:
            itself, and the number of features that come out.

        Raises:
            ValueError: the state does not belong to such features.
        """
        state = check_fields(state, "features", dict.fromkeys(_PARTS, optional(OBJECT)))
        parts = self._make_parts()
        if list(parts) != [name for name in _PARTS if state[name] is not None]:
            found = [name for name in _PARTS if state[name]]
            raise ValueError(f"features: expected the parts {list(parts)}, got {found}")
        self.parts_ = {
            name: TableEncoder.from_state(state[name]) if name == _PARTS[0] else part.restore(state[name])
            for name, part in parts.items()
        }
        empty = pd.DataFrame({name: pd.Series([None], dtype=object) for name in self.schema.features})
        return self, self.transform(empty).shape[1]

    def _make_parts(self) -> dict[str, Any]:
        """Return the parts, unfitted."""
        numeric = self.tabular.with_schema(replace(self.schema, categorical=(), codes=()))
        has_numbers = bool(self.schema.numeric or self.schema.dates)
        parts: dict[str, Any] = {_PARTS[0]: numeric} if has_numbers else {}
        if self.schema.categorical or self.schema.codes:
            own = numeric.with_schema(numeric.schema) if has_numbers else None
            prefixes = self.tabular.code_prefixes
            parts[_PARTS[1]] = LevelMeans(
                self.schema, numeric=own, code_prefixes=prefixes, random_state=self.random_state
            )
        if self.schema.codes:
            parts[_PARTS[2]] = CodeOrder(self.schema)
        return parts
