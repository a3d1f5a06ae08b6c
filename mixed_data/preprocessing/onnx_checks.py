"""What an ONNX file is made of, read before onnxruntime sees it: from a stranger, it may be anything."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

MOST_NODES = 10_000
_MOST_FIELDS = 2_000_000
"""Of all messages together; what is large in an honest file is one field, the numbers of a weight."""

_MOST_DEPTH = 8
_DOMAINS = ("", "ai.onnx")
_LOOPS = ("Loop", "Scan", "SequenceMap")

# Numbers of the fields in onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), by message.
_GRAPH_OF_MODEL, _FUNCTIONS, _TRAINING = 7, 25, 20
_NODE, _INITIALIZER, _SPARSE_INITIALIZER = 1, 5, 15
_OPERATOR, _ATTRIBUTE, _DOMAIN = 4, 5, 7
_TENSOR, _GRAPH, _TENSORS, _GRAPHS, _SPARSE, _SPARSES = 5, 6, 10, 11, 22, 23
_DIMS, _EXTERNAL, _LOCATION = 1, 13, 14
_NUMBERS = (4, 5, 6, 7, 9, 10, 11)

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_Field = tuple[int, int | memoryview]


def check_onnx(content: bytes, name: str) -> None:
    """Refuse a file that reads other files, loops, or holds less than it claims.

    Args:
        content: of the file.
        name: of the file, for messages.

    Raises:
        ValueError: it is no ONNX file; a weight stands in another file, is sparse, or claims more numbers than it has;
            there is a loop, a function, an operator that is not ONNX' own, or too much of everything.

    Reference:
        Protocol Buffers, Encoding, https://protobuf.dev/programming-guides/encoding/.
    """
    try:
        _Checker().check_model(memoryview(content))
    except ValueError as error:
        raise ValueError(
            f"{name} is no ONNX network that onnxruntime can run by itself, all in one file: {error}"
        ) from None


class _Checker:
    """Walks through the messages of one file and counts."""

    def __init__(self) -> None:
        self._num_fields = self._num_nodes = 0

    def check_model(self, model: memoryview) -> None:
        graphs = 0
        for number, value in self._read(model):
            if number in (_FUNCTIONS, _TRAINING):
                raise ValueError("it has functions of its own; export it with all of them inlined")
            if number == _GRAPH_OF_MODEL:
                self._check_graph(_message(value), 0)
                graphs += 1
        if graphs != 1:
            raise ValueError(f"expected one graph, got {graphs}")

    def _check_graph(self, graph: memoryview, depth: int) -> None:
        if depth > _MOST_DEPTH:
            raise ValueError(f"graphs stand in each other more than {_MOST_DEPTH} deep")
        for number, value in self._read(graph):
            if number == _SPARSE_INITIALIZER:
                raise ValueError("a weight is sparse")
            if number == _INITIALIZER:
                self._check_tensor(_message(value))
            if number == _NODE:
                self._check_node(_message(value), depth)

    def _check_node(self, node: memoryview, depth: int) -> None:
        self._num_nodes += 1
        if self._num_nodes > MOST_NODES:
            raise ValueError(f"it has more than {MOST_NODES:,} operations")
        for number, value in self._read(node):
            if number == _OPERATOR and (operator := _text(value)) in _LOOPS:
                raise ValueError(f"it loops ({operator}); export it with loops unrolled")
            if number == _DOMAIN and (domain := _text(value)) not in _DOMAINS:
                raise ValueError(f"it has operators of {domain[:80]!r}, not only those of ONNX")
            if number == _ATTRIBUTE:
                self._check_attribute(_message(value), depth)

    def _check_attribute(self, attribute: memoryview, depth: int) -> None:
        seen: set[int] = set()
        for number, value in self._read(attribute):
            if number in (_SPARSE, _SPARSES):
                raise ValueError("a constant is sparse")
            if number in (_TENSOR, _GRAPH) and number in seen:
                raise ValueError("an attribute is there twice")
            seen.add(number)
            if number in (_TENSOR, _TENSORS):
                self._check_tensor(_message(value))
            if number in (_GRAPH, _GRAPHS):
                self._check_graph(_message(value), depth + 1)

    def _check_tensor(self, tensor: memoryview) -> None:
        dims: list[int] = []
        num_bytes = 0
        for number, value in self._read(tensor):
            if number == _EXTERNAL or (number == _LOCATION and value != 0):
                raise ValueError("a weight stands in another file")
            if number == _DIMS:
                dims += [value] if isinstance(value, int) else _varints(value)
            if number in _NUMBERS:
                num_bytes += len(value) if isinstance(value, memoryview) else 8
        # Numbers of 4 bits stand two in a byte; an empty text takes a field of no bytes.
        if len(dims) > 64 or min(dims, default=0) < 0 or prod(dims) > 2 * num_bytes + self._num_fields:
            raise ValueError(f"a weight claims to be of shape {dims[:8]} and holds {num_bytes:,} bytes")

    def _read(self, message: memoryview) -> Iterator[_Field]:
        """Yield the fields of a message: their numbers and values."""
        place = 0
        while place < len(message):
            self._num_fields += 1
            if self._num_fields > _MOST_FIELDS:
                raise ValueError(f"it has more than {_MOST_FIELDS:,} parts")
            key, place = _varint(message, place)
            number, kind = key >> 3, key & 7
            if kind == _VARINT:
                value, place = _varint(message, place)
                yield number, value
                continue
            if kind not in (_FIXED_64, _BYTES, _FIXED_32) or number == 0:
                raise ValueError("its bytes are no message")
            length, place = _varint(message, place) if kind == _BYTES else (8 if kind == _FIXED_64 else 4, place)
            if length > len(message) - place:
                raise ValueError("it ends too early")
            yield number, message[place : place + length]
            place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Read a number, as a signed one of 64 bits, and return where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise ValueError("it ends too early")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            value &= 2**64 - 1
            return value - 2**64 if value >= 2**63 else value, place
    raise ValueError("its bytes are no message")


def _varints(packed: memoryview) -> list[int]:
    found: list[int] = []
    place = 0
    while place < len(packed) and len(found) <= 64:
        value, place = _varint(packed, place)
        found.append(value)
    return found


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("its bytes are no message")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_message(value)[:200]).decode("utf-8", "replace")
