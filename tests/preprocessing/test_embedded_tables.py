"""Tables whose photos become vectors: part by part, each photo once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from embedding_helpers import DECODING, HEIGHT, WIDTH, draw_photos, make_backbone, make_embedder

from mixed_data.preprocessing import ImagePreprocessor
from mixed_data.preprocessing.photo_sources import VectorSource
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder

NUM_PHOTOS = 10


def test_a_table_is_embedded_part_by_part_and_each_photo_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos, embedder = draw_photos(tmp_path, NUM_PHOTOS), make_embedder(make_backbone())
    table = pd.DataFrame({"photo": photos})
    expected = embedder.embed(photos, **DECODING)
    asked: list[list[str]] = []
    embed = PhotoEmbedder.embed

    def note(self: PhotoEmbedder, some: Any, **how: Any) -> dict[str, np.ndarray]:
        asked.append(list(some))
        return embed(self, asked[-1], **how)

    monkeypatch.setattr(PhotoEmbedder, "embed", note)
    monkeypatch.setattr(VectorSource, "num_at_once", 4)
    vectors, mask, _ = ImagePreprocessor(["photo"], size=(HEIGHT, WIDTH)).fit(table).transform(table, embedder)
    assert asked == [photos[start : start + 4] for start in range(0, NUM_PHOTOS, 4)]
    assert mask.all()
    np.testing.assert_array_equal(vectors[:, 0], [expected[path] for path in photos])
