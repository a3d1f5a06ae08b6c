"""What commands print alike: one console, one table of models."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from mixed_data.metrics import METRICS

# In a pipe there is no width to respect: a cut table would lose figures.
console = Console(width=None if sys.stdout.isatty() else 110, soft_wrap=True, markup=False, emoji=False)

_SCORES = ("mape", "median_ape", "rmse_log", "r2", "cod")


def print_models(title: str, comparison: Iterable[Mapping[str, Any]], main: str) -> None:
    """Print one line per entry of ``comparison.json``, with " ± " where it has a spread; the main model is bold."""
    models = Table(title=title)
    models.add_column("model")
    for heading in (*(METRICS[name].heading for name in _SCORES), "seconds"):
        models.add_column(heading, justify="right")
    for entry in comparison:
        seconds = "" if entry.get("seconds") is None else f"{entry['seconds']:.0f}"
        cells = [_write_score(entry, name) for name in _SCORES]
        models.add_row(entry["model"], *cells, seconds, style="bold" if entry["model"] == main else "")
    console.print(models)


def _write_score(entry: Mapping[str, Any], name: str) -> str:
    if entry.get(name) is None:
        return ""
    spread = entry.get(f"{name}_sd")
    has_spread = spread is not None and not math.isnan(spread)
    return METRICS[name].write(entry[name]) + (f" ± {METRICS[name].write(spread)}" if has_spread else "")
