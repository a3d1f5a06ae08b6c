"""What is the best weight of the photos beside the table on the houses, and does a learned weight find it?

    python -m benchmarks.best_weights --root DIR --image-weights FILE

Grouped 5-fold, repeated. A network on the table and one on the photos predict every house out of fold. From their
errors (of log price) come the best weight of the photos in closed form, by inverse variances and with the correlation,
and the one that `WeightedSum` learns from the predictions. Each fold is then weighed with what the other folds say;
beside it stands ``late``, whose weight is learned together with its branches, on the rows that those are trained on.
"""

from __future__ import annotations

import argparse

import numpy as np

from mixed_data.cli.process_start import start_keras


def best_weight(errors: np.ndarray) -> tuple[float, float]:
    """Return the best weight of the second prediction: by inverse variances, and with the correlation.

    Args:
        errors: of both, ``(n, 2)``.
    """
    (table, both), (_, photos) = np.cov(errors.T)
    return table / (table + photos), (table - both) / (table + photos - 2 * both)


def learn_weight(predictions: np.ndarray, target: np.ndarray, optimizer: str) -> float:
    """Return the weight of the second of two predictions that a `WeightedSum` learns.

    Args:
        predictions: ``(n, 2)``.
        target: ``(n,)``.
        optimizer: class in `keras.optimizers`.
    """
    import keras

    from mixed_data.fusion import WeightedSum

    inputs = [keras.Input((1,)), keras.Input((1,))]
    fusion = WeightedSum()
    model = keras.Model(inputs, fusion(inputs))
    centred = predictions - predictions.mean(axis=0), target - target.mean()
    model.compile(getattr(keras.optimizers, optimizer)(0.05), "mse")
    model.fit([*centred[0].T[:, :, None]], centred[1], batch_size=len(target), epochs=200, verbose=0)
    return float(fusion.fusion_weights()[1])


def main() -> None:
    """Fit, weigh and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help='folder that holds "Houses Dataset"')
    parser.add_argument("--image-weights", default="imagenet", help="imagenet, or a .weights.h5 file")
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12], help="one repeat of the folds each")
    options = parser.parse_args()
    start_keras()
    from mixed_data.evaluation.held_out_scores import evaluate_held_out, make_networks
    from mixed_data.readers import READERS
    from mixed_data.split import find_groups, k_fold

    table, schema = READERS["houses"](options.root)
    target = np.log(table[schema.target].to_numpy())
    arguments = {"image_branch": "pretrained", "image_weights": options.image_weights}
    for seed in options.seeds:
        splits = list(k_fold(find_groups(table, schema), 5, random_state=seed))
        networks = make_networks(schema, ["table", "image", "late"], {**arguments, "random_state": seed})
        held_out = {name: evaluate_held_out(name, model, table, schema, splits) for name, model in networks.items()}
        logs = {name: np.log(result.rows["prediction"].to_numpy()) for name, result in held_out.items()}
        both = np.column_stack([logs["table"], logs["image"]])
        errors = both - target[:, None]
        inverse, best = best_weight(errors)
        learned = {name: round(learn_weight(both, target, name), 3) for name in ("Adam", "AdamW", "SGD")}
        weighed = np.empty(len(target))
        for others, fold in splits:
            share = best_weight(errors[others])[1]
            weighed[fold] = both[fold] @ [1 - share, share]
        late = [model.fusion_weights_["image"] for model in held_out["late"].fitted]
        errors_of = {**{name: log - target for name, log in logs.items()}, "both, weighed": weighed - target}
        scores = {name: round(float(np.sqrt(np.mean(error**2))), 4) for name, error in errors_of.items()}
        print(f"{seed}: photos, inverse variances {inverse:.3f}, best {best:.3f}, learned {learned}; ", end="")
        print(f"late {np.mean(late):.3f} ± {np.std(late, ddof=1):.3f} over the folds; RMSE of log {scores}", flush=True)


if __name__ == "__main__":
    main()
