"""Shapley values of a game: what each player adds, on average over the orders in which they can come in."""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np

MOST_PLAYERS = 12
"""Up to so many, all coalitions are looked at: 4,096. Of more, orders are drawn."""

_NUM_ORDERS = 200


def shapley_values(
    worth: Callable[[np.ndarray], np.ndarray], num_players: int, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what each player adds.

    Args:
        worth: from coalitions, bool ``(m, p)``, to what each is worth, float64 ``(m, K)``, in ``K`` games at once.
        num_players: ``p``.
        seed: of the orders that are drawn where there are more than `MOST_PLAYERS`.

    Returns:
        float64 ``(p, K)``; they sum to what all are worth beyond what nobody is. And their standard errors, ``(p,
        K)``, where orders were drawn; None where the values are exact.

    Reference:
        Shapley 1953, A Value for n-Person Games. Drawn orders: Castro, Gómez and Tejada 2009,
        doi:10.1016/j.cor.2008.04.004.

    Example:
        >>> values, _ = shapley_values(lambda who: (who @ [1.0, 2.0] + who.all(axis=1))[:, None], 2)
        >>> values.ravel().tolist()
        [1.5, 2.5]
    """
    if num_players == 0:
        return np.zeros((0, worth(np.zeros((1, 0), dtype=bool)).shape[1])), None
    if num_players > MOST_PLAYERS:
        return _draw_orders(worth, num_players, np.random.default_rng(seed))
    numbers = np.arange(2**num_players)
    coalitions = (numbers[:, None] >> np.arange(num_players)) & 1 == 1
    worths, sizes = worth(coalitions), coalitions.sum(axis=1)
    weights = np.array([1 / (num_players * comb(num_players - 1, size)) for size in range(num_players)])
    values = []
    for player in range(num_players):
        without = numbers[~coalitions[:, player]]
        values.append(weights[sizes[without]] @ (worths[without | (1 << player)] - worths[without]))
    return np.array(values), None


def _draw_orders(
    worth: Callable[[np.ndarray], np.ndarray], num_players: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Average over orders, each of which is also gone through backwards, which takes away part of the chance."""
    pairs = []
    for _ in range(_NUM_ORDERS // 2):
        order = random.permutation(num_players)
        found = []
        for players in (order, order[::-1]):
            coalitions = np.zeros((num_players + 1, num_players), dtype=bool)
            for place, player in enumerate(players):
                coalitions[place + 1 :, player] = True
            added = np.diff(worth(coalitions), axis=0)
            found.append(added[np.argsort(players)])
        pairs.append(np.mean(found, axis=0))
    return np.mean(pairs, axis=0), np.std(pairs, axis=0, ddof=1) / np.sqrt(len(pairs))
