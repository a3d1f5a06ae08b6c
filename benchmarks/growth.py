"""How the CPU seconds of each stage outside training grow with the rows, on generated rows whose photos nobody draws.

A photo is a file of a few bytes with a hash drawn at random, one in fifty a copy, so that all is measured but decoding.

    python -m benchmarks.growth          # 1,000, 4,000 and 20,000 rows
    python -m benchmarks.growth --all    # and 100,000
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixed_data.audit.contradictions import find_contradictions
from mixed_data.audit.findings import make_subject
from mixed_data.audit.lookalikes import _nearest_earlier
from mixed_data.audit.outliers import find_outliers
from mixed_data.audit.photo_facts import PhotoFile, list_photos
from mixed_data.audit.repeated_rows import find_near_rows
from mixed_data.audit.shared_photos import find_shared_photos, find_unusable_photos, label_photos
from mixed_data.audit.target_leaks import find_leaks
from mixed_data.files.whole_files import write_csv
from mixed_data.readers.table import read_checked_rows
from mixed_data.schema import Schema
from mixed_data.split import find_links, k_fold

SIZES = (1_000, 4_000, 20_000)
VIEWS = ("front", "bath", "bed", "kitchen")
SCHEMA = Schema(
    target="price", numeric=("area", "rooms"), categorical=("style",), codes=("zipcode",), images=VIEWS, id="id"
)


def make_rows(num_rows: int, folder: Path) -> tuple[Path, dict[str, PhotoFile]]:
    """Write a CSV of rows and a tiny file per photo; return its path, and what reading the photos would tell."""
    random = np.random.default_rng(num_rows)
    area = random.uniform(50, 300, num_rows).round(1)
    table = pd.DataFrame(
        {
            "id": [f"H{row}" for row in range(num_rows)],
            "area": area,
            "rooms": random.integers(1, 9, num_rows),
            "style": random.choice(["loft", "ranch", "villa"], num_rows),
            "zipcode": random.integers(10_000, 10_200, num_rows).astype(str),
            "price": (2_000 * area * np.exp(random.normal(0, 0.2, num_rows))).round(-2),
        }
    )
    files = {}
    hashes = random.random((num_rows * len(VIEWS), 2, 256)) < 0.5
    for photo in range(len(hashes)):
        path = folder / f"{photo % 100}" / f"{photo}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{photo:9}" if photo % 50 else "a copy   ")
        facts = {"file size": float(random.integers(1_000, 9_000)), "shape": 1.5}
        files[str(path)] = PhotoFile(hashes=hashes[photo], facts=facts)
    for place, view in enumerate(VIEWS):
        table[view] = list(files)[place :: len(VIEWS)]
    write_csv(folder / "rows.csv", table)
    return folder / "rows.csv", files


def time_stages(num_rows: int) -> dict[str, float]:
    """Return the CPU seconds of each stage for so many rows."""
    seconds: dict[str, float] = {}

    def measure(stage: str, work: Callable[..., Any], *arguments: Any) -> Any:
        start = time.process_time()
        result = work(*arguments)
        seconds[stage] = time.process_time() - start
        return result

    with tempfile.TemporaryDirectory() as folder:
        data, files = make_rows(num_rows, Path(folder))
        table = measure("read and check", read_checked_rows, data, SCHEMA).usable
        links = measure("links by photo and row", find_links, table, SCHEMA)
        subject = measure("groups", make_subject, table, SCHEMA, links)
        measure("folds", k_fold, subject.groups, 5)
        photos = list_photos(subject.table, SCHEMA)
        hashes = np.array([file.hashes for file in files.values()])
        measure("look-alikes (*)", _nearest_earlier, hashes)
        blank = {path: PhotoFile(facts=file.facts) for path, file in files.items()}
        labelled = measure("labels of photos", label_photos, photos, blank)
        near = measure("nearly repeated rows", find_near_rows, subject)
        measure("shared photos", find_shared_photos, subject, labelled)
        measure("contradictions", find_contradictions, subject, labelled, near)
        measure("leaks", find_leaks, subject, photos, files)
        measure("unusable photos", find_unusable_photos, subject, photos, files)
        measure("outliers", find_outliers, subject)
    return seconds


def measure_growth(sizes: Sequence[int]) -> dict[str, float]:
    """Print the table, and return the exponent of each stage that takes a second, in the last step of the sizes."""
    time_stages(200)  # imports and first calls
    found = [time_stages(size) for size in sizes]
    exponents = {}
    heads = "".join(f" {size:>9,}" for size in sizes)
    print(f"{'CPU s, by rows':<24}{heads}  exponent of the last step")
    for stage in found[0]:
        cells = [seconds[stage] for seconds in found]
        exponent = math.log(max(cells[-1], 1e-3) / max(cells[-2], 1e-3)) / math.log(sizes[-1] / sizes[-2])
        print(f"{stage:<24}{''.join(f' {cell:9.2f}' for cell in cells)}  {exponent:5.2f}")
        if cells[-1] >= 1:
            exponents[stage] = exponent
    totals = [sum(seconds.values()) for seconds in found]
    print(f"{'all':<24}{''.join(f' {total:9.2f}' for total in totals)}")
    print("(*) exact up to 100,000 photos, and faster but quadratic; beyond, see mixed_data/audit/lookalikes.py")
    return exponents


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="also 100,000 rows, which takes minutes")
    measure_growth([*SIZES, *([100_000] if parser.parse_args().all else [])])


if __name__ == "__main__":
    main()
