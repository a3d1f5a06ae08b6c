"""Are the reasons true? On the sample, whose generator knows what each photo and the columns are worth, and where.

For each seed a network is trained on 1,600 of 2,000 rows and read as a bundle; the rest are explained. Printed are

- Spearman's rank correlation, and the slope, of the logarithm of each factor on the generator's own term: the table,
  the photos together, and each photo;
- how often the peak of a heat map lies on the one object that is there or not (pool, fireplace, bathtub, island), and
  on any thing that shows a trait worth more than average, in photos that show such; with the lower end of a 95 %
  interval, and what chance gives: the area, maps of the other views, and a randomised network;
- the same hits among maps that call themselves trustworthy and among the others;
- all of it for a network all of whose weights are shuffled.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from benchmarks.painted_objects import OBJECTS, ONE_OBJECT, paint_again
from mixed_data import MixedDataRegressor
from mixed_data.explain.heat_maps import Heat, draw_heat
from mixed_data.explain.reasons import explain_rows
from mixed_data.preprocessing.onnx_session import OnnxSession
from mixed_data.readers.sample import read_sample
from mixed_data.readers.sample.house_columns import table_term
from mixed_data.readers.sample.market import FACTORS, VIEWS, leverage
from mixed_data.runtime import Predictor

NUM_ROWS, NUM_TRAINING_ROWS = 2_000, 1_600


def main() -> None:
    """Measure each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("datasets/sample"))
    parser.add_argument("--out", type=Path, default=Path("runs/explanation_truth"), help="where bundles are kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--image-branch", default="cnn")
    parser.add_argument("--photos", type=int, default=40, help="heat maps per view")
    parser.add_argument("--rows", type=int, default=150, help="rows to explain")
    options = parser.parse_args()
    for seed in options.seeds:
        table, schema = read_sample(options.root, rows=NUM_ROWS, seed=seed)
        bundle = options.out / f"{options.image_branch}-{seed}"
        if not bundle.exists():
            training = table[:NUM_TRAINING_ROWS]
            regressor = MixedDataRegressor(schema, image_branch=options.image_branch, random_state=seed)
            regressor.fit(training, training["price"]).save(bundle)
        truth = read_truth(options.root, seed)
        for is_random in (False, True):
            model = Predictor(bundle).model
            if is_random:
                shuffle_weights(model, seed)
            print(f"\nseed {seed}, {options.image_branch}{', all weights shuffled' if is_random else ''}")
            rows = np.arange(NUM_TRAINING_ROWS, NUM_TRAINING_ROWS + options.rows)
            for name, (correlation, slope) in compare_terms(model, table.iloc[rows], truth.iloc[rows]).items():
                print(f"  {name:14} Spearman {correlation:6.3f}  slope {slope:5.2f}")
            compare_peaks(model, table, truth, seed=seed, num_photos=options.photos)


def read_truth(root: Path, seed: int) -> pd.DataFrame:
    """Read the hidden factors of a sample of `NUM_ROWS` houses."""
    (folder,) = Path(root).glob(f"sample-{NUM_ROWS}-seed{seed}-signal1.0-*")
    return pd.read_csv(folder / "truth.csv", dtype={"id": str})


def shuffle_weights(model: Any, seed: int) -> None:
    """Shuffle the numbers of every weight of a model that was read from a bundle, among themselves."""
    random = np.random.default_rng(seed)
    for owner in (model, *model.readers_):
        owner._session = OnnxSession(_shuffle(owner._session.content, random), name="shuffled.onnx", num_threads=1)


def _shuffle(content: bytes, random: np.random.Generator) -> bytes:
    import onnx

    network = onnx.load_from_string(content)
    for weight in network.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT:
            values = onnx.numpy_helper.to_array(weight)
            weight.CopyFrom(
                onnx.numpy_helper.from_array(random.permuted(values.ravel()).reshape(values.shape), weight.name)
            )
    return network.SerializeToString()


def compare_terms(model: Any, table: pd.DataFrame, truth: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Compare factors with the generator's terms.

    Args:
        model: to explain.
        table: rows of the sample.
        truth: hidden factors of the same rows.

    Returns:
        part -> rank correlation and slope, over the rows that lack nothing.
    """
    complete = table.notna().all(axis=1).to_numpy()
    table, truth = table[complete], truth[complete]
    found = explain_rows(model, table)
    worth = {view: leverage(table) * _worth(truth, view) for view in VIEWS}
    terms = {"table": table_term(table.assign(zipcode=table["zipcode"].astype(str))), "photos": sum(worth.values())}
    terms |= {f"{view}_photo": values for view, values in worth.items()}
    compared = {}
    for name, term in terms.items():
        parts = [part for one in found for part in (*one.modalities, *one.views) if part.name == name]
        added = np.log([part.factor for part in parts])
        compared[name] = (float(spearmanr(added, term)[0]), float(np.polyfit(term, added, 1)[0]))
    return compared


def _worth(truth: pd.DataFrame, view: str) -> np.ndarray:
    return sum(one.effect * (truth[one.name].to_numpy() - one.mean) for one in FACTORS if one.view == view)


def compare_peaks(model: Any, table: pd.DataFrame, truth: pd.DataFrame, *, seed: int, num_photos: int) -> None:
    """Print how often the peaks of heat maps lie where the generator painted something worth a higher price."""
    traits = truth.to_dict("index")
    for name in ("one object", "any thing worth more"):
        peaks: dict[str, list[tuple[float, float]]] = {view: [] for view in VIEWS}
        masks: dict[str, list[np.ndarray]] = {view: [] for view in VIEWS}
        trusted = []
        for view in VIEWS:
            for house in choose_houses(table, traits, view, name == "one object", num_photos):
                heat = draw_heat(model, table.iloc[house : house + 1], f"{view}_photo")
                painters = shown(traits[house], view, name == "one object")
                _, mask = paint_again(seed, house, view, traits[house], painters=painters)
                peaks[view].append(find_peak(heat))
                masks[view].append(mask)
                trusted.append((heat.trustworthy, is_hit(peaks[view][-1], mask)))
        _print_hits(name, peaks, masks)
        for word, wanted in (("trustworthy", True), ("not trustworthy", False)):
            found = [hit for is_trusted, hit in trusted if is_trusted == wanted]
            print(f"    {word}: {len(found)} maps{f', {np.mean(found):.0%} hit' if found else ''}")


def choose_houses(
    table: pd.DataFrame, traits: dict[int, dict[str, Any]], view: str, only_one: bool, num_photos: int
) -> list[int]:
    """Return held-out houses whose photo is there and shows something worth more."""
    column = table[f"{view}_photo"]
    held_out = range(NUM_TRAINING_ROWS, len(table))
    return [n for n in held_out if isinstance(column[n], str) and shown(traits[n], view, only_one)][:num_photos]


def shown(traits: dict[str, Any], view: str, only_one: bool) -> list[str]:
    """Return the painters of the things of a view that show a trait worth more than average."""
    found = [name for name, condition in OBJECTS[view][1].items() if condition(traits)]
    return [name for name in found if not only_one or name == ONE_OBJECT[view]]


def find_peak(heat: Heat) -> tuple[float, float]:
    """Return the middle of the highest cell, as shares of height and width."""
    row, column = np.unravel_index(np.argmax(heat.values), heat.values.shape)
    return (row + 0.5) / heat.values.shape[0], (column + 0.5) / heat.values.shape[1]


def is_hit(peak: tuple[float, float], mask: np.ndarray) -> bool:
    """Tell whether a place lies in a mask."""
    return bool(mask[int(peak[0] * mask.shape[0]), int(peak[1] * mask.shape[1])])


def wilson(hits: Sequence[bool]) -> float:
    """Return the lower end of Wilson's 95 % interval of a share."""
    n, share, z = len(hits), float(np.mean(hits)), 1.96
    middle = share + z * z / (2 * n)
    return (middle - z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))) / (1 + z * z / n)


def _print_hits(name: str, peaks: dict[str, list[tuple[float, float]]], masks: dict[str, list[np.ndarray]]) -> None:
    hits, areas, others = {}, {}, {}
    for view in VIEWS:
        foreign = [peak for other in VIEWS if other != view for peak in peaks[other]]
        hits[view] = [is_hit(peak, mask) for peak, mask in zip(peaks[view], masks[view], strict=True)]
        areas[view] = [mask.mean() for mask in masks[view]]
        others[view] = [is_hit(peak, mask) for peak in foreign for mask in masks[view]]
    for shown_view in ("all", *VIEWS):
        chosen = VIEWS if shown_view == "all" else (shown_view,)
        hit, area, other = ([x for view in chosen for x in part[view]] for part in (hits, areas, others))
        print(
            f"  {name}, {shown_view:9} {np.mean(hit):4.0%} of {len(hit):3} (from {wilson(hit):.0%}); chance: area "
            f"{np.mean(area):.0%}, other views' maps {np.mean(other):.0%}"
        )


if __name__ == "__main__":
    main()
