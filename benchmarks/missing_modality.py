"""How much worse is a fused network for rows without photos, or without a table, than a network of one modality?

    python -m benchmarks.missing_modality --root DIR --image-weights FILE

The houses, grouped 5-fold, repeated. The fused network predicts the held-out rows as they are, with all photos hidden,
and with all cells hidden; beside it stand the networks on the table alone and on the photos alone. Prints the pooled
RMSE of log of each repeat and the ratios.
"""

from __future__ import annotations

import argparse

import numpy as np

from mixed_data.cli.process_start import start_keras

ALONE = {"no photos": "table", "no table": "image"}


def main() -> None:
    """Fit, hide, score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help='folder that holds "Houses Dataset"')
    parser.add_argument("--image-weights", default="imagenet", help="imagenet, or a .weights.h5 file")
    parser.add_argument("--fusion", default="weighted_sum", help="or best; default: %(default)s")
    parser.add_argument("--modality-dropout", type=float, help="default: the regressor's own")
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12], help="one repeat of the folds each")
    options = parser.parse_args()
    start_keras()
    from mixed_data.evaluation.held_out_scores import evaluate_held_out, make_networks
    from mixed_data.evaluation.hidden_modality_scores import score_hidden
    from mixed_data.readers import READERS
    from mixed_data.split import find_groups, k_fold

    table, schema = READERS["houses"](options.root)
    arguments = {"image_branch": "pretrained", "image_weights": options.image_weights}
    if options.modality_dropout is not None:
        arguments["modality_dropout"] = options.modality_dropout
    ratios: dict[str, list[float]] = {}
    for seed in options.seeds:
        splits = list(k_fold(find_groups(table, schema), 5, random_state=seed))
        networks = make_networks(schema, ["table", "image", options.fusion], {**arguments, "random_state": seed})
        held_out = {
            name: evaluate_held_out(name, model, table, schema, splits, hide=name == options.fusion)
            for name, model in networks.items()
        }
        scores = {name: result.metrics["rmse_log"] for name, result in held_out.items()}
        patterns = score_hidden([held_out[options.fusion].hidden], table["price"].to_numpy("float64"))
        scores |= {f"{options.fusion}, {entry['pattern']}": entry["rmse_log"] for entry in patterns}
        print(seed, {name: round(score, 4) for name, score in scores.items()}, flush=True)
        for pattern, name in ALONE.items():
            ratios.setdefault(pattern, []).append(scores[f"{options.fusion}, {pattern}"] / scores[name])
    for pattern, found in ratios.items():
        by_repeat = ", ".join(f"{ratio:.3f}" for ratio in found)
        print(f"{options.fusion}, {pattern}: {np.mean(found):.3f} × {ALONE[pattern]} only ({by_repeat} by repeat)")


if __name__ == "__main__":
    main()
