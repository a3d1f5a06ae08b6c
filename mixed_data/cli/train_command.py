"""The command `train`. Keras is imported inside, so that ``--help`` and mistakes answer at once."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixed_data.cli.command_output import Results
from mixed_data.cli.option_checks import check_distribution, check_study_options
from mixed_data.cli.option_lists import DASK_OPTION, add_data_arguments, add_study_arguments
from mixed_data.cli.option_values import FOLDS_OR_NONE, INNER_SHARE, JOBS, UsageError
from mixed_data.cli.process_start import fits_as_asked, start_keras
from mixed_data.cli.terminal_bars import show_status

if TYPE_CHECKING:
    from mixed_data.evaluation.held_out_scores import HeldOut
    from mixed_data.network.distribution import Job
    from mixed_data.runs.train_run import Plan, Study
    from mixed_data.schema import Schema


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `train`."""
    add_data_arguments(parser)
    study = add_study_arguments(parser, "becomes the bundle")
    study.add_argument(
        "--preset",
        choices=("best",),
        help="best: the most accurate, a stack of gradient boosting and kernel machines on pretrained vision (needs "
        "--image-weights, or a network connection once)",
    )
    study.add_argument(
        "--folds", type=FOLDS_OR_NONE, default=0, help="grouped K-fold over all rows; default: one hold-out split"
    )
    study.add_argument(
        "--test-size", type=INNER_SHARE, default=0.25, help="share held out without --folds; default: %(default)s"
    )
    study.add_argument(
        "--jobs",
        type=JOBS,
        default=1,
        help="fits at the same time, each in a process with one thread; -1: one per core; default: %(default)s",
    )
    study.add_argument("--dask", **{**DASK_OPTION, "help": f"with --folds: {DASK_OPTION['help']}"})
    study.add_argument(
        "--distribute",
        action="store_true",
        help="train on all devices of this process, or of the processes that KERAS_DISTRIBUTION_JOB_ADDRESSES, "
        "_NUM_PROCESSES and _PROCESS_ID name; needs KERAS_BACKEND=jax and the extra jax",
    )
    study.add_argument(
        "--comparables",
        action="store_true",
        help="keep the training rows in the bundle, with ids, columns and target, without photos, so that it can show "
        "those that resemble a row; whoever has the bundle can read them",
    )
    study.add_argument(
        "--tensorboard",
        type=Path,
        metavar="DIR",
        help="write the losses of each epoch for TensorBoard, in one subfolder per fit",
    )


def train(options: argparse.Namespace) -> Results:
    """Train and compare the networks, print one table, write the run's folder; or do what is left of that."""
    if options.preset == "best":
        options.fusion, options.networks = "best", options.networks or ["table"]
        options.image_branch = options.image_branch or "pretrained"
    check_study_options(options)
    check_distribution(options)
    if options.tensorboard and not find_spec("tensorboard"):
        raise UsageError("--tensorboard needs the package tensorboard; type: pip install 'mixed_data[tensorboard]'")
    if not options.distribute:
        return _train(options)
    with show_status("starting Keras"):
        start_keras()
    from mixed_data.estimator.saved_onnx import check_onnx_writer
    from mixed_data.network.distribution import joined_job

    check_onnx_writer()
    with joined_job() as job:
        if not job.is_first:
            return _follow(options, job)
        results = _train(options, job)
        job.share(None)  # the others end, and not before
        return results


def _train(options: argparse.Namespace, job: Job | None = None) -> Results:
    started = time.perf_counter()
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
    from mixed_data.cli.progress_bars import embed_photos, log_epochs, show_progress
    from mixed_data.runs.claimed_folder import begin_run, resume_run
    from mixed_data.runs.run_config import describe_run
    from mixed_data.runs.train_run import run_study, write_run

    plan = _make_plan(options, schema, network_options(options, schema))
    if options.dataset == "table":
        console.print(schema.explain(), highlight=False)
    config = describe_run(table, schema, main=plan.main, settings=plan.settings, started=describe_start(options, data))
    if job is not None:
        job.share(config)
    claim = resume_run if options.resume else begin_run
    with (
        claim(folder, config, whole=plan.main) as fits,
        fits_as_asked(options, folder) as run_tasks,
        show_progress() as watch,
    ):
        watch = log_epochs(watch, options.tensorboard) if options.tensorboard else watch
        embed_photos(table, schema, plan.options)
        found = run_study(
            table,
            schema,
            plan,
            references=data.references,
            watch=watch,
            fits=fits,
            places=data.places,
            run_tasks=run_tasks if options.dask or _has_fits_for_jobs(options, plan) else None,
        )
        with show_status("writing the bundle and the report"):
            write_run(folder, found, config)
    _print_study(found, plan, len(table))
    seconds = time.perf_counter() - started
    console.print(f"\n{seconds:.0f} seconds in all. Results: {folder.path}  Bundle: {folder.bundle}")
    console.print(f"report: {folder.report}", highlight=False)
    if options.tensorboard:
        how = shlex.join(["tensorboard", "--logdir", str(options.tensorboard)])
        console.print(f"curves of the losses: {how}", highlight=False)
    command = ["python", "-m", "mixed_data", "evaluate", str(folder.bundle), "--data", str(folder.held_out)]
    console.print(f"next: {shlex.join(command)}", highlight=False)
    return {
        "folder": folder.path,
        "bundle": folder.bundle,
        "report": folder.report,
        "main": plan.main,
        "metrics": found.main.metrics,
        "comparison": found.comparison,
        "weights": found.weights,
        "missing": found.missing,
        "findings": found.findings,
        "next": shlex.join(command),
        "tensorboard": options.tensorboard,
        "seconds": seconds,
    }


def _has_fits_for_jobs(options: argparse.Namespace, plan: Plan) -> bool:
    """Tell whether ``--jobs`` is for fits of networks and folds; of a single network it is for those of intervals."""
    return options.jobs != 1 and (plan.folds > 0 or len({*plan.networks, plan.main}) > 1)


def _follow(options: argparse.Namespace, job: Job) -> Results:
    """Do what process 0 of a job asks for, which writes and prints; the data are read behind it."""
    from mixed_data.cli.command_inputs import network_options, read_data
    from mixed_data.runs.followed_run import follow_run
    from mixed_data.runs.run_config import describe_run

    config = job.share()
    if config is not None:
        data = read_data(options)
        plan = _make_plan(options, data.schema, network_options(options, data.schema))
        own = describe_run(data.table, data.schema, main=plan.main, settings=plan.settings, reads_photos=False)
        follow_run(job, data.table, data.schema, plan, own=own, first=config)
    return {"process": job.process_id}


def _make_plan(options: argparse.Namespace, schema: Schema, arguments: dict[str, Any]) -> Plan:
    from mixed_data.evaluation.held_out_scores import choose_networks
    from mixed_data.runs.train_run import DEFAULT_NETWORKS, Plan

    networks, main = choose_networks(schema, options.networks, options.fusion, default=DEFAULT_NETWORKS)
    if options.preset == "best" and main != "best":
        raise UsageError("--preset best needs a table with columns and photos; without one of them, leave it out")
    return Plan(
        networks=networks,
        main=main,
        intervals=arguments.pop("intervals", True),
        options=arguments,
        folds=options.folds,
        test_size=options.test_size,
        random_state=options.random_state,
        allow_missing_photos=options.allow_missing_photos,
        comparables=options.comparables,
    )


def _print_study(found: Study, plan: Plan, num_rows: int) -> None:
    from mixed_data.cli.printed_tables import console, print_models

    for finding in found.findings:
        console.print(f"audit: {finding}", highlight=False)
    how = f"grouped {plan.folds}-fold" if plan.folds else f"trained on {found.num_training_rows} rows"
    title = f"{num_rows} rows, {how}, scored on {len(found.predictions)} held-out rows"
    print_models(title, found.comparison, plan.main)
    for result in found.results:
        for line in _describe_weights(result):
            console.print(line, highlight=False)


def _describe_weights(result: HeldOut) -> Iterator[str]:
    import pandas as pd

    weights = pd.DataFrame([getattr(model, "fusion_weights_", {}) for model in result.fitted])
    if weights.size:
        means, spreads = weights.mean(), weights.std(ddof=0)
        if len(weights) == 1:
            shown, folds = [f"{name} {means[name]:.2f}" for name in weights], ""
        else:
            shown = [f"{name} {means[name]:.2f} ± {spreads[name]:.2f}" for name in weights]
            folds = f" (mean ± SD of {len(weights)} folds)"
        yield f"learned weights of {result.name}: {', '.join(shown)}{folds}"
