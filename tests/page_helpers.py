"""The pages a person reads, and what stands in their fenced blocks."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMES = ["README.md", "CONTRIBUTING.md", "datasets/README.md", "benchmarks/README.md"]
PAGES = {name: (ROOT / name).read_text("utf-8") for name in NAMES} | {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))
}


def fenced_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[list[str]]:
    """Return the arguments of every call of this package's command line in a page's shell blocks and code spans."""
    blocks = "".join(fenced_blocks(text, "bash")).replace("\\\n", "")
    parts = [part for line in [*blocks.splitlines(), *re.findall(r"`([^`\n]+)`", text)] for part in line.split("&&")]
    words = [part.split("#")[0].split() for part in parts]
    train, package = ["python", "train.py"], ["python", "-m", "mixed_data"]
    own = [(line, " ".join(line)) for line in words if line[:2] == train or line[:3] == package]
    return [shlex.split(text)[3:] if line[1] == "-m" else ["train", *shlex.split(text)[2:]] for line, text in own]
