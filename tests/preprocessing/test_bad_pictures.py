"""Whatever stands where a photo should: the documented result for its row, and not one other bit changes."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from picture_helpers import MASKED, NO_PERMISSION, SHOWN, SIZE, Shows, encode, quarters, with_odd_exif
from PIL import ImageFile
from reliability import Case, documented

from benchmarks.fuzz_photos import GOOD, load_twice
from benchmarks.photo_files import damage_picture, make_pictures
from mixed_data.preprocessing import Inputs, MixedDataPreprocessor, photo_decoding
from mixed_data.preprocessing.photo_decoding import load_photo
from mixed_data.preprocessing.photo_memory import clear_photo_memory
from mixed_data.preprocessing.photo_problems import PhotoError
from mixed_data.schema import Schema
from mixed_data.schema.photo_paths import show_path

if TYPE_CHECKING:
    from mixed_data.estimator import MixedDataRegressor

ROOT = Path(__file__).parents[2]
NUM_ROWS, BAD_ROW = 6, 2
OTHERS = [row for row in range(NUM_ROWS) if row != BAD_ROW]
ORDINARY_USER = 65534


@pytest.fixture(scope="module")
def house_folder() -> Iterator[Path]:
    """A folder that every user of the machine may read, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def houses(house_folder: Path) -> pd.DataFrame:
    """Rows in order, each with two good photos, and the columns that `quick_regressor` reads."""
    random = np.random.default_rng(0)
    rows = []
    for row in range(NUM_ROWS):
        paths = {view: house_folder / f"{row}_{view}.png" for view in ("front", "back")}
        for path in paths.values():
            path.write_bytes(encode("PNG", random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)))
        rows.append(
            {"area": 60.0 + 11 * row, "kind": "flat", "zipcode": 85255, **{v: str(p) for v, p in paths.items()}}
        )
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def preprocessor(houses: pd.DataFrame) -> MixedDataPreprocessor:
    schema = Schema(
        target="price", numeric=("area",), categorical=("kind",), codes=("zipcode",), images=("front", "back")
    )
    return MixedDataPreprocessor(schema, image_size=SIZE).fit(houses)


@pytest.fixture(scope="module")
def before(preprocessor: MixedDataPreprocessor, houses: pd.DataFrame) -> Inputs:
    inputs = preprocessor.transform(houses)
    assert inputs["image_mask"].all()
    assert inputs.row_warnings == [[]] * NUM_ROWS
    return inputs


@dataclass(frozen=True)
class Place:
    """The table with one photo put in place of a good one."""

    table: pd.DataFrame
    path: str
    reader: AbstractContextManager[None]


@pytest.fixture
def place(case: Case, houses: pd.DataFrame, house_folder: Path) -> Place:
    folder = Path(tempfile.mkdtemp(dir=house_folder))
    folder.chmod(0o755)
    path = case.given(folder)
    table = houses.copy()
    table.loc[BAD_ROW, "front"] = path
    return Place(table, path, as_ordinary_user() if case is NO_PERMISSION else contextlib.nullcontext())


@contextlib.contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Root may read everything, so that where the tests run as root, another user has to be it for a moment."""
    if not hasattr(os, "geteuid"):
        pytest.skip("this system has no permissions of this kind")
    user = os.geteuid()
    if user == 0:
        try:
            os.seteuid(ORDINARY_USER)
        except OSError:
            pytest.skip("runs as root, who may read everything, and may not become another user")
    try:
        yield
    finally:
        os.seteuid(user)


@documented("Pictures", [*MASKED, *SHOWN])
def test_a_row_gets_what_is_documented_and_no_bit_of_another_changes(
    case: Case, place: Place, preprocessor: MixedDataPreprocessor, before: Inputs
) -> None:
    with place.reader:
        after = preprocessor.transform(place.table)
    assert after.keys() == before.keys()
    for name, array in after.items():
        assert array[OTHERS].tobytes() == before[name][OTHERS].tobytes(), name
    assert [after.row_warnings[row] for row in OTHERS] == [[]] * len(OTHERS)
    assert after["tabular"][BAD_ROW].tobytes() == before["tabular"][BAD_ROW].tobytes()
    assert after["images"][BAD_ROW, 1].tobytes() == before["images"][BAD_ROW, 1].tobytes()
    is_shown = isinstance(case.expected, Shows)
    assert after["image_mask"][BAD_ROW].tolist() == [is_shown, True]
    photo = after["images"][BAD_ROW, 0]
    if is_shown:
        check_colours(photo, case.expected)
        assert after.row_warnings[BAD_ROW] == []
    else:
        assert not photo.any()
        (warning,) = after.row_warnings[BAD_ROW]
        assert warning.startswith(f"front: {show_path(place.path)}: {case.expected}")


def check_colours(photo: np.ndarray, shows: Shows) -> None:
    """Compare every pixel, but in a lossy file only those beside no edge."""
    rows = np.arange(SIZE) if shows.tolerance < 2 else np.array([0, 1, SIZE - 2, SIZE - 1])
    expected = quarters(SIZE, shows.colours)
    here = np.ix_(rows, rows)
    np.testing.assert_allclose(photo[here].astype(int), expected[here].astype(int), atol=shows.tolerance)


@pytest.mark.parametrize("case", [*MASKED, *SHOWN], ids=lambda case: case.name)
def test_no_bit_of_another_rows_prediction_changes(
    case: Case, place: Place, houses: pd.DataFrame, quick_regressor: MixedDataRegressor
) -> None:
    good = quick_regressor.predict_rows(houses)
    with place.reader:
        rows = quick_regressor.predict_rows(place.table)
    assert rows["prediction"][OTHERS].to_numpy().tobytes() == good["prediction"][OTHERS].to_numpy().tobytes()
    is_shown = isinstance(case.expected, Shows)
    assert rows["images_used"].tolist() == [2 if row != BAD_ROW or is_shown else 1 for row in range(NUM_ROWS)]
    assert (rows["warnings"][OTHERS] == "").all()
    reason = "" if is_shown else f"front: {show_path(place.path)}: {case.expected}"
    assert re.match(re.escape(reason) + ("$" if is_shown else ""), rows["warnings"][BAD_ROW])
    assert np.isfinite(rows["prediction"][BAD_ROW])


@documented(
    "Pictures",
    [
        Case(
            "`PIL.ImageFile.LOAD_TRUNCATED_IMAGES` is on in the process",
            "an error, since half a photo would pass for a whole one",
        )
    ],
)
def test_a_process_that_lets_half_photos_pass_is_told_so(
    case: Case, preprocessor: MixedDataPreprocessor, houses: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(ValueError, match="LOAD_TRUNCATED_IMAGES is on"):
        preprocessor.transform(houses)


def test_what_pillow_warns_of_reaches_nobody_and_costs_no_photo(
    preprocessor: MixedDataPreprocessor, houses: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(with_odd_exif())
    with pytest.warns(UserWarning, match="Skipping tag"):
        load_photo(str(path), SIZE, SIZE)
    clear_photo_memory()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert preprocessor.transform(houses.assign(front=str(path)))["image_mask"].all()


def test_a_jpeg_with_something_after_its_end_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode("JPEG") + bytes(4096))
    check_colours(load_photo(str(path), SIZE, SIZE), Shows(quarters(2), 4))


def test_an_end_mark_in_the_header_is_not_the_end_of_a_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    content = encode("JPEG", comment=b"\xff\xd9")
    path.write_bytes(content)
    check_colours(load_photo(str(path), SIZE, SIZE), Shows(quarters(2), 4))
    path.write_bytes(content[:-100] + bytes(4096))
    with pytest.raises(PhotoError, match="end mark is missing"):
        load_photo(str(path), SIZE, SIZE)


# --- memory, in processes of their own -----------------------------------------------------------

MEASURE = """
import os, sys
import pandas as pd
from mixed_data.preprocessing import ImagePreprocessor

def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024

os.cpu_count = lambda: 8
table = pd.DataFrame({"front": sys.argv[1:]})
preprocessor = ImagePreprocessor(["front"], size=64).fit(table)
start = peak()
mask = preprocessor.transform(table)[1]
print(int(mask.sum()), peak() - start)
"""
LARGE = {"JPEG": (2, {}), "PNG": (7, {"compress_level": 1}), "JPEG progressive": (3, {"progressive": True})}
MOST_MEGABYTES = 240


def test_bombs_and_a_folder_of_large_photos_take_no_more_memory_than_max_pixels(tmp_path: Path) -> None:
    """Eight threads for twelve photos of 24 million pixels; two PNG at a time take 184 MB, all seven take 644."""
    if not Path("/proc/self/status").exists():
        pytest.skip("reads the peak from Linux' /proc")
    paths = [bomb_in(tmp_path, case) for case in MASKED if "bomb" in case.name or "10 GB" in case.name]
    assert len(paths) == 2
    for kind, (num_photos, options) in LARGE.items():
        data = encode(kind.split()[0], np.zeros((4_000, 6_000, 3), np.uint8), **{"subsampling": 2, **options})
        for number in range(num_photos):
            paths.append(str(tmp_path / f"{kind} {number}"))
            Path(paths[-1]).write_bytes(data)
    command = [sys.executable, "-c", MEASURE, *paths]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    loaded, megabytes = map(float, run.stdout.split())
    assert loaded == 12
    assert megabytes < MOST_MEGABYTES


def bomb_in(folder: Path, case: Case) -> str:
    place = Path(tempfile.mkdtemp(dir=folder))
    return case.given(place)


def test_threads_wait_for_pixels_and_get_them_back_after_an_error() -> None:
    budget, inside, most = photo_decoding._PixelBudget(10), [], []

    def decode(number: int) -> None:
        with contextlib.suppress(OSError), budget.spend(99 if number == 3 else 4):
            inside.append(number)
            most.append(sorted(inside))
            time.sleep(0.005)
            inside.remove(number)
            raise OSError

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(decode, range(8)))
    assert len(most) == 8
    assert max(map(len, most)) == 2
    assert [3] in most  # larger than all there is: alone
    assert not any(3 in together for together in most if together != [3])


# --- a short run of the benchmark ----------------------------------------------------------------


def test_damaged_files_give_a_photo_or_a_reason_the_same_one_each_time(tmp_path: Path) -> None:
    pictures, random = make_pictures(), Random(0)
    found = set()
    for name in pictures:
        for number in range(16):
            path = tmp_path / f"{name} {number}"
            path.write_bytes(damage_picture(name, pictures, random))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcome, reason = load_twice(path, "crop")
            assert outcome in GOOD, f"{path}: {outcome}: {reason}"
            found.add(outcome)
    assert found == set(GOOD)


@pytest.mark.parametrize("name", make_pictures())
def test_the_undamaged_files_are_pictures(tmp_path: Path, name: str) -> None:
    (tmp_path / "photo").write_bytes(make_pictures()[name])
    assert load_twice(tmp_path / "photo", "pad") == ("a picture", "")
