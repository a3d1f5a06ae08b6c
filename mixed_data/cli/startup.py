"""Starting Keras without the build notes that TensorFlow's C++ part writes to standard error."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager


def start_keras() -> None:
    """Import Keras and its backend; takes 5 to 15 seconds.

    TensorFlow writes notes about oneDNN and processor features before any of its own log levels count, so that the
    only way to keep them from a user's screen is to close it for the time of the import. An import error is raised
    as ever.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _without_stderr():
        import keras  # noqa: F401
    # "Retracing" is what several models in one process do; it is no fault of the user's.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def _without_stderr() -> Iterator[None]:
    kept = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(null)
        os.close(kept)
