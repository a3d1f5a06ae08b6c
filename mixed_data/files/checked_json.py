"""Learned state as JSON: readable by a person, exact for float64, and loading it executes nothing.

A state file may come from a stranger, so every field is checked for its kind before anything uses it, and a file that
would take long or much memory to read is refused first. Python writes the shortest decimal that reads back as the same
float64, so no digit is lost on the way.
"""

from __future__ import annotations

import json
import math
import os
import reprlib
import stat
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixed_data.files.first_few import first_few
from mixed_data.files.whole_files import replacing

MOST_BYTES = 32 * 2**20
"""Of a JSON file. What a million training rows leave behind is a few megabytes."""

_MOST_BRACKETS = 500_000  # "[]," becomes 22 times as much memory; texts and numbers at most 13 times
_MOST_LEVELS = 50  # of brackets: what prints or compares a value goes down them by recursion
_NUM_PROBLEMS_SHOWN = 20

_BRIEFLY = reprlib.Repr()  # what came, for an error message, however large it is
_BRIEFLY.maxstring = _BRIEFLY.maxother = _BRIEFLY.maxlong = 80


@dataclass(frozen=True)
class Kind:
    """What a field of a state may hold: words for the error message, and the test itself."""

    words: str
    accepts: Callable[[Any], bool]


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of more than 308 digits is no float64
        return False


def _list_of(words: str, kind: Kind) -> Kind:
    return Kind(f"a list of {words}", lambda value: isinstance(value, list) and all(map(kind.accepts, value)))


TEXT = Kind("a text", lambda value: isinstance(value, str))
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
INTEGER = Kind("an integer", lambda value: isinstance(value, int) and not isinstance(value, bool))
NUMBER = Kind("a finite number", _is_number)
OBJECT = Kind("an object", lambda value: isinstance(value, dict))
TEXTS = _list_of("texts", TEXT)
INTEGERS = _list_of("integers", INTEGER)
NUMBERS = _list_of("finite numbers", NUMBER)
OBJECTS = _list_of("objects", OBJECT)


def optional(kind: Kind) -> Kind:
    """Return the kind that also accepts null."""
    return Kind(f"{kind.words} or null", lambda value: value is None or kind.accepts(value))


def check_fields(state: Any, what: str, fields: Mapping[str, Kind]) -> dict[str, Any]:
    """Return `state` as a dict after checking that it has exactly these fields, each of its kind.

    Args:
        state: what was read, of any type.
        what: what it should be, for the error message.
        fields: field name -> the kind of its value.

    Raises:
        ValueError: naming every field that is missing, unknown or of another kind.
    """
    if not isinstance(state, dict):
        raise ValueError(f"{what}: expected an object, got {type(state).__name__}")
    problems = [f"{name!r} is missing" for name in fields if name not in state]
    problems += [f"{_BRIEFLY.repr(name)} is unknown" for name in state if name not in fields]
    problems += [
        f"{_BRIEFLY.repr(name)} must be {kind.words}, got {_BRIEFLY.repr(state[name])}"
        for name, kind in fields.items()
        if name in state and not kind.accepts(state[name])
    ]
    if problems:
        raise ValueError(f"{what}: {'; '.join(first_few(problems, _NUM_PROBLEMS_SHOWN))}; fit and save it again")
    return state


def check_state(state: Any, format: str, version: int, fields: Mapping[str, Kind]) -> dict[str, Any]:
    """Check a whole state: its format and version first, then its fields as `check_fields` does.

    Raises:
        ValueError: naming the format or version that was expected and the one that came.
    """
    if not isinstance(state, dict):
        raise ValueError(f"{format} state: expected an object, got {type(state).__name__}")
    if state.get("format") != format:
        raise ValueError(f"expected a state of format {format!r}, got {_BRIEFLY.repr(state.get('format'))}")
    if state.get("version") != version:
        raise ValueError(
            f"{format} state: expected version {version}, got {_BRIEFLY.repr(state.get('version'))}; "
            "load it with the mixed_data that wrote it, or fit and save it again"
        )
    return check_fields(state, f"{format} state", {"format": TEXT, "version": INTEGER, **fields})


def make_plain(value: Any) -> Any:
    """Return a value fit for JSON: NumPy's numbers as Python's, null for what is not finite (a score not defined)."""
    if isinstance(value, dict):
        return {str(name): make_plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [make_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: str | os.PathLike[str], state: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write a state so that a reader finds the old file or the whole new one, never a half."""
    text = json.dumps(state, indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read what `write_json` wrote.

    Raises:
        ValueError: naming the file: it is no regular file, too large, or not JSON as `write_json` writes it.
        OSError: it cannot be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # reading a pipe would wait for ever
            raise ValueError("it is no regular file")
        with open(path, "rb") as file:
            return parse_json(file.read(MOST_BYTES + 1))
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)} is not a JSON file: {error}") from error


def parse_json(content: bytes) -> Any:
    """Parse JSON from anywhere, in little time and memory.

    Raises:
        ValueError: it is not JSON in UTF-8, or not as `write_json` writes it: too much, too deep, with NaN or infinity,
            or a field that is there twice.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES / 2**20:.0f} MB")
    if content.count(b"{") + content.count(b"[") > _MOST_BRACKETS:
        raise ValueError(f"it has more than {_MOST_BRACKETS:,} brackets")
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=_make_object, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError(f"brackets are nested more than {_MOST_LEVELS} deep") from error
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(_MOST_LEVELS):
        parts = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list))
        level = [item for part in parts for item in part if isinstance(item, dict | list)]
        if not level:
            return
    raise ValueError(f"brackets are nested more than {_MOST_LEVELS} deep")


def _make_object(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(fields)
    if len(made) < len(fields):
        twice, _ = Counter(name for name, _ in fields).most_common(1)[0]
        raise ValueError(f"{twice[:60]!r} is there twice")
    return made


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number there")
