"""docs/reliability.md says what the tests test."""

from __future__ import annotations

from reliability import DOCUMENT, write_document


def test_the_document_is_what_the_tests_say() -> None:
    assert DOCUMENT.read_text("utf-8") == write_document(), "run: python -m tests.reliability"
