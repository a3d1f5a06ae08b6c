"""What the README shows is true: its Python blocks run, its commands parse, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from mixed_data.cli import make_parser

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def fenced_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in fenced_blocks("bash") for line in block.replace("\\\n", "").splitlines()]
    parts = [part for line in lines for part in line.split("&&")]
    words = [shlex.split(part, comments=True) for part in parts]
    starts = (["python", "train.py"], ["python", "-m", "mixed_data"])
    own = [line for line in words if line[:2] == starts[0] or line[:3] == starts[1]]
    return [["train", *line[2:]] if line[1] == "train.py" else line[3:] for line in own]


def test_python_blocks_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    blocks = fenced_blocks("python")
    assert len(blocks) >= 6
    for number, block in enumerate(blocks):
        exec(compile(block, f"README.md, Python block {number}", "exec"), namespace)


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_commands_are_understood(arguments):
    assert make_parser().parse_args(arguments).run


def test_links_to_files_lead_somewhere():
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)\)", README) if not target.startswith("http")]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_test_command_installs_and_runs_pytest():
    block = re.search(r"<!-- test-command -->\n```bash\n(.*)\n```\n<!-- /test-command -->", README)
    assert block is not None
    assert "pip install -r requirements-dev.txt" in block[1]
    assert block[1].endswith("python -m pytest")
