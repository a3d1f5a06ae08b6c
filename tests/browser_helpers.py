"""What the tests of the page share: a real browser, a service in a thread, and a bundle whose names are hostile."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import uvicorn
from explain_helpers import KnownModel, make_photo
from playwright.sync_api import Browser, BrowserContext, Page, Playwright
from serving_helpers import make_predictor

from mixed_data.bundle.comparable_rows import ComparableRows
from mixed_data.intervals.calibrated_intervals import CalibratedIntervals
from mixed_data.prediction.missing_patterns import PATTERNS
from mixed_data.schema import Schema
from mixed_data.schema.column_formats import learn_formats
from mixed_data.serving import make_app

# Chromium asks its maker for news of its own accord; with these it does not, and no name but this computer's is found.
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
)
MARKUP = '<img src=x onerror="window.hacked=1">'
LEVEL = "<script>window.hacked=1</script>"
HOME = Schema(
    target="price [$]",
    numeric=("area", MARKUP),
    categorical=("style",),
    codes=("zip",),
    dates=("built",),
    images=("front", "kitchen", "rooms"),
)
HOMES = pd.DataFrame(
    {
        "area": [100.0, 150.0, 300.0],
        MARKUP: ["1.200,5", "900,25", "2.000,75"],
        "style": [LEVEL, "ranch", LEVEL],
        "zip": ["1", "2", "1"],
        "built": ["1950-01-31", "1980-06-01", "2020-12-24"],
        "front": "a.jpg",
        "kitchen": "b.jpg",
        "rooms": "c.jpg;d.jpg",
    }
)
BRIGHT, DARK = make_photo(200, corner=255), make_photo(60, corner=20)


def open_browser(playwright: Playwright) -> Browser:
    """Start Debian's Chromium, or the one that Playwright installs; without either, skip or fail."""
    found = shutil.which("chromium") or playwright.chromium.executable_path
    if not Path(found).exists():
        reason = "needs Chromium: apt-get install chromium, or python -m playwright install chromium"
        if os.environ.get("CI") or os.environ.get("MIXED_DATA_NEEDS_CHROMIUM"):
            pytest.fail(reason)
        pytest.skip(reason)
    return playwright.chromium.launch(executable_path=found, args=list(QUIET))


@contextmanager
def serve(predictor: Any, **options: Any) -> Iterator[str]:
    """Serve a predictor on a free port; gives the address of its page."""
    app = make_app(predictor, **options)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < end
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def make_home_predictor() -> Any:
    """Make a predictor on a logarithmic scale, with intervals that are wider without photos."""
    predictor = make_predictor(learn_formats(HOME, HOMES), HOMES)
    known = KnownModel(method="log")
    model = predictor.model
    model.target_transformer_, model.image_branch = known.target_transformer_, "cnn"
    model.predict_members = lambda table, inputs: _add_up(table, inputs)
    names = [name for name in PATTERNS for _ in range(60)]
    prediction = np.full(len(names), 200.0)
    errors = np.tile(np.linspace(-1, 1, 60), len(PATTERNS)) * [0.4 if name == "all" else 0.6 for name in names]
    model.calibrator_ = CalibratedIntervals("log").fit(
        prediction * np.exp(errors), prediction, difficulty=np.zeros((len(names), 1)), pattern=names
    )
    comparables = ComparableRows.learn(model.preprocessor_, HOMES.assign(**{"price [$]": [150.0, 250.0, 900.0]}))
    predictor.has_intervals = predictor.has_comparables = True
    predictor.find_comparables = comparables.find
    return predictor


def _add_up(table: pd.DataFrame, inputs: Any) -> np.ndarray:
    """0.5 for zip 1, 0.01 per area, and the brightness of each photo's corner: one member."""
    area = pd.to_numeric(table["area"]).fillna(0).clip(upper=10_000).to_numpy(dtype="float64") / 100
    photos = (inputs["images"][:, :, 0] * inputs["image_mask"]).sum(axis=1)
    return (area + 0.5 * (table["zip"] == "1").to_numpy() + photos)[:, None]


def open_page(context: BrowserContext, address: str) -> Page:
    """Open the page, and wait until its form is there."""
    page = context.new_page()
    page.goto(address)
    page.locator("#work").wait_for()
    return page


def fill(page: Page, **cells: str) -> None:
    """Fill in fields by their labels."""
    for label, cell in cells.items():
        page.get_by_label(label, exact=True).fill(cell)


def upload(page: Page, label: str, *photos: bytes) -> None:
    """Choose photos, named 0.png and so on."""
    files = [{"name": f"{number}.png", "mimeType": "image/png", "buffer": one} for number, one in enumerate(photos)]
    page.locator("input[type=file]").and_(page.get_by_label(label)).set_input_files(files)  # type: ignore[arg-type]


def estimate(page: Page) -> None:
    """Ask, and wait until the reasons are there."""
    page.get_by_role("button", name="Estimate").click()
    page.locator("#reasons section").first.wait_for()
