"""What the commands do and print. Keras is imported inside, so that ``--help`` and mistakes answer at once."""

from __future__ import annotations

import argparse
import platform
import shlex
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from mixed_data import __version__
from mixed_data.cli.options import DATASET_OPTIONS, NETWORK_OPTIONS, PREPROCESSING_OPTIONS, UsageError
from mixed_data.cli.startup import start_keras
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.readers import READERS
from mixed_data.schema import Schema

if TYPE_CHECKING:
    from mixed_data.evaluation.comparison import HeldOut
    from mixed_data.run import Plan, Study

# In a pipe there is no width to respect: a cut table would lose figures.
_console = Console(width=None if sys.stdout.isatty() else 110, soft_wrap=True, markup=False, emoji=False)
_METRIC_COLUMNS = {
    "mape": ("MAPE %", "{:.1f}"),
    "median_ape": ("median APE %", "{:.1f}"),
    "rmse_log": ("RMSE of log", "{:.3f}"),
    "r2": ("R²", "{:.3f}"),
    "cod": ("COD", "{:.1f}"),
    "seconds": ("seconds", "{:.0f}"),
}


def train(options: argparse.Namespace) -> None:
    """Train and compare the networks, print one table, write the run's folder."""
    if options.preset == "tutorial":
        _train_tutorial(options)
        return
    started = time.perf_counter()
    with Console(stderr=True).status("reading the data (the sample is drawn on first use)"):
        table, schema, references = _read(options)
    start_keras()
    from mixed_data.cli.progress import show_progress
    from mixed_data.run import make_run_folder, study, write_run

    plan = _make_plan(options, schema)
    folder = make_run_folder(options.out, options.dataset)
    if options.dataset == "table":
        _console.print(schema.explain(), highlight=False)
    with show_progress() as watch:
        found = study(table, schema, plan, references=references, watch=watch)
        write_run(folder, found, table, schema, plan, _describe_run(options, schema), watch=watch)
    _print_study(found, plan, len(table))
    bundle = folder / "bundle"
    _console.print(f"\n{time.perf_counter() - started:.0f} seconds in all. Results: {folder}  Bundle: {bundle}")
    command = ["python", "-m", "mixed_data", "evaluate", str(bundle), "--data", str(folder / "held_out.csv")]
    _console.print(f"next: {shlex.join(command)}", highlight=False)


def evaluate(options: argparse.Namespace) -> None:
    """Score a bundle on rows with a known target."""
    start_keras()
    from mixed_data.preprocessing.state import write_json
    from mixed_data.run import evaluate_bundle, without_nan

    metrics, rows = evaluate_bundle(options.bundle, options.data, root=options.root)
    values = Table("metric", "value")
    for name, value in metrics.items():
        values.add_row(name, f"{value:,.4f}" if name != "n" else f"{value:.0f}")
    _console.print(values)
    _print_warnings(rows)
    if options.out:
        write_json(options.out, without_nan(metrics))
        _console.print(f"metrics in {options.out}")


def predict(options: argparse.Namespace) -> None:
    """Predict rows into a CSV file, one line per input row, in order."""
    start_keras()
    from mixed_data.bundle import load_bundle
    from mixed_data.readers.table import read_rows

    regressor = load_bundle(options.bundle)
    schema = regressor.preprocessor_.schema
    table = read_rows(options.data, schema, root=options.root)
    rows = regressor.predict_rows(table)
    if schema.id in table.columns:
        rows.insert(0, schema.id, table[schema.id])
    rows.to_csv(options.out, index=False)
    _print_warnings(rows)
    _console.print(f"{len(rows)} predictions in {options.out}")


def download(options: argparse.Namespace) -> None:
    """Download a data set, verified, and say how to use it."""
    from mixed_data.download import download_houses

    folder = download_houses(options.root)
    command = ["python", "train.py", "--dataset", "houses", "--root", str(options.root), "--folds", "5"]
    _console.print(f"{folder}\nnext: {shlex.join(command)}")


def _train_tutorial(options: argparse.Namespace) -> None:
    """Rerun the tutorial, print its table, write the run's folder."""
    start_keras()
    from mixed_data.cli.progress import show_progress
    from mixed_data.evaluation.tutorial import EPOCHS, NETWORKS, run_tutorial, split, summarise
    from mixed_data.preprocessing.state import write_json
    from mixed_data.run import make_run_folder, without_nan

    started = time.perf_counter()
    root = options.root or Path("datasets/houses")
    table, schema = READERS["houses"](root)
    folder = make_run_folder(options.out, "tutorial")
    epochs = EPOCHS if options.epochs is None else options.epochs
    networks = options.networks.split(",") if options.networks else NETWORKS
    with show_progress() as watch:
        results = run_tutorial(root, seeds=range(options.seeds), networks=networks, epochs=epochs, watch=watch)
    summary = summarise(results)
    training, test = split(table)
    num_rows = {"all": len(table), "training": len(training), "test": len(test)}
    results.to_csv(folder / "tutorial.csv", index=False)
    fits = [without_nan(fit) for fit in results.to_dict("records")]
    found = {"epochs": epochs, "rows": num_rows, "summary": summary.to_dict("records"), "fits": fits}
    write_json(folder / "tutorial.json", found)
    write_json(folder / "config.json", _describe_run(options, schema))
    _print_tutorial(summary, num_rows, f"after epoch {epochs}, seeds: {options.seeds}")
    command = ["python", "train.py", "--dataset", "houses", "--root", str(root), "--folds", "5"]
    _console.print(f"\n{time.perf_counter() - started:.0f} seconds in all. Results: {folder}")
    _console.print(f"next, all {num_rows['all']} houses and a stable network: {shlex.join(command)}", highlight=False)


def _print_tutorial(summary: pd.DataFrame, num_rows: dict[str, int], how: str) -> None:
    networks = Table(title=f"the tutorial's networks: MAPE % on {num_rows['test']} test houses, {how}")
    networks.add_column("network")
    for heading in ("each seed", "median", "min", "max", "published"):
        networks.add_column(heading, justify="right")
    for row in summary.to_dict("records"):
        figures = [f"{row[name]:.1f}" for name in ("median", "min", "max")]
        seeds = "  ".join(f"{value:.1f}" for value in row["mape"])
        networks.add_row(row["network"], seeds, *figures, f"{row['published']:.2f}")
    _console.print(networks)
    for sentence in _describe_tutorial(summary, num_rows):
        _console.print(sentence, highlight=False)


def _describe_tutorial(summary: pd.DataFrame, num_rows: dict[str, int]) -> Iterator[str]:
    widest = summary.loc[(summary["max"] - summary["min"]).idxmax()]
    if len(widest["mape"]) > 1:
        yield (
            f"Within a line only the seed differs, yet {widest['network']} goes from {widest['min']:.1f} to "
            f"{widest['max']:.1f} %. A published value is one run."
        )
    yield (
        f"{num_rows['test']} test houses are few: even a good model's 95 % interval is about ±3.5 points, and the "
        "split is among the easiest (datasets/README.md). This cannot tell whether photos help."
    )
    dropped = num_rows["all"] - num_rows["training"] - num_rows["test"]
    yield f"{dropped} of {num_rows['all']} houses were left out, because fewer than 25 share their zipcode."


def _read(options: argparse.Namespace) -> tuple[pd.DataFrame, Schema, pd.DataFrame | None]:
    """Read the data set; the sample also brings the predictions of its oracle."""
    names = [name for names in DATASET_OPTIONS.values() for name in names]
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if foreign := [name for name in given if name not in DATASET_OPTIONS[options.dataset]]:
        right = next(dataset for dataset, names in DATASET_OPTIONS.items() if foreign[0] in names)
        flag = foreign[0].replace("_", "-")
        raise UsageError(f"--{flag} is for --dataset {right}, not for --dataset {options.dataset}")
    root = options.root or Path("datasets") / options.dataset
    if options.dataset == "houses":
        return *READERS["houses"](root), None
    if options.dataset == "table":
        if options.data is None:
            raise UsageError("--dataset table needs --data FILE, a CSV or Parquet file")
        return *READERS["table"](options.root, **given), None
    table, schema = READERS["sample"](root, **given)
    return table, schema, _oracle(root, given)


def _oracle(root: Path, given: dict[str, Any]) -> pd.DataFrame:
    from mixed_data.readers.sample import oracle_predictions

    names = {"table": "oracle_table", "image": "oracle_image", "both": "oracle"}
    return oracle_predictions(root, **given)[list(names)].rename(columns=names)


def _make_plan(options: argparse.Namespace, schema: Schema) -> Plan:
    from mixed_data.run import DEFAULT_NETWORKS, Plan

    given = {name: getattr(options, name) for name in PREPROCESSING_OPTIONS}
    preprocessing = {name: value for name, value in given.items() if value is not None}
    given = {name: getattr(options, name) for name in NETWORK_OPTIONS}
    network = {name: value for name, value in given.items() if value is not None}
    network["preprocessor"] = MixedDataPreprocessor(schema, **preprocessing)
    # With one modality there is nothing to merge, and one network to train.
    has_both = bool(schema.features and schema.images)
    single = "table" if schema.features else "image"
    default = DEFAULT_NETWORKS if has_both else (single,)
    return Plan(
        networks=[name.strip() for name in options.networks.split(",")] if options.networks else default,
        main=options.fusion if has_both else single,
        options=network,
        folds=options.folds,
        test_size=options.test_size,
        random_state=options.random_state,
    )


def _describe_run(options: argparse.Namespace, schema: Schema) -> dict[str, Any]:
    """What ``config.json`` holds: enough to start the same run again."""
    given = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
    del given["run"], given["command"]
    libraries = ("keras", "numpy", "pandas", "pillow", "scikit-learn")
    return {
        "command": options.command,
        "options": given,
        "schema": schema.to_dict(),
        "versions": {
            "mixed_data": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in libraries},
        },
    }


def _print_study(found: Study, plan: Plan, num_rows: int) -> None:
    for finding in found.findings:
        _console.print(f"audit: {finding}", highlight=False)
    held_out = len(found.main.rows)
    how = f"grouped {plan.folds}-fold" if plan.folds else f"trained on {found.num_training_rows} rows"
    models = Table(title=f"{num_rows} rows, {how}, scored on {held_out} held-out rows")
    models.add_column("model")
    for heading, _ in _METRIC_COLUMNS.values():
        models.add_column(heading, justify="right")
    for entry in found.comparison:
        cells = [text.format(entry[name]) if name in entry else "" for name, (_, text) in _METRIC_COLUMNS.items()]
        models.add_row(entry["model"], *cells, style="bold" if entry["model"] == plan.main else "")
    _console.print(models)
    for result in found.results:
        for line in _describe_weights(result):
            _console.print(line, highlight=False)


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
        _console.print(f"{doubtful} of {len(rows)} rows have warnings, the first: {first}", highlight=False)
