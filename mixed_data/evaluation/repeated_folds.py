"""Repeated grouped K-fold: many models on identical folds, each fit a task of its own.

Tasks run where joblib says: one after the other, in processes, or with ``joblib.parallel_config`` on a Dask or Ray
cluster that sees the same files. Threads suit scikit-learn models only, because Keras draws its seeds from a state that
all threads share.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend
from sklearn.base import BaseEstimator, clone

from mixed_data import __version__
from mixed_data.audit import Finding, audit_table
from mixed_data.evaluation.compared_models import Candidate
from mixed_data.evaluation.held_out_scores import evaluate_held_out
from mixed_data.evaluation.model_differences import Evidence
from mixed_data.evaluation.placebo import Split
from mixed_data.evaluation.task_files import (
    TASKS_FOLDER,
    TaskResult,
    claim_folder,
    describe_estimator,
    digest_photos,
    digest_table,
    name_task_file,
    read_task,
)
from mixed_data.files.locks import locked
from mixed_data.metrics import regression_metrics
from mixed_data.schema import Schema
from mixed_data.split import find_links, join_links, k_fold

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
        seconds: model -> wall time of fitting and predicting, mean over the repeats.
        findings: what the audit says, one per class of problem.
    """

    evidence: Evidence
    weights: pd.DataFrame
    seconds: dict[str, float]
    findings: Sequence[Finding]

    @property
    def comparison(self) -> list[dict[str, Any]]:
        """One entry per model, fit for JSON: None where a metric is not defined.

        ``model``, `regression_metrics` (mean over the repeats of the pooled ones), ``mape_sd`` and ``rmse_log_sd`` over
        the repeats, ``seconds``.
        """
        return [
            {"model": str(model), **self._score(lines), "seconds": self.seconds[str(model)]}
            for model, lines in self.evidence.predictions.groupby("model", sort=False)
        ]

    @property
    def mean_weights(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """Model -> branch -> ``mean`` and ``sd`` over all fits of the learned weight, fit for JSON."""
        found: dict[str, dict[str, dict[str, float | None]]] = {}
        for (model, branch), weights in self.weights.groupby(["model", "branch"], sort=False)["weight"]:
            spread = {"mean": _or_none(weights.mean()), "sd": _or_none(weights.std(ddof=1))}
            found.setdefault(str(model), {})[str(branch)] = spread
        return found

    def _score(self, lines: pd.DataFrame) -> dict[str, float | None]:
        target = self.evidence.target
        scores = pd.DataFrame(
            [regression_metrics(target[part["row"]], part["prediction"]) for _, part in lines.groupby("repeat")]
        )
        # What is not defined in one repeat is not defined: never a mean over the others.
        means, spreads = scores.mean(skipna=False), scores.std(ddof=1, skipna=False)
        spread = {f"{name}_sd": _or_none(spreads[name]) for name in ("mape", "rmse_log")}
        return {**{name: _or_none(mean) for name, mean in means.items()}, "n": len(target), **spread}


def run_repeats(
    table: pd.DataFrame,
    schema: Schema,
    candidates: Mapping[str, Candidate],
    protocol: Protocol,
    folder: Path,
    *,
    on_progress: OnProgress | None = None,
) -> RepeatedRun:
    """Hold every row out in each repeat, with every model, on identical folds.

    Every finished fit is kept in ``folder``; called again with the same arguments, this goes on where it was stopped.

    Args:
        table: all rows, with the target.
        schema: roles of the columns.
        candidates: models by name; see `mixed_data.evaluation.compared_models.make_candidates`.
        protocol: repeats and folds.
        folder: for ``settings.json`` and ``folds/``; new, empty, or of the same comparison.
        on_progress: called after each fit.

    Returns:
        All predictions, learned weights, times and what the audit found.

    Raises:
        FileExistsError: the folder holds something else, or a comparison with other settings.
        BlockingIOError: another process goes on with the comparison.
        ValueError: the table does not fit the schema, there are too few rows to split, or a model cannot be fitted.
    """
    if protocol.repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {protocol.repeats}")
    schema.validate(table)
    links = find_links(table, schema)
    groups = join_links(links, len(table))
    tasks = _make_tasks(candidates, groups, protocol, folder.absolute() / TASKS_FOLDER)
    claim_folder(folder, _describe_settings(table, schema, candidates, protocol))
    findings = audit_table(table, schema, links=links).findings
    with locked(folder / TASKS_FOLDER / "lock", folder):
        results = _finish(tasks, table, schema, on_progress or (lambda num_finished, num_fits, model: None))
    evidence = Evidence(_collect(results, candidates), table[schema.target].to_numpy("float64"), groups)
    weights = [
        {"model": result.model, "repeat": result.repeat, "fold": result.fold, "branch": branch, "weight": weight}
        for result in results
        for branch, weight in result.weights.items()
    ]
    seconds = {
        model: sum(result.seconds for result in results if result.model == model) / protocol.repeats
        for model in candidates
    }
    return RepeatedRun(
        evidence,
        pd.DataFrame(weights, columns=["model", "repeat", "fold", "branch", "weight"]),
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
    path: Path

    def read(self) -> TaskResult | None:
        """Return the result of an earlier run, if there is one."""
        return read_task(self.path, model=self.model, repeat=self.repeat, fold=self.fold, rows=self.split[1].tolist())

    def run(self, table: pd.DataFrame, schema: Schema) -> TaskResult:
        """Fit, predict and keep the result; in whatever process."""
        seed = [self.random_state, self.repeat, self.fold]
        prepared = self.candidate.prepare(table, schema, self.split, seed)
        estimator = reseed(self.candidate.estimator, self.repeat)
        found = evaluate_held_out(self.model, estimator, prepared, schema, [self.split])
        result = TaskResult(
            model=self.model,
            repeat=self.repeat,
            fold=self.fold,
            rows=found.rows.index.tolist(),
            predictions=found.rows["prediction"].tolist(),
            lower=found.rows["lower"].tolist() if "lower" in found.rows else [],
            upper=found.rows["upper"].tolist() if "upper" in found.rows else [],
            images_used=found.rows["images_used"].tolist(),
            weights={
                branch: float(weight) for branch, weight in getattr(found.fitted[0], "fusion_weights_", {}).items()
            },
            seconds=found.seconds,
        )
        result.save(self.path)
        return result


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


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _make_tasks(
    candidates: Mapping[str, Candidate], groups: np.ndarray, protocol: Protocol, folder: Path
) -> list[_Task]:
    """List the fits so that a run that is stopped has every model on its first folds."""
    return [
        _Task(
            model=model,
            candidate=candidate,
            repeat=repeat,
            fold=fold,
            split=split,
            random_state=protocol.random_state,
            path=folder / name_task_file(number, model, repeat, fold),
        )
        for repeat in range(protocol.repeats)
        for fold, split in enumerate(k_fold(groups, protocol.folds, random_state=protocol.random_state + repeat))
        for number, (model, candidate) in enumerate(candidates.items())
    ]


def _finish(tasks: Sequence[_Task], table: pd.DataFrame, schema: Schema, on_progress: OnProgress) -> list[TaskResult]:
    """Take the results of an earlier run and make the others; in the order of the tasks."""
    results = {task.path: task.read() for task in tasks}
    waiting = [task for task in tasks if results[task.path] is None]
    num_finished = len(tasks) - len(waiting)
    on_progress(num_finished, len(tasks), "")
    backend, _ = get_active_backend()
    # Ray's backend gives its results all at once.
    parallel = Parallel(return_as="generator_unordered" if backend.supports_return_generator else "list")
    for path, result in parallel(delayed(_run)(task, table, schema) for task in waiting):
        results[path] = result
        num_finished += 1
        on_progress(num_finished, len(tasks), result.model)
    return [result for result in results.values() if result is not None]


def _run(task: _Task, table: pd.DataFrame, schema: Schema) -> tuple[Path, TaskResult]:
    return task.path, task.run(table, schema)


def _collect(results: Sequence[TaskResult], models: Iterable[str]) -> pd.DataFrame:
    """Return one line per model, repeat and row, in this order; ``lower`` and ``upper`` are NaN without intervals."""
    parts = [
        pd.DataFrame(
            {
                "model": result.model,
                "repeat": result.repeat,
                "fold": result.fold,
                "row": result.rows,
                "prediction": result.predictions,
                "lower": result.lower or math.nan,
                "upper": result.upper or math.nan,
                "images_used": result.images_used,
            }
        )
        for result in results
    ]
    lines = pd.concat(parts, ignore_index=True)
    position = {model: number for number, model in enumerate(models)}
    return lines.sort_values(
        ["model", "repeat", "row"],
        key=lambda column: column.map(position) if column.name == "model" else column,
        ignore_index=True,
    )


def _describe_settings(
    table: pd.DataFrame, schema: Schema, candidates: Mapping[str, Candidate], protocol: Protocol
) -> dict[str, Any]:
    """All that a fit depends on, but for the versions of libraries."""
    models = {
        f"model {name!r}": {**describe_estimator(candidate.estimator), "prepare": candidate.prepare.__name__}
        for name, candidate in candidates.items()
    }
    return {
        "mixed_data": __version__,
        **asdict(protocol),
        "schema": schema.to_dict(),
        "table": digest_table(table, schema),
        "photos": digest_photos(table, schema),
        **models,
    }
