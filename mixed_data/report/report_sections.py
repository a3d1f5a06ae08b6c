"""The sections of the page one by one: what each shows, or the reason why it has nothing to show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixed_data.evaluation.model_names import lacks_part_of
from mixed_data.report.coverage_lines import NOMINAL, CoverageLine, cover
from mixed_data.report.figures import Picture, draw_coverage, draw_errors, draw_weights
from mixed_data.report.row_groups import Group, Grouping
from mixed_data.report.run_answers import ErrorScale
from mixed_data.report.run_contents import Run
from mixed_data.report.wording import (
    UNIMODAL,
    Unit,
    clip,
    decimals,
    describe_model,
    describe_pattern,
    is_reference,
)
from mixed_data.split.rows_kept_together import Link, describe_links

_SCORES = {
    "mape": ("MAPE, %", 1, "mean error in percent of the actual value; lower is better"),
    "median_ape": ("median APE, %", 1, "half of the rows are off by less than this"),
    "ppe20": ("within 20 %", 0, "percent of the rows predicted within 20 % of the actual value; higher is better"),
    "rmse_log": ("RMSE of log", 3, "root mean square of the log of predicted over actual; about the error as a share"),
    "r2": ("R²", 3, "share of the variance that is explained: 1 is perfect, 0 no better than the mean"),
    "cod": ("COD", 1, "spread of the ratios predicted to actual around their median, in percent"),
    "mae": ("MAE", 0, "mean absolute error in units of the target"),
}
_MAX_TEXTS = 20
_MAX_MODELS = 60
_NUM_WARNINGS = 5


@dataclass(frozen=True)
class ErrorSection:
    """Errors by one grouping: a figure with its numbers, or the reason why not."""

    by: str
    picture: Picture | None
    lines: list[tuple[str, ...]]
    reason: str


def list_models(run: Run) -> dict[str, Any]:
    """Return headings with their meaning, and one line of scores per model."""
    entries = run.comparison[:_MAX_MODELS]
    scores = {name: entry for name, entry in _SCORES.items() if any(line.get(name) is not None for line in entries)}
    if "mape" in scores:
        scores.pop("mae", None)
    lines = []
    for entry in entries:
        name, cells = entry["model"], {key: decimals(entry.get(key), scores[key][1]) for key in scores}
        if entry.get("mape_sd") is not None and "mape" in cells:
            cells["mape"] += f" ± {decimals(entry['mape_sd'], 1)}"
        lines.append(
            {
                "name": clip(name, 60),
                "what": describe_model(name),
                "is_main": name == run.main,
                "is_reference": is_reference(name),
                "cells": [*cells.values(), decimals(entry["seconds"], 0) if entry.get("seconds") is not None else ""],
            }
        )
    headings = [(heading, meaning) for heading, _, meaning in scores.values()]
    return {"headings": [*headings, ("seconds", "to fit and to predict, all folds")], "lines": lines}


def list_differences(entry: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Write the figures behind an answer of `compare`: models, score, both values, difference, interval, folds won."""
    differences = entry.get("differences")
    for metric, found in differences.items() if isinstance(differences, Mapping) else ():
        if not isinstance(found, Mapping) or metric not in _SCORES:
            continue
        heading, num_decimals, _ = _SCORES[metric]
        low, high = found.get("interval") or (None, None)
        yield (
            f"{clip(entry.get('first'), 60)} − {clip(entry.get('second'), 60)}",
            heading,
            *(decimals(found.get(name), num_decimals) for name in ("first", "second")),
            decimals(found.get("difference"), num_decimals + 1),
            f"{decimals(low, num_decimals + 1)} to {decimals(high, num_decimals + 1)}",
            f"{found.get('folds_won', '–')} of {found.get('num_folds', '–')}",
        )


def describe_errors(run: Run, scale: ErrorScale, groupings: Iterable[Grouping]) -> list[ErrorSection]:
    """Draw and count the main model's errors in each group of each grouping."""
    errors = scale.signed(run.rows["target"].to_numpy(), run.rows["prediction"].to_numpy())
    label = f"error, % of actual {scale.unit.name}" if scale.is_percent else f"error, {scale.unit.label}"
    sections = []
    for grouping in groupings:
        if not grouping.groups:
            sections.append(ErrorSection(grouping.by, None, [], grouping.reason))
            continue
        picture = draw_errors(grouping.groups, errors, grouping.by, label)
        lines = [_write_errors(group.label, errors[group.rows]) for group in grouping.groups]
        sections.append(ErrorSection(grouping.by, picture, lines, ""))
    return sections


def _write_errors(label: str, errors: NDArray[np.float64]) -> tuple[str, ...]:
    mean = decimals(float(np.abs(errors).mean()), 1)
    return label, f"{len(errors):,}", decimals(float(np.median(errors)), 1), mean


def describe_coverage(run: Run, unit: Unit, by_target: Grouping, by_photos: Grouping) -> dict[str, Any]:
    """Count how often the intervals hold, in total, by target and by number of photos."""
    if not {"lower", "upper"} <= set(run.rows):
        return {"reason": "the run kept no intervals (columns lower and upper of predictions.csv)"}
    has_interval = run.rows[["lower", "upper"]].notna().all(axis=1).to_numpy()
    if not has_interval.all():
        return {"reason": f"{np.sum(~has_interval):,} of {len(run.rows):,} rows have no interval"}
    named = [Group(f"{clip(unit.name, 20)} {group.label}", group.rows) for group in by_target.groups]
    lines = cover(run.rows, [Grouping(by_target.by, named), by_photos])
    picture = draw_coverage(
        [f"{line.label}  ({line.num_rows:,})" for line in lines],
        [line.covered for line in lines],
        [line.bounds for line in lines],
        NOMINAL,
    )
    written = [_write_coverage(line, unit) for line in lines]
    return {"reason": "", "lines": written, "picture": picture, "nominal": f"{NOMINAL:.0f}"}


def _write_coverage(line: CoverageLine, unit: Unit) -> tuple[str, ...]:
    bounds = " to ".join(decimals(bound, 0) for bound in line.bounds)
    widths = (unit.exact(line.median_width), decimals(line.relative_width, 0))
    return line.label, f"{line.num_rows:,}", decimals(line.covered, 1), bounds, *widths


def describe_missing(run: Run, scale: ErrorScale) -> dict[str, Any]:
    """List what the main model is worth without photos or columns, beside the networks that never had them."""
    if not run.missing:
        return {"reason": "the run kept no missing.json (`train` writes it for models that read photos)"}
    shown = [(describe_pattern(entry["pattern"]), entry) for entry in run.missing]
    for name, description in UNIMODAL.items():
        if name != run.main and (entry := run.of_model(name)):
            shown.append((f"for comparison: {clip(name)} ({description})", entry))
    lines = []
    for label, entry in shown:
        error, width = (entry.get(name) for name in (scale.score, "median_width"))
        lines.append(
            (
                label,
                "–" if error is None else scale.write(error),
                decimals(entry.get("rmse_log"), 3),
                decimals(entry.get("coverage"), 1),
                "–" if width is None else scale.unit.exact(width),
            )
        )
    return {"reason": "", "lines": lines}


def describe_weights(run: Run) -> dict[str, Any]:
    """List and draw the learned weights of the fusions."""
    if not run.weights:
        return {"reason": "no fusion with learned weights was trained"}
    lines = []
    for fusion, entry in run.weights.items():
        for modality, part in entry.items():
            spread = "one fit" if part.get("sd") is None else f"± {decimals(part['sd'], 3)}"
            lines.append((clip(fusion, 60), clip(modality, 60), decimals(part["mean"], 3), spread))
    return {"reason": "", "lines": lines, "picture": draw_weights(run.weights)}


def list_ablations(run: Run, scale: ErrorScale) -> list[tuple[str, str, str, str]]:
    """List the networks that lack something: name, what it is, mean error, and how much that is above the main's."""
    own, answers = run.metrics[scale.score], {entry["model"]: entry["answer"] for entry in run.ablation}
    lines = []
    for entry in run.comparison:
        name, error = entry["model"], entry.get(scale.score)
        if lacks_part_of(name, run.main) and error is not None:
            difference = clip(answers[name], 200) if name in answers else scale.write_change(error - own)
            lines.append((clip(name, 60), describe_model(name), scale.write(error), difference))
    return lines


def describe_audit(run: Run, links: list[Link]) -> dict[str, Any]:
    """List what is wrong with the rows: repeats, shared photos, warnings at prediction."""
    if run.findings is not None:
        sentences, scope, note = run.findings, "all rows", "Nothing wrong was found."
    elif run.cells is not None:
        sentences, scope = describe_links(links, run.cells, run.schema), "the held-out rows"
        note = "No repeated row and no shared photo among the held-out rows."
    else:
        sentences, scope = [], ""
        note = f"Repeated rows and shared photos were not looked for: {run.no_cells}."
    doubtful = run.rows[run.rows["warnings"] != ""] if "warnings" in run.rows else None
    warnings = []
    if doubtful is not None:
        shown = doubtful.head(_NUM_WARNINGS)
        warnings = [(clip(id, 60), clip(text, 300)) for id, text in zip(shown["id"], shown["warnings"], strict=True)]
    return {
        "sentences": [_start_large(clip(text, 600)) for text in sentences[:_MAX_TEXTS]],
        "scope": scope,
        "note": "" if sentences else note,
        "bad_rows": [clip(text, 600) for text in _texts(run.config.get("bad_rows"))],
        "num_doubtful": None if doubtful is None else len(doubtful),
        "warnings": warnings,
    }


def _texts(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _start_large(text: str) -> str:
    return text[:1].upper() + text[1:]


def describe_making(run: Run) -> dict[str, Any]:
    """List what it takes to make the run again."""
    options = run.config.get("options")
    given = options if isinstance(options, Mapping) else {}
    seconds = [entry["seconds"] for entry in run.comparison if isinstance(entry.get("seconds"), int | float)]
    facts = {
        "data set": given.get("dataset"),
        "held-out rows": f"{len(run.rows):,}",
        "split": f"grouped {run.num_folds}-fold" if run.num_folds > 1 else "one held-out part, groups kept together",
        "repeats": run.num_repeats if run.num_repeats > 1 else None,
        "seed": given.get("random_state"),
        "seconds, all models": f"{sum(seconds):,.0f}" if seconds else None,
        "bundle saved": run.created[:16].replace("T", " ") + " UTC" if run.created else None,
    }
    versions = run.config.get("versions")
    return {
        "command": clip(run.config.get("command") or "", 2000),
        "facts": [(name, clip(value)) for name, value in facts.items() if value is not None],
        "versions": [(clip(n), clip(v)) for n, v in versions.items()] if isinstance(versions, Mapping) else [],
    }
