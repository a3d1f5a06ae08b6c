"""From a run folder to ``report.html``: what each section shows, or why there is nothing to show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mixed_data.evaluation.run_folder import RunFolder
from mixed_data.files.whole_files import replacing
from mixed_data.metrics import METRICS
from mixed_data.report.figures import MIN_BOX_ROWS, Picture, draw_predictions, draw_shares
from mixed_data.report.ratio_standards import judge_ratios
from mixed_data.report.report_sections import (
    describe_audit,
    describe_coverage,
    describe_errors,
    describe_making,
    describe_missing,
    describe_weights,
    list_ablations,
    list_differences,
    list_models,
)
from mixed_data.report.row_groups import Grouping, group_by_level, group_by_photos, group_by_target
from mixed_data.report.run_answers import ErrorScale, answer_questions, choose_rivals
from mixed_data.report.run_contents import Run, read_run
from mixed_data.report.wording import Unit, clip, describe_model, render
from mixed_data.report.worst_rows import describe_worst
from mixed_data.split import find_links, join_links

_MAX_NAMES = 8


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
    page = render("report.html.jinja", collect_facts(read_run(folder)))
    path = RunFolder(folder).report
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")
    return path


def collect_facts(run: Run) -> dict[str, Any]:
    """Return all that the page says, by the name that the template uses."""
    unit = Unit.of(run.schema.target or "target", run.config)
    scale = ErrorScale.of(run, unit)
    links = [] if run.cells is None else find_links(run.cells, run.schema)
    groups = join_links(links, len(run.rows))
    target, prediction = run.rows["target"].to_numpy(), run.rows["prediction"].to_numpy()
    by_target, by_level, by_photos = _sort_rows(run, unit)
    return {
        **_name_things(run, unit),
        "summary": _summarise(run),
        "tiles": _make_tiles(run, scale),
        "main_error": scale.write(run.metrics[scale.score]),
        "answers": [
            *((clip(entry["question"], 200), clip(entry["answer"], 800)) for entry in run.verdict),
            *answer_questions(run, scale, groups),
        ],
        "differences": [line for entry in run.verdict for line in list_differences(entry)],
        "models": list_models(run),
        "predictions": draw_predictions(target, prediction, unit),
        "shares": _draw_shares(run, scale),
        "errors": describe_errors(run, scale, (by_target, by_level, by_photos)),
        "coverage": describe_coverage(run, unit, by_target, by_photos),
        "missing": describe_missing(run, scale),
        "weights": describe_weights(run),
        "ablations": list_ablations(run, scale),
        "ratios": judge_ratios(run.metrics),
        "worst": describe_worst(run, unit, links),
        "audit": describe_audit(run),
        "making": describe_making(run),
    }


def _name_things(run: Run, unit: Unit) -> dict[str, Any]:
    return {
        "title": f"Predicting {unit.name}",
        "unit": unit,
        "run_name": clip(run.folder.resolve().name, 60),
        "main": clip(run.main, 60),
        "row_name": clip(run.schema.id or "row", 40),
        "num_rows": len(run.rows),
        "num_repeats": run.num_repeats,
        "has_verdict": bool(run.verdict),
        "no_cells": clip(run.no_cells, 600),
        "min_box_rows": MIN_BOX_ROWS,
    }


def _sort_rows(run: Run, unit: Unit) -> tuple[Grouping, Grouping, Grouping]:
    """Sort the rows by target, by code or category, and by number of photos."""
    if run.cells is None:
        by_level = Grouping("code or category", [], run.no_cells)
    else:
        by_level = group_by_level(run.cells, run.schema)
    if "images_used" in run.rows and run.rows["images_used"].notna().all():
        by_photos = group_by_photos(run.rows["images_used"].to_numpy())
    else:
        by_photos = Grouping("number of photos", [], "the run did not keep how many photos each row had")
    return group_by_target(run.rows["target"].to_numpy(), unit), by_level, by_photos


def _summarise(run: Run) -> str:
    schema = run.schema
    inputs = [_list_names(names) for names in (schema.features, schema.images) if names]
    source = f" from {' and from the photos '.join(inputs)}" if inputs else ""
    if inputs and not schema.features:
        source = f" from the photos {inputs[0]}"
    return (
        f"{clip(run.main)} ({describe_model(run.main)}) predicts {clip(schema.target)}{source}. All scores are of "
        f"{len(run.rows):,} held-out rows, each predicted by a model that had not seen it."
    )


def _list_names(names: Sequence[str]) -> str:
    shown = [clip(name, 40) for name in names[:_MAX_NAMES]]
    if len(names) > _MAX_NAMES:
        shown.append(f"{len(names) - _MAX_NAMES} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def _draw_shares(run: Run, scale: ErrorScale) -> Picture:
    target = run.rows["target"].to_numpy()
    shown = {name: run.others[name] for name in choose_rivals(run, scale) if name in run.others}
    predictions = {run.main: run.rows["prediction"], **shown}
    errors = {name: np.abs(scale.signed(target, values.to_numpy())) for name, values in predictions.items()}
    return draw_shares(errors, scale.unit, is_percent=scale.is_percent)


def _make_tiles(run: Run, scale: ErrorScale) -> list[tuple[str, str]]:
    written = {name: metric.write(run.metrics.get(name)) for name, metric in METRICS.items()}
    tiles = [(scale.write(run.metrics[scale.score]), "mean error on rows it had not seen")]
    if scale.is_percent:
        tiles.append((f"{written['median_ape']}\u00a0%", "half of the rows are off by less than this"))
        tiles.append((f"{written['ppe20']}\u00a0%", "of the rows are predicted within 20\u00a0% of their value"))
    tiles.append((written["r2"], "R²: 1 is perfect, 0 no better than the mean"))
    return tiles
