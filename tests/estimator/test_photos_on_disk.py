"""A regressor on photos, or their vectors, that stay on disk is the one on those in memory, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import eagerly, little_work, make_regressor, make_stack

from mixed_data.kernels import kernel_machines
from mixed_data.preprocessing import photo_vectors, row_reader, stored_photos
from mixed_data.preprocessing.stored_photos import StoredPhotos

PRETRAINED = {"image_branch": "pretrained", "backbone": ["MobileNetV2", "EfficientNetV2B0"], "image_weights": None}


def make_montage(**options: Any) -> Any:
    regressor = make_regressor(**options)
    return regressor.set_params(preprocessor__montage=True)


@pytest.mark.parametrize(
    ("make", "options", "has_pixels_first"),
    [
        (make_regressor, {"epochs": 1, "validation_fraction": 0.4, "intervals": True}, False),
        (make_regressor, {"epochs": 1, "image_branch": "patches"}, True),
        (make_montage, {"epochs": 1}, False),
        (make_regressor, {**PRETRAINED, "epochs": 1, "validation_fraction": 0.4, "intervals": True}, False),
        (make_stack, {"intervals": True}, False),
    ],
    ids=["pixels", "patches", "montages", "vectors", "stack"],
)
def test_what_is_on_disk_gives_the_same_regressor(
    sales: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[..., Any],
    options: dict[str, Any],
    has_pixels_first: bool,
) -> None:
    monkeypatch.setattr(kernel_machines, "MOST_ROWS", 30)

    def answer() -> tuple[list[np.ndarray], pd.DataFrame]:
        photo_vectors._memory.clear()
        with eagerly(), little_work():
            regressor = make(**options).fit(sales[:48], sales["price"][:48])
            rows = regressor.predict_rows(sales[:40], 0.5 if options.get("intervals") else None)
        if make is make_stack:
            return [*vars(regressor.machines_).values()], rows
        return [*regressor.model_.get_weights(), regressor.typical_photos_.images], rows

    learned, rows = answer()
    monkeypatch.setattr(stored_photos, "STORED_ABOVE_BYTES", 0)
    kinds = []
    make_inputs = row_reader.Inputs.__init__

    def watch(self: Any, arrays: Any, *rest: Any) -> None:
        kinds.append(type(arrays["images"]))
        make_inputs(self, arrays, *rest)

    monkeypatch.setattr(row_reader.Inputs, "__init__", watch)
    same_learned, same_rows = answer()
    assert set(kinds) == ({StoredPhotos, np.ndarray} if has_pixels_first else {StoredPhotos})
    for one, other in zip(learned, same_learned, strict=True):
        np.testing.assert_array_equal(one, other)
    pd.testing.assert_frame_equal(rows, same_rows, check_exact=True)
