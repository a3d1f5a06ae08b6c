"""The model card of a bundle: what it is, what it was made from, how good it is, and what it must not be used for."""

from __future__ import annotations

from mixed_data.files.written_values import Unit
from mixed_data.metrics import METRICS
from mixed_data.report.coverage_lines import NOMINAL, count_coverage, has_intervals
from mixed_data.report.run_contents import Run
from mixed_data.report.wording import render

_SCORES = ("mape", "median_ape", "ppe20", "rmse_log", "r2", "cod")


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
    facts = {
        "run": run,
        "unit": Unit.of(run.schema.target or "target", run.config),
        "num_training_rows": num_training_rows,
        "created": created,
        "scores": {name: METRICS[name] for name in _SCORES},
        "nominal": NOMINAL,
        "coverage": count_coverage(run.rows)[0] if has_intervals(run.rows).all() else None,
    }
    return render("card.md.jinja", facts)
