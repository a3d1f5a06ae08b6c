"""The table of docs/reliability.md, gathered from the tests' own parameters so that it cannot drift from them.

``python -m tests.reliability`` writes the file; a test fails while it differs.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

DOCUMENT = Path(__file__).parents[1] / "docs" / "reliability.md"
INTRODUCTION = """# What happens when something is wrong

The right number, a masked photo or cell that is reported with its row, or a clear error: nothing else. Each line is a
parameter of the test beside it; `python -m tests.reliability` writes this file from them.
"""


@dataclass(frozen=True)
class Case:
    """One thing that can be wrong, and what the program does about it.

    Attributes:
        name: what is wrong, as a user would say it; also the id of the test.
        result: what the program does, one short sentence or phrase.
        given: what the test needs to make it.
        expected: what the test checks the outcome against.
    """

    name: str
    result: str
    given: Any = None
    expected: Any = None


class Entry(NamedTuple):
    """One line of the document."""

    section: str
    case: Case
    test: str


_ENTRIES: list[Entry] = []


def documented(section: str, cases: Sequence[Case]) -> Callable[[Callable[..., None]], Any]:
    """Run a test once per case, as its argument ``case``, and list the cases under a heading of the document."""

    def parametrize(test: Callable[..., None]) -> Any:
        _ENTRIES.extend(Entry(section, case, f"{test.__module__}.py::{test.__name__}") for case in cases)
        return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])(test)

    return parametrize


def write_document() -> str:
    """Return the document's text, of all test modules that use `documented`."""
    for file in sorted(Path(__file__).parent.glob("*/test_*.py")):
        if "from reliability import" in file.read_text("utf-8"):
            sys.path.insert(0, str(file.parent))
            importlib.import_module(file.stem)
    parts = [INTRODUCTION]
    entries = sorted(_ENTRIES, key=lambda entry: entry.test.partition("::")[0])  # pytest imports in any order
    for section in dict.fromkeys(entry.section for entry in entries):
        parts.append(f"\n## {section}\n\n| case | result | test |\n|---|---|---|\n")
        parts += [
            f"| {_cell(case.name)} | {_cell(case.result)} | `{test}` |\n"
            for found, case, test in entries
            if found == section
        ]
    return "".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    # Under its own name, so that the tests fill the list of the module that they import.
    sys.path.insert(0, str(Path(__file__).parent))
    DOCUMENT.write_text(importlib.import_module("reliability").write_document(), "utf-8")
