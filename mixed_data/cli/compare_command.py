"""The command `compare`: do the photos help, which fusion does, is the network worth it?"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixed_data.cli.command_output import Results
from mixed_data.cli.option_checks import check_study_options
from mixed_data.cli.option_lists import DASK_OPTION, add_data_arguments, add_study_arguments
from mixed_data.cli.option_values import FROM_ONE, FROM_TWO, JOBS
from mixed_data.cli.process_start import fits_as_asked, start_keras
from mixed_data.cli.terminal_bars import show_status

if TYPE_CHECKING:
    from mixed_data.evaluation.model_differences import Evidence
    from mixed_data.runs.compare_run import Comparison


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `compare`."""
    add_data_arguments(parser)
    study = add_study_arguments(parser, "the questions are about")
    study.add_argument(
        "--views",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="leave out each image column once; default: %(default)s",
    )
    study.add_argument(
        "--repeats", type=FROM_ONE, default=3, help="of the whole cross-validation; default: %(default)s"
    )
    study.add_argument("--folds", type=FROM_TWO, default=5, help="of each repeat, grouped; default: %(default)s")
    study.add_argument(
        "--jobs",
        type=JOBS,
        default=1,
        help="fits at the same time; from 2 on each in a process of its own, whose memory is kept in bounds; "
        "default: %(default)s",
    )
    study.add_argument("--dask", **DASK_OPTION)


def compare(options: argparse.Namespace) -> Results:
    """Fit all models on identical folds, print what was found and how sure it is, write the folder."""
    started = time.perf_counter()
    check_study_options(options)
    from mixed_data.cli.command_inputs import check_photos_of, describe_start, network_options, read_data
    from mixed_data.cli.resumed_options import open_folder

    folder = open_folder(options)
    if folder is None:
        return {"folder": options.resume, "finished_before": True}
    with show_status("reading the data"):
        data = read_data(options)
        check_photos_of(data, options)
    table, schema = data.table, data.schema
    with show_status("starting Keras"):
        start_keras()
    from mixed_data.cli.printed_tables import console
    from mixed_data.cli.progress_bars import embed_photos, show_fits
    from mixed_data.runs.compare_run import compare_models

    arguments = {"random_state": options.random_state, **network_options(options, schema)}
    embed_photos(table, schema, arguments)
    with fits_as_asked(options, folder) as run_tasks, show_fits() as on_progress:
        found = compare_models(
            table,
            schema,
            fusion=options.fusion,
            networks=options.networks,
            views=options.views,
            repeats=options.repeats,
            folds=options.folds,
            out=None if options.resume else folder.path,
            resume=folder.path if options.resume else None,
            references=data.references,
            places=data.places,
            allow_missing_photos=options.allow_missing_photos,
            started=describe_start(options, data),
            on_progress=on_progress,
            run_tasks=run_tasks,
            **arguments,
        )
    _print_found(found, len(table), options)
    seconds = time.perf_counter() - started
    console.print(f"\n{seconds:.0f} seconds in all. Results: {folder.path}  Report: {folder.report}")
    return {
        "folder": folder.path,
        "report": folder.report,
        "main": found.main,
        "comparison": found.scores,
        "verdict": found.verdict,
        "ablation": found.ablation,
        "weights": found.run.mean_weights,
        "findings": found.run.findings,
        "seconds": seconds,
    }


def _print_found(found: Comparison, num_rows: int, options: argparse.Namespace) -> None:
    from mixed_data.cli.printed_tables import console, print_models

    folds = f"{options.repeats} × grouped {options.folds}-fold"
    spread = ", mean ± SD over the repeats" if options.repeats > 1 else ""
    for finding in found.run.findings:
        console.print(f"audit: {finding}", highlight=False)
    print_models(f"{num_rows:,} rows, {folds}{spread}", found.scores, found.main)
    _print_ablation(found.ablation, found.main)
    _print_weights(found.run.mean_weights, options.repeats * options.folds)
    _print_coverage(found.run.evidence)
    _print_answers(found.verdict)


def _print_answers(verdict: Sequence[Mapping[str, Any]]) -> None:
    from mixed_data.cli.printed_tables import console

    for entry in verdict:
        if entry["second"]:  # the audit's entry, which compares nothing, was printed first of all
            console.print(f"\n{entry['question']}\n  {entry['answer']}", highlight=False)


def _print_weights(weights: Mapping[str, Any], num_fits: int) -> None:
    """Print the learned weights; the placebo's show what a weight says of photos that say nothing."""
    from mixed_data.cli.printed_tables import console
    from mixed_data.evaluation.model_names import PLACEBO, is_ablation

    for model, branches in weights.items():
        if model == PLACEBO or not is_ablation(model):
            parts = [f"{branch} {weight['mean']:.2f} ± {weight['sd']:.2f}" for branch, weight in branches.items()]
            line = f"learned weights of {model}: {', '.join(parts)} (mean ± SD of {num_fits} fits)"
            console.print(line, highlight=False)


def _print_coverage(evidence: Evidence) -> None:
    """Print how many true values the intervals hold: of all rows, by repeat, by price band, by number of photos."""
    from rich.table import Table

    from mixed_data.audit.findings import write_number
    from mixed_data.cli.printed_tables import console
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
    from rich.table import Table

    from mixed_data.cli.printed_tables import console

    parts = Table(title=f"{main} without one of its parts: above 0, the part was of use")
    for heading in ("model", "difference from the whole network"):
        parts.add_column(heading)
    for entry in ablation:
        parts.add_row(entry["model"], entry["answer"])
    console.print(parts)
