"""The tabular branch: a small multilayer perceptron."""

from __future__ import annotations

from keras import KerasTensor, layers

from mixed_data.members import MemberDense


def mlp(tabular: KerasTensor, *, units: int, dropout: float) -> KerasTensor:
    """Turn the tabular features into one vector per row.

    Two hidden layers, ``2 * units`` and ``units`` wide, with SiLU and dropout. No batch normalisation: its
    statistics from batches of 8 to 32 rows make a network of this size differ wildly from seed to seed (see README,
    "the tutorial"). The linear skip path that completes the wide & deep recipe belongs to the model, not to the branch
    (`mixed_data.network.fused_network.build_network`).

    Args:
        tabular: float32 ``(n, K, d)``, standardised; ``K`` members.
        units: width of the result.
        dropout: share of hidden units dropped in training.

    Returns:
        float32 ``(n, K, units)``.

    Reference:
        Cheng et al. 2016, Wide & Deep Learning for Recommender Systems, arXiv:1606.07792.
    """
    hidden = MemberDense(2 * units, activation="silu", name="mlp_hidden")(tabular)
    hidden = layers.Dropout(dropout, name="mlp_dropout")(hidden)
    return MemberDense(units, activation="silu", name="mlp_output")(hidden)
