"""Does the runtime predict what Keras predicts, on all 535 houses, with intervals?

    python -m benchmarks.runtime_equality --root DIR --image-weights FILE

Fits a cnn and a pretrained weighted sum, and `best`, on all houses, and saves them. Compares, row by row, what
`mixed_data.load` predicts from the bundle with what the runtime does; and the runtime on all rows with the runtime on
single rows, and on the rows in another order. Photo vectors are computed by each with its own network.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from mixed_data.cli.process_start import start_keras

COVERAGE = 0.9


def main() -> None:
    """Print one line per kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help='folder that holds "Houses Dataset"')
    parser.add_argument("--image-weights", required=True, help="MobileNetV2's, a .weights.h5 file without top")
    parser.add_argument("--kinds", nargs="+", default=["cnn", "pretrained", "best"])
    parser.add_argument("--alone", type=int, default=40, help="rows that are also predicted alone")
    options = parser.parse_args()
    start_keras()
    from mixed_data.readers import READERS

    table, schema = READERS["houses"](options.root)
    print(f"{len(table)} houses; relative differences, largest and median")
    print(f"{'kind':<12}{'prediction':>20}{'lower':>20}{'upper':>20}{'alone, shuffled':>20}{'seconds':>9}")
    for kind in options.kinds:
        started = time.perf_counter()
        differences = compare(kind, table, schema, options)
        cells = "".join(f"{f'{np.max(one):.1e}, {np.median(one):.1e}':>20}" for one in differences)
        print(f"{kind:<12}{cells}{time.perf_counter() - started:>9.0f}", flush=True)


def compare(kind: str, table: object, schema: object, options: argparse.Namespace) -> list[np.ndarray]:
    """Return relative differences: of predictions, lower and upper ends; and of rows alone or in another order."""
    from mixed_data import load
    from mixed_data.estimator import MixedDataRegressor
    from mixed_data.estimator.stacked_regressor import StackedRegressor
    from mixed_data.runtime import Predictor

    make = StackedRegressor if kind == "best" else MixedDataRegressor
    branch = {"image_branch": "cnn"} if kind == "cnn" else {"image_branch": "pretrained"}
    weights = {} if kind == "cnn" else {"image_weights": options.image_weights}
    regressor = make(schema, **branch, **weights, intervals=True, random_state=0)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        regressor.fit(table, table["price"]).save(bundle)
        loaded, predictor = load(bundle), Predictor(bundle)
        expected = np.column_stack([loaded.predict(table), loaded.predict_interval(table, COVERAGE)])
        found = predictor.predict_rows(table, COVERAGE)[["prediction", "lower", "upper"]].to_numpy()
        rows = np.linspace(0, len(table) - 1, options.alone).astype(int)
        alone = np.array([predictor.predict(table.iloc[[row]])[0] for row in rows])
        order = np.random.default_rng(0).permutation(len(table))
        shuffled = predictor.predict(table.iloc[order])
    own = np.concatenate([alone / found[rows, 0], shuffled / found[order, 0]])
    return [*np.abs(found / expected - 1).T, np.abs(own - 1)]


if __name__ == "__main__":
    main()
