"""How fast are photos kept on disk filled and read, and does memory grow with the number of rows?

    python -m benchmarks.photo_store --folder DIR --rows 10000 100000 --steps 300

Filling is compared with a bare loop of Pillow (draft, load, resize) over the same photos of 1200 x 900 pixels in the
same run. For memory, networks are trained on so many rows with four photos each, twice, and predict all of them, in a
process of its own; the photos are small files that differ in a few bytes after the picture, so that each is decoded by
itself. With ``--vectors``, they read vectors of the length of MobileNetV2's, which are drawn and put on disk before.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from mixed_data.preprocessing import photo_decoding
from mixed_data.preprocessing.photo_store import NUM_PHOTOS_AT_ONCE, PhotoStore
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder
from mixed_data.preprocessing.stored_photos import Part, StoredPhotos

VIEWS = ("front", "bedroom", "bathroom", "kitchen")


class DrawnBackbone:
    """A backbone whose vectors are all on disk already."""

    digest, size, block_sizes, suffix, settings = "drawn", (320, 320), (576, 1280), "", {}

    def compute(self, photos: np.ndarray) -> np.ndarray:
        """Fail."""
        raise AssertionError(f"{len(photos)} vectors are not on disk")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="for photos and the store; 13 kB per photo")
    parser.add_argument(
        "--photos", type=int, default=1 + 2 * NUM_PHOTOS_AT_ONCE, help="of 1200 x 900 pixels, to fill the store with"
    )
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--steps", type=int, help="of training, after which each training stops; all without it")
    parser.add_argument("--vectors", action="store_true", help="measure memory only, of a frozen backbone's vectors")
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--train", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.fill:
        draw_vectors(pd.read_csv(options.folder / f"rows-{options.fill}.csv"))
        return
    if options.train:
        measure_training(options.folder, options.train, options.steps, has_vectors=options.vectors)
        return
    for size in () if options.vectors else (64, 320):
        with empty_cache(options.folder):
            measure_filling(options.folder, options.photos, size)
            measure_reading(size)
    for num_rows in options.rows:
        own = [sys.executable, "-m", "benchmarks.photo_store", "--folder", str(options.folder)]
        command = [*own, "--train", str(num_rows), *(["--steps", str(options.steps)] if options.steps else [])]
        # Read from a file by the process that is measured, which else keeps memory that the texts took while drawn.
        draw_rows(options.folder / "small", num_rows).to_csv(options.folder / f"rows-{num_rows}.csv", index=False)
        with empty_cache(options.folder):
            if options.vectors:
                subprocess.run([*own, "--fill", str(num_rows)], check=True)
                command += ["--vectors"]
            subprocess.run(command, check=True)


def measure_filling(folder: Path, num_photos: int, size: int) -> float:
    """Print photos per CPU second of the store and of a bare loop, in turns; return their ratio."""
    random = np.random.default_rng(size)
    coarse = random.integers(0, 256, (num_photos, 60, 80, 3), dtype=np.uint8)
    files = []
    for number, pixels in enumerate(coarse):
        picture = Image.fromarray(pixels).resize((1200, 900), Image.Resampling.BICUBIC)
        files.append(str(folder / f"large-{size}-{number}.jpg"))
        picture.save(files[-1], quality=80)
    store = PhotoStore(size, size, resize="crop", max_pixels=photo_decoding.MAX_PIXELS)
    spent = {"store": 0.0, "bare": 0.0}
    with ThreadPoolExecutor(1) as pool:
        store.place(files[:1], pool)  # imports what it needs
        for start in range(1, num_photos, NUM_PHOTOS_AT_ONCE):
            some = files[start : start + NUM_PHOTOS_AT_ONCE]
            with timed(spent, "bare"):
                for file in some:
                    decode_barely(file, size)
            with timed(spent, "store"):
                store.place(some, pool)
    rates = {name: (num_photos - 1) / seconds for name, seconds in spent.items()}
    num_bytes = np.mean([os.path.getsize(file) for file in files])
    print(f"{num_photos} photos of 1200 x 900, {num_bytes / 1e3:.0f} kB, to {size} pixels, per CPU s:", end=" ")
    print(
        f"store {rates['store']:.0f}, bare loop {rates['bare']:.0f}: {rates['store'] / rates['bare']:.1%}", flush=True
    )
    return rates["store"] / rates["bare"]


def decode_barely(file: str, size: int) -> np.ndarray:
    """Decode as the project does, without its checks."""
    with Image.open(file) as image:
        image.draft(None, (2 * size, 2 * size))
        side = min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        box = (left, top, left + side, top + side)
        return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box, reducing_gap=2.0))


@contextmanager
def empty_cache(folder: Path) -> Iterator[None]:
    """Keep photos in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        os.environ["MIXED_DATA_CACHE"] = cache
        yield


def measure_reading(size: int) -> None:
    """Print gigabytes per CPU second of rows in random order."""
    records = PhotoStore(size, size, resize="pad", max_pixels=size).records
    random = np.random.default_rng(0)
    places = []
    for _ in range(10_000 * 64**2 // size**2 // NUM_PHOTOS_AT_ONCE * len(VIEWS)):
        pixels = random.integers(0, 256, (NUM_PHOTOS_AT_ONCE, records.num_bytes), dtype=np.uint8)
        places += records.append([random.bytes(32) for _ in pixels], [photo.data for photo in pixels])
    photos = StoredPhotos([Part(records)], np.array(places).reshape(-1, len(VIEWS), 1), (size, size, 3), np.uint8)
    orders = [random.permutation(len(photos)) for _ in range(3)]
    start = time.process_time()
    for order in orders:
        for first in range(0, len(order), 32):
            photos[order[first : first + 32]]
    rate = len(orders) * photos.nbytes / (time.process_time() - start)
    print(f"rows of {size} pixels in random order, batches of 32: {rate / 1e9:.2f} GB per CPU s", flush=True)


def draw_vectors(table: pd.DataFrame) -> None:
    """Put a vector for each photo on disk: 64 directions, and noise."""
    (store,) = PhotoEmbedder((DrawnBackbone(),)).open_stores(resize="stretch", max_pixels=photo_decoding.MAX_PIXELS)
    random = np.random.default_rng(0)
    directions = random.normal(size=(64, sum(DrawnBackbone.block_sizes))).astype("float32")
    for start in range(0, len(table), NUM_PHOTOS_AT_ONCE):
        files = table[list(VIEWS)].iloc[start : start + NUM_PHOTOS_AT_ONCE].to_numpy().ravel()
        vectors = random.normal(size=(len(files), 64)).astype("float32") @ directions
        vectors += random.normal(size=vectors.shape).astype("float32")
        digests = [hashlib.sha256(Path(file).read_bytes()).digest() for file in files]
        store.append(digests, [vector.view(np.uint8).data for vector in vectors])


def measure_training(folder: Path, num_rows: int, num_steps: int | None, *, has_vectors: bool) -> None:
    """Print the peak of resident memory of two trainings and a prediction, and how many photos each decoded."""
    import keras

    from mixed_data.estimator import MixedDataRegressor, mixed_data_regressor
    from mixed_data.schema import Schema

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            if num_steps and batch + 1 >= num_steps:
                self.model.stop_training = True

    table = pd.read_csv(folder / f"rows-{num_rows}.csv")
    schema = Schema(target="price", numeric=("area",), images=VIEWS)
    decoded = [0]
    decode = photo_decoding._decode

    def counting(*arguments: object) -> object:
        decoded[0] += 1
        return decode(*arguments)  # type: ignore[arg-type]

    photo_decoding._decode = counting  # type: ignore[assignment]
    mixed_data_regressor.load_embedder = lambda *_: PhotoEmbedder((DrawnBackbone(),))
    options = {"epochs": 1, "image_branch": "pretrained" if has_vectors else "cnn"}
    print(f"{num_rows} rows: before training {read_memory('VmRSS')} MB", flush=True)
    for fusion in ("weighted_sum", "concat"):
        start, decoded[0] = time.process_time(), 0
        regressor = MixedDataRegressor(schema, fusion=fusion, **options)
        regressor.fit(table, table["price"], callbacks=[Stop()])
        seconds = time.process_time() - start
        print(
            f"  {fusion}: {decoded[0]} photos decoded, {seconds:.0f} CPU s, peak {read_memory('VmHWM')} MB, "
            f"{read_memory('RssFile')} of it libraries",
            flush=True,
        )
    start, decoded[0] = time.process_time(), 0
    regressor.predict(table)
    seconds = time.process_time() - start
    print(
        f"  predicting: {decoded[0]} photos decoded, {seconds:.0f} CPU s, peak {read_memory('VmHWM')} MB, "
        f"{read_memory('RssFile')} of it libraries",
        flush=True,
    )


def draw_rows(folder: Path, num_rows: int) -> pd.DataFrame:
    """Return a table whose photos are written where they are missing."""
    random = np.random.default_rng(0)
    file = folder.with_suffix(".jpg")
    Image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(file)
    content = file.read_bytes()
    for part in range(0, num_rows, 250):
        (folder / f"{part // 250}").mkdir(parents=True, exist_ok=True)
    columns = {}
    for view in VIEWS:
        paths = [f"{folder}/{row // 250}/{row}{view[:3]}.jpg" for row in range(num_rows)]
        for row, path in enumerate(paths):
            if not os.path.exists(path):
                Path(path).write_bytes(content + f"{row}{view}".encode())
        columns[view] = pd.Series(paths)
    area = random.uniform(50, 250, num_rows)
    return pd.DataFrame({**columns, "area": area, "price": 1000 * area * random.uniform(0.5, 2, num_rows)})


def read_memory(name: str) -> int:
    """Return resident memory in MB: "VmRSS" now, "VmHWM" the most there was, "RssFile" of mapped files now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(name))


@contextmanager
def timed(spent: dict[str, float], name: str) -> Iterator[None]:
    """Add the CPU seconds spent inside."""
    start = time.process_time()
    yield
    spent[name] += time.process_time() - start


if __name__ == "__main__":
    main()
