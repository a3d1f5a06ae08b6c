"""The model card of a bundle: what it is, what it was made from, how good it is, and what it must not be used for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mixed_data.metrics import METRICS, write_decimals
from mixed_data.report.coverage_lines import NOMINAL, count_coverage
from mixed_data.report.run_contents import Run
from mixed_data.report.wording import DOLLARS, Unit, clip, describe_model, describe_pattern, render

_SCORES = ("mape", "median_ape", "ppe20", "rmse_log", "r2", "cod")
# Also what makes an address of a text without any mark: "://", "@", and the point behind "www".
_MARKS = re.compile(r"([\\`*_\[\]<>&|#!~$@]|:(?=//)|(?<=www)\.)", re.IGNORECASE)


def write_card(run: Run, *, num_training_rows: int, created: str) -> str:
    """Write a model card from a run, whose bundle need not be there yet.

    Args:
        run: what its folder holds.
        num_training_rows: rows that the model of the bundle learned from; with folds, all of them.
        created: date of the bundle, e.g. "2026-02-03".

    Returns:
        Markdown (GitHub's). Names and texts from the data are quoted, so that they cannot become marks or HTML.

    Reference:
        Mitchell et al., Model Cards for Model Reporting, FAT* 2019, arXiv:1810.03993.
    """
    schema, versions = run.schema, run.config.get("versions")
    unit = Unit.of(schema.target or "target", run.config)
    return render(
        "card.md.jinja",
        {
            "num_training_rows": num_training_rows,
            "num_held_out": len(run.rows),
            "num_folds": run.num_folds,
            "created": created,
            "target": quote(schema.target or "target"),
            "unit": DOLLARS if unit.is_dollars else "the units of that column",
            "is_dollars": unit.is_dollars,
            "main": quote(run.main),
            "what": escape(describe_model(run.main)),
            "columns": [quote(name) for name in schema.features],
            "codes": [quote(name) for name in schema.codes],
            "images": [quote(name) for name in schema.images],
            "mean_error": None if run.metrics.get("mape") is None else METRICS["mape"].write(run.metrics["mape"]),
            "headings": [METRICS[name].heading for name in _SCORES],
            "higher": [METRICS[name].label for name in _SCORES if METRICS[name].best > 0],
            "lines": [_write_line(entry, entry["model"] == run.main) for entry in run.comparison],
            "coverage": _write_coverage(run, unit),
            "hidden": [_write_hidden(entry) for entry in run.missing if entry["pattern"] != "all"],
            "findings": None if run.findings is None else [escape(text) for text in run.findings],
            "command": clip(run.config.get("command") or "", 2000),
            "versions": [f"{escape(name)} {escape(value)}" for name, value in versions.items()]
            if isinstance(versions, Mapping)
            else [],
        },
    )


def quote(text: object) -> str:
    """Return a stranger's name as a code span, which no mark inside it can end."""
    name = clip(text, 80)
    fence = "`" * (1 + max(map(len, re.findall("`+", name)), default=0))
    pad = " " if name.startswith("`") or name.endswith("`") or not name else ""
    return f"{fence}{pad}{name}{pad}{fence}"


def escape(text: object) -> str:
    """Return a stranger's text as plain text, with Markdown's marks escaped."""
    return _MARKS.sub(r"\\\1", clip(text, 600))


def _write_line(entry: Mapping[str, Any], is_main: bool) -> str:
    name = quote(entry["model"]).replace("|", "\\|")  # A bar would end the cell, even in a code span.
    name = f"**{name}**" if is_main else name
    return f"| {name} | {' | '.join(METRICS[score].write(entry.get(score)) for score in _SCORES)} |"


def _write_hidden(entry: Mapping[str, Any]) -> str:
    scores = [
        f"{METRICS[name].label} {METRICS[name].write_with_unit(entry.get(name))}" for name in ("mape", "rmse_log")
    ]
    return f"{escape(describe_pattern(entry['pattern']))}: {', '.join(scores)}"


def _write_coverage(run: Run, unit: Unit) -> dict[str, str] | None:
    if not {"lower", "upper"} <= set(run.rows) or run.rows[["lower", "upper"]].isna().any(axis=None):
        return None
    line = count_coverage(run.rows)[0]
    low, high = (write_decimals(bound, 1) for bound in line.bounds)
    return {
        "nominal": f"{NOMINAL:.0f}",
        "covered": write_decimals(line.covered, 1),
        "bounds": f"{low} to {high}",
        "width": unit.exact(line.median_width),
        "relative_width": write_decimals(line.relative_width, 0),
    }
