"""The weighted sum of two or more branches."""

from __future__ import annotations

import keras

from mixed_data.fusion.learned_weights import WeightedFusion


@keras.saving.register_keras_serializable(package="mixed_data")
class WeightedSum(WeightedFusion):
    """Merges inputs a, b into alpha * a + (1 - alpha) * b, or N inputs into w1 * a + w2 * b + w3 * c + ...

    One readable number per branch instead of a matrix. ``WeightedSum(alpha=0.1)`` fixes it, ``WeightedSum()``
    learns it. Learning starts at equal weights.

    What a learned alpha means:

    - Of inputs that stay as they are, such as the predictions of two models for rows that neither has seen, it is the
      best weight: by inverse variances of their errors, with the correlation.
    - Where the branches are trained together with it, they take up any alpha by their scale, and it stays about where
      it started. ``measure`` it after training: the weights are then those of branches of equal spread. They say how
      much of the sum each branch moves, in this network and on these rows. What a branch is worth on others is said by
      an ablation: the error without it.

    An alpha of exactly 0 or 1 silences a branch, whose layers then get no gradient. A large learning rate drives alpha
    there before untrained branches have learned anything; train them first, or take a smaller one.

    Exclude the variable ``alpha`` from weight decay: it would pull alpha to 0, whatever the data say.

    Args:
        alpha: weight of the first of two inputs, or one weight per input, summing to 1. ``None`` starts all
            inputs with equal weights and learns.
        learnable: whether to train the weights, starting from ``alpha``. Default: only without ``alpha``.
        units: project every input to this many features first. ``None`` merges the inputs as they are, which
            must have equal widths.
        normalize: put every branch on one scale first, see ``Fusion``.
        members: networks at once, see ``Fusion``; each learns weights of its own, a fixed alpha holds for all.
        **kwargs: ``name``, ``dtype``, ``trainable``: as for every Keras layer.

    Returns:
        Called on tensors ``(n, ..., d)``, all of one shape: one tensor ``(n, ..., d)``.

    Raises:
        ValueError: as ``WeightedFusion``.

    Example:
        >>> import numpy as np
        >>> from mixed_data.fusion import WeightedSum
        >>> layer = WeightedSum(alpha=0.1)
        >>> float(layer([np.array([[10.0]]), np.array([[20.0]])])[0, 0])
        19.0
        >>> layer.fusion_weights()
        array([0.1, 0.9])

    Reference:
        Learned softmax weights over layers: Peters et al. (2018), arXiv:1802.05365. Weighted averages of
        predictions: Breiman (1996), doi:10.1007/BF00117832.
    """
