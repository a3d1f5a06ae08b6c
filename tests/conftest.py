"""Where the tests find the real data, how property tests run, and the trained networks that many tests share."""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pandas as pd
import pytest
from run_helpers import TINY_NETWORK, CommandRun, FoldsRun, make_once, run_command, run_folds, write_listings
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from audit_helpers import Homes
    from estimator_helpers import FittedStack
    from playwright.sync_api import Browser, BrowserContext, Page

    from mixed_data.estimator import MixedDataRegressor

SHARED = Path(__file__).resolve().parents[1].parent / "shared"

# A shared machine is no reason to fail, and a failure must be the same failure on the next run.
hypothesis.settings.register_profile("mixed_data", deadline=None, derandomize=True)
hypothesis.settings.load_profile("mixed_data")

# On a few rows threads only wait for each other, and there is a worker for each core.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(_variable, "1")


gc.disable()  # while all is imported that stays to the end


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what stays to the end: modules, all of TensorFlow, and the tests."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Hold also libraries to it that were imported before."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_copies_for_onnx() -> Iterator[None]:
    """Let tf2onnx fail where one of its passes does: to go on without that, it copies the graph before each."""
    if "tensorflow" not in sys.modules:
        yield
        return
    from tf2onnx import optimizer

    optimize = optimizer.optimize_graph
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optimizer, "optimize_graph", lambda graph, *_, **__: optimize(graph, catch_errors=False))
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the vectors of photos that shared fixtures compute out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIXED_DATA_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _own_cache_for_each_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXED_DATA_CACHE", str(tmp_path.with_name(f"{tmp_path.name} cache")))


@pytest.fixture
def empty_photo_cache() -> Iterator[None]:
    """Forget all photos that were read, before a test and after it."""
    from mixed_data.preprocessing.photo_memory import clear_photo_memory

    clear_photo_memory()
    yield
    clear_photo_memory()


@pytest.fixture(scope="session")
def houses_root() -> Path:
    """The folder that holds "Houses Dataset"."""
    return find_shared("MIXED_DATA_HOUSES", SHARED / "data/houses", holds="Houses Dataset/HousesInfo.txt")


@pytest.fixture(scope="session")
def mobilenet_weights() -> Path:
    """ImageNet weights of MobileNetV2 without its top, for tests without network."""
    return find_shared("MIXED_DATA_WEIGHTS", SHARED / "weights/mobilenet_v2_imagenet_notop.weights.h5", holds="")


def find_shared(variable: str, default: Path, *, holds: str) -> Path:
    """Return the path; without one, skip the test, or fail it where the variable asks for that path."""
    path = Path(os.environ.get(variable) or default)
    if (path / holds).exists():
        return path
    if os.environ.get(variable):
        pytest.fail(f"{variable} is set, but {path / holds} does not exist")
    pytest.skip(f"needs {path / holds}, or {variable} with another place")


# TensorFlow needs seconds to compile a network, so that these runs are made once per session, see run_helpers.py, and
# what is but files once for all workers. Tests must leave their folders as they are: copy what is to be changed.


@pytest.fixture(scope="session")
def listings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV as people have them, beside its photos: a missing cell, a missing file, one photo in two rows."""
    return make_once(tmp_path_factory, "listings", write_listings) / "listings.csv"


@pytest.fixture(scope="session")
def hold_out_run(listings: Path, tmp_path_factory: pytest.TempPathFactory) -> CommandRun:
    """``train`` with one held-out part, the networks "table" and "weighted_sum"."""
    arguments = ["train", "--dataset", "table", "--data", str(listings), "--networks", "table,weighted_sum"]
    arguments += [f"--{name.replace('_', '-')}={value}" for name, value in TINY_NETWORK.items()]
    folder = make_once(tmp_path_factory, "hold-out run", partial(run_command, arguments))
    return CommandRun(arguments, folder / "run", *json.loads((folder / "printed.json").read_text()))


@pytest.fixture(scope="session")
def folds_run(listings: Path, tmp_path_factory: pytest.TempPathFactory) -> FoldsRun:
    """Two folds of "weighted_sum" only, without intervals, with reference predictions that are 1 % too high."""
    return run_folds(listings, tmp_path_factory.mktemp("folds"))


# What the tests of the regressor share, see estimator_helpers.py.


@pytest.fixture(scope="session")
def sales(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Rows whose log price is what the area says, plus what only the brightness of the front says."""
    from estimator_helpers import make_sales

    return make_sales(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="session")
def fitted_regressor(sales: pd.DataFrame) -> MixedDataRegressor:
    """A network that has learned what there is to learn; no test fits it again."""
    from estimator_helpers import fit, make_regressor

    long = {"epochs": 20, "batch_size": 16, "patience": 20, "learning_rate": 0.02}
    return fit(make_regressor(target_transform="log", dropout=0.0, image_dropout=0.0, **long), sales)


@pytest.fixture(scope="session")
def quick_regressor(sales: pd.DataFrame) -> MixedDataRegressor:
    """A network after two epochs; no test fits it again."""
    from estimator_helpers import fit, make_regressor

    return fit(make_regressor(), sales)


@pytest.fixture(scope="session")
def fitted_stack(sales: pd.DataFrame) -> FittedStack:
    """A stack; no test fits it again."""
    from estimator_helpers import NO_PHOTOS, NO_TABLE, fit_stack

    table = sales[:40].astype({"zipcode": object})
    table.loc[[4, 5], list(NO_PHOTOS)] = None
    table.loc[[6, 7], list(NO_TABLE)] = None
    table.loc[9, "front"] = table.loc[8, "front"]
    return fit_stack(table)


@pytest.fixture
def without_training(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Leave networks as they are built, and give the arguments of `Training`, one dict per fit."""
    from estimator_helpers import eagerly

    calls: list[dict[str, Any]] = []

    class Untrained:
        """In the place of `Training`: no epoch."""

        def __init__(self, model: Any, inputs: object, target: object, settings: Any, **rows: Any) -> None:
            calls.append({"inputs": inputs, "target": target, **asdict(settings), **rows})
            model.fit = lambda: None
            self.arguments: dict[str, Any] = {}

        def losses(self, history: None) -> dict[str, list[float]]:
            return {"loss": [], "val_loss": []}

    monkeypatch.setattr("mixed_data.estimator.network_fit.Training", Untrained)
    with eagerly():
        yield calls


@pytest.fixture(scope="session")
def saved_bundle(quick_regressor: MixedDataRegressor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a bundle; tests copy it before they change anything."""
    path = tmp_path_factory.mktemp("saved") / "bundle"
    quick_regressor.save(path, metrics={"mape": 1.5})
    return path


@pytest.fixture
def copied_bundle(saved_bundle: Path, tmp_path: Path) -> Path:
    """Give a copy of the bundle, beside a file that nobody may open."""
    (tmp_path / "secret").write_text("{}")
    return shutil.copytree(saved_bundle, tmp_path / "bundle")


# What the tests of the audit share, see audit_helpers.py.


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    """A small table with photos and nothing wrong in it."""
    from audit_helpers import Homes

    return Homes(tmp_path)


@pytest.fixture
def many_homes(tmp_path: Path) -> Homes:
    """So many that outliers are looked for, too."""
    from audit_helpers import Homes

    return Homes(tmp_path, 70)


# What the tests of the service's page share, see browser_helpers.py. A browser is open no longer than a module, because
# it keeps an event loop running in this thread.


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a real browser."""
    from browser_helpers import open_browser
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = open_browser(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Give the address of a page whose bundle has hostile names."""
    from browser_helpers import make_home_predictor, serve

    with serve(make_home_predictor()) as address:
        yield address


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A window without history; whatever it asks for must stay on this machine, and no script of the page may fail."""
    context = browser.new_context()
    context.set_default_timeout(15_000)
    asked: list[str] = []
    errors: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("weberror", lambda error: errors.append(str(error.error)))
    context.on("console", lambda message: errors.append(message.text) if "Security Policy" in message.text else None)
    yield context
    context.close()
    assert errors == []
    assert [url for url in asked if not re.match(r"http://127\.0\.0\.1:\d+/|blob:|data:image/", url)] == []


@pytest.fixture
def page(context: BrowserContext, address: str) -> Page:
    """Give the open page."""
    from browser_helpers import open_page

    return open_page(context, address)
