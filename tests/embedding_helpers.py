"""A small backbone and photos; run as a script, what another process computes of them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from mixed_data.files.user_cache import user_cache
from mixed_data.network.pretrained_backbones import KerasBackbone
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder

HEIGHT, WIDTH, NUM_FEATURES = 8, 6, 5
DECODING = {"resize": "crop", "max_pixels": 10_000}


def make_backbone(seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    photos = keras.Input((HEIGHT, WIDTH, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(photos)
    x = keras.layers.Conv2D(16, 3, activation="tanh")(x)
    return keras.Model(photos, keras.layers.Dense(NUM_FEATURES)(keras.layers.GlobalAveragePooling2D()(x)))


def make_embedder(*backbones: keras.Model, cached: bool = True) -> PhotoEmbedder:
    return PhotoEmbedder(tuple(map(KerasBackbone, backbones)), cached=cached)


def draw_photos(folder: Path, number: int, seed: int = 0) -> list[str]:
    generator = np.random.default_rng(seed)
    paths = []
    for position in range(number):
        pixels = generator.integers(0, 256, (HEIGHT + 2, WIDTH + 3, 3), dtype="uint8")
        paths.append(str(folder / f"{seed}_{position}.png"))
        Image.fromarray(pixels).save(paths[-1])
    return paths


def find_vectors(suffix: str = ".records") -> list[Path]:
    return sorted(user_cache().glob(f"records/vectors-*/*{suffix}"))


def count_cached() -> int:
    return sum(file.stat().st_size for file in find_vectors(".index")) // 36


def main(paths: list[str]) -> None:
    """Print the vectors of photos, and how many were computed."""
    totals = [0]
    embedder = replace(make_embedder(make_backbone()), on_progress=lambda done, total: totals.append(total))
    vectors = embedder.embed(paths, **DECODING)
    print(*(vectors[path].tobytes().hex() for path in paths), max(totals))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
