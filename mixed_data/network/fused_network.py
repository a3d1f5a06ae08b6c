"""The network: one branch per modality, a fusion layer, a head, and a linear skip path for the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import keras
from keras import KerasTensor, layers, ops

from mixed_data.fusion import FUSIONS
from mixed_data.members import MemberDense
from mixed_data.network import IMAGE_BRANCHES, ModalityDropout, OrMissing, PrincipalComponents, mlp
from mixed_data.prediction.missing_patterns import INPUT_NAMES

MODALITIES = tuple(INPUT_NAMES)

Entry = TypeVar("Entry")


def choose(registry: Mapping[str, Entry], name: str, option: str) -> Entry:
    """Look up ``name`` in a registry, or say which names there are.

    Raises:
        ValueError: there is no such entry.
    """
    if name not in registry:
        raise ValueError(f"{option}: expected one of {sorted(registry)}, got {name!r}")
    return registry[name]


@dataclass(frozen=True)
class NetworkSettings:
    """What a network is built from, beside the shapes of its inputs.

    Attributes:
        modalities: "both", "tabular" or "image"; a unimodal network has no fusion layer.
        fusion: a name in `mixed_data.fusion.FUSIONS`.
        normalize: put the branches on one scale before they are merged, row by row.
        image_branch: a name in `mixed_data.network.IMAGE_BRANCHES`.
        units: width of each branch's vector.
        dropout: of the tabular branch.
        image_dropout: of the image branch.
        members: ``K``, how many networks are trained as one.
        modality_dropout: share of the rows whose photos, and of those whose table, are hidden in training; see
            `ModalityDropout`.
    """

    modalities: str = "both"
    fusion: str = "weighted_sum"
    normalize: bool = False
    image_branch: str = "cnn"
    units: int = 64
    dropout: float = 0.15
    image_dropout: float = 0.6
    members: int = 1
    modality_dropout: float = 0.0


def build_network(num_features: int, image_shape: tuple[int, ...], settings: NetworkSettings) -> keras.Model:
    """Build the network that is trained, untrained; the unimodal ones come from the same code.

    ``output = head(fusion(tabular_branch, image_branch)) + linear(tabular)``, the head with one hidden layer. The
    linear path starts at zero and gives the network what ridge regression has for free (wide & deep, Cheng et al.
    2016, arXiv:1606.07792). It is a packed ensemble: all inner tensors have an axis of ``K = members``, and every dense
    layer and fusion a set of weights per member (`mixed_data.members`).

    Args:
        num_features: ``d``, columns of the tabular input.
        image_shape: of a row's photos: ``(V, H, W, 3)`` for pixels, ``(V, P)`` for vectors of a frozen backbone.
        settings: everything else.

    Returns:
        A Keras model from a dict with the keys ``INPUT_NAMES[modalities]`` to float32 ``(n, K)``. Every input has an
        axis after ``n``: of size ``K``, so that each member sees rows of its own, or of size 1 when the photos come as
        pixels, whose convolutions the members share. With ``A`` for that axis: tabular float32 ``(n, A, d)``,
        tabular_mask bool ``(n, A, 1)``, images ``(n, A, *image_shape)``, image_mask bool ``(n, A, V)``.
        `make_predictor` makes a model without that axis of it.

    Raises:
        ValueError: an unknown name, or a modality without a column.

    Example:
        >>> build_network(8, (4, 64, 64, 3), NetworkSettings(fusion="concat", members=2)).output_shape
        (None, 2)
    """
    modalities, members = settings.modalities, settings.members
    if modalities not in MODALITIES:
        raise ValueError(f"modalities: expected one of {list(MODALITIES)}, got {modalities!r}")
    has_pixels = len(image_shape) == 4
    axis = 1 if has_pixels and modalities != "tabular" else members
    merge = choose(FUSIONS, settings.fusion, "fusion")(normalize=settings.normalize, members=members, name="fusion")
    inputs: dict[str, KerasTensor] = {}
    branches: dict[str, KerasTensor] = {}
    if modalities != "image":
        if num_features == 0:
            raise ValueError(f"modalities={modalities!r} needs at least one numeric, categorical or code column")
        inputs["tabular"] = keras.Input((axis, num_features), dtype="float32", name="tabular")
        tabular = _for_members(inputs["tabular"], members)
    if modalities != "tabular":
        if image_shape[0] == 0:
            raise ValueError(f"modalities={modalities!r} needs at least one image column")
        inputs["images"] = keras.Input((axis, *image_shape), dtype="uint8" if has_pixels else "float32", name="images")
        inputs["image_mask"] = keras.Input((axis, image_shape[0]), dtype="bool", name="image_mask")
        mask = _for_members(inputs["image_mask"], members)
    if modalities == "both":
        inputs["tabular_mask"] = keras.Input((axis, 1), dtype="bool", name="tabular_mask")
        tabular_mask = _for_members(inputs["tabular_mask"], members)
        if settings.modality_dropout:
            hide = ModalityDropout(settings.modality_dropout, name="modality_dropout")
            tabular_mask, mask = hide([tabular_mask, mask])
        tabular = ops.where(tabular_mask, tabular, 0.0)
    if "tabular" in inputs:
        branches["tabular"] = mlp(tabular, units=settings.units, dropout=settings.dropout)
    if modalities == "both":
        branches["tabular"] = OrMissing(name="tabular_or_missing")([branches["tabular"], tabular_mask])
    if "images" in inputs:
        build_image = choose(IMAGE_BRANCHES, settings.image_branch, "image_branch")
        pooled = not (modalities == "both" and merge.takes_views)
        branches["image"] = build_image(
            inputs["images"], mask, units=settings.units, dropout=settings.image_dropout, pooled=pooled
        )
    if modalities == "both":
        merged = merge([*branches.values(), *([mask] if merge.takes_views else [])])
    else:
        (merged,) = branches.values()
    output = merged
    if modalities != "both" or not merge.predicts:
        # Without a hidden layer the network would be additive: no kitchen would be worth more in a larger house.
        hidden = MemberDense(settings.units, activation="silu", name="head_hidden")(merged)
        output = MemberDense(1, dtype="float32", name="head")(hidden)  # under mixed precision too
    if "tabular" in inputs:
        linear = MemberDense(1, use_bias=False, kernel_initializer="zeros", dtype="float32", name="linear")
        output = layers.Add(dtype="float32", name="sum")([output, linear(tabular)])
    output = layers.Reshape((members,), dtype="float32", name="prediction")(output)
    return keras.Model(inputs, output, name=f"mixed_data_{modalities}")


def make_predictor(network: keras.Model, components: PrincipalComponents | None = None) -> keras.Model:
    """Make of a network the model that predicts rows: each row goes to all members.

    Args:
        network: from `build_network`; the weights are shared, not copied.
        components: adapted; the model then takes whole vectors of the backbone as images.

    Returns:
        A Keras model from a dict with the keys of the network's inputs (tabular float32 ``(n, d)``, tabular_mask bool
        ``(n, 1)``, images uint8 ``(n, V, H, W, 3)`` or float32 ``(n, V, D)``, image_mask bool ``(n, V)``) to float32
        ``(n, K)``, one column per member. The prediction is their mean.
    """
    inputs = {
        name: keras.Input(tensor.shape[2:], dtype=tensor.dtype, name=name) for name, tensor in network.input.items()
    }
    row = dict(inputs)
    if components is not None:
        vectors = keras.Input(tuple(components.mean.shape), dtype="float32", name="images")
        inputs["images"] = vectors
        row["images"] = components([vectors, inputs["image_mask"]])
    repeated = {
        name: ops.repeat(ops.expand_dims(row[name], 1), tensor.shape[1], axis=1)
        for name, tensor in network.input.items()
    }
    return keras.Model(inputs, network(repeated), name="predictor")


def inner_network(predictor: keras.Model) -> keras.Model:
    """Return the network that a predictor from `make_predictor` was made of."""
    (network,) = (layer for layer in predictor.layers if isinstance(layer, keras.Model))
    return network


def _for_members(tensor: KerasTensor, members: int) -> KerasTensor:
    return tensor if tensor.shape[1] == members else ops.repeat(tensor, members, axis=1)
