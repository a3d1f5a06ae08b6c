"""What the tests of the audit share: a clean table with photos, to be spoilt."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from mixed_data.audit import Audit, Finding, audit_table
from mixed_data.schema import Schema

NUM_ROWS = 28  # too few to look for outliers, which is what takes time
SCHEMA = Schema(
    id="id",
    numeric=("area", "rooms"),
    categorical=("style",),
    codes=("zipcode",),
    images=("front", "kitchen"),
    target="price",
)


def draw(seed: int) -> Image.Image:
    """Return a picture like no other, with things of all sizes in it and one tint, as in a photo."""
    random = np.random.default_rng(seed)
    picture = Image.new("L", (128, 128))
    for side in (4, 8, 16, 32):
        pixels = Image.fromarray(random.integers(0, 256, (side, side), dtype=np.uint8))
        picture = Image.blend(picture, pixels.resize(picture.size, Image.Resampling.BICUBIC), 0.4)
    return ImageOps.colorize(picture, "black", tuple(random.integers(100, 256, 3).tolist()))


def encode(picture: Image.Image, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", **{"quality": 90, **options})
    return stream.getvalue()


PHOTOS = {(row, column): encode(draw(2 * row + (column == "front"))) for row in range(70) for column in SCHEMA.images}


@dataclass
class Homes:
    """A clean table of homes with two photos each, for tests to spoil."""

    folder: Path
    num_rows: int = NUM_ROWS
    table: pd.DataFrame = field(init=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng(1)
        area = random.uniform(60, 260, self.num_rows).round(1)
        rooms = random.integers(1, 7, self.num_rows)
        noise = np.exp(random.normal(0, 0.15, self.num_rows))
        columns = {
            "id": [f"H{row}" for row in range(self.num_rows)],
            "area": area,
            "rooms": rooms,
            "style": random.choice(["loft", "ranch", "villa"], self.num_rows),
            "zipcode": random.choice(["02139", "85255", "10001"], self.num_rows),
        }
        for column in SCHEMA.images:
            columns[column] = [str(self.folder / f"{row}_{column}.jpg") for row in range(self.num_rows)]
        self.table = pd.DataFrame({**columns, "price": (2_000 * area * (1 + 0.1 * rooms) * noise).round(-1)})
        for (row, column), content in PHOTOS.items():
            if row < self.num_rows:
                self.write(row, column, content)

    def write(self, row: int, column: str, content: bytes) -> None:
        Path(self.table.loc[row, column]).write_bytes(content)

    def copy_row(self, source: int, place: int) -> None:
        """Let one row have the cells of another, but its own id and photos."""
        cells = [*SCHEMA.features, "price"]
        self.table.loc[place, cells] = self.table.loc[source, cells].to_numpy()

    def audit(self, **options: Any) -> Audit:
        return audit_table(self.table, SCHEMA, **options)


def find(audit: Audit, problem: str) -> Finding:
    (found,) = [finding for finding in audit.findings if finding.problem == problem]
    return found


def problems(audit: Audit) -> list[str]:
    return [finding.problem for finding in audit.findings]


def declare_sides(homes: Homes) -> None:
    """Add a column that says which rows are for training."""
    homes.table["part"] = ["train"] * 20 + ["test"] * 8
