"""What a run folder holds, read back: the only source of the report, so that it can be made again at any time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mixed_data.evaluation.model_names import is_ablation
from mixed_data.evaluation.permutation_importance import SCORES
from mixed_data.evaluation.run_folder import RunFolder
from mixed_data.files.checked_json import NUMBER, OBJECT, OBJECTS, TEXTS, Kind, read_json
from mixed_data.readers.table import read_rows
from mixed_data.schema import Schema

FloatArray = NDArray[np.float64]

_NUMBERS = ("target", "prediction", "images_used", "level_rows", "lower", "upper", "repeat", "fold")


@dataclass(frozen=True)
class Run:
    """The files of a run folder.

    Attributes:
        folder: where they are.
        comparison: one dict per model, ``model`` and its metrics (None where not defined).
        main: the model that the page is about.
        rows: every held-out row once, as ``main`` predicted it: ``id``, ``target``, ``prediction``, and where they
            were kept ``images_used``, ``level_rows``, ``fold``, ``warnings``, ``lower`` and ``upper``.
        repeated: predictions of ``main`` for the same rows in each repeat, ``(repeats, n)``; the first are those of
            ``rows``.
        others: predictions of the other models for the same rows, one column each; may have none.
        cells: the columns of the same rows, or None.
        no_cells: why ``cells`` is None.
        schema: roles of the columns; only a target where it is not known.
        config: how the run was started; may be empty.
        findings: sentences of the audit, or None.
        weights: fusion -> modality -> ``mean`` and ``sd`` (None after a single fit).
        verdict: what `compare` answered: dicts with ``question``, ``answer`` and what they stand on.
        ablation: what `compare` says of networks that lack something: ``model`` and ``answer``.
        missing: scores of ``main`` on the same rows with photos or cells hidden, one dict per ``pattern``.
        importance: of each column and column of photos, by how much errors of ``main`` grow when it is shuffled; see
            `mixed_data.evaluation.permutation_importance.measure_importance`.
        created: when the bundle was saved, ISO 8601, or "".
    """

    folder: Path
    comparison: list[dict[str, Any]]
    main: str
    rows: pd.DataFrame
    repeated: FloatArray
    others: pd.DataFrame
    cells: pd.DataFrame | None
    no_cells: str
    schema: Schema
    config: dict[str, Any]
    findings: list[str] | None = None
    weights: dict[str, dict[str, dict[str, float | None]]] = field(default_factory=dict)
    verdict: list[dict[str, Any]] = field(default_factory=list)
    ablation: list[dict[str, Any]] = field(default_factory=list)
    missing: list[dict[str, Any]] = field(default_factory=list)
    importance: list[dict[str, Any]] = field(default_factory=list)
    created: str = ""

    @property
    def metrics(self) -> dict[str, Any]:
        """Scores of the main model."""
        return self.of_model(self.main)

    @property
    def num_repeats(self) -> int:
        """How often all rows were held out."""
        return len(self.repeated)

    @property
    def num_folds(self) -> int:
        """Number of parts that were held out in turn."""
        return self.rows["fold"].nunique() if "fold" in self.rows else 1

    def of_model(self, name: str) -> dict[str, Any]:
        """Return a model's entry in the comparison; empty if there is none."""
        return next((entry for entry in self.comparison if entry["model"] == name), {})


def read_run(folder: Path) -> Run:
    """Read the folder that `train` or `compare` wrote.

    Args:
        folder: of the run.

    Raises:
        ValueError: ``comparison.json`` or ``predictions.csv`` is missing, or a file is not what it should be.
    """
    files = RunFolder(folder)
    if missing := [file.name for file in (files.comparison, files.predictions) if not file.is_file()]:
        raise ValueError(
            f"{folder} has no {' and no '.join(missing)}: expected the folder that `train` or `compare` wrote "
            "(--out, or the newest in runs/)"
        )
    comparison = _read(files.comparison, OBJECTS, [], "model")
    config = _read(files.config, OBJECT, {})
    main = config.get("main")
    if main not in [entry["model"] for entry in comparison]:
        raise ValueError(
            f'{files.config}: expected in "main" a model of {files.comparison.name}, got {main!r:.80}; run `train` or '
            "`compare` again"
        )
    rows, repeated, others = _choose_rows(_read_predictions(files.predictions), main, files)
    schema, cells, no_cells = Schema(target="target"), None, "config.json names no schema"
    if "schema" in config:
        schema = Schema.from_dict(config["schema"])
        cells, no_cells = _read_cells(files.held_out, schema, rows)
    manifest = _read(files.manifest, OBJECT, {})
    return Run(
        folder=folder,
        comparison=comparison,
        main=main,
        rows=rows,
        repeated=repeated,
        others=others,
        cells=cells,
        no_cells=no_cells,
        schema=schema,
        config=config,
        findings=_read(files.findings, TEXTS, None),
        weights=_read_weights(files.weights, main, manifest.get("fusion_weights")),
        verdict=_read(files.verdict, OBJECTS, [], "question", "answer"),
        ablation=_read(files.ablation, OBJECTS, [], "model", "answer"),
        missing=_read(files.missing, OBJECTS, [], "pattern"),
        importance=_read_importance(files.importance),
        created=str(manifest.get("created", "")),
    )


def _read(path: Path, kind: Kind, default: Any, *keys: str) -> Any:
    """Read JSON of a kind, in whose objects stand these keys; the default where there is no file."""
    if not path.is_file():
        return default
    content = read_json(path)
    if not kind.accepts(content) or (keys and not all(entry.keys() >= {*keys} for entry in content)):
        words = f"{kind.words} with {' and '.join(keys)}" if keys else kind.words
        raise ValueError(f"{path}: expected {words}; run `train` or `compare` again")
    return content


def _read_predictions(path: Path) -> pd.DataFrame:
    # As text first: an id such as "007" or "NA" is what it is.
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if absent := [name for name in ("id", "target", "prediction") if name not in table]:
        raise ValueError(f"{path} has no column {', '.join(absent)}; run `train` or `compare` again")
    if table.empty:
        raise ValueError(f"{path} has no rows; run `train` or `compare` again")
    for name in _NUMBERS:
        if name in table:
            try:
                table[name] = table[name].replace("", "nan").astype("float64")
            except ValueError as error:
                raise ValueError(f"{path}, column {name}: {error}; run `train` or `compare` again") from None
    if table[["target", "prediction"]].isna().any(axis=None):
        raise ValueError(f"{path}: a target or prediction is missing; run `train` or `compare` again")
    return table


def _choose_rows(
    predictions: pd.DataFrame, main: str, files: RunFolder
) -> tuple[pd.DataFrame, FloatArray, pd.DataFrame]:
    """Return the main model's rows (of the first repeat), its predictions in all repeats, and the other models'."""
    if "model" not in predictions:
        others = _read_others(files.model_predictions, main, len(predictions))
        return predictions, predictions[["prediction"]].to_numpy().T, others
    predictions = predictions.assign(repeat=predictions.get("repeat", 0.0))
    parts = {key: part.reset_index(drop=True) for key, part in predictions.groupby(["model", "repeat"], sort=False)}
    repeats = sorted(repeat for name, repeat in parts if name == main)
    if not repeats:
        raise ValueError(f"{files.predictions} has no rows of {main!r}; run `compare` again")
    rows = parts[main, repeats[0]].drop(columns=["model", "repeat"])
    same = {key: part["prediction"] for key, part in parts.items() if part["id"].equals(rows["id"])}
    repeated = np.stack([same[main, repeat] for repeat in repeats if (main, repeat) in same])
    others = {name: part for (name, repeat), part in same.items() if name != main and repeat == repeats[0]}
    return rows, repeated, pd.DataFrame(others, index=rows.index)


def _read_others(path: Path, main: str, num_rows: int) -> pd.DataFrame:
    if not path.is_file():
        return pd.DataFrame(index=range(num_rows))
    others = pd.read_csv(path, dtype="float64")
    if len(others) != num_rows:
        raise ValueError(f"{path} has {len(others)} rows, predictions.csv {num_rows}; run `train` again")
    return others.drop(columns=main, errors="ignore")


def _read_cells(path: Path, schema: Schema, rows: pd.DataFrame) -> tuple[pd.DataFrame | None, str]:
    if not path.is_file():
        return None, f"the run kept no {path.name}"
    try:
        cells = read_rows(path, schema, needs_target=True)
    except ValueError as error:  # A page without photos is better than none at the end of a long run.
        return None, f"{path.name} could not be read: {error}"
    if len(cells) != len(rows) or (cells[schema.target].to_numpy() != rows["target"].to_numpy()).any():
        return None, f"{path.name} does not hold the rows of predictions.csv"
    return cells, ""


def _read_weights(path: Path, main: str, alone: Any) -> dict[str, dict[str, dict[str, float | None]]]:
    """Read the weights of all fusions; a run without the file has at least those of the bundle's own network."""
    weights = _read(path, OBJECT, {})
    if not weights and alone:
        weights = {main: {name: {"mean": mean, "sd": None} for name, mean in alone.items()}}
    parts = [part for entry in weights.values() for part in (entry.values() if isinstance(entry, dict) else [None])]
    if not all(isinstance(part, dict) and isinstance(part.get("mean"), int | float) for part in parts):
        raise ValueError(f'{path}: expected {{fusion: {{modality: {{"mean": …, "sd": …}}}}}}')
    return {fusion: entry for fusion, entry in weights.items() if entry and not is_ablation(fusion)}


def _read_importance(path: Path) -> list[dict[str, Any]]:
    """Read the increases of errors; each score is None or has three numbers."""
    entries = _read(path, OBJECTS, [], "part", "kind", *SCORES)
    scores = [entry[score] for entry in entries for score in SCORES if entry[score] is not None]
    names = ("increase", "low", "high")
    if not all(isinstance(score, dict) and all(NUMBER.accepts(score.get(name)) for name in names) for score in scores):
        raise ValueError(f'{path}: expected {{"part": …, "mae": {{"increase": …, "low": …, "high": …}}, …}}')
    return entries
