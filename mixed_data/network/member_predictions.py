"""What every member of a packed ensemble predicts for rows, and how much its fusion weighs each branch."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

from mixed_data.fusion import WeightedFusion
from mixed_data.network import PrincipalComponents
from mixed_data.network.fused_network import inner_network, make_predictor
from mixed_data.preprocessing.row_reader import spread_evenly

NUM_ROWS_PER_STEP = 32
"""Rows that the network sees at once while predicting, never more and never fewer."""

NUM_ROWS_TO_MEASURE = 1000


def predict_members(model: keras.Model, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Predict rows by every member of the ensemble.

    Sums of products are added up in an order that depends on the number of rows, and on some processors on the place of
    a row among them. Every step has `NUM_ROWS_PER_STEP` rows, copies of the last row filling up the last step, so that
    only the place is left: a row's answer depends on what comes with it by at most 1e-6 of its size.

    Args:
        model: from `mixed_data.network.fused_network.make_predictor`.
        inputs: arrays of the rows, by the names of the model's inputs; others are ignored.

    Returns:
        float64 ``(n, members)``, on the scale of the transformed target.
    """
    arrays = {name: inputs[name] for name in model.input}
    num_rows = len(next(iter(arrays.values())))
    scaled = np.empty((num_rows, model.output_shape[1]))
    for start in range(0, num_rows, NUM_ROWS_PER_STEP):
        rows = np.minimum(np.arange(start, start + NUM_ROWS_PER_STEP), num_rows - 1)
        output = model.predict_on_batch({name: array[rows] for name, array in arrays.items()})
        scaled[start : start + NUM_ROWS_PER_STEP] = output[: num_rows - start]
    return scaled


def measure_fusion(model: keras.Model, inputs: Mapping[str, np.ndarray], rows: np.ndarray) -> None:
    """Have a fusion with learned weights measure its branches, so that these weights are reported on one scale.

    Args:
        model: from `mixed_data.network.fused_network.make_predictor`, trained; predicts the same afterwards.
        inputs: arrays of all rows, by the names of the model's inputs.
        rows: positions of the training rows; of many, `NUM_ROWS_TO_MEASURE` are looked at.
    """
    network = inner_network(model)
    fusion = next((layer for layer in network.layers if isinstance(layer, WeightedFusion)), None)
    if fusion is None or not fusion.learnable:
        return
    components = next((layer for layer in model.layers if isinstance(layer, PrincipalComponents)), None)
    branches = make_predictor(keras.Model(network.input, fusion.input), components)
    rows = spread_evenly(rows, NUM_ROWS_TO_MEASURE)
    parts = []
    for start in range(0, len(rows), NUM_ROWS_PER_STEP):
        some = rows[start : start + NUM_ROWS_PER_STEP]
        outputs = branches({name: inputs[name][some] for name in branches.input}, training=False)
        parts.append([keras.ops.convert_to_numpy(output) for output in outputs])
    fusion.measure([np.concatenate(pieces) for pieces in zip(*parts, strict=True)])


def read_member_weights(model: keras.Model) -> np.ndarray | None:
    """Return the fusion's weights of every member, ``(members, 2)``; None where there is no fusion with weights.

    Args:
        model: from `mixed_data.network.fused_network.make_predictor`.
    """
    network = next((layer for layer in model.layers if isinstance(layer, keras.Model)), None)
    fusions = [layer for layer in getattr(network, "layers", []) if layer.name == "fusion"]
    return fusions[0].fusion_weights() if fusions and hasattr(fusions[0], "fusion_weights") else None
