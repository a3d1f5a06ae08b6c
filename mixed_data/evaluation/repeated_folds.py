"""Repeated grouped K-fold: many models on identical folds, each fit a task of its own.

Tasks run where joblib says: one after the other, in processes, or with ``joblib.parallel_config`` on a Ray cluster that
sees the same files. Threads suit scikit-learn models only, because Keras draws its seeds from a state that all threads
share. Whatever else runs tasks is given as ``run_tasks``, see `mixed_data.runs.dask_folds`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from mixed_data.audit import Finding, audit_table
from mixed_data.evaluation.compared_models import Candidate
from mixed_data.evaluation.finished_fits import KEEP_NOTHING, FinishedFits, Fit, StandIn
from mixed_data.evaluation.held_out_scores import evaluate_held_out
from mixed_data.evaluation.hidden_modality_scores import score_hidden
from mixed_data.evaluation.model_differences import Evidence
from mixed_data.evaluation.placebo import Split
from mixed_data.evaluation.task_runs import RunTasks, run_by_joblib
from mixed_data.files.checked_json import make_plain
from mixed_data.metrics import regression_metrics
from mixed_data.preprocessing.lost_photos import check_photos
from mixed_data.schema import Schema
from mixed_data.schema.column_formats import check_and_read
from mixed_data.split import find_links, join_links, k_fold

logger = logging.getLogger(__name__)

OnProgress = Callable[[int, int, str], None]
"""Called with the number of finished fits, of all fits, and the name of the model that was finished last."""


@dataclass(frozen=True)
class Protocol:
    """How rows are split, and how often.

    Attributes:
        repeats: times that every row is held out by every model.
        folds: of each repeat.
        random_state: repeat r splits with ``random_state + r``, and adds r to the seeds of the models.
    """

    repeats: int = 3
    folds: int = 5
    random_state: int = 0


@dataclass(frozen=True)
class RepeatedRun:
    """What a repeated cross-validation found.

    Attributes:
        evidence: every held-out prediction.
        weights: learned fusion weights, one line per fit and branch: ``model``, ``repeat``, ``fold``, ``branch``,
            ``weight``.
        missing: what the main model is worth for rows without photos or table, mean over the repeats; see
            `mixed_data.evaluation.hidden_modality_scores.score_hidden`.
        seconds: model -> wall time of fitting and predicting, mean over the repeats.
        findings: what the audit says, one per class of problem.
    """

    evidence: Evidence
    weights: pd.DataFrame
    missing: Sequence[dict[str, Any]]
    seconds: dict[str, float]
    findings: Sequence[Finding]

    @property
    def comparison(self) -> list[dict[str, Any]]:
        """One entry per model, fit for JSON: None where a metric is not defined.

        ``model``, `regression_metrics` (mean over the repeats of the pooled ones), ``mape_sd`` and ``rmse_log_sd`` over
        the repeats, ``seconds``.
        """
        return [
            {"model": str(model), **make_plain(self._score(lines)), "seconds": self.seconds[str(model)]}
            for model, lines in self.evidence.predictions.groupby("model", sort=False)
        ]

    @property
    def mean_weights(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """Model -> branch -> ``mean`` and ``sd`` over all fits of the learned weight, fit for JSON."""
        found: dict[str, dict[str, dict[str, float | None]]] = {}
        for (model, branch), weights in self.weights.groupby(["model", "branch"], sort=False)["weight"]:
            spread = make_plain({"mean": weights.mean(), "sd": weights.std(ddof=1)})
            found.setdefault(str(model), {})[str(branch)] = spread
        return found

    def _score(self, lines: pd.DataFrame) -> dict[str, float]:
        target = self.evidence.target
        scores = pd.DataFrame(
            [regression_metrics(target[part["row"]], part["prediction"]) for _, part in lines.groupby("repeat")]
        )
        # What is not defined in one repeat is not defined: never a mean over the others.
        spreads = scores[["mape", "rmse_log"]].std(ddof=1, skipna=False).add_suffix("_sd")
        return {**scores.mean(skipna=False).to_dict(), "n": len(target), **spreads.to_dict()}


def run_repeats(
    table: pd.DataFrame,
    schema: Schema,
    candidates: Mapping[str, Candidate],
    protocol: Protocol,
    *,
    fits: FinishedFits = KEEP_NOTHING,
    on_progress: OnProgress | None = None,
    places: Sequence[str] = (),
    allow_missing_photos: bool = False,
    run_tasks: RunTasks = run_by_joblib,
) -> RepeatedRun:
    """Hold every row out in each repeat, with every model, on identical folds.

    Args:
        table: all rows, with the target.
        schema: roles of the columns.
        candidates: models by name; see `mixed_data.evaluation.compared_models.make_candidates`.
        protocol: repeats and folds.
        fits: where finished fits are taken from and put; of the same rows, models and protocol.
        on_progress: called after each fit.
        places: where the rows stand in their file, such as "line 7"; the audit names them so.
        allow_missing_photos: whether an image column may have not one photo that can be used.
        run_tasks: runs the fits.

    Returns:
        All predictions, learned weights, times and what the audit found.

    Raises:
        ValueError: the table does not fit the schema, there are too few rows to split, or a model cannot be fitted.
        MissingPhotosError: not one photo of an image column can be used.
    """
    if protocol.repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {protocol.repeats}")
    schema, table = check_and_read(schema, table)
    for sentence in check_photos(table, schema.images, allow_missing_photos=allow_missing_photos):
        logger.warning("%s", sentence)
    links = find_links(table, schema)
    groups = join_links(links, len(table))
    tasks = _make_tasks(candidates, groups, protocol, fits)
    findings = audit_table(table, schema, links=links, places=places, checked=True).findings
    done = _finish(tasks, table, schema, on_progress or (lambda num_finished, num_fits, model: None), run_tasks)
    weights = [
        {"model": task.model, "repeat": task.repeat, "fold": task.fold, "branch": branch, "weight": weight}
        for task, fit in zip(tasks, done, strict=True)
        for branch, weight in fit.model.fusion_weights_.items()
    ]
    seconds = dict.fromkeys(candidates, 0.0)
    for task, fit in zip(tasks, done, strict=True):
        seconds[task.model] += fit.seconds / protocol.repeats
    hidden: list[list[pd.DataFrame]] = [[] for _ in range(protocol.repeats)]
    for task, fit in zip(tasks, done, strict=True):
        hidden[task.repeat] += [fit.hidden] if len(fit.hidden) else []
    target = table[schema.target].to_numpy("float64")
    return RepeatedRun(
        Evidence(_collect(tasks, done), target, groups),
        pd.DataFrame(weights, columns=["model", "repeat", "fold", "branch", "weight"]),
        score_hidden([pd.concat(parts) for parts in hidden if parts], target),
        seconds,
        findings,
    )


@dataclass(frozen=True)
class _Task:
    """One fit: a model, and the rows it learns from and predicts."""

    model: str
    candidate: Candidate
    repeat: int
    fold: int
    split: Split
    random_state: int
    fits: FinishedFits


def reseed(estimator: BaseEstimator, repeat: int) -> BaseEstimator:
    """Return a clone whose seeds, also those of estimators inside it, are ``repeat`` higher.

    The spread over repeats then also holds what another seed changes.
    """
    seeds = {
        name: value + repeat
        for name, value in estimator.get_params(deep=True).items()
        if name.split("__")[-1] == "random_state" and isinstance(value, int)
    }
    return clone(estimator).set_params(**seeds)


def _make_tasks(
    candidates: Mapping[str, Candidate], groups: np.ndarray, protocol: Protocol, fits: FinishedFits
) -> list[_Task]:
    """List the fits so that a run that is stopped has every model on its first folds."""
    seeds = [protocol.random_state + repeat for repeat in range(protocol.repeats)]
    splits = [k_fold(groups, protocol.folds, random_state=seed) for seed in seeds]
    return [
        _Task(model, candidate, repeat, fold, split, protocol.random_state, store)
        for repeat, parts in enumerate(splits)
        for fold, split in enumerate(parts)
        for store in [fits.inside(f"repeat{repeat}-fold{fold}")]
        for model, candidate in candidates.items()
    ]


def _finish(
    tasks: Sequence[_Task], table: pd.DataFrame, schema: Schema, on_progress: OnProgress, run_tasks: RunTasks
) -> list[Fit]:
    """Take the fits of an earlier run and make the others; in the order of the tasks."""
    earlier = {number: task.fits.read(task.model, 0, task.split[1]) for number, task in enumerate(tasks)}
    done = {number: fit for number, fit in earlier.items() if fit is not None}
    waiting = [(number, tasks[number]) for number, fit in earlier.items() if fit is None]
    on_progress(len(done), len(tasks), "")
    for number, fit in run_tasks(_run, waiting, table, schema):
        done[number] = fit
        on_progress(len(done), len(tasks), tasks[number].model)
    return [done[number] for number in range(len(tasks))]


def _run(numbered: tuple[int, _Task], table: pd.DataFrame, schema: Schema) -> tuple[int, Fit]:
    """Fit, predict and keep the result; in whatever process."""
    number, task = numbered
    if task.candidate.prepare:
        table = task.candidate.prepare(table, schema, task.split, [task.random_state, task.repeat, task.fold])
    estimator = reseed(task.candidate.estimator, task.repeat)
    hide = task.candidate.hide
    found = evaluate_held_out(task.model, estimator, table, schema, [task.split], fits=task.fits, hide=hide)
    return number, Fit(found.rows, StandIn.in_place_of(found.fitted[0]), found.seconds, found.hidden)


def _collect(tasks: Sequence[_Task], done: Sequence[Fit]) -> pd.DataFrame:
    """Return one line per model, repeat and row, in this order; ``lower`` and ``upper`` are NaN without intervals."""
    parts = [
        fit.rows.assign(model=task.model, repeat=task.repeat, fold=task.fold, row=fit.rows.index)
        for task, fit in zip(tasks, done, strict=True)
    ]
    lines = pd.concat(parts, ignore_index=True).assign(order=lambda lines: pd.factorize(lines["model"])[0])
    columns = ["model", "repeat", "fold", "row", "prediction", "lower", "upper", "images_used", "level_rows"]
    lines = lines.sort_values(["order", "repeat", "row"], ignore_index=True).reindex(columns=columns)
    return lines.astype({"level_rows": "Int64"})
