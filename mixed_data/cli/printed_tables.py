"""What commands print alike: one console, one table of models."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

# In a pipe there is no width to respect: a cut table would lose figures.
console = Console(width=None if sys.stdout.isatty() else 110, soft_wrap=True, markup=False, emoji=False)

_METRIC_COLUMNS = {
    "mape": ("MAPE %", "{:.1f}"),
    "median_ape": ("median APE %", "{:.1f}"),
    "rmse_log": ("RMSE of log", "{:.3f}"),
    "r2": ("R²", "{:.3f}"),
    "cod": ("COD", "{:.1f}"),
    "seconds": ("seconds", "{:.0f}"),
}


def print_models(title: str, comparison: Iterable[Mapping[str, Any]], main: str) -> None:
    """Print one line per entry of ``comparison.json``, with " ± " where it has a spread; the main model is bold."""
    models = Table(title=title)
    models.add_column("model")
    for heading, _ in _METRIC_COLUMNS.values():
        models.add_column(heading, justify="right")
    for entry in comparison:
        cells = [_write_metric(entry, name, text) for name, (_, text) in _METRIC_COLUMNS.items()]
        models.add_row(entry["model"], *cells, style="bold" if entry["model"] == main else "")
    console.print(models)


def _write_metric(entry: Mapping[str, Any], name: str, text: str) -> str:
    if entry.get(name) is None:
        return ""
    spread = entry.get(f"{name}_sd")
    has_spread = spread is not None and not math.isnan(spread)
    return text.format(entry[name]) + (f" ± {text.format(spread)}" if has_spread else "")
