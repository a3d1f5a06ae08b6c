"""Categories and codes as trees read them best: as text to take the mean target of, and as places in an order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixed_data.files.checked_json import TEXTS, check_fields
from mixed_data.files.learned import Learned
from mixed_data.schema import Schema
from mixed_data.schema.cell_values import canonical_text


def read_levels(table: pd.DataFrame, schema: Schema, code_prefixes: Sequence[int]) -> pd.DataFrame:
    """Return categories, codes and leading parts of codes as columns of text, one spelling per level.

    Args:
        table: the rows.
        schema: roles of the columns.
        code_prefixes: lengths of the leading parts.

    Returns:
        one row per row of the table; a missing cell is a level of its own.
    """
    texts = {name: canonical_text(table[name]) for name in (*schema.categorical, *schema.codes)}
    parts = {f"{name}[:{length}]": texts[name].str[:length] for name in schema.codes for length in code_prefixes}
    return pd.DataFrame({**texts, **parts}).fillna("<missing>").astype(object)


class CodeOrder(Learned):
    """The place of each code among the sorted codes of the training rows, so that a tree can cut out a range.

    Codes that begin alike stand together. A code that was not seen stands between its neighbours.

    Args:
        schema: names the columns with codes.

    Attributes:
        codes_: column -> sorted codes of the training rows.

    Example:
        >>> table = pd.DataFrame({"zipcode": [85255, 85266, 90001]})
        >>> order = CodeOrder(Schema(codes=["zipcode"])).fit(table)
        >>> order.transform(pd.DataFrame({"zipcode": ["85255", "85259", "90001", None]})).ravel().tolist()
        [0.5, 1.0, 2.5, nan]
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def fit(self, table: pd.DataFrame, y: object = None) -> CodeOrder:
        """Learn which codes there are."""
        texts = {name: canonical_text(table[name]).dropna() for name in self.schema.codes}
        self.codes_ = {name: np.unique(text.to_numpy(dtype=str)) for name, text in texts.items()}
        return self

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        """Return float64 ``(n, codes)``; NaN where a cell is missing."""
        self.check_fitted()
        places = np.full((len(table), len(self.codes_)), np.nan)
        for column, (name, codes) in enumerate(self.codes_.items()):
            text = canonical_text(table[name])
            known = text.dropna().to_numpy(dtype=str)
            sides = [np.searchsorted(codes, known, side) for side in ("left", "right")]
            places[text.notna(), column] = np.mean(sides, axis=0)
        return places

    def get_state(self) -> dict[str, Any]:
        """Return what was learned as a JSON-able dict."""
        self.check_fitted()
        return {name: codes.tolist() for name, codes in self.codes_.items()}

    def restore(self, state: Any) -> CodeOrder:
        """Make this, with the schema of the one whose `get_state` it is, a fitted one.

        Raises:
            ValueError: the state is not of these columns.
        """
        codes = check_fields(state, "CodeOrder state", dict.fromkeys(self.schema.codes, TEXTS))
        self.codes_ = {name: np.unique(np.array(codes[name], dtype=str)) for name in self.schema.codes}
        return self
