"""A run folder that is made up, quickly and without a network: the tests of the report share it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from mixed_data.metrics import regression_metrics

NUM_ROWS = 60
VIEWS = ("front", "kitchen")


def make_rows(
    folder: Path, *, num_rows: int = NUM_ROWS, target: str = "price", zipcode: str = "zipcode"
) -> pd.DataFrame:
    """Rows with photos on disk; their prices follow from the columns, but for some noise."""
    random = np.random.default_rng(0)
    photos = folder / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    for number in range(num_rows):
        for view in VIEWS:
            pixels = random.integers(0, 256, (4, 5, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((50, 40)).save(photos / f"{number}_{view}.jpg")
    area = random.uniform(60.0, 260.0, num_rows).round()
    place = random.choice(["02139", "10001", "85255"], num_rows)
    price = 3_000.0 * area * np.where(place == "85255", 1.5, 1.0) * np.exp(random.normal(0, 0.1, num_rows))
    return pd.DataFrame(
        {
            "id": [f"L{number}" for number in range(num_rows)],
            "area": area,
            zipcode: place,
            **{view: [str(photos / f"{number}_{view}.jpg") for number in range(num_rows)] for view in VIEWS},
            target: price.round(),
        }
    )


def predict_rows(target: pd.Series, *, spread: float, seed: int) -> np.ndarray:
    """Predictions that are off by a factor of exp(±spread) or so."""
    return target.to_numpy() * np.exp(np.random.default_rng(seed).normal(0, spread, len(target)))


def make_run(
    folder: Path,
    *,
    rows: pd.DataFrame | None = None,
    target: str = "price",
    zipcode: str = "zipcode",
    data_set: str = "sample",
    extras: bool = True,
) -> Path:
    """Write the files of a `train` run; with ``extras``, also those that a run may have."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = make_rows(folder, target=target, zipcode=zipcode) if rows is None else rows
    rows.to_csv(folder / "held_out.csv", index=False)
    actual = rows[target]
    models = {
        "ridge": predict_rows(actual, spread=0.3, seed=1),
        "table": predict_rows(actual, spread=0.25, seed=2),
        "weighted_sum": predict_rows(actual, spread=0.15, seed=3),
        "oracle": predict_rows(actual, spread=0.1, seed=4),
    }
    main = models["weighted_sum"]
    predictions = pd.DataFrame({"id": rows["id"], "target": actual, "prediction": main})
    predictions["images_used"] = [1 if number % 5 == 0 else 2 for number in range(len(rows))]
    predictions["level_rows"] = [(0, 2, 8, 40)[number % 4] for number in range(len(rows))]
    predictions["fold"] = 0
    predictions["warnings"] = ["kitchen: no such file" if number % 5 == 0 else "" for number in range(len(rows))]
    importance: list[dict[str, Any]] = []
    if extras:
        predictions["lower"], predictions["upper"] = main * 0.8, main / 0.8
        pd.DataFrame(models).drop(columns="oracle").to_csv(folder / "model_predictions.csv", index=False)
        write(folder / "findings.json", ["rows that repeat the features and target of an earlier row: 1 (L3 = L4)"])
        weights = {"tabular": {"mean": 0.625, "sd": 0.031}, "image": {"mean": 0.375, "sd": 0.031}}
        write(folder / "weights.json", {"weighted_sum": weights})
        for name, kind, increase in (("area", "column", 11.25), ("front", "photos", -0.04), ("kitchen", "photos", 0.5)):
            ends = {"increase": increase, "low": increase - 0.5, "high": increase + 0.25}
            importance.append({"part": name, "kind": kind, "num_rows": 60, "mae": ends, "mape": ends})
        write(folder / "importance.json", importance)
        hidden = {"all": 12.0, "no photos": 21.5, "no table": 31.0, "nothing": 54.0}
        sure = {"coverage": 91.25, "median_width": 123_456.0}
        write(folder / "missing.json", [{"pattern": name, "mape": error, **sure} for name, error in hidden.items()])
    predictions.to_csv(folder / "predictions.csv", index=False)
    scores = {name: without_nan(regression_metrics(actual, values)) for name, values in models.items()}
    comparison = [{"model": name, **score, "seconds": 7.0} for name, score in scores.items()]
    del comparison[-1]["seconds"]
    write(folder / "comparison.json", comparison)
    write(folder / "metrics.json", scores["weighted_sum"])
    schema = {"target": target, "numeric": ["area"], "codes": [zipcode], "images": list(VIEWS), "id": "id"}
    config = {
        "command": "python -m mixed_data train --rows 60",
        "main": "weighted_sum",
        "unit": "US dollars" if data_set == "sample" else "",
        "options": {"dataset": data_set, "random_state": 17},
        "schema": schema,
        "bad_rows": ["2 of 62 rows skipped:\n- line 7: area is 'many', no usable number"],
        "versions": {"mixed_data": "0.1.0", "keras": "3.15.1"},
    }
    write(folder / "config.json", config)
    return folder


def make_comparison(folder: Path) -> Path:
    """Write the files of a `compare` run: two repeats, about concat."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = make_rows(folder)
    rows.to_csv(folder / "held_out.csv", index=False)
    spreads = {"boosting": 0.25, "table": 0.25, "concat": 0.15, "gated": 0.14, "placebo": 0.24}
    lines, comparison = [], []
    for number, (name, spread) in enumerate(spreads.items()):
        scores = []
        for repeat in range(2):
            prediction = predict_rows(rows["price"], spread=spread, seed=10 * number + repeat)
            scores.append(regression_metrics(rows["price"], prediction))
            fold = np.arange(len(rows)) % 5
            part = {"model": name, "repeat": repeat, "fold": fold, "id": rows["id"], "target": rows["price"]}
            lines.append(pd.DataFrame({**part, "prediction": prediction}))
        means = pd.DataFrame(scores).mean().to_dict()
        spread = float(pd.DataFrame(scores)["mape"].std())
        comparison.append({"model": name, **means, "n": len(rows), "mape_sd": spread, "seconds": 3.0})
    pd.concat(lines).to_csv(folder / "predictions.csv", index=False)
    write(folder / "comparison.json", comparison)
    difference = {"first": 12.0, "second": 21.0, "difference": -9.0, "interval": [-12.25, -6.5]}
    entry = {
        "question": "Do the photos help?",
        "answer": "Photos lower MAPE from 21.0 % to 12.0 %.",
        "claim": "helps",
        "first": "concat",
        "second": "table",
        "differences": {"mape": {**difference, "folds_won": 9, "num_folds": 10}},
    }
    ablation = [{"model": "placebo", "answer": "+7.9 points (95 % interval +5.0 to +9.9)"}]
    write(folder / "verdict.json", [entry])
    write(folder / "ablation.json", ablation)
    write(folder / "findings.json", ["sets of rows that share a photo: 1 (L1 = L2)"])
    schema = {"target": "price", "numeric": ["area"], "codes": ["zipcode"], "images": list(VIEWS), "id": "id"}
    config = {
        "command": "python -m mixed_data compare",
        "main": "concat",
        "unit": "US dollars",
        "options": {"dataset": "sample"},
        "schema": schema,
    }
    write(folder / "config.json", config)
    return folder


def without_nan(scores: dict[str, float]) -> dict[str, float | None]:
    """As `mixed_data.runs.train_run` does it, which would start TensorFlow."""
    return {name: None if np.isnan(value) else value for name, value in scores.items()}


def write(path: Path, content: Any) -> None:
    """Write JSON as other programs do, too."""
    path.write_text(json.dumps(content), encoding="utf-8")


def read(folder: Path, name: str) -> Any:
    """Read a JSON file of a run."""
    return json.loads((folder / name).read_text(encoding="utf-8"))


class Page(HTMLParser):
    """Tags, sections' texts and table rows of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.texts: dict[str, str] = {}
        self._section, self._is_cell = "head", False
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self._section = dict(attrs)["id"]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._is_cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._is_cell = False

    def handle_data(self, data):
        self.texts[self._section] = self.texts.get(self._section, "") + re.sub(r"[ \n]+", " ", data)
        if self._is_cell:
            self.rows[-1][-1] += data

    def row(self, start: str) -> list[str]:
        """The table row whose first cell starts so."""
        return next(row for row in self.rows if row[0].startswith(start))

    def pictures(self) -> list[tuple[str, str]]:
        """Source and alternative text of each image."""
        return [(attributes["src"], attributes["alt"]) for tag, attributes in self.tags if tag == "img"]
