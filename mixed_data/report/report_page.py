"""From a run folder to ``report.html``: what each section shows, or why there is nothing to show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mixed_data.evaluation.run_folder import RunFolder
from mixed_data.files.whole_files import replacing
from mixed_data.files.written_values import Unit
from mixed_data.report.coverage_lines import NOMINAL
from mixed_data.report.figures import MIN_BOX_ROWS, Picture, draw_predictions, draw_shares, draw_weights
from mixed_data.report.report_sections import (
    choose_scores,
    describe_coverage,
    describe_errors,
    describe_importance,
    judge_ratios,
    list_ablations,
    list_differences,
    list_missing,
)
from mixed_data.report.row_groups import (
    Grouping,
    group_by_frequency,
    group_by_level,
    group_by_photos,
    group_by_target,
)
from mixed_data.report.run_answers import ErrorScale, answer_questions, choose_rivals
from mixed_data.report.run_contents import Run, read_run
from mixed_data.report.wording import render
from mixed_data.report.worst_rows import describe_worst
from mixed_data.split import find_links, join_links

_MAX_NAMES = 8

_MAX_MODELS = 60


def write_report(folder: Path) -> Path:
    """Write ``report.html`` into a run folder: one page that opens offline and needs nothing else.

    The page is made of the files of the folder alone (and of the photos that they name), so that it can be made again
    at any time; the same files give the same bytes.

    Args:
        folder: that `train` or `compare` wrote.

    Returns:
        The path of the page.

    Raises:
        ValueError: it is no such folder, or a file in it is not what it should be.
    """
    folder = Path(folder)
    page = render("report.html.jinja", _collect_facts(read_run(folder)))
    path = RunFolder(folder).report
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")
    return path


def _collect_facts(run: Run) -> dict[str, Any]:
    """Return what the page shows, by the name that the template uses."""
    unit = Unit.of(run.schema.target or "target", run.config)
    scale = ErrorScale.of(run, unit)
    links = [] if run.cells is None else find_links(run.cells, run.schema)
    by_target, by_level, by_frequency, by_photos = _sort_rows(run, unit)
    warned = run.rows[run.rows["warnings"] != ""] if "warnings" in run.rows else None
    bad_rows = run.config.get("bad_rows")
    return {
        "run": run,
        "unit": unit,
        "scale": scale,
        "models": run.comparison[:_MAX_MODELS],
        "scores": choose_scores(run.comparison[:_MAX_MODELS]),
        "answers": list(answer_questions(run, scale, join_links(links, len(run.rows)))),
        "differences": list(list_differences(run)),
        "predictions": draw_predictions(run.rows["target"].to_numpy(), run.rows["prediction"].to_numpy(), unit),
        "shares": _draw_shares(run, scale),
        "errors": describe_errors(run, scale, (by_target, by_level, by_frequency, by_photos)),
        "min_box_rows": MIN_BOX_ROWS,
        "coverage": describe_coverage(run, scale, by_target, (by_frequency, by_photos)),
        "nominal": NOMINAL,
        "missing": list(list_missing(run, scale)),
        "weights": draw_weights(run.weights) if run.weights else None,
        "importance": describe_importance(run, scale),
        "ablations": list(list_ablations(run, scale)),
        "ratios": judge_ratios(run.metrics),
        "worst": describe_worst(run, unit, links),
        "warnings": None if warned is None else list(zip(warned["id"], warned["warnings"], strict=True)),
        "bad_rows": bad_rows if isinstance(bad_rows, list) else [],
    }


def _sort_rows(run: Run, unit: Unit) -> tuple[Grouping, ...]:
    """Sort the rows by target, by code or category, by how frequent that is in training, and by number of photos."""
    by_level = Grouping("code or category", [], run.no_cells)
    if run.cells is not None:
        by_level = group_by_level(run.cells, run.schema)
    by_photos = Grouping("number of photos", [], "the run did not keep how many photos each row had")
    if "images_used" in run.rows and run.rows["images_used"].notna().all():
        by_photos = group_by_photos(run.rows["images_used"].to_numpy())
    by_frequency = Grouping("frequency of level", [], "the run did not keep them for every row")
    if "level_rows" in run.rows and run.rows["level_rows"].notna().all():
        by_frequency = group_by_frequency(run.rows["level_rows"].to_numpy())
    return group_by_target(run.rows["target"].to_numpy(), unit), by_level, by_frequency, by_photos


def _draw_shares(run: Run, scale: ErrorScale) -> Picture:
    target = run.rows["target"].to_numpy()
    shown = {name: run.others[name] for name in choose_rivals(run, scale) if name in run.others}
    predictions = {run.main: run.rows["prediction"], **shown}
    errors = {name: np.abs(scale.signed(target, values.to_numpy())) for name, values in predictions.items()}
    return draw_shares(errors, scale.unit, is_percent=scale.is_percent)
