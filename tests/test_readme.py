"""What is particular about the README: its length, its test command, its picture. The rest is in tests/docs."""

from __future__ import annotations

import re

import pytest
from page_helpers import PAGES, ROOT, commands

from mixed_data.cli import main

README = PAGES["README.md"]


def test_it_is_short():
    assert len(README.splitlines()) <= 180


def test_the_test_command_installs_and_runs_pytest():
    block = re.search(r"<!-- test-command -->\n```bash\n(.*)\n```\n<!-- /test-command -->", README)
    assert block is not None
    assert "pip install -r requirements-dev.txt" in block[1]
    assert block[1].endswith("python -m pytest")


def test_the_picture_is_small_enough_to_load_at_once():
    for name in ("report.jpg", "page.jpg"):
        assert (ROOT / "docs" / name).stat().st_size < 200_000


@pytest.mark.parametrize("section", ["Deploy it", "Why this price?"])
def test_the_commands_of_a_section_run(section, hold_out_run, listings, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    served = []
    monkeypatch.setattr("uvicorn.run", lambda app, **_: served.append(app))
    places = {"runs/RUN/bundle": hold_out_run.folder / "bundle", "new.csv": listings}
    text = README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    found = [arguments for arguments in commands(text) if arguments]
    assert found
    for arguments in found:
        assert main([str(places.get(word, word)) for word in arguments]) == 0, capsys.readouterr().err
    if section == "Deploy it":
        assert len(served) == 1
        assert (tmp_path / "exported/model.onnx").is_file()
    else:
        assert len(list((tmp_path / "reasons").glob("*.png"))) == 2
