"""How much worse is a fused network for rows without photos, or without a table, than a network of one modality?

    python -m benchmarks.missing_modality --root DIR --image-weights FILE

The houses, grouped 5-fold, repeated. The fused network predicts the held-out rows as they are, with all photos hidden,
and with all cells hidden; beside it stand the networks on the table alone and on the photos alone. Prints the pooled
RMSE of log of each repeat and the ratios. About ten minutes per repeat on one core.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from mixed_data.cli.startup import start_keras


def main() -> None:
    """Fit, hide, score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help='folder that holds "Houses Dataset"')
    parser.add_argument("--image-weights", default="imagenet", help="imagenet, or a .weights.h5 file")
    parser.add_argument("--fusions", nargs="+", default=["weighted_sum"], help="default: weighted_sum")
    parser.add_argument("--modality-dropout", type=float, help="default: the regressor's own")
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12], help="one repeat of the folds each")
    options = parser.parse_args()
    start_keras()
    from mixed_data.audit import find_groups
    from mixed_data.evaluation.comparison import make_networks
    from mixed_data.metrics import regression_metrics
    from mixed_data.readers import READERS
    from mixed_data.split import k_fold

    table, schema = READERS["houses"](options.root)
    price = table["price"].to_numpy("float64")
    variants = {
        "": table,
        ", no photos": table.assign(**dict.fromkeys(schema.images)),
        ", no table": table.assign(**dict.fromkeys(schema.features)),
    }
    scores: dict[str, list[float]] = {}
    for seed in options.seeds:
        arguments = {"image_branch": "pretrained", "image_weights": options.image_weights, "random_state": seed}
        if options.modality_dropout is not None:
            arguments["modality_dropout"] = options.modality_dropout
        held_out: dict[str, np.ndarray] = {}
        for training_rows, rows in k_fold(find_groups(table, schema), 5, random_state=seed):
            for name, network in make_networks(schema, ["table", "image", *options.fusions], arguments).items():
                network.fit(table.iloc[training_rows], price[training_rows])
                for hidden, variant in variants.items() if name in options.fusions else [("", table)]:
                    predicted = held_out.setdefault(name + hidden, np.empty(len(table)))
                    predicted[rows] = network.predict(variant.iloc[rows])
        for name, predicted in held_out.items():
            scores.setdefault(name, []).append(regression_metrics(price, predicted)["rmse_log"])
        print(
            pd.Series({name: values[-1] for name, values in scores.items()}, name=seed).round(4).to_dict(), flush=True
        )
    for fusion in options.fusions:
        for hidden, alone in ((", no photos", "table"), (", no table", "image")):
            ratios = np.divide(scores[fusion + hidden], scores[alone])
            print(f"{fusion}{hidden}: {np.mean(ratios):.3f} × {alone} only ({np.round(ratios, 3).tolist()} by repeat)")


if __name__ == "__main__":
    main()
