"""Slices of Parquet: each can be read apart, and a folder of files is one table."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from mixed_data.readers.parquet_rows import list_slices, read_slices


def test_parts_of_columns_with_a_dictionary_in_each_row_group_are_as_long_as_others(tmp_path):
    frames = [pd.DataFrame({"kind": pd.Categorical([f"{group}"] * 7)}) for group in range(6)]
    with parquet.ParquetWriter(tmp_path / "rows.parquet", pa.Schema.from_pandas(frames[0])) as writer:
        for frame in frames:
            writer.write_table(pa.Table.from_pandas(frame))
    slices = list_slices(tmp_path / "rows.parquet", 10)
    found = [part for _, part in read_slices(slices)]
    assert [len(part) for part in found] == [10, 10, 10, 10, 2]
    assert pd.concat([part.astype(str) for part in found])["kind"].tolist() == [str(row // 7) for row in range(42)]
    for where, expected in zip(slices, found, strict=True):
        ((_, alone),) = read_slices([where])
        pd.testing.assert_frame_equal(alone, expected)


def test_files_of_a_folder_with_different_columns_are_refused(tmp_path):
    rows = pd.DataFrame({"area": [70.0], "kind": ["loft"]})
    rows.to_parquet(tmp_path / "a.parquet")
    rows.drop(columns="area").to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"b\.parquet and .*a\.parquet have not the same columns: 'area'; write"):
        list_slices(tmp_path, 10)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="there is no Parquet file in the folder"):
        list_slices(tmp_path / "empty", 10)
