"""Does `load_photo` give a picture or a `PhotoError` for whatever bytes it is fed, quickly and in little memory?

    python -m benchmarks.fuzz_photos --cases 20000 --seed 0

Damages small pictures of all formats (`benchmarks.photo_files`) and loads each, twice. What is wrong: any other
exception, an array of another shape or type, two loads that differ (memory that nobody wrote shows as pixels), and what
`benchmarks.fuzzing` says of every case: more than 5 s, more than 1 GB, a process that dies.
"""

from __future__ import annotations

import traceback
import warnings
from functools import partial
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.fuzzing import Case, MakeCase, fuzz
from benchmarks.photo_files import damage_picture, make_pictures
from mixed_data.preprocessing.photo_decoding import RESIZE_POLICIES, PhotoError, load_photo
from mixed_data.preprocessing.photo_memory import clear_photo_memory

SIZE = 64
GOOD = ("a picture", "PhotoError")


def load_twice(path: Path, resize: str) -> tuple[str, str]:
    """Load a file and say what came: one of `GOOD`, or what was wrong; and the reason."""
    photos = []
    try:
        for _ in range(2):
            clear_photo_memory()  # two files that one path held within a clock tick look the same to it
            photos.append(load_photo(str(path), SIZE, SIZE, resize=resize))
    except PhotoError as error:
        return "PhotoError", str(error)
    except Exception:
        return "another exception", traceback.format_exc()
    if any(photo.shape != (SIZE, SIZE, 3) or photo.dtype != np.uint8 for photo in photos):
        return "not a photo", f"{photos[0].dtype} {photos[0].shape}"
    return ("a picture", "") if np.array_equal(photos[0], photos[1]) else ("two different pictures", "")


def prepare(folder: Path, seed: int) -> MakeCase:
    """Return what makes the case of a number: a damaged file and a resize policy."""
    warnings.simplefilter("ignore")
    pictures, path = make_pictures(), folder / "photo"

    def make_case(number: int) -> Case:
        random = Random(f"{seed} {number}")
        name = random.choice(list(pictures))
        content = damage_picture(name, pictures, random)
        path.write_bytes(content)
        return Case(name.split()[0], content, partial(load_twice, path, RESIZE_POLICIES[number % len(RESIZE_POLICIES)]))

    return make_case


if __name__ == "__main__":
    fuzz(__doc__, prepare, GOOD, num_cases=20_000)
