"""One run of `compare`: fit all models on identical folds, answer the questions, and write it all into one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mixed_data.estimator.stacked_regressor import BRANCHES
from mixed_data.evaluation.compared_models import make_candidates
from mixed_data.evaluation.comparison_files import write_results
from mixed_data.evaluation.held_out_scores import choose_networks
from mixed_data.evaluation.model_names import BEST, IMAGE, TABLE
from mixed_data.evaluation.repeated_folds import OnProgress, Protocol, RepeatedRun, run_repeats
from mixed_data.evaluation.run_folder import RunFolder
from mixed_data.evaluation.task_runs import RunTasks, run_by_joblib
from mixed_data.evaluation.verdict import describe_ablations, reach_verdict
from mixed_data.files.checked_json import make_plain
from mixed_data.fusion import FUSIONS
from mixed_data.metrics import regression_metrics
from mixed_data.report import write_report
from mixed_data.runs.claimed_folder import begin_run, choose_folder, resume_run
from mixed_data.runs.run_config import describe_run
from mixed_data.schema import Schema


@dataclass(frozen=True)
class Comparison:
    """What a comparison found, and where it stands.

    Attributes:
        folder: of its files.
        main: the network that the questions are about.
        run: every held-out prediction, and what was learned with it.
        scores: one entry per model, and per reference; None where a metric is not defined.
        verdict: the answers; see `mixed_data.evaluation.verdict.Entry`.
        ablation: what the main network loses without each of its parts; see `describe_ablations`.
    """

    folder: RunFolder
    main: str
    run: RepeatedRun
    scores: list[dict[str, Any]]
    verdict: list[dict[str, Any]]
    ablation: list[dict[str, Any]]


def compare_models(
    table: pd.DataFrame,
    schema: Schema,
    *,
    fusion: str = "weighted_sum",
    networks: Sequence[str] | None = None,
    views: bool = True,
    intervals: bool = True,
    repeats: int = 3,
    folds: int = 5,
    random_state: int = 0,
    out: Path | None = None,
    resume: Path | None = None,
    references: pd.DataFrame | None = None,
    places: Sequence[str] = (),
    allow_missing_photos: bool = False,
    started: Mapping[str, Any] | None = None,
    on_progress: OnProgress | None = None,
    run_tasks: RunTasks = run_by_joblib,
    **options: Any,
) -> Comparison:
    """Say whether the photos help, which fusion does, and whether the network is worth it, each with an interval.

    The arguments have the names of the flags of `compare`. Fits run where ``run_tasks`` says; see
    `mixed_data.evaluation.repeated_folds`.

    Args:
        table: all rows, with the target.
        schema: roles of the columns.
        fusion: of the network that the questions are about.
        networks: "table", "image", "best" and names of fusions; all by default, "best" unless the image branch
            is a CNN.
        views: whether to leave out each image column once.
        intervals: whether the main network and "best" learn intervals.
        repeats: of the whole cross-validation.
        folds: of each repeat, grouped.
        random_state: seed of splits and models.
        out: folder for the results, new or empty; ``runs/<time>-comparison`` by default.
        resume: folder of the same comparison, which was stopped, to go on with.
        references: predictions that came with the data, one column per name, one line per row of ``table``.
        places: where the rows stand in their file, such as "line 7"; the audit names them so.
        allow_missing_photos: whether an image column may have not one photo that can be used.
        started: see `mixed_data.runs.run_config.describe_run`.
        on_progress: called after each fit.
        run_tasks: runs the fits.
        **options: further arguments of `MixedDataRegressor`, the same for all networks.

    Raises:
        FileExistsError: ``out`` is not empty.
        BlockingIOError: another process goes on with ``resume``.
        ValueError: an option is out of range, the table does not fit the schema, there are too few rows to split, or
            ``resume`` began with other settings, data or versions.
        MissingPhotosError: not one photo of an image column can be used, and a network reads photos.
    """
    stack = (BEST,) if options.get("image_branch") in BRANCHES else ()
    names, main = choose_networks(schema, networks, fusion, default=(TABLE, IMAGE, *FUSIONS, *stack))
    protocol = Protocol(repeats, folds, random_state)
    settings = {"networks": names, "main": main, "views": views, "intervals": intervals, **vars(protocol), **options}
    candidates = make_candidates(
        schema,
        {"random_state": random_state, **options},
        networks=names,
        main=main,
        views=views,
        intervals=intervals,
    )
    folder = RunFolder(resume or choose_folder(out, "comparison"))
    claim = resume_run if resume else begin_run
    with claim(folder, describe_run(table, schema, main=main, settings=settings, started=started)) as fits:
        run = run_repeats(
            table,
            schema,
            candidates,
            protocol,
            fits=fits,
            on_progress=on_progress,
            places=places,
            allow_missing_photos=allow_missing_photos or {*names, main} == {TABLE},
            run_tasks=run_tasks,
        )
        target = table[schema.target]
        known = {} if references is None else {name: references[name] for name in references}
        known_scores = [{"model": name, **regression_metrics(target, column)} for name, column in known.items()]
        found = Comparison(
            folder=folder,
            main=main,
            run=run,
            scores=[*run.comparison, *make_plain(known_scores)],
            verdict=reach_verdict(run.evidence, main=main, fusions=list(FUSIONS), findings=run.findings),
            ablation=describe_ablations(run.evidence, main=main),
        )
        write_results(
            folder, run, table, schema, comparison=found.scores, verdict=found.verdict, ablation=found.ablation
        )
        write_report(folder.path)
    return found
