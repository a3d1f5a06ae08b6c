"""What a second backbone is worth on the houses, and what the mirror image is: paired, on the same grouped folds.

``python -m benchmarks.export_lite --out lite0.onnx`` makes the file of the second backbone. Nothing is chosen here.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mixed_data.estimator import MixedDataRegressor, StackedRegressor
from mixed_data.evaluation.held_out_scores import evaluate_held_out
from mixed_data.preprocessing.lost_photos import without_photo_warnings
from mixed_data.readers import READERS
from mixed_data.schema import Schema
from mixed_data.schema.column_formats import check_and_read
from mixed_data.split import find_links, join_links, k_fold


def main() -> None:
    """Print the scores of every repeat as they come, then the differences to MobileNetV2 as it is by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the houses")
    parser.add_argument("--image-weights", required=True, help="of MobileNetV2")
    parser.add_argument("--second", required=True, metavar="FILE.onnx")
    parser.add_argument("--repeats", default="10,11,12", help="seeds of the folds and the networks")
    parser.add_argument("--modalities", default="image,both,best", help="image: photos alone; both: weighted sum")
    options = parser.parse_args()
    schema, table = check_and_read(*reversed(READERS["houses"](options.root)))
    target = table[schema.target].to_numpy()
    groups = join_links(find_links(table, schema), len(table))
    for modalities in options.modalities.split(","):
        errors: dict[str, list[np.ndarray]] = {}
        for repeat in map(int, options.repeats.split(",")):
            splits = k_fold(groups, 5, random_state=repeat)
            for name, model in _make(options, modalities, repeat, schema):
                with without_photo_warnings():
                    found = evaluate_held_out(name, model, table, schema, splits)
                ratio = found.rows["prediction"].to_numpy() / target
                errors.setdefault(name, []).append(np.stack([100 * np.abs(ratio - 1), np.log(ratio) ** 2]))
                scores = f"MAPE {found.metrics['mape']:.2f}, RMSE of log {found.metrics['rmse_log']:.4f}"
                print(f"{modalities}, repeat {repeat}, {name}: {scores}; {found.seconds:.0f} s", flush=True)
        means = {name: np.mean(repeats, axis=0) for name, repeats in errors.items()}
        first = next(iter(means))
        for name in [*means][1:]:
            gain = means[first] - means[name]
            error = gain.std(axis=1, ddof=1) / np.sqrt(gain.shape[1])
            print(
                f"{modalities}, {first} minus {name}: MAPE {gain[0].mean():+.2f} ± {error[0]:.2f} points, "
                f"squared log error {gain[1].mean():+.4f} ± {error[1]:.4f} (mean and standard error over the houses)",
                flush=True,
            )


def _make(
    options: argparse.Namespace, modalities: str, repeat: int, schema: Schema
) -> Iterator[tuple[str, MixedDataRegressor | StackedRegressor]]:
    """Yield what is compared, the default first."""
    second = Path(options.second).stem
    variants = {
        "MobileNetV2": {},
        "MobileNetV2 without mirror image": {"flip_average": False},
        f"MobileNetV2 and {second}": {"backbone": ["MobileNetV2", options.second], "backbone_scaling": "tf"},
    }
    shared = {"image_weights": options.image_weights, "random_state": repeat}
    for name, arguments in variants.items():
        if modalities == "best":
            yield name, StackedRegressor(schema, **shared, **arguments)
        else:
            read = schema.only_images() if modalities == "image" else schema
            network = MixedDataRegressor(read, modalities=modalities, image_branch="pretrained", **shared, **arguments)
            yield name, network


if __name__ == "__main__":
    main()
