"""Do the intervals of `IntervalCalibrator` keep their promise on the houses, and does `difficulty` make them narrower?

    python -m benchmarks.interval_coverage --root DIR

About one minute on one core. Gradient boosting on the table, grouped 5-fold, repeated with other folds; in each
training part, inner grouped 5-fold predictions calibrate. No Keras: this measures the calibration, not the network.
Prints, for each set of difficulty inputs, the share of held-out prices inside, the width and the interval score on the
scale of the logarithm (width plus 2 / (1 - coverage) times the distance of a price outside; lower is better: Gneiting
and Raftery 2007, doi:10.1198/016214506000001437); then the whole table of the last set.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from mixed_data.intervals import IntervalCalibrator, coverage_table
from mixed_data.preprocessing import TabularPreprocessor
from mixed_data.readers import READERS
from mixed_data.split import find_groups, k_fold

INPUTS = ["prediction", "spread of trees", "ridge - boosting", "share of zipcode", "share of region", "odd area"]
SETS = {"none": [], "prediction and spread": [0, 1], "without zipcode": [0, 1, 2, 5], "all": range(len(INPUTS))}


def predict(table: pd.DataFrame, preprocessor: TabularPreprocessor, train: np.ndarray, test: np.ndarray) -> tuple:
    """Return prices `(n,)` predicted for the test rows and their difficulty `(n, 6)`, learned from the train rows."""
    preprocessor.fit(table.iloc[train])
    features, new = (preprocessor.transform(table.iloc[rows]) for rows in (train, test))
    log_price = np.log(table["price"].to_numpy(dtype=float)[train])
    boosting = HistGradientBoostingRegressor(
        loss="absolute_error", max_iter=200, learning_rate=0.06, max_leaf_nodes=8, min_samples_leaf=8, random_state=0
    )
    prediction = boosting.fit(features, log_price).predict(new)
    trees = ExtraTreesRegressor(100, min_samples_leaf=2, max_features=0.5, bootstrap=True, random_state=0)
    spread = np.std([tree.predict(new) for tree in trees.fit(features, log_price).estimators_], axis=0)
    other = Ridge(3.0).fit(features, log_price).predict(new)
    zipcode, area = table["zipcode"].astype(str), np.log(table["area"].astype(float).to_numpy())
    difficulty = [
        prediction,
        np.log(spread + 0.02),
        np.log(np.abs(other - prediction) + 0.02),
        log_share(zipcode.iloc[train], zipcode.iloc[test]),
        log_share(zipcode.iloc[train].str[:3], zipcode.iloc[test].str[:3]),
        np.abs(area[test] - np.median(area[train])),
    ]
    return np.exp(prediction), np.column_stack(difficulty)


def log_share(train: pd.Series, test: pd.Series) -> np.ndarray:
    """Return the logarithm of the share of train rows with the same label; one row's worth is added for the unseen."""
    return np.log((test.map(train.value_counts()).fillna(0).to_numpy(dtype=float) + 1) / len(train))


def calibrate(
    price: np.ndarray, unseen: tuple[np.ndarray, np.ndarray], new: tuple[np.ndarray, np.ndarray], coverage: float
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the ends of the new rows per set of inputs; `unseen` and `new` hold prediction and difficulty."""
    intervals = {}
    for name, columns in SETS.items():
        chosen = [np.column_stack([np.zeros(len(part)), part[:, list(columns)]]) for _, part in (unseen, new)]
        patterns = [["all"] * len(part) for part in chosen]
        calibrator = IntervalCalibrator("log").fit(price, unseen[0], difficulty=chosen[0], pattern=patterns[0])
        intervals[name] = calibrator.predict(new[0], difficulty=chosen[1], pattern=patterns[1], coverage=coverage)
    return intervals


def main() -> None:
    """Predict, calibrate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help='folder that holds "Houses Dataset"')
    parser.add_argument("--seeds", type=int, nargs="+", default=[20, 21, 22], help="one repeat of the folds each")
    parser.add_argument("--coverage", type=float, default=0.9)
    options = parser.parse_args()
    table, schema = READERS["houses"](options.root)
    preprocessor = TabularPreprocessor(schema.without_images())
    groups, price = find_groups(table, schema), table["price"].to_numpy(dtype=float)
    rows: dict[str, list[pd.DataFrame]] = {name: [] for name in SETS}
    for seed in options.seeds:
        for train, test in k_fold(groups, 5, random_state=seed):
            unseen = np.empty(len(train)), np.empty((len(train), len(INPUTS)))
            for fitted, left_out in k_fold(groups[train], 5, random_state=seed):
                unseen[0][left_out], unseen[1][left_out] = predict(table, preprocessor, train[fitted], train[left_out])
            new = predict(table, preprocessor, train, test)
            for name, (lower, upper) in calibrate(price[train], unseen, new, options.coverage).items():
                found = {"seed": seed, "target": price[test], "prediction": new[0], "lower": lower, "upper": upper}
                rows[name].append(pd.DataFrame(found))
    for name, parts in rows.items():
        table = report(name, pd.concat(parts), options.coverage)
    print(f"\ndifficulty {name}:\n{table.round(1).to_string(index=False)}")


def report(name: str, rows: pd.DataFrame, coverage: float) -> pd.DataFrame:
    """Print one line for all repeats, and return the coverage table."""
    low, high, truth = (np.log(rows[column]) for column in ("lower", "upper", "target"))
    missed = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    score = (high - low + 2 / (1 - coverage) * missed).mean()
    table = coverage_table(rows["target"], rows["prediction"], rows["lower"], rows["upper"], by={"seed": rows["seed"]})
    total, seeds = table.iloc[0], table[table["by"] == "seed"]["coverage"].round(1).tolist()
    print(
        f"difficulty {name:22} coverage {total['coverage']:.1f} % (repeats {seeds}), mean relative width "
        f"{total['mean_relative_width']:.0f} %, median width ${total['median_width']:,.0f}, log width "
        f"{(high - low).mean():.3f}, interval score {score:.3f}"
    )
    return table


if __name__ == "__main__":
    main()
