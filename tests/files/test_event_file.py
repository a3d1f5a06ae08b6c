"""Event files of TensorBoard, read back by TensorFlow, which compares every checksum."""

from __future__ import annotations

import pytest
from tensorflow.core.util import event_pb2
from tensorflow.data import TFRecordDataset

from mixed_data.files.event_file import EventFile


def read(path):
    return [event_pb2.Event.FromString(record.numpy()) for record in TFRecordDataset(str(path))]


def test_tensorflow_reads_what_was_written(tmp_path):
    with EventFile(tmp_path / "logs" / "table") as file:
        file.write(0, {"loss": 0.5, "val_loss": -1.25})
        file.write(300, {"loss Ü": float("nan")})
    first, *events = read(file.path)
    assert first.file_version == "brain.Event:2"
    assert [event.step for event in events] == [0, 300]
    assert [(value.tag, value.simple_value) for value in events[0].summary.value] == [
        ("loss", 0.5),
        ("val_loss", -1.25),
    ]
    (value,) = events[1].summary.value
    assert value.tag == "loss Ü"
    assert value.simple_value != value.simple_value
    assert first.wall_time <= events[0].wall_time <= events[1].wall_time


def test_what_is_written_is_on_the_disk_at_once(tmp_path):
    with EventFile(tmp_path) as file:
        file.write(1, {"loss": 2.0})
        assert len(read(file.path)) == 2


def test_a_second_file_of_a_folder_leaves_the_first(tmp_path):
    for loss in (1.0, 2.0):
        with EventFile(tmp_path) as file:
            file.write(0, {"loss": loss})
    paths = sorted(tmp_path.iterdir())
    assert [read(path)[1].summary.value[0].simple_value for path in paths] == [1.0, 2.0]


def test_a_byte_that_was_changed_is_noticed(tmp_path):
    """The oracle of the other tests can fail."""
    with EventFile(tmp_path) as file:
        file.write(0, {"loss": 1.0})
    content = bytearray(file.path.read_bytes())
    content[-8] ^= 1
    file.path.write_bytes(content)
    with pytest.raises(Exception, match="corrupted record"):
        read(file.path)
