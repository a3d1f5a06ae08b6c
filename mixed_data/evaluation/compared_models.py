"""The models that a comparison fits: baselines, networks, and what tells where a network's score comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from mixed_data.evaluation.baselines import make_baselines
from mixed_data.evaluation.held_out_scores import make_networks
from mixed_data.evaluation.model_names import BEST, PLACEBO, TABLE, name_without
from mixed_data.schema import Schema

Split = tuple[np.ndarray, np.ndarray]
Prepare = Callable[[pd.DataFrame, Schema, Split, Sequence[int]], pd.DataFrame]
"""(table, schema, (training rows, held-out rows), seed) -> the table that the model gets to see."""


def leave_as_is(table: pd.DataFrame, schema: Schema, split: Split, seed: Sequence[int]) -> pd.DataFrame:
    """A `Prepare` that changes nothing."""
    return table


def shuffle_photos(table: pd.DataFrame, schema: Schema, split: Split, seed: Sequence[int]) -> pd.DataFrame:
    """A `Prepare` that gives every row another row's photos, all of them together.

    Training rows exchange theirs among each other, and so do held-out rows. What a network then gains over the one
    without photos is the share of its size and shape, not of what the photos show.

    Args:
        table: all rows; not changed.
        schema: names the image columns.
        split: positions of the training rows and of the held-out rows.
        seed: of the shuffles.

    Returns:
        A copy with shuffled image columns.
    """
    random = np.random.default_rng(seed)
    columns = list(schema.images)
    giver = np.arange(len(table))
    for rows in split:
        giver[rows] = random.permutation(rows)
    photos = table[columns].iloc[giver].set_axis(table.index, axis="index")
    return table.assign(**{column: photos[column] for column in columns})


@dataclass(frozen=True)
class Candidate:
    """A model of a comparison.

    Attributes:
        estimator: unfitted regressor over a DataFrame.
        prepare: what is done to the table before each fit.
    """

    estimator: BaseEstimator
    prepare: Prepare = leave_as_is


def make_candidates(
    schema: Schema,
    options: Mapping[str, Any],
    *,
    networks: Sequence[str],
    main: str,
    views: bool = True,
    intervals: bool = True,
) -> dict[str, Candidate]:
    """Return what to compare, by name, in the order of the report.

    - ``median``, ``ridge``, ``knn``, ``boosting``: see `make_baselines`.
    - ``table``, ``image`` and fusions: the networks asked for, and the main one.
    - ``best``: if asked for, network and boosting together; see `StackedRegressor`.
    - ``placebo``: the main network with the photos of whole rows shuffled; see `shuffle_photos`.
    - ``without COLUMN``: the main network without one of its image columns.

    Args:
        schema: roles of the columns.
        options: arguments of `MixedDataRegressor`, the same for all networks.
        networks: "table", "image", "best", or names in `mixed_data.fusion.FUSIONS`.
        main: the network that the questions are about.
        views: whether to leave out each image column once; without this, only the placebo tells about photos.
        intervals: whether the main network and ``best`` learn intervals.

    Raises:
        ValueError: as in `make_networks`.
    """
    names = list(dict.fromkeys([*networks, main]))
    models = {**make_baselines(schema, options), **make_networks(schema, names, options)}
    candidates = {
        name: Candidate(model.set_params(intervals=True) if intervals and name in (main, BEST) else model)
        for name, model in models.items()
    }
    if main == TABLE:
        return candidates
    plain = clone(models[main]).set_params(intervals=False)
    candidates[PLACEBO] = Candidate(plain, shuffle_photos)
    if views and len(schema.images) > 1:
        for column in schema.images:
            rest = replace(schema, images=tuple(name for name in schema.images if name != column))
            without = {"network__schema" if main == BEST else "schema": rest}
            candidates[name_without(column)] = Candidate(clone(plain).set_params(**without))
    return candidates
