"""A network on photos that stay on disk is the one on photos in memory, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import eagerly, fit, make_regressor

from mixed_data.preprocessing import row_reader, stored_photos
from mixed_data.preprocessing.stored_photos import StoredPhotos


@pytest.mark.parametrize(
    "options", [{"validation_fraction": 0.4, "intervals": True}, {"image_branch": "patches"}], ids=str
)
def test_photos_on_disk_train_the_same_network(
    sales: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    def answer() -> tuple[list[np.ndarray], pd.DataFrame, np.ndarray]:
        with eagerly():
            regressor = fit(make_regressor(epochs=1, **options), sales[:48])
            coverage = 0.5 if options.get("intervals") else None
            return (
                regressor.model_.get_weights(),
                regressor.predict_rows(sales[:40], coverage),
                regressor.typical_photos_.images,
            )

    weights, rows, typical = answer()
    monkeypatch.setattr(stored_photos, "STORED_ABOVE_BYTES", 0)
    kinds = []
    make_inputs = row_reader.Inputs.__init__

    def watch(self: Any, arrays: Any, *rest: Any) -> None:
        kinds.append(type(arrays["images"]))
        make_inputs(self, arrays, *rest)

    monkeypatch.setattr(row_reader.Inputs, "__init__", watch)
    same_weights, same_rows, same_typical = answer()
    assert set(kinds) == ({StoredPhotos} if options.get("intervals") else {StoredPhotos, np.ndarray})
    for one, other in zip(weights, same_weights, strict=True):
        np.testing.assert_array_equal(one, other)
    pd.testing.assert_frame_equal(rows, same_rows, check_exact=True)
    np.testing.assert_array_equal(typical, same_typical)
