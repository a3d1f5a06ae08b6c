"""The network: one branch per modality, a fusion layer, a head, and a linear skip path for the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import keras
from keras import layers

from mixed_data.branches import IMAGE_BRANCHES, TABULAR_BRANCHES
from mixed_data.fusion import FUSIONS

MODALITIES = ("both", "tabular", "image")
INPUT_NAMES = {
    "both": ("tabular", "images", "image_mask"),
    "tabular": ("tabular",),
    "image": ("images", "image_mask"),
}


Entry = TypeVar("Entry")


def choose(registry: Mapping[str, Entry], name: str, option: str) -> Entry:
    """Look up ``name`` in a registry, or say which names there are.

    Raises:
        ValueError: there is no such entry.
    """
    if name not in registry:
        raise ValueError(f"{option}: expected one of {sorted(registry)}, got {name!r}")
    return registry[name]


def build_model(
    *,
    num_features: int,
    image_shape: tuple[int, int, int, int],
    modalities: str = "both",
    fusion: str = "weighted_sum",
    normalize: bool = False,
    tabular_branch: str = "mlp",
    image_branch: str = "cnn",
    units: int = 64,
    dropout: float = 0.15,
    image_dropout: float = 0.6,
) -> keras.Model:
    """Build the untrained network; the unimodal ones come from the same code.

    ``output = head(fusion(tabular_branch, image_branch)) + linear(tabular)``, the head with one hidden layer. The
    linear path starts at zero and gives the network what ridge regression has for free (wide & deep, Cheng et al.
    2016, arXiv:1606.07792).

    Args:
        num_features: ``d``, columns of the tabular input.
        image_shape: ``(V, H, W, 3)``.
        modalities: "both", "tabular" or "image"; a unimodal network has no fusion layer.
        fusion: a name in `mixed_data.fusion.FUSIONS`.
        normalize: put the branches on one scale before they are merged, so that learned weights can be compared.
        tabular_branch: a name in `mixed_data.branches.TABULAR_BRANCHES`.
        image_branch: a name in `mixed_data.branches.IMAGE_BRANCHES`.
        units: width of each branch's vector.
        dropout: of the tabular branch.
        image_dropout: of the image branch.

    Returns:
        A Keras model from a dict with the keys ``INPUT_NAMES[modalities]`` (tabular float32 ``(n, d)``, images
        uint8 ``(n, V, H, W, 3)``, image_mask bool ``(n, V)``) to float32 ``(n, 1)``.

    Raises:
        ValueError: an unknown name, or a modality without a column.

    Example:
        >>> build_model(num_features=8, image_shape=(4, 64, 64, 3), fusion="concat").output_shape
        (None, 1)
    """
    if modalities not in MODALITIES:
        raise ValueError(f"modalities: expected one of {list(MODALITIES)}, got {modalities!r}")
    inputs: dict[str, keras.KerasTensor] = {}
    vectors = []
    if modalities != "image":
        if num_features == 0:
            raise ValueError(f"modalities={modalities!r} needs at least one numeric, categorical or code column")
        build_tabular = choose(TABULAR_BRANCHES, tabular_branch, "tabular_branch")
        inputs["tabular"] = keras.Input((num_features,), dtype="float32", name="tabular")
        vectors.append(build_tabular(inputs["tabular"], units=units, dropout=dropout))
    if modalities != "tabular":
        if image_shape[0] == 0:
            raise ValueError(f"modalities={modalities!r} needs at least one image column")
        build_image = choose(IMAGE_BRANCHES, image_branch, "image_branch")
        inputs["images"] = keras.Input(image_shape, dtype="uint8", name="images")
        inputs["image_mask"] = keras.Input(image_shape[:1], dtype="bool", name="image_mask")
        vectors.append(build_image(inputs["images"], inputs["image_mask"], units=units, dropout=image_dropout))
    if modalities == "both":
        merged = choose(FUSIONS, fusion, "fusion")(normalize=normalize, name="fusion")(vectors)
    else:
        merged = vectors[0]
    # Without a hidden layer the network would be additive: no kitchen would be worth more in a larger house.
    merged = layers.Dense(units, activation="silu", name="head_hidden")(merged)
    output = layers.Dense(1, dtype="float32", name="head")(merged)  # under mixed precision too
    if "tabular" in inputs:
        linear = layers.Dense(1, use_bias=False, kernel_initializer="zeros", dtype="float32", name="linear")
        output = layers.Add(dtype="float32", name="prediction")([output, linear(inputs["tabular"])])
    return keras.Model(inputs, output, name=f"mixed_data_{modalities}")
