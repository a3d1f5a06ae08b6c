"""A cell or a path is quoted shortly, however long it is."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pandas as pd
from picture_helpers import encode
from reliability import Case, documented

from mixed_data.audit import audit_table
from mixed_data.files.first_few import cut
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.schema import Schema

PICTURE = base64.b64encode(
    encode("PNG", np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
).decode()
LONG = "no word ends here" * 999


def test_a_long_text_is_cut_to_80_characters_and_a_short_one_is_left():
    assert cut(LONG) == f"{LONG[:77]}..."
    assert (cut("x" * 80), len(cut("x" * 81))) == ("x" * 80, 80)


@documented(
    "The audit",
    [Case("a picture, or pages of text, in a cell", "the beginning is quoted, at most 80 characters")],
)
def test_no_warning_and_no_finding_repeats_a_long_cell(case: Case, tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "name": [f"{LONG} {row}" for row in range(8)],
            "kind": [LONG] * 8,
            "note": [f"{LONG} {row // 4}" for row in range(8)],
            "front": [PICTURE, f"data:image/png;base64,{PICTURE}", f"/{'folder/' * 99}1.jpg", *["1.jpg"] * 5],
            "price": np.arange(8) + 1.0,
        }
    )
    schema = Schema(target="price", id="name", categorical=["kind", "note"], images=["front"])
    found = audit_table(table, schema).to_dict()["findings"]
    assert {finding["problem"] for finding in found} >= {"constant columns", "missing or broken photos"}
    preprocessor = MixedDataPreprocessor(schema, image_size=8).fit(table)
    warnings = preprocessor.transform(table.assign(kind=f"{LONG}!")).row_warnings
    texts = [
        *(case["note"] for finding in found for case in finding["cases"]),
        *(text for row in warnings for text in row),
    ]
    assert max(map(len, texts)) < 300
    assert max(len(name) for finding in found for case in finding["cases"] for name in case["ids"]) == 80
    assert PICTURE[40:80] not in json.dumps(found) + str(warnings)
