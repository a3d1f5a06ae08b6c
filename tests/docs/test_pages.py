"""What the pages show is true: their Python blocks run, their commands parse, their links lead somewhere."""

from __future__ import annotations

import re
from contextlib import nullcontext

import pytest
from estimator_helpers import one_step
from page_helpers import PAGES, ROOT, commands, fenced_blocks

from mixed_data.cli import make_parser

WITH_PYTHON = [name for name, text in PAGES.items() if fenced_blocks(text, "python")]
COMMANDS = {" ".join(arguments): arguments for text in PAGES.values() for arguments in commands(text)}


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_python_blocks_run_one_after_the_other(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "a_page"}
    # Not the front page, which is as people type it, nor the page that says what is learned.
    with nullcontext() if page in ("README.md", "docs/merging.md") else one_step():
        for number, block in enumerate(fenced_blocks(PAGES[page], "python")):
            exec(compile(block, f"{page}, Python block {number}", "exec"), namespace)


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_commands_are_understood(arguments):
    if arguments and not {"--help", "--version"} & set(arguments):
        assert make_parser().parse_args(arguments).run


@pytest.mark.parametrize("page", PAGES)
def test_links_to_files_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)", PAGES[page])
    targets += re.findall(r"^:link: (\S+)$", PAGES[page], re.MULTILINE)
    folder = (ROOT / page).parent
    here = [target for target in targets if not re.match(r"https?:|mailto:", target)]
    places = {target: [folder / target, folder / f"{target}.md", ROOT / target] for target in here}
    assert [target for target, paths in places.items() if not any(path.exists() for path in paths)] == []


@pytest.mark.parametrize("page", PAGES)
def test_scripts_that_a_page_names_are_there(page):
    files = re.findall(r"python3? ((?:\w+/)*\w+\.py)\b", PAGES[page])
    modules = re.findall(r"python3? -m ((?:benchmarks|examples|tests)[.\w]*\w)", PAGES[page])
    named = [ROOT / file for file in files] + [ROOT / f"{module.replace('.', '/')}.py" for module in modules]
    assert [file for file in named if not file.is_file()] == []


def test_python_blocks_and_commands_are_found_at_all():
    assert {"README.md", "docs/merging.md", "docs/own_data.md", "docs/bundles.md"} <= set(WITH_PYTHON)
    assert len(COMMANDS) >= 15
