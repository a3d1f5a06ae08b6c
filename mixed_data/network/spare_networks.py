"""Networks whose fit is over and that nobody needs any more: built, compiled and traced for the next fit like theirs.

To build a network, and to have TensorFlow trace its steps, takes as long as many epochs of a small table. Folds differ
in their rows only, so that a fold can train the network of the one before it, with weights of its own.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Hashable

import keras

from mixed_data.network.fused_network import inner_network

_MOST = 6
"""Networks that are kept; with all that belongs to it, one takes tens of megabytes."""

_lock = threading.Lock()
_spare: list[tuple[Hashable, keras.Model]] = []
_recipes: weakref.WeakKeyDictionary[keras.Model, Hashable] = weakref.WeakKeyDictionary()


def name_recipe(predictor: keras.Model, recipe: Hashable) -> None:
    """Say what a predictor was made by, so that it can be given back.

    Args:
        predictor: from `mixed_data.network.fused_network.make_predictor`, whose network is compiled.
        recipe: all that a predictor and the training of its network depend on, but for values of variables. Two with
            equal recipes can stand in for each other.
    """
    _recipes[predictor] = recipe


def give_back(predictor: keras.Model) -> None:
    """Keep a predictor for another fit, if its network was trained. The caller must not use it any more."""
    if predictor in _recipes and inner_network(predictor).compiled:
        with _lock:
            _spare.append((_recipes.pop(predictor), predictor))
            del _spare[:-_MOST]


def take_spare(recipe: Hashable) -> keras.Model | None:
    """Return a predictor that was given back, with the weights of its last fit; None where there is none."""
    with _lock:
        for place, (found, predictor) in enumerate(_spare):
            if found == recipe:
                del _spare[place]
                return predictor
    return None


def copy_variables(source: keras.Model, target: keras.Model) -> None:
    """Give a network all that another one, built alike, starts with: weights, and states of random generators.

    Args:
        source: built, not compiled.
        target: compiled; its optimizer begins anew.
    """
    for ours, theirs in zip(target.variables, source.variables, strict=True):
        ours.assign(theirs)
    for variable in target.optimizer.variables:
        variable.assign(keras.ops.zeros(variable.shape, variable.dtype))
