"""A folder is written by one process at a time, and a dead process holds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mixed_data.files.locks import locked

HOLD = """
import sys
from pathlib import Path
from mixed_data.files.locks import locked
with locked(Path(sys.argv[1]), Path("it")):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_ends_with_its_process_and_leaves_no_file(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        for _ in range(2):  # being refused changes nothing for the next one
            with pytest.raises(BlockingIOError, match=f"it is being written by process {holder.pid} on "):
                locked(tmp_path / "lock", Path("it")).__enter__()
        holder.kill()
    assert (tmp_path / "lock").exists()
    with locked(tmp_path / "lock", Path("it")):
        pass
    assert os.listdir(tmp_path) == []


def test_a_lock_is_held_against_its_own_process_too(tmp_path):
    message = f"it is being written by process {os.getpid()} on .*; wait for it, or stop it"
    with locked(tmp_path / "lock", Path("it")), pytest.raises(BlockingIOError, match=message):
        locked(tmp_path / "lock", Path("it")).__enter__()


def test_a_lock_without_a_name_is_a_lock(tmp_path):
    with locked(tmp_path / "lock", Path("it")):
        (tmp_path / "lock.holder").unlink()
        with pytest.raises(BlockingIOError, match="by another process"):
            locked(tmp_path / "lock", Path("it")).__enter__()


def test_an_error_and_a_folder_that_moved_give_the_lock_back(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(KeyError), locked(folder / "lock", folder):
        raise KeyError
    with locked(folder / "lock", folder):
        folder.rename(tmp_path / "away")
        folder.mkdir()
        with locked(folder / "lock", folder):
            pass
    assert os.listdir(folder) == []
