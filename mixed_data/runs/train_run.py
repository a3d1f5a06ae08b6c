"""One run of `train`: split the rows, fit the models, score every held-out row, and write it all into one folder."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from mixed_data.audit import audit_table
from mixed_data.bundle import load_bundle, save_bundle
from mixed_data.evaluation.baselines import make_baselines
from mixed_data.evaluation.finished_fits import KEEP_NOTHING, FinishedFits
from mixed_data.evaluation.fold_intervals import can_share_folds
from mixed_data.evaluation.held_out_scores import HeldOut, Watch, evaluate_held_out, make_networks, no_callbacks
from mixed_data.evaluation.hidden_modality_scores import score_hidden
from mixed_data.evaluation.model_names import TABLE
from mixed_data.evaluation.permutation_importance import measure_importance
from mixed_data.evaluation.run_folder import RunFolder
from mixed_data.evaluation.task_runs import RunTasks
from mixed_data.files.checked_json import make_plain, write_json
from mixed_data.files.whole_files import write_csv
from mixed_data.metrics import bootstrap_intervals, regression_metrics
from mixed_data.network.distribution import current_job
from mixed_data.preprocessing.lost_photos import check_photos
from mixed_data.report import write_card, write_report
from mixed_data.report.run_contents import Run
from mixed_data.runs.bundle_scores import FOLD_COLUMN
from mixed_data.runs.fold_fits import fit_elsewhere, fit_on_all_rows
from mixed_data.runs.followed_run import announce_fits
from mixed_data.runtime.saved_models import SAVED_MODELS
from mixed_data.schema import Schema
from mixed_data.schema.column_formats import check_and_read
from mixed_data.split import find_links, hold_out, join_links, k_fold

logger = logging.getLogger(__name__)

DEFAULT_NETWORKS = ("table", "image", "concat", "weighted_sum")


@dataclass(frozen=True)
class Plan:
    """What is compared on which rows.

    Attributes:
        networks: "table", "image", "best" and names of fusions, in the order of fitting.
        main: the network that becomes the bundle.
        options: further arguments of `MixedDataRegressor`, the same for all networks.
        folds: number of folds; 0 for one hold-out split.
        test_size: share of the groups held out, with ``folds=0``.
        random_state: seed of the split and of the networks.
        intervals: whether the main network learns intervals.
        allow_missing_photos: whether an image column may have not one photo that can be used.
        comparables: whether the bundle carries its training rows, without photos.
    """

    networks: Sequence[str] = DEFAULT_NETWORKS
    main: str = "weighted_sum"
    options: Mapping[str, Any] = field(default_factory=dict)
    folds: int = 0
    test_size: float = 0.25
    random_state: int = 0
    intervals: bool = True
    allow_missing_photos: bool = False
    comparables: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """All that the fits depend on, but for the data."""
        others = ("options", "allow_missing_photos", "comparables")
        return {**{name: value for name, value in vars(self).items() if name not in others}, **self.options}


@dataclass(frozen=True)
class Study:
    """What a run found, and all that it writes.

    Attributes:
        schema: roles of the columns.
        results: of every model that was fitted, baselines first.
        main: the result whose model becomes the bundle.
        references: metrics of predictions that came with the data (the sample's oracle), by name.
        findings: what the audit says, one line per class of problem.
        missing: what the main model is worth for rows without photos or table, see `score_hidden`.
        held_out: the held-out rows, with their ``fold`` where there are folds.
        predictions: of the main model for these rows: ``id``, ``target``, and what `HeldOut.rows` holds.
        final: the model for the bundle: with one split the scored one, with folds one that was fitted on all rows.
        num_training_rows: that ``final`` learned from.
        comparables: these rows, where the bundle is to carry them.
        folds: the models that were scored, where ``final`` is another one.
    """

    schema: Schema
    results: list[HeldOut]
    main: HeldOut
    references: dict[str, dict[str, float]]
    findings: list[str]
    missing: list[dict[str, Any]]
    held_out: pd.DataFrame
    predictions: pd.DataFrame
    final: Any
    num_training_rows: int
    folds: Sequence[Any]
    comparables: pd.DataFrame | None = None

    @property
    def comparison(self) -> list[dict[str, Any]]:
        """One entry per model: its name, metrics and seconds; None where a metric is not defined."""
        fitted = [{"model": result.name, **result.metrics, "seconds": result.seconds} for result in self.results]
        return make_plain([*fitted, *({"model": name, **metrics} for name, metrics in self.references.items())])

    @property
    def weights(self) -> dict[str, dict[str, dict[str, float]]]:
        """Model -> branch -> mean and standard deviation of the learned weight, over members and folds."""
        found = {}
        for result in self.results:
            fits = [getattr(model, "member_weights_", None) for model in result.fitted]
            if known := [weights for weights in fits if weights is not None]:
                means, spreads = np.concatenate(known).mean(axis=0), np.concatenate(known).std(axis=0)
                branches = zip(("tabular", "image"), means, spreads, strict=True)
                found[result.name] = {name: {"mean": float(m), "sd": float(sd)} for name, m, sd in branches}
        return found


def run_study(
    table: pd.DataFrame,
    schema: Schema,
    plan: Plan,
    *,
    references: pd.DataFrame | None = None,
    watch: Watch = no_callbacks,
    fits: FinishedFits = KEEP_NOTHING,
    places: Sequence[str] = (),
    run_tasks: RunTasks | None = None,
) -> Study:
    """Fit and score every model of the plan on the same held-out rows, and fit the model for the bundle.

    Of a job, see `mixed_data.network.distribution`, this is for process 0; the others call `follow_run`.

    Args:
        table: all rows, with the target.
        schema: roles of the columns.
        plan: what to compare.
        references: predictions that came with the data, one column per name, one line per row of ``table``.
        watch: called before each fit; returns Keras callbacks.
        fits: where finished fits are taken from and put.
        places: where the rows stand in their file, such as "line 7"; the audit names them so.
        run_tasks: runs the fits, and leaves them in ``fits``; None for one after the other, here.

    Raises:
        ValueError: the table does not fit the schema, there are too few rows to split, or an option is out of range.
        MissingPhotosError: not one photo of an image column can be used, and a network reads photos.
    """
    schema, table = check_and_read(schema, table)
    allowed = plan.allow_missing_photos or {*plan.networks, plan.main} == {TABLE}
    for sentence in check_photos(table, schema.images, allow_missing_photos=allowed):
        logger.warning("%s", sentence)
    if plan.folds and FOLD_COLUMN in table:
        raise ValueError(f"a cross-validated run needs the column name {FOLD_COLUMN!r} for itself; rename yours")
    links = find_links(table, schema)
    groups = join_links(links, len(table))
    if plan.folds:
        splits = k_fold(groups, plan.folds, random_state=plan.random_state)
    else:
        splits = [hold_out(groups, test_size=plan.test_size, random_state=plan.random_state)]
    job = current_job()
    if job is not None:
        watch = announce_fits(job, watch, splits)
    options = {"random_state": plan.random_state, **plan.options}
    networks = make_networks(schema, list(dict.fromkeys([*plan.networks, plan.main])), options)
    networks[plan.main].set_params(intervals=plan.intervals)
    models = {**make_baselines(schema, options), **networks}
    findings = audit_table(table, schema, links=links, places=places, checked=True).sentences
    share_folds = plan.folds > 0 and can_share_folds(networks[plan.main], splits)
    if run_tasks is not None:
        how = {"share_folds": share_folds, "on_all_rows": plan.folds > 0}
        fit_elsewhere(run_tasks, models, plan.main, table, schema, splits, fits, **how)
    results = []
    for name, model in models.items():
        of_main = {"hide": True, "share_folds": share_folds} if name == plan.main else {}
        results.append(evaluate_held_out(name, model, table, schema, splits, watch=watch, fits=fits, **of_main))
    main = next(result for result in results if result.name == plan.main)
    held_out, predictions = _line_up(main, table, schema, has_folds=plan.folds > 0)
    scored = {} if references is None else references.iloc[main.rows.index]
    training, final = table if plan.folds else table.iloc[splits[0][0]], main.fitted[0]
    if plan.folds:
        folds = (main.fitted, splits) if share_folds else None
        final = fit_on_all_rows(plan.main, networks[plan.main], plan.folds, table, schema, watch, fits, folds)
    return Study(
        schema=schema,
        results=results,
        main=main,
        references={name: regression_metrics(held_out[schema.target], scored[name]) for name in scored},
        findings=findings,
        missing=score_hidden([main.hidden], table[schema.target].to_numpy()),
        held_out=held_out,
        predictions=predictions,
        final=final,
        num_training_rows=len(training),
        folds=main.fitted if plan.folds else (),
        comparables=training if plan.comparables else None,
    )


def write_run(folder: RunFolder, found: Study, config: Mapping[str, Any]) -> None:
    """Write a study into its folder; see the README for the files.

    Each file appears whole or not at all, the report last. A bundle that is there already stays: a run that was stopped
    has written it.

    With folds, the models that were scored stand in ``bundle/folds/``, so that `evaluate` can give every held-out row
    to the one that has not seen it.

    Args:
        folder: of the run, with its ``config.json``.
        found: what `run_study` returned.
        config: what ``config.json`` says.
    """
    write_csv(folder.held_out, found.held_out)
    write_csv(folder.predictions, found.predictions)
    by_model = {result.name: result.rows["prediction"].to_numpy() for result in found.results}
    write_csv(folder.model_predictions, pd.DataFrame(by_model))
    metrics = make_plain(found.main.metrics)
    write_json(folder.metrics, metrics)
    write_json(folder.comparison, found.comparison)
    write_json(folder.findings, found.findings)
    write_json(folder.weights, found.weights)
    write_json(folder.missing, make_plain(found.missing))
    if not folder.bundle.exists():
        run, today = _describe_run(folder, found, config), date.today().isoformat()
        about = {"unit": config.get("unit", ""), "command": _without_folders(config.get("command", ""))}
        card = write_card(run, num_training_rows=found.num_training_rows, created=today)
        scored = bootstrap_intervals(found.predictions["target"], found.predictions["prediction"])
        intervals = {name: list(ends) for name, ends in scored.items() if np.isfinite(ends).all()}
        save_bundle(
            found.final,
            folder.bundle,
            metrics=metrics,
            metric_intervals=intervals,
            folds=found.folds,
            card=card,
            about=about,
            comparables=found.comparables,
        )
    write_json(folder.importance, make_plain(_measure_importance(folder, found)))
    write_report(folder.path)


def _measure_importance(folder: RunFolder, found: Study) -> list[dict[str, Any]]:
    """Shuffle columns and photos of the held-out rows for the models of the bundle, which have not seen them."""
    fitted = found.folds or [found.final]
    paths = [folder.bundle / "folds" / str(fold) for fold in range(len(found.folds))] or [folder.bundle]
    models = [load_bundle(path, SAVED_MODELS) for path in paths]
    for model, regressor in zip(models, fitted, strict=True):
        if model.embedder_ is not None:  # the vectors of the photos are kept from the fit
            model.embedder_ = replace(regressor.embedder_, cached=True)
    is_held_out = [found.predictions["fold"] == fold for fold in range(len(models))]
    return measure_importance([(model, found.held_out[rows]) for model, rows in zip(models, is_held_out, strict=True)])


def _line_up(
    main: HeldOut, table: pd.DataFrame, schema: Schema, *, has_folds: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows that were held out, and what the main model predicted for them, with a new index."""
    rows = main.rows.reset_index(drop=True)
    held_out = table.iloc[main.rows.index].reset_index(drop=True)
    ids = main.rows.index if schema.id is None else held_out[schema.id]
    predictions = pd.DataFrame({"id": np.asarray(ids), "target": held_out[schema.target]})
    columns = ("prediction", "lower", "upper", "images_used", "level_rows", "fold", "warnings")
    predictions = predictions.assign(**{name: rows[name] for name in columns if name in rows})
    return held_out.assign(**{FOLD_COLUMN: rows["fold"]}) if has_folds else held_out, predictions


def _without_folders(command: str) -> str:
    """Return a command with the names of its files only: a bundle does not tell whose computer it comes from."""
    parts = [part.rpartition("=") if part.startswith("--") else ("", "", part) for part in shlex.split(command)]
    return shlex.join(
        name + sign + (os.path.basename(os.path.normpath(value)) if os.sep in value else value)
        for name, sign, value in parts
    )


def _describe_run(folder: RunFolder, found: Study, config: Mapping[str, Any]) -> Run:
    """Return what `read_run` will find in the folder, as far as the model card says it."""
    return Run(
        folder=folder.path,
        comparison=found.comparison,
        main=found.main.name,
        rows=found.predictions,
        repeated=found.predictions[["prediction"]].to_numpy().T,
        others=pd.DataFrame(index=found.predictions.index),
        cells=found.held_out,
        no_cells="",
        schema=found.schema,
        config=dict(config),
        findings=found.findings,
        missing=make_plain(found.missing),
    )
