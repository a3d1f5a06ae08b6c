"""The command `compare`: do the photos help, which fusion does, is the network worth it?"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from mixed_data.cli.command_inputs import describe_run, network_names, network_options, read_data
from mixed_data.cli.printed_tables import console, print_models
from mixed_data.cli.process_start import start_keras, worker_processes

if TYPE_CHECKING:
    import pandas as pd

    from mixed_data.evaluation.model_differences import Evidence
    from mixed_data.evaluation.repeated_folds import OnProgress


def compare(options: argparse.Namespace) -> None:
    """Fit all models on identical folds, print what was found and how sure it is, write the folder."""
    started = time.perf_counter()
    with Console(stderr=True).status("reading the data (the sample is drawn on first use)"):
        data = read_data(options)
    table, schema = data.table, data.schema
    start_keras()
    from mixed_data.cli.progress_bars import embed_photos
    from mixed_data.evaluation.compared_models import make_candidates
    from mixed_data.evaluation.comparison_files import write_results
    from mixed_data.evaluation.model_names import BEST, IMAGE, TABLE
    from mixed_data.evaluation.repeated_folds import Protocol, run_repeats
    from mixed_data.evaluation.verdict import describe_ablations, reach_verdict
    from mixed_data.fusion import FUSIONS
    from mixed_data.report import write_report
    from mixed_data.runs.run_folder import make_run_folder

    networks, main = network_names(options, schema, (TABLE, IMAGE, *FUSIONS, BEST))
    arguments = {"random_state": options.random_state, **network_options(options, schema)}
    embed_photos(table, schema, arguments)
    intervals = arguments.pop("intervals", True)
    candidates = make_candidates(
        schema, arguments, networks=networks, main=main, views=options.views, intervals=intervals
    )
    protocol = Protocol(options.repeats, options.folds, options.random_state)
    folder = options.out or make_run_folder(None, options.dataset)
    with worker_processes(options.jobs), _show_progress() as on_progress:
        run = run_repeats(table, schema, candidates, protocol, folder, on_progress=on_progress)
    verdict = reach_verdict(run.evidence, main=main, fusions=list(FUSIONS), findings=run.findings)
    ablation = describe_ablations(run.evidence, main=main)
    comparison = [*run.comparison, *_score_references(data.references, table[schema.target])]
    write_results(
        folder,
        run,
        table,
        schema,
        comparison=comparison,
        verdict=verdict,
        ablation=ablation,
        config=describe_run(options, data),
    )
    page = write_report(folder)
    folds = f"{protocol.repeats} × grouped {protocol.folds}-fold"
    spread = ", mean ± SD over the repeats" if protocol.repeats > 1 else ""
    for finding in run.findings:
        console.print(f"audit: {finding}", highlight=False)
    print_models(f"{len(table):,} rows, {folds}{spread}", comparison, main)
    _print_ablation(ablation, main)
    _print_weights(run.mean_weights, protocol.repeats * protocol.folds)
    _print_coverage(run.evidence)
    _print_answers(verdict)
    console.print(f"\n{time.perf_counter() - started:.0f} seconds in all. Results: {folder}  Report: {page}")


def _print_answers(verdict: Sequence[Mapping[str, Any]]) -> None:
    for entry in verdict:
        if entry["second"]:  # the audit's entry, which compares nothing, was printed first of all
            console.print(f"\n{entry['question']}\n  {entry['answer']}", highlight=False)


def _print_weights(weights: Mapping[str, Any], num_fits: int) -> None:
    """Print the learned weights; the placebo's show what a weight says of photos that say nothing."""
    from mixed_data.evaluation.model_names import PLACEBO, is_ablation

    for model, branches in weights.items():
        if model == PLACEBO or not is_ablation(model):
            parts = [f"{branch} {weight['mean']:.2f} ± {weight['sd']:.2f}" for branch, weight in branches.items()]
            line = f"learned weights of {model}: {', '.join(parts)} (mean ± SD of {num_fits} fits)"
            console.print(line, highlight=False)


def _print_coverage(evidence: Evidence) -> None:
    """Print how many true values the intervals hold: of all rows, by repeat, by price band, by number of photos."""
    from mixed_data.audit.findings import write_number
    from mixed_data.evaluation.comparison_files import measure_coverage
    from mixed_data.evaluation.held_out_scores import COVERAGE

    for model, found in measure_coverage(evidence).items():
        title = f"intervals of {model}, meant to hold {100 * COVERAGE:.0f} % of the true values"
        groups = Table("rows", "predictions", "held, %", "median width", "width, % of prediction", title=title)
        for line in found.to_dict("records"):
            groups.add_row(
                f"{line['by']}: {line['group']}",
                f"{line['n']:,}",
                f"{line['coverage']:.1f}",
                write_number(line["median_width"]),
                f"{line['mean_relative_width']:.0f}",
            )
        console.print(groups)


def _print_ablation(ablation: Sequence[Mapping[str, Any]], main: str) -> None:
    if not ablation:
        return
    parts = Table(title=f"{main} without one of its parts: above 0, the part was of use")
    for heading in ("model", "difference from the whole network"):
        parts.add_column(heading)
    for entry in ablation:
        parts.add_row(entry["model"], entry["answer"])
    console.print(parts)


def _score_references(references: pd.DataFrame | None, target: pd.Series) -> list[dict[str, Any]]:
    """One entry per column of predictions that came with the data."""
    from mixed_data.metrics import regression_metrics
    from mixed_data.runs.train_run import without_nan

    if references is None:
        return []
    return [{"model": name, **without_nan(regression_metrics(target, references[name]))} for name in references]


@contextmanager
def _show_progress() -> Iterator[OnProgress]:
    """Yield a function that moves one bar over all fits, on standard error while that is a terminal."""
    terminal = Console(stderr=True)
    columns = (
        TextColumn("fits"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[model]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=terminal, disable=not terminal.is_terminal) as progress:
        bar = progress.add_task("fits", total=None, model="")

        def on_progress(num_finished: int, num_fits: int, model: str) -> None:
            progress.update(bar, completed=num_finished, total=num_fits, model=model)

        yield on_progress
