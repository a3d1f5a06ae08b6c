"""What is particular about the README: its length, its test command, its picture. The rest is in tests/docs."""

from __future__ import annotations

import re

from page_helpers import PAGES, ROOT

README = PAGES["README.md"]


def test_it_is_short():
    assert len(README.splitlines()) <= 170


def test_the_test_command_installs_and_runs_pytest():
    block = re.search(r"<!-- test-command -->\n```bash\n(.*)\n```\n<!-- /test-command -->", README)
    assert block is not None
    assert "pip install -r requirements-dev.txt" in block[1]
    assert block[1].endswith("python -m pytest")


def test_the_picture_is_small_enough_to_load_at_once():
    assert (ROOT / "docs" / "report.jpg").stat().st_size < 200_000
