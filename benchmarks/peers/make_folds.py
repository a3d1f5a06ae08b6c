"""Write the houses and the splits that this project is scored on, for programs that cannot import it.

    python benchmarks/peers/make_folds.py --root DIR --out /tmp/peers

Writes ``table.csv`` (one line per house, photos as absolute paths) and ``folds.json`` (row positions of each split:
grouped 5 folds per repeat, and the tutorial's single split as the repeat "tutorial"). ``--photo-size`` writes small
copies of the photos beside them and lists those instead, so that the peers do not decode the originals in each fit.
``--weights`` writes ``vectors.npy``, the photos as this project's frozen backbone sees them, for the modes
"tab+vectors".
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mixed_data.cli.process_start import start_keras

NUM_FOLDS = 5
BACKBONE = "MobileNetV2"
BACKBONE_SIZE = 320


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help='folder that holds "Houses Dataset"')
    parser.add_argument("--out", required=True, type=Path, help="folder to write to")
    parser.add_argument("--repeats", type=int, nargs="+", default=[10, 11, 12], help="random_state of each repeat")
    parser.add_argument("--photo-size", type=int, help="longer side in pixels of the copies; without it the originals")
    parser.add_argument("--weights", type=Path, help=f"{BACKBONE}'s ImageNet weights; writes vectors.npy")
    options = parser.parse_args()
    start_keras()
    from mixed_data.readers.houses import read_houses
    from mixed_data.split import find_groups

    options.out.mkdir(parents=True, exist_ok=True)
    table, schema = read_houses(options.root)
    splits = make_splits(table, find_groups(table, schema), options.repeats)
    if options.weights:
        np.save(options.out / "vectors.npy", embed_photos(table, schema.images, options.weights))
    if options.photo_size:
        table = shrink_photos(table, schema.images, options.out / f"photos_{options.photo_size}", options.photo_size)
    table.to_csv(options.out / "table.csv", index=False)
    (options.out / "folds.json").write_text(json.dumps(splits), encoding="utf-8")
    print(f"{len(table)} houses, {len(splits)} splits in {options.out}")


def make_splits(table: pd.DataFrame, groups: NDArray[np.int64], repeats: list[int]) -> list[dict[str, object]]:
    """List all splits with the positions of their rows.

    Args:
        table: The houses, numbered 0, 1, ...
        groups: Group of each row; no group is on both sides of a fold.
        repeats: ``random_state`` of each repeat.

    Returns:
        One dict per split: ``repeat`` (text), ``fold``, ``train`` and ``test`` (row positions).
    """
    from examples.houses_tutorial import split as split_as_tutorial
    from mixed_data.split import k_fold

    splits = [
        {"repeat": str(repeat), "fold": fold, "train": train.tolist(), "test": test.tolist()}
        for repeat in repeats
        for fold, (train, test) in enumerate(k_fold(groups, NUM_FOLDS, random_state=repeat))
    ]
    train, test = split_as_tutorial(table)
    return [*splits, {"repeat": "tutorial", "fold": 0, "train": train.index.tolist(), "test": test.index.tolist()}]


def embed_photos(table: pd.DataFrame, columns: tuple[str, ...], weights: Path) -> NDArray[np.float32]:
    """Turn each house's photos into the vectors that this project's pretrained branch gets.

    Args:
        table: The houses.
        columns: Columns with paths.
        weights: File of the backbone's weights.

    Returns:
        float32 of shape ``(n, views * features)``, zeros for a photo that cannot be used.
    """
    from mixed_data.network.pretrained_backbones import KerasBackbone, build_backbone
    from mixed_data.preprocessing.photo_decoding import MAX_PIXELS, PhotoError
    from mixed_data.preprocessing.photo_vectors import PhotoEmbedder

    embedder = PhotoEmbedder((KerasBackbone(build_backbone(BACKBONE, weights, (BACKBONE_SIZE, BACKBONE_SIZE))),))
    paths = table[list(columns)].to_numpy().ravel()
    vectors = embedder.embed(paths, resize="stretch", max_pixels=MAX_PIXELS)
    nothing = np.zeros(embedder.num_features, dtype="float32")
    found = [nothing if isinstance(vectors[path], PhotoError) else vectors[path] for path in paths]
    return np.stack(found).reshape(len(table), -1)


def shrink_photos(table: pd.DataFrame, columns: tuple[str, ...], folder: Path, size: int) -> pd.DataFrame:
    """Copy all photos as PNG, at most ``size`` pixels wide and high, sides in proportion.

    Args:
        table: The houses.
        columns: Columns with paths.
        folder: Where the copies go.
        size: Longer side of a copy in pixels.

    Returns:
        The table with the paths of the copies.
    """
    folder.mkdir(exist_ok=True)

    def shrink(path: str) -> str:
        small = folder.absolute() / f"{Path(path).stem}.png"
        if not small.exists():
            with Image.open(path) as photo:
                ImageOps.contain(photo.convert("RGB"), (size, size)).save(small)
        return str(small)

    return table.assign(**{column: table[column].map(shrink) for column in columns})


if __name__ == "__main__":
    main()
