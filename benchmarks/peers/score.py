"""Score the predictions of the peers with this project's own metrics.

    python benchmarks/peers/score.py --data DIR predictions.csv [more.csv ...]

Prints one Markdown table over all that was run, and one line per fold, to compare modes on the same rows where one of
them was not run on all folds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from mixed_data.metrics import regression_metrics

SCORES = {"mape": "MAPE %", "median_ape": "median APE %", "rmse_log": "RMSE of log"}
DECIMALS = {"mape": 1, "median_ape": 1, "rmse_log": 3}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="folder that make_folds.py wrote")
    parser.add_argument("predictions", nargs="+", type=Path, help="what the runners wrote")
    options = parser.parse_args()
    predictions = pd.concat([pd.read_csv(path, dtype={"repeat": str}) for path in options.predictions])
    prices = pd.read_csv(options.data / "table.csv")["price"]
    splits = json.loads((options.data / "folds.json").read_text(encoding="utf-8"))
    predictions["price"] = prices.loc[predictions["row"]].to_numpy()
    check_rows(predictions, splits)
    print(to_markdown(summarise(predictions, splits)), end="\n\n")
    print(to_markdown(list_folds(predictions)))


def check_rows(predictions: pd.DataFrame, splits: list[dict[str, object]]) -> None:
    """Raise ValueError where a fold was not predicted for exactly its held-out rows."""
    held_out = {(split["repeat"], split["fold"]): sorted(split["test"]) for split in splits}
    for (peer, mode, *fold), rows in predictions.groupby(["peer", "mode", "repeat", "fold"]):
        if sorted(rows["row"]) != held_out[tuple(fold)]:
            raise ValueError(f"{peer}, {mode}, fold {fold}: expected each held-out row of folds.json once")


def summarise(predictions: pd.DataFrame, splits: list[dict[str, object]]) -> pd.DataFrame:
    """Score each peer and mode: the pooled held-out rows of a repeat, then mean ± SD over complete repeats.

    Where no repeat is complete, the rows of the folds that were run are pooled, and "run" says how many.

    Args:
        predictions: Rows of the runners' files, with ``price``.
        splits: Content of ``folds.json``.

    Returns:
        One line per peer, mode and protocol, as text.
    """
    num_folds = pd.Series([split["repeat"] for split in splits]).value_counts()
    predictions = predictions.assign(
        protocol=predictions["repeat"].eq("tutorial").map({True: "tutorial", False: "5-fold"})
    )
    lines = []
    for (protocol, peer, mode), rows in predictions.groupby(["protocol", "peer", "mode"]):
        folds_run = rows.groupby("repeat")["fold"].nunique()
        complete = [repeat for repeat in folds_run.index if folds_run[repeat] == num_folds[repeat]]
        scored = rows[rows["repeat"].isin(complete)] if complete else rows
        pooled = scored.groupby("repeat")[["price", "prediction"]].apply(_score)
        run = f"{len(complete)} × {num_folds[complete[0]]} folds" if complete else f"{folds_run.sum()} of 5 folds"
        fits = scored.groupby(["repeat", "fold"])[["seconds", "processor_seconds"]].first()
        lines.append(
            {"protocol": protocol, "peer": peer, "mode": mode, "run": run if protocol == "5-fold" else "1 split"}
            | {SCORES[name]: _mean_and_spread(pooled[name], DECIMALS[name]) for name in SCORES}
            | {"s per fit": f"{fits['seconds'].mean():.1f}", "CPU s per fit": f"{fits['processor_seconds'].mean():.1f}"}
        )
    return pd.DataFrame(lines)


def list_folds(predictions: pd.DataFrame) -> pd.DataFrame:
    """Score each fold by itself: one line per repeat and fold, MAPE / RMSE of log of each peer and mode."""
    scores = predictions.groupby(["peer", "mode", "repeat", "fold"])[["price", "prediction"]].apply(_score)
    cells = scores["mape"].map("{:.1f} / ".format) + scores["rmse_log"].map("{:.3f}".format)
    table = cells.unstack(["peer", "mode"], fill_value="")
    table.columns = [f"{peer}, {mode}" for peer, mode in table.columns]
    return table.reset_index()


def to_markdown(table: pd.DataFrame) -> str:
    """Write a table of text as Markdown."""
    rows = [table.columns, ["---"] * len(table.columns), *table.astype(str).to_numpy()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _score(rows: pd.DataFrame) -> pd.Series:
    scores = regression_metrics(rows["price"], rows["prediction"])
    return pd.Series({name: scores[name] for name in SCORES})


def _mean_and_spread(values: pd.Series, decimals: int) -> str:
    spread = f" ± {values.std():.{decimals}f}" if len(values) > 1 else ""
    return f"{values.mean():.{decimals}f}{spread}"


if __name__ == "__main__":
    main()
