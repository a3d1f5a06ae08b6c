"""What the shell is told when the tabulator is pressed, as argcomplete asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


def complete(line: str, folder: Path, code: str = "") -> list[str]:
    """Return the words that may stand at the end of a line of the command `mixed-data`."""
    answer = folder / "answer"
    asked = {"COMP_LINE": line, "COMP_POINT": str(len(line.encode())), "_ARGCOMPLETE_COMP_WORDBREAKS": " "}
    asked |= {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
    asked |= {"PYTHONPATH": str(PROJECT), "_ARGCOMPLETE_SUPPRESS_SPACE": "1"}
    code = f"{code}\nfrom mixed_data.cli import main\nmain()"
    subprocess.run([sys.executable, "-c", code], env=os.environ | asked, check=False, cwd=folder, timeout=60)
    return answer.read_text().split("\n") if answer.exists() else []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mixed-data ", {"train", "compare", "audit", "evaluate", "info", "predict", "download"}),
        ("mixed-data ev", {"evaluate"}),
        ("mixed-data train --fusion w", {"weighted_sum", "weighted_product"}),
        ("mixed-data compare --image-branch p", {"patches", "pretrained"}),
        ("mixed-data predict --on-bad-row ", {"error", "skip", "mask"}),
        ("mixed-data train --tens", {"--tensorboard"}),
        ("mixed-data audit --q", {"--quiet"}),
        ("mixed-data info bun", {"bundle/"}),
    ],
)
def test_commands_options_and_values_are_completed(line, expected, tmp_path):
    (tmp_path / "bundle").mkdir()
    assert expected <= set(complete(line, tmp_path))


def test_neither_keras_nor_pandas_is_imported_for_it(tmp_path):
    watch = "import sys\nclass Refuse:\n    def find_spec(self, name, path=None, target=None):\n"
    watch += "        if name in ('keras', 'tensorflow', 'pandas', 'numpy', 'sklearn'):\n"
    watch += "            raise SystemExit(name)\n"
    watch += "sys.meta_path.insert(0, Refuse())"
    assert "weighted_sum" in complete("mixed-data train --fusion w", tmp_path, watch)
