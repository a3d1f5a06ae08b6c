"""The face of the package: the names a newcomer needs, and nothing that is slow to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mixed_data


def test_the_face_starts_neither_keras_nor_pandas():
    code = "import mixed_data, sys; dir(mixed_data); print({'keras', 'tensorflow', 'pandas'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert result.stdout == "set()\n", result.stderr


@pytest.mark.parametrize(("name", "room"), [("Schema", "schema"), ("MixedDataRegressor", "estimator")])
def test_the_face_gives_the_same_objects_as_the_rooms(name, room):
    found = getattr(mixed_data, name)
    assert name in dir(mixed_data)
    assert found.__module__.startswith(f"mixed_data.{room}.")


def test_every_name_of_the_face_exists():
    assert [name for name in mixed_data.__all__ if not callable(getattr(mixed_data, name))] == []


def test_another_name_is_an_error_that_says_so():
    with pytest.raises(AttributeError, match="module 'mixed_data' has no attribute 'nothing'"):
        mixed_data.nothing  # noqa: B018
