"""What a model reads: arrays that are taken, copied and pickled together with their warnings."""

from __future__ import annotations

import copy
import pickle

import numpy as np

from mixed_data.preprocessing import (
    Inputs,
)

# Inputs


def test_take_keeps_rows_and_warnings_together() -> None:
    inputs = Inputs({"tabular": np.arange(6).reshape(3, 2)}, [["a"], [], ["c"]])
    for rows in ([2, 0], np.array([2, 0])):
        taken = inputs.take(rows)
        assert taken["tabular"].tolist() == [[4, 5], [0, 1]]
        assert taken.row_warnings == [["c"], ["a"]]
    assert inputs.take(np.array([True, False, True])).row_warnings == [["a"], ["c"]]
    assert inputs.take(slice(1, None)).row_warnings == [[], ["c"]]
    assert inputs.take([])["tabular"].shape == (0, 2)


def test_inputs_survive_pickle_and_copy() -> None:
    inputs = Inputs({"tabular": np.zeros((1, 2))}, [["a"]])
    for again in (pickle.loads(pickle.dumps(inputs)), copy.copy(inputs), copy.deepcopy(inputs)):  # noqa: S301
        assert isinstance(again, Inputs)
        assert again.row_warnings == [["a"]]
        np.testing.assert_array_equal(again["tabular"], inputs["tabular"])
