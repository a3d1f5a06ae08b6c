"""How near the fused network comes to the best possible error on the sample, and what it costs: one line per seed.

The split is that of ``python train.py --seed S --random-state S``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from mixed_data import MixedDataRegressor
from mixed_data.metrics import regression_metrics
from mixed_data.readers.sample import oracle_predictions, read_sample
from mixed_data.split import find_groups, hold_out


def main() -> None:
    """Fit each image branch on each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("datasets/sample"))
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--image-branches", nargs="+", default=["cnn", "patches"])
    options = parser.parse_args()
    ratios = {branch: [] for branch in options.image_branches}
    for seed in options.seeds:
        table, schema = read_sample(options.root, rows=options.rows, seed=seed)
        oracle = oracle_predictions(options.root, rows=options.rows, seed=seed)["both"]
        training, held_out = hold_out(find_groups(table, schema), random_state=seed)
        rows = table.iloc[held_out]
        best = regression_metrics(rows["price"], oracle.iloc[held_out])["rmse_log"]
        for branch in options.image_branches:
            start = time.process_time()
            regressor = MixedDataRegressor(schema, image_branch=branch, random_state=seed)
            regressor.fit(table.iloc[training], table["price"].iloc[training])
            seconds = time.process_time() - start
            error = regression_metrics(rows["price"], regressor.predict(rows))["rmse_log"]
            ratios[branch].append(error / best)
            print(
                f"seed {seed} {branch}: {error:.4f} / {best:.4f} = {error / best:.3f}, {seconds:.0f} CPU s", flush=True
            )
    for branch, found in ratios.items():
        print(f"{branch}: {np.mean(found):.3f} x the oracle, {min(found):.3f} to {max(found):.3f}")


if __name__ == "__main__":
    main()
