"""Tables of other libraries as pandas tables."""

from __future__ import annotations

from typing import Any

import pandas as pd


def to_pandas(table: Any) -> pd.DataFrame:
    """Return a table as a pandas DataFrame; a pandas one as it is.

    Args:
        table: a pandas, polars, pyarrow or other table in memory that narwhals knows.

    Raises:
        ValueError: it is none.
    """
    if isinstance(table, pd.DataFrame):
        return table
    import narwhals

    try:
        frame = narwhals.from_native(table, eager_only=True)
    except TypeError:
        raise ValueError(
            f"expected a pandas DataFrame with named columns, got {type(table).__name__}; wrap it in pd.DataFrame"
        ) from None
    return pd.DataFrame({name: frame[name].to_list() for name in frame.columns})
