"""The sections of the page one by one: what each shows, or the reason why it has nothing to show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from mixed_data.evaluation.model_names import lacks_part_of
from mixed_data.metrics import METRICS, write_decimals
from mixed_data.report.coverage_lines import NOMINAL, CoverageLine, count_coverage
from mixed_data.report.figures import draw_coverage, draw_errors, draw_weights
from mixed_data.report.row_groups import Group, Grouping
from mixed_data.report.run_answers import ErrorScale
from mixed_data.report.run_contents import Run
from mixed_data.report.wording import UNIMODAL, Unit, clip, describe_model, describe_pattern, is_reference

_SCORES = ("mape", "median_ape", "ppe20", "rmse_log", "r2", "cod", "mae")
_MAX_TEXTS = 20
_MAX_MODELS = 60
_NUM_WARNINGS = 5


def list_models(run: Run) -> dict[str, Any]:
    """Return headings with their meaning, and one line of scores per model."""
    entries = run.comparison[:_MAX_MODELS]
    scores = [name for name in _SCORES if any(entry.get(name) is not None for entry in entries)]
    if "mape" in scores:
        scores.remove("mae")
    lines = []
    for entry in entries:
        name, cells = entry["model"], {score: METRICS[score].write(entry.get(score)) for score in scores}
        if entry.get("mape_sd") is not None and "mape" in cells:
            cells["mape"] += f" ± {METRICS['mape'].write(entry['mape_sd'])}"
        lines.append(
            {
                "name": clip(name, 60),
                "what": describe_model(name),
                "is_main": name == run.main,
                "is_reference": is_reference(name),
                "cells": [*cells.values(), "" if entry.get("seconds") is None else write_decimals(entry["seconds"], 0)],
            }
        )
    headings = [(METRICS[score].heading, METRICS[score].meaning) for score in scores]
    return {"headings": [*headings, ("seconds", "to fit and to predict, all folds")], "lines": lines}


def list_differences(entry: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Write the figures behind an answer of `compare`: models, score, both values, difference, interval, folds won."""
    differences = entry.get("differences")
    for metric, found in differences.items() if isinstance(differences, Mapping) else ():
        if not isinstance(found, Mapping) or metric not in _SCORES:
            continue
        low, high = found.get("interval") or (None, None)
        num_decimals = METRICS[metric].count_decimals(found.get("second")) + 1
        yield (
            f"{clip(entry.get('first'), 60)} − {clip(entry.get('second'), 60)}",
            METRICS[metric].heading,
            *(METRICS[metric].write(found.get(name)) for name in ("first", "second")),
            write_decimals(found.get("difference"), num_decimals),
            f"{write_decimals(low, num_decimals)} to {write_decimals(high, num_decimals)}",
            f"{found.get('folds_won', '–')} of {found.get('num_folds', '–')}",
        )


def describe_errors(run: Run, scale: ErrorScale, groupings: Iterable[Grouping]) -> list[dict[str, Any]]:
    """Draw and count the main model's errors in each group of each grouping, or say why not."""
    errors = scale.signed(run.rows["target"].to_numpy(), run.rows["prediction"].to_numpy())
    label = f"error, % of actual {scale.unit.name}" if scale.is_percent else f"error, {scale.unit.label}"
    write = METRICS[scale.score].write
    sections = []
    for grouping in groupings:
        lines = [
            (group.label, f"{len(group.rows):,}", write(float(np.median(part))), write(float(np.abs(part).mean())))
            for group in grouping.groups
            for part in [errors[group.rows]]
        ]
        picture = draw_errors(grouping.groups, errors, grouping.by, label) if lines else None
        sections.append({"by": grouping.by, "picture": picture, "lines": lines, "reason": grouping.reason})
    return sections


def describe_coverage(run: Run, unit: Unit, by_target: Grouping, by_photos: Grouping) -> dict[str, Any]:
    """Count how often the intervals hold, in total, by target and by number of photos."""
    if not {"lower", "upper"} <= set(run.rows):
        return {"reason": "the run kept no intervals (columns lower and upper of predictions.csv)"}
    has_interval = run.rows[["lower", "upper"]].notna().all(axis=1).to_numpy()
    if not has_interval.all():
        return {"reason": f"{np.sum(~has_interval):,} of {len(run.rows):,} rows have no interval"}
    named = [Group(f"{clip(unit.name, 20)} {group.label}", group.rows) for group in by_target.groups]
    lines = count_coverage(run.rows, [Grouping(by_target.by, named), by_photos])
    labels = [f"{line.label}  ({line.num_rows:,})" for line in lines]
    picture = draw_coverage(labels, [line.covered for line in lines], [line.bounds for line in lines], NOMINAL)
    written = [_write_coverage(line, unit) for line in lines]
    return {"reason": "", "lines": written, "picture": picture, "nominal": f"{NOMINAL:.0f}"}


def _write_coverage(line: CoverageLine, unit: Unit) -> tuple[str, ...]:
    bounds = " to ".join(write_decimals(bound, 0) for bound in line.bounds)
    widths = (unit.exact(line.median_width), write_decimals(line.relative_width, 0))
    return line.label, f"{line.num_rows:,}", write_decimals(line.covered, 1), bounds, *widths


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
        error, width = "–" if error is None else scale.write(error), "–" if width is None else scale.unit.exact(width)
        coverage = write_decimals(entry.get("coverage"), 1)
        lines.append((label, error, METRICS["rmse_log"].write(entry.get("rmse_log")), coverage, width))
    return {"reason": "", "lines": lines}


def describe_weights(run: Run) -> dict[str, Any]:
    """List and draw the learned weights of the fusions."""
    if not run.weights:
        return {"reason": "no fusion with learned weights was trained"}
    lines = []
    for fusion, entry in run.weights.items():
        for modality, part in entry.items():
            spread = "one fit" if part.get("sd") is None else f"± {write_decimals(part['sd'], 3)}"
            lines.append((clip(fusion, 60), clip(modality, 60), write_decimals(part["mean"], 3), spread))
    return {"reason": "", "lines": lines, "picture": draw_weights(run.weights)}


def list_ablations(run: Run, scale: ErrorScale) -> list[tuple[str, str, str, str]]:
    """List the networks that lack something: name, what it is, mean error, and how much that is above the main's."""
    own, answers = run.metrics[scale.score], {entry["model"]: entry["answer"] for entry in run.ablation}
    lines = []
    for entry in run.comparison:
        name, error = entry["model"], entry.get(scale.score)
        if lacks_part_of(name, run.main) and error is not None:
            change = f"{'−' if error < own else '+'}{scale.write_size(error - own)}"
            answer = clip(answers.get(name, change), 200)
            lines.append((clip(name, 60), describe_model(name), scale.write(error), answer))
    return lines


def describe_audit(run: Run) -> dict[str, Any]:
    """List what is wrong with the rows: repeats, shared photos, warnings at prediction."""
    note = "What the audit found was not kept." if run.findings is None else "Nothing wrong was found."
    findings = (run.findings or [])[:_MAX_TEXTS]
    has_warnings = "warnings" in run.rows
    doubtful = run.rows[run.rows["warnings"] != ""] if has_warnings else run.rows[:0].assign(warnings="")
    shown = doubtful.head(_NUM_WARNINGS)
    bad_rows = run.config.get("bad_rows")
    return {
        "sentences": [text[:1].upper() + text[1:] for text in (clip(found, 600) for found in findings)],
        "note": "" if findings else note,
        "bad_rows": [clip(text, 600) for text in bad_rows] if isinstance(bad_rows, list) else [],
        "num_doubtful": len(doubtful) if has_warnings else None,
        "warnings": [(clip(id, 60), clip(text, 300)) for id, text in zip(shown["id"], shown["warnings"], strict=True)],
    }


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
