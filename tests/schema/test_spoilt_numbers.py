"""Numbers with words or units among them are neither the id nor labels: the reason says what to correct."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from reliability import Case, documented

from mixed_data.schema import Schema

ROWS = range(40)
AREAS = [f"{50 + 3.5 * row}" for row in ROWS]


def infer(cells: list) -> tuple[Schema, str]:
    table = pd.DataFrame({"size": pd.Series(cells, dtype=object), "price": np.linspace(1, 2, len(cells))})
    schema = Schema.infer(table)
    return schema, schema.reasons["size"]


def mixed(words: list[str], step: int) -> list[str]:
    return [words[row // step % len(words)] if row % step == 0 else AREAS[row] for row in ROWS]


UNCLEAR = "left out, never the id"


@documented(
    "Columns of numbers",
    [
        Case("a seventh are words for unknown", UNCLEAR, mixed(["unknown", "?"], 7), "only 34 of 40 cells are numbers"),
        Case("half of them are dashes", UNCLEAR, mixed(["-"], 2), "only 20 of 40 cells are numbers; correct or empty"),
        Case(
            "numbers and words in the cells of a DataFrame",
            UNCLEAR,
            [float(cell) if row % 5 else "n.a." for row, cell in enumerate(AREAS)],
            "only 32 of 40 cells are numbers; correct or empty others such as 'n.a.'",
        ),
        Case("all with a unit (50 m2)", UNCLEAR, [f"{cell} m2" for cell in AREAS], "numbers with the unit 'm2'; write"),
        Case("all with a unit (50m²)", UNCLEAR, [f"{cell}m²" for cell in AREAS], "numbers with the unit 'm²'; write"),
        Case(
            "all with a unit (1,200 sq ft)",
            UNCLEAR,
            [f"1,2{row:02} sq ft" for row in ROWS],
            "numbers with the unit 'sq ft'; write the numbers alone",
        ),
    ],
)
def test_spoilt_numbers_are_left_out_with_what_to_correct(case: Case) -> None:
    schema, reason = infer(case.given)
    assert (schema.id, schema.categorical, schema.numeric) == (None, (), ())
    assert reason.startswith(case.expected)


@pytest.mark.parametrize(
    ("cells", "role"),
    [
        (mixed(["unknown"], 11), "numeric"),  # 90 % are numbers: each word is reported with its row
        ([f"{row % 4 + 1} rooms" for row in ROWS], "categorical"),
        (["1", "2", "3a", "3b"] * 10, "categorical"),
        ([f"{row // 2}{'ab'[row % 2] * (row // 2 % 2)}" for row in [*ROWS, *ROWS]], "categorical"),  # 0, 1a, 1b, 2
        ([f"A{row}" for row in ROWS], "id"),
        ([f"{row} Main Street" for row in ROWS], "id"),
        ([f"2024-{row}x" for row in ROWS], "id"),
    ],
)
def test_other_columns_keep_their_role(cells: list, role: str) -> None:
    schema, _ = infer(cells)
    assert (schema.numeric, schema.categorical, schema.id) == (
        ("size",) if role == "numeric" else (),
        ("size",) if role == "categorical" else (),
        "size" if role == "id" else None,
    )
