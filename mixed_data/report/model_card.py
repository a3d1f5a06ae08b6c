"""The model card of a bundle: what it is, what it was made from, how good it is, and what it must not be used for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mixed_data.report.coverage_lines import NOMINAL, CoverageLine, cover
from mixed_data.report.run_contents import read_run
from mixed_data.report.templates import render
from mixed_data.report.wording import Unit, clip, decimals, describe_model, describe_pattern
from mixed_data.schema import Schema

_SCORES = {"mape": 1, "median_ape": 1, "ppe20": 0, "rmse_log": 3, "r2": 3, "cod": 1}
# Also what makes an address of a text without any mark: "://", "@", and the point behind "www".
_MARKS = re.compile(r"([\\`*_\[\]<>&|#!~$@]|:(?=//)|(?<=www)\.)", re.IGNORECASE)


@dataclass(frozen=True)
class CardFacts:
    """What a model card is written from.

    Attributes:
        schema: roles of the columns.
        main: the model in the bundle.
        comparison: scores of all models on held-out rows, as in ``comparison.json``.
        num_training_rows: rows that the model in the bundle learned from.
        num_held_out: rows that the scores are of.
        num_folds: parts that were held out in turn; 1 for a single split.
        created: date, e.g. "2026-02-03".
        config: as in ``config.json``: command, options, versions.
        findings: what the audit says; None where that was not kept.
        coverage: of the intervals on the held-out rows, or None.
        missing: scores of the model on the held-out rows with parts of them hidden, as in ``missing.json``.
    """

    schema: Schema
    main: str
    comparison: Sequence[Mapping[str, Any]]
    num_training_rows: int
    num_held_out: int
    num_folds: int
    created: str
    config: Mapping[str, Any] = field(default_factory=dict)
    findings: Sequence[str] | None = None
    coverage: CoverageLine | None = None
    missing: Sequence[Mapping[str, Any]] = ()


def read_card_facts(folder: Path, *, num_training_rows: int, created: str) -> CardFacts:
    """Collect the facts from a run folder, whose bundle need not be there yet.

    Args:
        folder: with ``comparison.json``, ``predictions.csv`` and what else there is.
        num_training_rows: rows that the model of the bundle learned from; with folds, all of them.
        created: date of the bundle.

    Raises:
        ValueError: it is no run folder, or a file in it is not what it should be.
    """
    run = read_run(Path(folder))
    has_intervals = {"lower", "upper"} <= set(run.rows) and run.rows[["lower", "upper"]].notna().all(axis=None)
    return CardFacts(
        schema=run.schema,
        main=run.main,
        comparison=run.comparison,
        num_training_rows=num_training_rows,
        num_held_out=len(run.rows),
        num_folds=run.num_folds,
        created=created,
        config=run.config,
        findings=run.findings,
        coverage=cover(run.rows, [])[0] if has_intervals else None,
        missing=run.missing,
    )


def write_card(facts: CardFacts) -> str:
    """Write a model card.

    Args:
        facts: what is known.

    Returns:
        Markdown (GitHub's). Names and texts from the data are quoted, so that they cannot become marks or HTML.

    Reference:
        Mitchell et al., Model Cards for Model Reporting, FAT* 2019, arXiv:1810.03993.
    """
    target = facts.schema.target or "target"
    unit = Unit.of(target, facts.config)
    versions = facts.config.get("versions")
    main = next((entry for entry in facts.comparison if entry["model"] == facts.main), {})
    return render(
        "card.md.jinja",
        {
            "facts": facts,
            "target": quote(target),
            "unit": "US dollars" if unit.is_dollars else "the units of that column",
            "is_dollars": unit.is_dollars,
            "main": quote(facts.main),
            "what": escape(describe_model(facts.main)),
            "columns": [quote(name) for name in facts.schema.features],
            "codes": [quote(name) for name in facts.schema.codes],
            "images": [quote(name) for name in facts.schema.images],
            "mean_error": None if main.get("mape") is None else decimals(main["mape"], 1),
            "lines": [_write_line(entry, entry["model"] == facts.main) for entry in facts.comparison],
            "coverage": _write_coverage(facts.coverage, unit),
            "hidden": [_write_hidden(entry) for entry in facts.missing if entry["pattern"] != "all"],
            "findings": None if facts.findings is None else [escape(text) for text in facts.findings],
            "command": clip(facts.config.get("command") or "", 2000),
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
    cells = [decimals(entry.get(score), num_decimals) for score, num_decimals in _SCORES.items()]
    return f"| {name} | {' | '.join(cells)} |"


def _write_hidden(entry: Mapping[str, Any]) -> str:
    scores = f"MAPE {decimals(entry.get('mape'), 1)} %, RMSE of log {decimals(entry.get('rmse_log'), 3)}"
    return f"{escape(describe_pattern(entry['pattern']))}: {scores}"


def _write_coverage(line: CoverageLine | None, unit: Unit) -> dict[str, str] | None:
    if line is None:
        return None
    low, high = (decimals(bound, 1) for bound in line.bounds)
    return {
        "nominal": f"{NOMINAL:.0f}",
        "covered": decimals(line.covered, 1),
        "bounds": f"{low} to {high}",
        "width": unit.exact(line.median_width),
        "relative_width": decimals(line.relative_width, 0),
    }
