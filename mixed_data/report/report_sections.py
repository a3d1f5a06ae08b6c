"""The sections of the page one by one: what each shows, or the reason why it has nothing to show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mixed_data.evaluation.model_names import lacks_part_of
from mixed_data.evaluation.permutation_importance import NUM_REPEATS
from mixed_data.files.written_values import clip
from mixed_data.metrics import METRICS, write_decimals
from mixed_data.report.coverage_lines import count_coverage, has_intervals
from mixed_data.report.figures import draw_coverage, draw_errors, draw_importance
from mixed_data.report.row_groups import Group, Grouping
from mixed_data.report.run_answers import ErrorScale
from mixed_data.report.run_contents import Run
from mixed_data.report.wording import UNIMODAL, describe_model, describe_pattern

_SCORES = ("mape", "median_ape", "ppe20", "rmse_log", "r2", "cod", "mae")
_MOST_PARTS = 20
_IAAO_2013 = {"median_ratio": (0.90, 1.10), "cod": (5.0, 15.0), "prd": (0.98, 1.03), "prb": (-0.05, 0.05)}
"""Score -> range for residential property, ends included.

Reference:
    International Association of Assessing Officers, Standard on Ratio Studies (2013), part 1, section 9.
"""


def choose_scores(models: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the scores that any model has; the mean absolute error only where none has a percentage."""
    found = [name for name in _SCORES if any(entry.get(name) is not None for entry in models)]
    return [name for name in found if name != "mae" or "mape" not in found]


def list_differences(run: Run) -> Iterator[tuple[str, ...]]:
    """Write the figures behind `compare`'s answers: models, score, both values, difference, interval, folds won."""
    for entry in run.verdict:
        differences = entry.get("differences")
        for name, found in differences.items() if isinstance(differences, Mapping) else ():
            if not isinstance(found, Mapping) or name not in _SCORES:
                continue
            metric, (low, high) = METRICS[name], found.get("interval") or (None, None)
            num_decimals = metric.count_decimals(found.get("second")) + 1
            yield (
                f"{clip(entry.get('first'), 60)} − {clip(entry.get('second'), 60)}",
                metric.heading,
                metric.write(found.get("first")),
                metric.write(found.get("second")),
                write_decimals(found.get("difference"), num_decimals),
                f"{write_decimals(low, num_decimals)} to {write_decimals(high, num_decimals)}",
                f"{found.get('folds_won', '–')} of {found.get('num_folds', '–')}",
            )


def describe_errors(run: Run, scale: ErrorScale, groupings: Iterable[Grouping]) -> Iterator[dict[str, Any]]:
    """Draw and count the main model's errors in each group of each grouping, or say why not."""
    errors = scale.signed(run.rows["target"].to_numpy(), run.rows["prediction"].to_numpy())
    label = f"error, % of actual {scale.unit.name}" if scale.is_percent else f"error, {scale.unit.label}"
    write = METRICS[scale.score].write
    for grouping in groupings:
        lines = [
            (group.label, f"{len(group.rows):,}", write(float(np.median(part))), write(float(np.abs(part).mean())))
            for group in grouping.groups
            for part in [errors[group.rows]]
        ]
        picture = draw_errors(grouping.groups, errors, grouping.by, label) if lines else None
        yield {"by": grouping.by, "picture": picture, "lines": lines, "reason": grouping.reason}


def describe_coverage(run: Run, scale: ErrorScale, by_target: Grouping, others: Sequence[Grouping]) -> dict[str, Any]:
    """Count how often the intervals hold, in total, by target and in further groups."""
    if not {"lower", "upper"} <= set(run.rows):
        return {"reason": "the run kept no intervals (columns lower and upper of predictions.csv)"}
    if num_without := int((~has_intervals(run.rows)).sum()):
        return {"reason": f"{num_without:,} of {len(run.rows):,} rows have no interval"}
    named = [Group(f"{clip(scale.unit.name, 20)} {group.label}", group.rows) for group in by_target.groups]
    found = count_coverage(run.rows, [Grouping(by_target.by, named), *others])
    lines = [
        (
            line["label"],
            f"{line['n']:,}",
            write_decimals(line["coverage"], 1),
            f"{write_decimals(line['low'], 0)} to {write_decimals(line['high'], 0)}",
            scale.unit.exact(line["median_width"]),
            write_decimals(line["mean_relative_width"], 0),
        )
        for line in found
    ]
    return {"reason": "", "lines": lines, "picture": draw_coverage(found)}


def list_missing(run: Run, scale: ErrorScale) -> Iterator[tuple[str, ...]]:
    """List what the main model is worth without photos or columns, beside the networks that never had them."""
    shown = [(describe_pattern(entry["pattern"]), entry) for entry in run.missing]
    for name, description in UNIMODAL.items() if run.missing else ():
        if name != run.main and (entry := run.of_model(name)):
            shown.append((f"for comparison: {clip(name)} ({description})", entry))
    for label, entry in shown:
        error, width = (entry.get(name) for name in (scale.score, "median_width"))
        error, width = "–" if error is None else scale.write(error), "–" if width is None else scale.unit.exact(width)
        coverage = write_decimals(entry.get("coverage"), 1)
        yield label, error, METRICS["rmse_log"].write(entry.get("rmse_log")), coverage, width


def list_ablations(run: Run, scale: ErrorScale) -> Iterator[tuple[str, ...]]:
    """List the networks that lack something: name, what it is, mean error, and how much that is above the main's."""
    own, answers = run.metrics[scale.score], {entry["model"]: entry["answer"] for entry in run.ablation}
    for entry in run.comparison:
        name, error = entry["model"], entry.get(scale.score)
        if lacks_part_of(name, run.main) and error is not None:
            change = f"{'−' if error < own else '+'}{scale.write_size(error - own)}"
            yield clip(name, 60), describe_model(name), scale.write(error), clip(answers.get(name, change), 200)


def judge_ratios(metrics: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Hold the ratio statistics against the ranges of the standard.

    Args:
        metrics: of `regression_metrics`, None where not defined.

    Yields:
        One line per statistic: name, value, range and judgement ("inside", "below", "above" or "not defined").
    """
    for name, (low, high) in _IAAO_2013.items():
        metric, value = METRICS[name], metrics.get(name)
        if value is None:
            judgement = "not defined"
        else:
            judgement = "below" if value < low else "above" if value > high else "inside"
        yield metric.label, metric.write(value), f"{metric.write(low)} to {metric.write(high)}", judgement


def describe_importance(run: Run, scale: ErrorScale) -> dict[str, Any]:
    """Draw and list by how much the mean error grows when a part is shuffled, or say why not."""
    known = [entry for entry in run.importance if entry.get(scale.score) is not None]
    if not known:
        return {"reason": "the run kept no importance.json (`train` writes it)"}
    known = sorted(known, key=lambda entry: -entry[scale.score]["increase"])
    shown = known[:_MOST_PARTS]
    lines, drawn = [], []
    for entry in shown:
        increase, low, high = (entry[scale.score][name] for name in ("increase", "low", "high"))
        written = [_sign(change, scale.write_size(change)) for change in (increase, low, high)]
        lines.append((clip(entry["part"], 60), written[0], f"{written[1].removesuffix(' points')} to {written[2]}"))
        drawn.append((clip(entry["part"], 30), increase, low, high))
    heading = "points of mean error" if scale.is_percent else scale.unit.label
    num_more = len(known) - len(shown)
    picture = draw_importance(drawn, heading)
    return {"reason": "", "lines": lines, "picture": picture, "num_more": num_more, "num_repeats": NUM_REPEATS}


def _sign(change: float, size: str) -> str:
    """Put the sign of a change before its size, unless that is written as 0."""
    return size if not any(digit in size for digit in "123456789") else f"{'−' if change < 0 else '+'}{size}"
