"""Files appear whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys

import pandas as pd
import pytest

from mixed_data.files.checked_json import write_json
from mixed_data.files.whole_files import exchange, replacing, write_csv

LIMITED = """
import resource, signal, sys
from pathlib import Path
from mixed_data.files.whole_files import write_csv
import pandas as pd
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
write_csv(Path(sys.argv[1]), pd.DataFrame({"number": range(100_000)}))
"""


def test_a_file_that_does_not_fit_leaves_the_old_one(tmp_path):
    file = tmp_path / "numbers.csv"
    file.write_text("old")
    result = subprocess.run([sys.executable, "-c", LIMITED, str(file)], capture_output=True, text=True)
    assert f"{file} cannot be written: File too large" in result.stderr
    assert os.listdir(tmp_path) == ["numbers.csv"]
    assert file.read_text() == "old"


def test_a_folder_that_has_vanished_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone/numbers\.json cannot be written: No such file or directory"):
        write_json(tmp_path / "gone" / "numbers.json", [1])
    with pytest.raises(OSError, match=r"gone/numbers\.csv cannot be written"):
        write_csv(tmp_path / "gone" / "numbers.csv", pd.DataFrame({"number": [1]}))


def test_an_error_leaves_the_old_file(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("old")
    with pytest.raises(UnicodeEncodeError), replacing(file) as temporary:
        temporary.write_text("new, and a lone half \ud800", encoding="utf-8")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"notes.txt": "old"}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no exchange of two folders")
def test_two_folders_are_exchanged_in_one_step_or_not_at_all(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text").write_text(name)
    assert exchange(tmp_path / "new", tmp_path / "old")
    assert [(tmp_path / name / "text").read_text() for name in ("old", "new")] == ["new", "old"]
    assert not exchange(tmp_path / "new", tmp_path / "missing")
    assert sorted(os.listdir(tmp_path)) == ["new", "old"]
