"""One run: split the rows, fit the models, score every held-out row, and write it all into one folder."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from mixed_data.audit import audit_table
from mixed_data.bundle import save_bundle
from mixed_data.estimator import load
from mixed_data.evaluation.baselines import make_baselines
from mixed_data.evaluation.held_out_scores import (
    HeldOut,
    Splits,
    Watch,
    evaluate_held_out,
    make_networks,
    no_callbacks,
)
from mixed_data.evaluation.hidden_modality_scores import score_patterns
from mixed_data.evaluation.kept_fits import KeptFits
from mixed_data.files.checked_json import write_json
from mixed_data.files.whole_files import write_csv
from mixed_data.metrics import regression_metrics
from mixed_data.readers.table_file import read_checked_rows
from mixed_data.report import read_run, write_card, write_report
from mixed_data.schema import Schema
from mixed_data.split import find_links, hold_out, join_links, k_fold

logger = logging.getLogger(__name__)

DEFAULT_NETWORKS = ("table", "image", "concat", "weighted_sum")
FOLD_COLUMN = "fold"


@dataclass(frozen=True)
class Plan:
    """What is compared on which rows.

    Attributes:
        networks: "table", "image" and names of fusions, in the order of fitting.
        main: the network that becomes the bundle.
        options: further arguments of `MixedDataRegressor`, the same for all networks.
        folds: number of folds; 0 for one hold-out split.
        test_size: share of the groups held out, with ``folds=0``.
        random_state: seed of the split and of the networks.
        intervals: whether the main network learns intervals.
    """

    networks: Sequence[str] = DEFAULT_NETWORKS
    main: str = "weighted_sum"
    options: Mapping[str, Any] | None = None
    folds: int = 0
    test_size: float = 0.25
    random_state: int = 0
    intervals: bool = True


@dataclass(frozen=True)
class Study:
    """What a run found.

    Attributes:
        results: of every model that was fitted, baselines first.
        references: metrics of predictions that came with the data (the sample's oracle), by name.
        findings: what the audit says, one line per class of problem.
        main: the result whose model became the bundle.
        missing: what the main model is worth for rows without photos or table, see `score_patterns`.
        num_training_rows: of the first split.
    """

    results: list[HeldOut]
    references: dict[str, dict[str, float]]
    findings: list[str]
    main: HeldOut
    missing: list[dict[str, Any]]
    num_training_rows: int

    @property
    def comparison(self) -> list[dict[str, Any]]:
        """One entry per model: its name, metrics and seconds."""
        entries: list[dict[str, Any]] = [
            {"model": result.name, **result.metrics, "seconds": result.seconds} for result in self.results
        ]
        return entries + [{"model": name, **metrics} for name, metrics in self.references.items()]

    @property
    def weights(self) -> dict[str, dict[str, dict[str, float]]]:
        """Model -> branch -> mean and standard deviation of the learned weight, over members and folds."""
        found = {}
        for result in self.results:
            fits = [
                weights for model in result.fitted if (weights := getattr(model, "member_weights_", None)) is not None
            ]
            if fits:
                means, spreads = np.concatenate(fits).mean(axis=0), np.concatenate(fits).std(axis=0)
                branches = zip(("tabular", "image"), means, spreads, strict=True)
                found[result.name] = {name: {"mean": float(m), "sd": float(sd)} for name, m, sd in branches}
        return found


def study(
    table: pd.DataFrame,
    schema: Schema,
    plan: Plan,
    *,
    references: pd.DataFrame | None = None,
    watch: Watch = no_callbacks,
    kept: KeptFits | None = None,
) -> Study:
    """Fit and score every model of the plan on the same held-out rows.

    Args:
        table: all rows, with the target.
        schema: roles of the columns.
        plan: what to compare.
        references: predictions that came with the data, one column per name, one line per row of ``table``.
        watch: called before each fit; returns Keras callbacks.
        kept: where finished fits are taken from and put.

    Raises:
        ValueError: the table does not fit the schema, there are too few rows to split, or an option is out of range.
    """
    schema.validate(table)
    if plan.folds and FOLD_COLUMN in table:
        raise ValueError(f"a cross-validated run needs the column name {FOLD_COLUMN!r} for itself; rename yours")
    links = find_links(table, schema)
    groups = join_links(links, len(table))
    splits = _split(groups, plan)
    options = {"random_state": plan.random_state, **(plan.options or {})}
    names = [*plan.networks, *([] if plan.main in plan.networks else [plan.main])]
    networks = make_networks(schema, names, options)
    networks[plan.main].set_params(intervals=plan.intervals)
    models = {**make_baselines(schema, options), **networks}
    findings = audit_table(table, schema, links=links).sentences
    results = [
        evaluate_held_out(name, model, table, schema, splits, watch=watch, kept=kept) for name, model in models.items()
    ]
    main = next(result for result in results if result.name == plan.main)
    target = table[schema.target].iloc[main.rows.index]
    scored = (
        {}
        if references is None
        else {name: regression_metrics(target, references[name].iloc[main.rows.index]) for name in references}
    )
    return Study(results, scored, findings, main, score_patterns(main, table, schema), len(splits[0][0]))


def write_run(
    folder: Path,
    found: Study,
    table: pd.DataFrame,
    schema: Schema,
    plan: Plan,
    *,
    watch: Watch = no_callbacks,
    kept: KeptFits | None = None,
) -> None:
    """Write a study into its folder; see the README for the files.

    Each file appears whole or not at all, the report last. A bundle that is there already stays: a run that was stopped
    has written it.

    With one split the bundle is the scored model itself. With folds it is a model fitted on all rows, and the models
    that were scored stand in ``bundle/folds/``, so that `evaluate` can give every held-out row to the one that has not
    seen it.

    Args:
        folder: of the run, with its ``config.json``.
        found: what `study` returned.
        table: as for `study`.
        schema: as for `study`.
        plan: as for `study`.
        watch: called before the fit on all rows; returns Keras callbacks.
        kept: where the epochs of the fit on all rows are taken from and put.
    """
    main, rows = found.main, found.main.rows
    held_out = table.iloc[rows.index].reset_index(drop=True)
    if plan.folds:
        held_out[FOLD_COLUMN] = rows["fold"].to_numpy()
    write_csv(folder / "held_out.csv", held_out)
    ids = rows.index if schema.id is None else table[schema.id].iloc[rows.index]
    predictions = pd.DataFrame({"id": np.asarray(ids), "target": table[schema.target].iloc[rows.index].to_numpy()})
    for column in ("prediction", "lower", "upper", "images_used", "fold", "warnings"):
        if column in rows:
            predictions[column] = rows[column].to_numpy()
    write_csv(folder / "predictions.csv", predictions)
    by_model = {result.name: result.rows["prediction"].to_numpy() for result in found.results}
    write_csv(folder / "model_predictions.csv", pd.DataFrame(by_model))
    metrics = without_nan(main.metrics)
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "comparison.json", [without_nan(entry) for entry in found.comparison])
    write_json(folder / "findings.json", found.findings)
    write_json(folder / "weights.json", found.weights)
    write_json(folder / "missing.json", [without_nan(entry) for entry in found.missing])
    if not (folder / "bundle").exists():
        final, folds, num_rows = main.fitted[0], [], found.num_training_rows
        if plan.folds:
            final = _fit_on_all_rows(main, table, table[schema.target], watch, kept)
            folds, num_rows = main.fitted, len(table)
        card = write_card(read_run(folder), num_training_rows=num_rows, created=date.today().isoformat())
        save_bundle(final, folder / "bundle", metrics=metrics, folds=folds, card=card)
    write_report(folder)


def evaluate_bundle(
    path: Path, data: Path, *, root: Path | None = None, on_bad_row: str = "error"
) -> tuple[dict[str, float], pd.DataFrame]:
    """Score a bundle on a table that has the target.

    A bundle of a cross-validated run was fitted on all rows, so that a score on them would flatter. When the table has
    the column "fold" of such a run's ``held_out.csv``, each row goes to the model of its fold, which has not seen it.

    Args:
        path: of the bundle.
        data: CSV or Parquet file.
        root: folder that relative photo paths start from; the file's own by default.
        on_bad_row: "error", "skip" or "mask", see `mixed_data.schema.bad_rows.BAD_ROW_POLICIES`.

    Returns:
        `regression_metrics` of the rows that are not skipped, and per row ``prediction``, ``images_used`` and
        ``warnings``; see `mixed_data.schema.bad_rows.CheckedRows.complete` for a skipped row.

    Raises:
        BundleError: the bundle cannot be used.
        ValueError: the table does not fit the schema.
    """
    regressor = load(path)
    schema = regressor.preprocessor_.schema
    checked = read_checked_rows(data, schema, root=root, needs_target=True, on_bad_row=on_bad_row)
    table = checked.usable
    folds = path / "folds"
    by_fold = folds.is_dir() and FOLD_COLUMN in table
    if folds.is_dir() and not by_fold:
        logger.warning(
            "This bundle was fitted on all rows of its run: on any of them, these scores flatter. The run's "
            "held_out.csv, with its column %r, is scored by models that have not seen its rows.",
            FOLD_COLUMN,
        )
    rows = _predict_by_fold(folds, table) if by_fold else regressor.predict_rows(table)
    return regression_metrics(table[schema.target], rows["prediction"]), checked.complete(rows)


def without_nan(values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace NaN, which JSON does not know, by None (null): a metric that is not defined for these rows."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()}


def _fit_on_all_rows(main: HeldOut, table: pd.DataFrame, target: pd.Series, watch: Watch, kept: KeptFits | None) -> Any:
    name = f"{main.name}, all rows"
    epochs = [] if kept is None else [kept.watch_epochs(name, 0)]
    return clone(main.fitted[0]).fit(table, target, callbacks=[*watch(name, 0), *epochs])


def _split(groups: np.ndarray, plan: Plan) -> Splits:
    if plan.folds:
        return k_fold(groups, plan.folds, random_state=plan.random_state)
    return [hold_out(groups, test_size=plan.test_size, random_state=plan.random_state)]


def _predict_by_fold(folds: Path, table: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for fold, rows in table.groupby(table[FOLD_COLUMN].astype(str)):
        folder = folds / str(fold)
        if not str(fold).isdecimal() or not folder.is_dir():
            raise ValueError(f"column {FOLD_COLUMN!r} says fold {str(fold)[:40]!r}, but there is no {folder}")
        parts.append(load(folder).predict_rows(rows))
    return pd.concat(parts).loc[table.index]
