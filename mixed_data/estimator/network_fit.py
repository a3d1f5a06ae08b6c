"""Training a network, on pixels or on what a pretrained backbone saw."""

from __future__ import annotations

import keras
import numpy as np

from mixed_data.network import PrincipalComponents
from mixed_data.network.fused_network import NetworkSettings, build_network
from mixed_data.preprocessing import Inputs
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder

NUM_COMPONENTS = 64
"""Principal components per view of what a pretrained backbone saw."""


def build_for(
    inputs: Inputs, settings: NetworkSettings, embedder: PhotoEmbedder | None, training_rows: np.ndarray
) -> tuple[keras.Model, PrincipalComponents | None, dict[str, np.ndarray]]:
    """Build the network for some rows.

    Args:
        inputs: of all rows.
        settings: of the network.
        embedder: what made vectors of the photos, if anything did.
        training_rows: positions of the rows that components are learned from.

    Returns:
        The network, untrained; the components that stand before it if there is an embedder; and what it reads: the
        inputs, with the components in place of the vectors, once for all epochs instead of in every step.
    """
    components, arrays = None, dict(inputs)
    if embedder is not None:
        components = PrincipalComponents(NUM_COMPONENTS, embedder.block_sizes, name="components")
        components.adapt(inputs["images"][training_rows], inputs["image_mask"][training_rows])
        arrays["images"] = components.project(inputs["images"], inputs["image_mask"])
    return build_network(inputs["tabular"].shape[1], arrays["images"].shape[1:], settings), components, arrays
