"""Learned state as JSON: readable by a person, exact for float64, and loading it executes nothing.

A state file may come from a stranger, so every field is checked for its kind before anything uses it. Python
writes the shortest decimal that reads back as the same float64, so no digit is lost on the way.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Kind:
    """What a field of a state may hold: words for the error message, and the test itself."""

    words: str
    accepts: Callable[[Any], bool]


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of more than 308 digits is no float64
        return False


def _list_of(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(accepts(item) for item in value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


TEXT = Kind("a text", _is_text)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
INTEGER = Kind("an integer", _is_integer)
NUMBER = Kind("a finite number", _is_number)
OBJECT = Kind("an object", _is_object)
TEXTS = Kind("a list of texts", _list_of(_is_text))
INTEGERS = Kind("a list of integers", _list_of(_is_integer))
NUMBERS = Kind("a list of finite numbers", _list_of(_is_number))
OBJECTS = Kind("a list of objects", _list_of(_is_object))


def optional(kind: Kind) -> Kind:
    """Return the kind that also accepts null."""
    return Kind(f"{kind.words} or null", lambda value: value is None or kind.accepts(value))


def check_fields(state: Any, what: str, fields: Mapping[str, Kind]) -> dict[str, Any]:
    """Return `state` as a dict after checking that it has exactly these fields, each of its kind.

    Args:
        state: What was read, of any type.
        what: What it should be, for the error message.
        fields: Field name -> the kind of its value.

    Raises:
        ValueError: naming every field that is missing, unknown or of another kind.
    """
    if not isinstance(state, dict):
        raise ValueError(f"{what}: expected an object, got {type(state).__name__}.")
    problems = [f"{name!r} is missing" for name in fields if name not in state]
    problems += [f"{name!r} is unknown" for name in state if name not in fields]
    problems += [
        f"{name!r} must be {kind.words}, got {str(state[name])[:60]!r}"
        for name, kind in fields.items()
        if name in state and not kind.accepts(state[name])
    ]
    if problems:
        raise ValueError(f"{what}: {'; '.join(problems)}. Fit and save it again.")
    return state


def check_state(state: Any, format: str, version: int, fields: Mapping[str, Kind]) -> dict[str, Any]:
    """Check a whole state: its format and version first, then its fields as `check_fields` does.

    Raises:
        ValueError: naming the format or version that was expected and the one that came.
    """
    if not isinstance(state, dict):
        raise ValueError(f"{format} state: expected an object, got {type(state).__name__}.")
    if state.get("format") != format:
        raise ValueError(f"Expected a state of format {format!r}, got {state.get('format')!r}.")
    if state.get("version") != version:
        raise ValueError(
            f"{format} state: expected version {version}, got {state.get('version')!r}. "
            "Load it with the mixed_data that wrote it, or fit and save it again."
        )
    return check_fields(state, f"{format} state", {"format": TEXT, "version": INTEGER, **fields})


def write_json(path: str | os.PathLike[str], state: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write a state so that a reader finds the old file or the whole new one, never a half."""
    path = Path(path)
    text = json.dumps(state, indent=1, ensure_ascii=False, allow_nan=False)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text + "\n", encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read what `write_json` wrote.

    Raises:
        ValueError: if the file is not JSON, naming the file.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # RecursionError: brackets nested without end
        raise ValueError(f"{os.fspath(path)} is not a JSON file: {error}") from error
