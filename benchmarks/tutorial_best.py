"""The tutorial's protocol (362 houses, one split, 91 test houses) with `best`, over several seeds.

    python -m benchmarks.tutorial_best --root DIR --image-weights FILE

The split is the tutorial's, which is one of the easiest (datasets/README.md); a seed changes everything that is random
in the fit. Prints one line per seed and the median.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from mixed_data.cli.process_start import start_keras, worker_processes


def main() -> None:
    """Fit once per seed and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help='folder that holds "Houses Dataset"')
    parser.add_argument("--image-weights", default="imagenet", help="imagenet, or a .weights.h5 file")
    parser.add_argument("--network", default="best", help="table, image, a fusion or best; default: %(default)s")
    parser.add_argument("--seeds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=1, help="inner fits at the same time; default: %(default)s")
    options = parser.parse_args()
    start_keras()
    from examples.houses_tutorial import split
    from mixed_data.evaluation.held_out_scores import make_networks
    from mixed_data.metrics import regression_metrics
    from mixed_data.readers import READERS

    table, schema = READERS["houses"](options.root)
    training, test = split(table)
    found = []
    with worker_processes(options.jobs):
        for seed in range(options.seeds):
            started = time.perf_counter()
            arguments = {"image_branch": "pretrained", "image_weights": options.image_weights, "random_state": seed}
            network = make_networks(schema, [options.network], arguments)[options.network]
            scores = regression_metrics(test["price"], network.fit(training, training["price"]).predict(test))
            found.append(scores["mape"])
            print(
                f"seed {seed}: MAPE {scores['mape']:.2f} %, RMSE of log {scores['rmse_log']:.4f}, "
                f"{time.perf_counter() - started:.0f} s",
                flush=True,
            )
    print(
        f"{options.network}, {len(training)} training and {len(test)} test houses, {len(found)} seeds: MAPE median "
        f"{np.median(found):.2f} %, {min(found):.2f} to {max(found):.2f} % (published for the tutorial: 22.41 %)"
    )


if __name__ == "__main__":
    main()
