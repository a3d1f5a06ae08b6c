"""Event files of TensorBoard: scalars over the epochs of a fit.

The format is TensorFlow's and stable: records of `tensorflow.Event`, each with its length and two checksums. It is
written here because Keras' and TensorFlow's own writers need the package tensorboard, and only with TensorFlow.

Reference:
    tensorflow/core/util/event.proto; TFRecord, https://www.tensorflow.org/tutorials/load_data/tfrecord; CRC-32C, RFC
    3720, appendix B.4.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Mapping
from pathlib import Path

_VERSION = b"brain.Event:2"
_POLYNOMIAL = 0x82F63B78
_BYTES, _DOUBLE, _FLOAT = 2, 1, 5  # wire types of protocol buffers


class EventFile:
    """A new file of events in a folder, which is made if it is not there.

    Args:
        folder: of one fit; its name is that of the curve.

    Example:
        >>> with EventFile("logs/table, fold 0") as file:  # doctest: +SKIP
        ...     file.write(step=0, scalars={"loss": 0.5})
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        # Of several files in a folder, TensorBoard reads those of later times last.
        self.path = folder / f"events.out.tfevents.{time.time_ns():020d}.{os.getpid()}.mixed_data"
        self._file = self.path.open("xb")
        self._write(_field(3, _BYTES, _VERSION))

    def __enter__(self) -> EventFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Write numbers, by name, and have them on the disk."""
        values = [
            _field(1, _BYTES, _field(1, _BYTES, tag.encode()) + _field(2, _FLOAT, struct.pack("<f", value)))
            for tag, value in scalars.items()
        ]
        self._write(_varint(2 << 3) + _varint(step) + _field(5, _BYTES, b"".join(values)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, event: bytes) -> None:
        event = _field(1, _DOUBLE, struct.pack("<d", time.time())) + event
        length = struct.pack("<Q", len(event))
        self._file.write(length + _checksum(length) + event + _checksum(event))
        self._file.flush()


def _field(number: int, kind: int, content: bytes) -> bytes:
    """Return one field of a message of protocol buffers."""
    return _varint(number << 3 | kind) + (_varint(len(content)) if kind == _BYTES else b"") + content


def _varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _checksum(content: bytes) -> bytes:
    """Return the masked CRC-32C that TFRecord asks for."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
