"""How much the result on the houses depends on the seed: the same grouped 5 folds, five seeds of the network.

    python -m benchmarks.houses_seeds --root DIR

About 5 minutes on two cores. Prints one line per seed and the spread of the pooled MAPE.
"""

from __future__ import annotations

import argparse

from mixed_data.cli.process_start import start_keras


def main() -> None:
    """Fit and score the default network with each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help='folder that holds "Houses Dataset"')
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--network", default="weighted_sum")
    options = parser.parse_args()
    start_keras()
    from mixed_data.evaluation.held_out_scores import evaluate_held_out, make_networks
    from mixed_data.readers import READERS
    from mixed_data.split import find_groups, k_fold

    table, schema = READERS["houses"](options.root)
    splits = k_fold(find_groups(table, schema), 5, random_state=0)
    scores = []
    for seed in range(options.seeds):
        network = make_networks(schema, [options.network], {"random_state": seed})[options.network]
        result = evaluate_held_out(options.network, network, table, schema, splits)
        scores.append(result.metrics["mape"])
        logs = f"RMSE of log {result.metrics['rmse_log']:.4f}"
        print(f"seed {seed}: MAPE {scores[-1]:.2f} %, {logs}, {result.seconds:.0f} s", flush=True)
    print(f"MAPE {min(scores):.2f} to {max(scores):.2f} %, spread {max(scores) - min(scores):.2f} points")


if __name__ == "__main__":
    main()
