"""What the runners of all peers share: reading the splits, the clock, the time limit and the file of predictions.

Needs pandas and scikit-learn and nothing of this project, for it runs in the environment of each peer.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

NUMBERS = ["bedrooms", "bathrooms", "area"]
PHOTOS = ["frontal_photo", "bedroom_photo", "bathroom_photo", "kitchen_photo"]
NUM_COMPONENTS = 8
KEYS = ["peer", "mode", "repeat", "fold"]

FitPredict = Callable[[pd.DataFrame, pd.DataFrame, int], np.ndarray]
"""From training rows, held-out rows (without prices) and a seed to the predicted prices of the held-out rows."""


@dataclass(frozen=True)
class Peer:
    """A program to compare with.

    Attributes:
        name: Shown in the results.
        modes: What it can do, by name.
    """

    name: str
    modes: dict[str, FitPredict]

    def main(self, description: str | None) -> None:
        """Run the modes, repeats and folds that the command line asks for.

        Each finished fold is appended to ``predictions.csv`` at once, and a fold that stands there is not run again.

        Args:
            description: Shown by ``--help``.
        """
        options = self._parse_arguments(description)
        table = pd.read_csv(options.data / "table.csv", dtype={"zipcode": str})
        vectors = options.data / "vectors.npy"
        if options.mode.endswith("vectors"):
            if not vectors.exists():
                raise SystemExit(f"{vectors} is missing; give make_folds.py --weights FILE")
            table = table.join(pd.DataFrame(np.load(vectors)).add_prefix("vector_"))
        splits = json.loads((options.data / "folds.json").read_text(encoding="utf-8"))
        deadline = time.monotonic() + 60 * options.minutes
        for split in splits:
            if split["repeat"] not in options.repeats or split["fold"] not in options.folds:
                continue
            keys = dict(zip(KEYS, (self.name, options.mode, split["repeat"], split["fold"]), strict=True))
            if _is_done(options.out, keys):
                continue
            if time.monotonic() > deadline:
                print(f"{options.minutes} minutes are over; stopped before {keys}")
                break
            training, held_out = table.iloc[split["train"]], table.iloc[split["test"]]
            result = _predict_and_measure(self.modes[options.mode], training, held_out, split["fold"])
            result = result.assign(**keys)[[*KEYS, *result.columns]]
            result.to_csv(options.out, mode="a", header=not options.out.exists(), index=False)
            error = 100 * (result["prediction"] / held_out["price"].to_numpy() - 1).abs().mean()
            print(f"{keys}: MAPE {error:.1f} %, {result['seconds'].iloc[0]:.1f} s", flush=True)

    def _parse_arguments(self, description: str | None) -> argparse.Namespace:
        parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--data", required=True, type=Path, help="folder that make_folds.py wrote")
        parser.add_argument("--out", required=True, type=Path, help="CSV file to append the predictions to")
        parser.add_argument("--mode", choices=list(self.modes), default=next(iter(self.modes)))
        parser.add_argument("--repeats", nargs="+", default=["10"], help='e.g. 10 11 12, or "tutorial"')
        parser.add_argument("--folds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
        parser.add_argument("--minutes", type=float, default=60.0, help="no fold is begun after so many minutes")
        return parser.parse_args()


def reduce_vectors(training: pd.DataFrame, held_out: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Turn the photos' vectors into a few columns, by principal components of the training rows.

    Args:
        training: Rows with the columns ``vector_0``, ``vector_1``, ...
        held_out: Rows with the same columns.

    Returns:
        Both tables with ``NUM_COMPONENTS`` columns in place of the vectors, and the names of these columns.
    """
    vectors = [name for name in training if name.startswith("vector_")]
    names = [f"photos_{number}" for number in range(NUM_COMPONENTS)]
    components = PCA(NUM_COMPONENTS, random_state=0).fit(training[vectors].to_numpy())

    def reduce(rows: pd.DataFrame) -> pd.DataFrame:
        values = components.transform(rows[vectors].to_numpy())
        return rows.drop(columns=vectors).join(pd.DataFrame(values, index=rows.index, columns=names))

    return reduce(training), reduce(held_out), names


def _is_done(path: Path, keys: dict[str, object]) -> bool:
    if not path.exists():
        return False
    done = pd.read_csv(path, usecols=KEYS, dtype=str)
    return bool((done == pd.Series(keys).astype(str)).all(axis=1).any())


def _predict_and_measure(
    fit_predict: FitPredict, training: pd.DataFrame, held_out: pd.DataFrame, seed: int
) -> pd.DataFrame:
    started, started_processor = time.perf_counter(), _processor_seconds()
    prediction = fit_predict(training, held_out.drop(columns="price"), seed)
    return pd.DataFrame(
        {
            "row": held_out.index,
            "prediction": np.asarray(prediction, dtype=float),
            "seconds": round(time.perf_counter() - started, 2),
            "processor_seconds": round(_processor_seconds() - started_processor, 2),
        }
    )


def _processor_seconds() -> float:
    """Return what this process and its finished children have used; wall time depends on who else is working."""
    return sum(os.times()[:4])
