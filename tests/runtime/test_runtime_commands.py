"""The command line where only the runtime is installed."""

from __future__ import annotations

import re
import subprocess
import sys

from mixed_data.cli import COMMANDS

_CODE = """
import sys
sys.modules["rich"] = sys.modules["joblib"] = None
from mixed_data.cli import main
sys.exit(main(sys.argv[1:]))
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _CODE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_predict_works_and_other_commands_say_what_to_install() -> None:
    train = run("train", "--rows", "40")
    assert (train.returncode, train.stdout) == (1, "")
    assert re.fullmatch(r"error: train needs [a-z.]+; type: pip install 'mixed_data\[train\]'\n", train.stderr)
    predict = run("predict", "--help")
    assert predict.returncode == 0
    assert "--coverage" in predict.stdout


def test_help_names_every_command() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    assert all(name in shown.stdout for name in COMMANDS)
