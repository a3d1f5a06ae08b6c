"""What a comparison on the houses scores without the six houses whose price or kind the data calls into question.

    python -m benchmarks.without_odd_rows RUN

RUN is the folder of `python -m mixed_data compare --dataset houses`. Prints MAPE and RMSE of log of each model, mean
over the repeats; nothing is fitted again, so that the models have still seen these houses.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from mixed_data.metrics import regression_metrics

ODD_HOUSES = ("95", "153", "157", "258", "422", "507")


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of the comparison")
    lines = pd.read_csv(parser.parse_args().run / "predictions.csv", dtype={"id": str})
    kept = lines[~lines["id"].isin(ODD_HOUSES)]
    for model, of_model in kept.groupby("model", sort=False):
        parts = [regression_metrics(part["target"], part["prediction"]) for _, part in of_model.groupby("repeat")]
        scores = pd.DataFrame(parts)[["mape", "rmse_log"]].mean()
        print(f"{model}: MAPE {scores['mape']:.1f} %, RMSE of log {scores['rmse_log']:.3f}")


if __name__ == "__main__":
    main()
