"""A store of records finds what was written as it was written, whatever is killed, damaged or removed meanwhile."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mixed_data.files import record_store
from mixed_data.files.record_store import NOWHERE, RecordStore
from mixed_data.files.user_cache import user_cache

NUM_BYTES = 100
MADE = "0" * 64


def make(made: str = MADE) -> RecordStore:
    return RecordStore("tests", made, NUM_BYTES)


def digest_of(number: object) -> bytes:
    return hashlib.sha256(repr(number).encode()).digest()


def record_of(number: object) -> bytes:
    return (digest_of(number) * 4)[:NUM_BYTES]


def write(store: RecordStore, *numbers: object) -> list[int]:
    return store.append([*map(digest_of, numbers)], [memoryview(record_of(number)) for number in numbers])


def has(store: RecordStore, number: object) -> bool:
    into = bytearray(NUM_BYTES)
    place = store.find(digest_of(number), memoryview(into))
    assert place == NOWHERE or into == record_of(number)
    return place != NOWHERE


def files(suffix: str) -> list[Path]:
    return sorted(user_cache().glob(f"records/*/*{suffix}"))


def test_what_was_written_is_found_by_all_and_nothing_else():
    store = make()
    assert not has(store, 1)
    write(store, 1, 2)
    write(store, 3)
    for each in (store, make()):
        assert [has(each, number) for number in (1, 2, 3, 4)] == [True, True, True, False]
    assert not has(make("1" * 64), 1)


def test_records_are_read_by_place_in_any_order(monkeypatch):
    store = make()
    places = np.array([*write(store, *range(5)), NOWHERE, NOWHERE])
    order = np.array([4, 0, 1, 2, 5, 6, 3, 3])
    into = bytearray(b"?" * NUM_BYTES * len(order))
    store.read(places[order], memoryview(into))
    expected = [record_of(number) if number < 5 else bytes(NUM_BYTES) for number in order.tolist()]
    assert into == b"".join(expected)
    store.read(places[:0], memoryview(b""))
    monkeypatch.delattr(os, "preadv")  # as on Windows
    into[:] = bytes(len(into))
    store.read(places[order], memoryview(into))
    assert into == b"".join(expected)


def test_many_entries_are_found_before_and_after_they_are_put_in_order(monkeypatch):
    monkeypatch.setattr(record_store, "_MOST_NEW_ENTRIES", 7)
    store = make()
    for number in range(40):
        write(store, number)
        assert has(store, number)
    assert all(has(each, number) for each in (store, make()) for number in range(40))


@pytest.mark.parametrize("suffix", [".records", ".index"])
def test_a_damaged_record_is_not_found_and_written_anew(suffix):
    store = make()
    write(store, 1, 2)
    (file,) = files(suffix)
    content = bytearray(file.read_bytes())
    content[5] ^= 1
    file.write_bytes(content)
    store = make()
    assert (has(store, 1), has(store, 2)) == (False, True)
    write(store, 1)
    assert has(store, 1)
    assert has(make(), 1)


def test_a_digest_that_only_begins_like_another_is_not_found():
    store = make()
    write(store, 1)
    other = digest_of(1)[:8] + digest_of(2)[8:]
    for each in (store, make()):
        assert each.find(other, memoryview(bytearray(NUM_BYTES))) == NOWHERE
        assert has(each, 1)


def test_a_shorter_file_is_an_error_and_nothing_is_found_in_it():
    store = make()
    places = np.array(write(store, 1, 2))
    os.truncate(files(".records")[0], NUM_BYTES + 5)
    assert (has(make(), 1), has(make(), 2)) == (True, False)
    with pytest.raises(OSError, match="shorter"):
        store.read(places, memoryview(bytearray(2 * NUM_BYTES)))


def test_what_a_kill_leaves_half_written_is_written_over():
    write(make(), 1)
    for suffix, rest in ((".records", b"half"), (".index", b"half an entry")):
        with open(files(suffix)[0], "ab") as file:
            file.write(rest)
    store = make()
    assert has(store, 1)
    write(store, 2, 3)
    assert all(has(each, number) for each in (store, make()) for number in (1, 2, 3))
    assert files(".records")[0].stat().st_size == 3 * NUM_BYTES


def test_segments_used_longest_ago_go_and_who_reads_them_reads_on(monkeypatch):
    monkeypatch.setenv("MIXED_DATA_CACHE_GB", str(2000e-9))
    monkeypatch.setattr(record_store, "_SMALLEST_SEGMENT", 0)
    old, used = make("1" * 64), make("2" * 64)
    places = np.array(write(old, 1))
    write(used, 2)
    for number, index in enumerate(files(".index")):
        os.utime(index, (number, number))
    store = make()
    for number in range(14):  # 136 bytes each; segments are of one record, because a 32nd of the limit is less
        write(store, number)
        time.sleep(0.002)
        if number == 6:
            make("2" * 64)  # uses it
    assert not has(make("1" * 64), 1)
    assert has(make("2" * 64), 2)
    into = bytearray(NUM_BYTES)
    old.read(places, memoryview(into))
    assert into == record_of(1)
    assert sum(file.stat().st_size for suffix in (".index", ".records") for file in files(suffix)) <= 2000
    for number in range(50, 90):
        write(store, number)
    assert sum(file.stat().st_size for suffix in (".index", ".records") for file in files(suffix)) <= 2000
    assert has(store, 89)
    write(old, 3)
    assert has(old, 3)
    old.read(places, memoryview(into))
    assert into == record_of(1)


def test_what_was_written_last_stays_also_where_the_limit_is_less(monkeypatch):
    monkeypatch.setenv("MIXED_DATA_CACHE_GB", "0")
    monkeypatch.setattr(record_store, "_SMALLEST_SEGMENT", 0)
    store = make()
    for number in (1, 2):
        write(store, number)
        assert has(make(), number)
    assert not has(make(), 1)


def test_a_small_limit_makes_no_more_files_than_may_be_open(monkeypatch):
    monkeypatch.setenv("MIXED_DATA_CACHE_GB", "0")
    monkeypatch.setattr(record_store, "_SMALLEST_SEGMENT", 20 * NUM_BYTES)
    store = make()
    places = [write(store, number, -number)[0] for number in range(1, 41)]
    assert len(store._files) == 4
    assert len(files(".records")) == 1
    into = bytearray(NUM_BYTES * len(places))
    store.read(np.array(places), memoryview(into))
    assert into == b"".join(map(record_of, range(1, 41)))


def test_what_a_kill_left_without_an_index_is_removed_in_its_turn(monkeypatch):
    monkeypatch.setenv("MIXED_DATA_CACHE_GB", str(1000e-9))
    monkeypatch.setattr(record_store, "_SMALLEST_SEGMENT", 0)
    write(make(), 1)
    files(".index")[0].unlink()
    store = make()
    for number in range(9):
        write(store, number)
    assert len(files(".records")) == len(files(".index")) == 7


def test_a_full_disk_is_an_error_and_leaves_what_was_there(monkeypatch):
    store = make()
    write(store, 1)
    with monkeypatch.context() as patch:
        patch.setattr(record_store, "open", lambda *how, **more: _FullDisk(open(*how, **more)), raising=False)  # noqa: SIM115
        with pytest.raises(OSError, match="cannot be written: no more than a part was"):
            write(store, 2, 3)
    write(store, 3)
    assert [has(each, number) for each in (store, make()) for number in (1, 2, 3)] == 2 * [True, False, True]


class _FullDisk:
    """A file that takes half of what is written."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.truncate, self.seek = file.truncate, file.seek

    def __enter__(self) -> _FullDisk:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, content: bytes) -> int:
        return self._file.write(content[: len(content) // 2])


def test_a_store_is_opened_once_and_knows_what_others_write_or_remove(monkeypatch):
    store = RecordStore.open("tests", MADE, NUM_BYTES)
    write(store, 1)
    loads = []
    load = RecordStore._load
    monkeypatch.setattr(RecordStore, "_load", lambda self: (loads.append(self), load(self))[1])
    assert RecordStore.open("tests", MADE, NUM_BYTES) is store
    assert not loads, "its own records are known"
    write(make(), 2)
    loads.clear()
    assert not has(store, 2)
    assert RecordStore.open("tests", MADE, NUM_BYTES) is store
    assert loads == [store]
    assert [has(store, number) for number in (1, 2)] == [True, True]
    write(make(), 3)
    write(store, 4)  # behind what it does not know
    RecordStore.open("tests", MADE, NUM_BYTES)
    assert [has(store, number) for number in (1, 2, 3, 4)] == 4 * [True]
    for file in (*files(".index"), *files(".records")):
        file.unlink()
    RecordStore.open("tests", MADE, NUM_BYTES)
    assert not has(store, 1)
    write(store, 1)
    assert has(store, 1)
    assert RecordStore.open("tests", "1" * 64, NUM_BYTES) is not store
    assert RecordStore.open("others", MADE, NUM_BYTES) is not store


def test_few_stores_stay_open():
    first = RecordStore.open("tests", MADE, NUM_BYTES)
    for number in range(2, 6):
        RecordStore.open("tests", str(number) * 64, NUM_BYTES)
    assert RecordStore.open("tests", MADE, NUM_BYTES) is not first


def test_threads_share_a_store():
    store = make()

    def work(thread: int) -> None:
        for step in range(10):
            write(store, (thread, step), "shared")
            assert has(store, (thread, step))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert all(has(make(), (thread, step)) for thread in range(6) for step in range(10))


_WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from test_record_store import has, make, write
store = make()
print("ready", flush=True)
for number in range(int(sys.argv[3])):
    write(store, (sys.argv[2], number), ("all", number))
    assert has(store, ("all", number))
"""


def start_writer(name: str, num_steps: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _WRITER, str(Path(__file__).parent), name, str(num_steps)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as output:
        assert output.readline() == b"ready\n"
    return process


def test_processes_share_a_store_and_a_killed_one_harms_nobody():
    killed, others = start_writer("killed", 10**6), [start_writer(name, 100) for name in "ab"]
    time.sleep(0.2)
    killed.send_signal(signal.SIGKILL)
    assert [process.wait(60) for process in others] == [0, 0]
    killed.wait()
    store = make()
    write(store, "after")
    assert has(store, "after")
    assert all(has(store, (name, number)) for name in ("a", "b", "all") for number in range(100))
    index = np.fromfile(files(".index")[0], record_store.ENTRY)
    # Behind the last record of the index may lie what the killed process wrote before it could name it there.
    records = np.fromfile(files(".records")[0], "u1", len(index) * NUM_BYTES).reshape(-1, NUM_BYTES)
    for entry, record in zip(index, records, strict=True):
        assert record.tobytes() == (entry["digest"].tobytes() * 4)[:NUM_BYTES]
