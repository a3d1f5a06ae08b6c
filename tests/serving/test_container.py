"""The recipe of the container, as far as it can be checked without building it; the hosted CI builds it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = [
    line for line in (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ").splitlines() if line[:1].isupper()
]


def lines_of(verb):
    return [line.split(maxsplit=1)[1] for line in LINES if line.split()[0] == verb]


def test_everything_that_is_copied_exists_and_is_not_ignored():
    sources = [word for line in lines_of("COPY") for word in line.split()[:-1] if not word.startswith("--")]
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert "mixed_data" in sources
    assert [word for word in sources if not (ROOT / word).exists()] == []
    assert ignored[0] == "*"
    assert {f"!{word}" for word in sources} == set(ignored[1:]) - {"**/__pycache__"}


def test_what_the_package_is_built_from_is_copied():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    dynamic = project["tool"]["setuptools"]["dynamic"]
    extras = dynamic["optional-dependencies"].values()
    needed = {file for entry in (dynamic["dependencies"], *extras) for file in entry["file"]}
    needed |= {project["project"]["readme"], *project["project"]["license-files"]}
    copied = {word for line in lines_of("COPY") for word in line.split()[:-1]}
    assert needed - copied - {"requirements-runtime.txt"} <= copied
    assert needed <= copied


def test_it_runs_the_service_as_nobody_and_asks_for_its_health():
    assert lines_of("USER")[-1] not in ("root", "0")
    assert LINES.index(next(line for line in LINES if line.startswith("USER"))) < LINES.index(
        next(line for line in LINES if line.startswith("ENTRYPOINT"))
    )
    assert "/readyz" in lines_of("HEALTHCHECK")[0]
    assert '"serve"' in lines_of("ENTRYPOINT")[0]
    assert any('".[serve]"' in line for line in lines_of("RUN"))


@pytest.mark.parametrize("command", ["ENTRYPOINT", "CMD"])
def test_its_command_is_understood(command):
    from mixed_data.cli import make_parser

    words = [word for line in (*lines_of("ENTRYPOINT"), *lines_of("CMD")) for word in re.findall(r'"([^"]*)"', line)]
    assert words[:3] == ["python", "-m", "mixed_data"]
    options = make_parser().parse_args(words[3:])
    assert (str(options.bundle), options.host, options.port) == ("/bundle", "0.0.0.0", 8000)
    assert command in {line.split()[0] for line in LINES}


def test_the_hosted_ci_builds_it_and_asks_it_once():
    workflow = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    assert "docker build" in workflow
    assert "/readyz" in workflow
