"""What the commands do and print. Keras is imported inside, so that ``--help`` and mistakes answer at once."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console
from rich.table import Table

from mixed_data.cli.command_inputs import describe_data, describe_run, network_names, network_options, read_data
from mixed_data.cli.printed_tables import console, print_models
from mixed_data.cli.process_start import start_keras, worker_processes
from mixed_data.files.whole_files import write_csv
from mixed_data.schema import Schema

if TYPE_CHECKING:
    from mixed_data.evaluation.held_out_scores import HeldOut
    from mixed_data.runs.train_run import Plan, Study


def train(options: argparse.Namespace) -> None:
    """Train and compare the networks, print one table, write the run's folder; or do what is left of that."""
    from mixed_data.runs.run_folder import begin_run, is_finished, make_run_folder, resume_run, tidy

    if options.resume and is_finished(options.resume):
        tidy(options.resume)
        console.print(f"{options.resume} is finished; nothing is left to do", highlight=False)
        return
    if options.preset == "best":
        options.fusion, options.networks = "best", options.networks or "table"
        options.image_branch = options.image_branch or "pretrained"
    started = time.perf_counter()
    with Console(stderr=True).status("reading the data (the sample is drawn on first use)"):
        data = read_data(options)
    table, schema = data.table, data.schema
    start_keras()
    from mixed_data.cli.progress_bars import embed_photos, show_progress
    from mixed_data.runs.train_run import study, write_run

    plan = _make_plan(options, schema)
    folder = options.resume or make_run_folder(options.out, options.dataset)
    if options.dataset == "table":
        console.print(schema.explain(), highlight=False)
    claim = resume_run if options.resume else begin_run
    config = describe_run(options, data) | describe_data(table, schema)
    with claim(folder, config, plan.main) as kept, worker_processes(options.jobs), show_progress() as watch:
        embed_photos(table, schema, plan.options or {})
        found = study(table, schema, plan, references=data.references, watch=watch, kept=kept)
        write_run(folder, found, table, schema, plan, watch=watch, kept=kept)
    _print_study(found, plan, len(table))
    bundle = folder / "bundle"
    console.print(f"\n{time.perf_counter() - started:.0f} seconds in all. Results: {folder}  Bundle: {bundle}")
    console.print(f"report: {folder / 'report.html'}", highlight=False)
    command = ["python", "-m", "mixed_data", "evaluate", str(bundle), "--data", str(folder / "held_out.csv")]
    console.print(f"next: {shlex.join(command)}", highlight=False)


def evaluate(options: argparse.Namespace) -> None:
    """Score a bundle on rows with a known target."""
    start_keras()
    from mixed_data.files.checked_json import write_json
    from mixed_data.runs.train_run import evaluate_bundle, without_nan

    metrics, rows = evaluate_bundle(options.bundle, options.data, root=options.root, on_bad_row=options.on_bad_row)
    values = Table("metric", "value")
    for name, value in metrics.items():
        values.add_row(name, f"{value:,.4f}" if name != "n" else f"{value:.0f}")
    console.print(values)
    _print_warnings(rows)
    if options.out:
        write_json(options.out, without_nan(metrics))
        console.print(f"metrics in {options.out}")


def predict(options: argparse.Namespace) -> None:
    """Predict rows into a CSV file, one line per input row, in order."""
    start_keras()
    from mixed_data.estimator import load
    from mixed_data.readers.table_file import read_checked_rows

    regressor = load(options.bundle)
    schema = regressor.preprocessor_.schema
    checked = read_checked_rows(options.data, schema, root=options.root, on_bad_row=options.on_bad_row)
    coverage = None if regressor.calibrator_ is None else options.coverage
    rows = checked.complete(regressor.predict_rows(checked.usable, coverage=coverage))
    if schema.id in rows.columns:
        raise ValueError(
            f"the id column is called {schema.id!r}, like a column of the result; rename it in {options.data}"
        )
    if schema.id in checked.table.columns:
        rows.insert(0, schema.id, checked.table[schema.id])
    write_csv(options.out, rows)
    _print_warnings(rows)
    num_skipped = int(checked.is_skipped.sum())
    without = f", and {num_skipped} skipped rows without one" if num_skipped else ""
    console.print(f"{len(rows) - num_skipped} predictions in {options.out}{without}")


def download(options: argparse.Namespace) -> None:
    """Download a data set, verified, and say how to use it."""
    from mixed_data.readers.verified_download import download_houses

    folder = download_houses(options.root)
    command = ["python", "train.py", "--dataset", "houses", "--root", str(options.root), "--folds", "5"]
    console.print(f"{folder}\nnext: {shlex.join(command)}")


def _make_plan(options: argparse.Namespace, schema: Schema) -> Plan:
    from mixed_data.runs.train_run import DEFAULT_NETWORKS, Plan

    networks, main = network_names(options, schema, DEFAULT_NETWORKS)
    if options.preset == "best" and main != "best":
        raise ValueError("--preset best needs a table with columns and photos; without one of them, leave it out")
    arguments = network_options(options, schema)
    return Plan(
        networks=networks,
        main=main,
        intervals=arguments.pop("intervals", True),
        options=arguments,
        folds=options.folds,
        test_size=options.test_size,
        random_state=options.random_state,
    )


def _print_study(found: Study, plan: Plan, num_rows: int) -> None:
    for finding in found.findings:
        console.print(f"audit: {finding}", highlight=False)
    held_out = len(found.main.rows)
    how = f"grouped {plan.folds}-fold" if plan.folds else f"trained on {found.num_training_rows} rows"
    print_models(f"{num_rows} rows, {how}, scored on {held_out} held-out rows", found.comparison, plan.main)
    for result in found.results:
        for line in _describe_weights(result):
            console.print(line, highlight=False)


def _describe_weights(result: HeldOut) -> Iterator[str]:
    weights = pd.DataFrame([getattr(model, "fusion_weights_", {}) for model in result.fitted])
    if weights.size:
        spread = weights.std(ddof=0)
        shown = ", ".join(f"{name} {weights[name].mean():.2f} ± {spread[name]:.2f}" for name in weights)
        folds = f" (mean ± SD of {len(weights)} folds)" if len(weights) > 1 else ""
        yield f"learned weights of {result.name}: {shown}{folds}".replace(
            " ± 0.00", "" if len(weights) == 1 else " ± 0.00"
        )


def _print_warnings(rows: pd.DataFrame) -> None:
    doubtful = int((rows["warnings"] != "").sum())
    if doubtful:
        first = rows.loc[rows["warnings"] != "", "warnings"].iloc[0]
        console.print(f"{doubtful} of {len(rows)} rows have warnings, the first: {first}", highlight=False)
