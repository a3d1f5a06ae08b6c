"""The models that a comparison fits: baselines, networks, and what tells where a network's score comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sklearn.base import BaseEstimator, clone

from mixed_data.evaluation.baselines import make_baselines
from mixed_data.evaluation.held_out_scores import make_networks
from mixed_data.evaluation.model_names import BEST, PLACEBO, TABLE, name_without
from mixed_data.evaluation.placebo import Prepare, shuffle_photos
from mixed_data.schema import Schema


@dataclass(frozen=True)
class Candidate:
    """A model of a comparison.

    Attributes:
        estimator: unfitted regressor over a DataFrame.
        prepare: what is done to the table before each fit; None leaves it as it is.
        hide: whether held-out rows are also predicted with modalities hidden.
    """

    estimator: BaseEstimator
    prepare: Prepare | None = None
    hide: bool = False


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
    - ``best``: if asked for, boosted trees and kernel machines together; see `StackedRegressor`.
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
        name: Candidate(
            model.set_params(intervals=True) if intervals and name in (main, BEST) else model, hide=name == main
        )
        for name, model in models.items()
    }
    if main == TABLE:
        return candidates
    plain = clone(models[main]).set_params(intervals=False)
    candidates[PLACEBO] = Candidate(plain, shuffle_photos)
    if views and len(schema.images) > 1:
        for column in schema.images:
            rest = replace(schema, images=tuple(name for name in schema.images if name != column))
            candidates[name_without(column)] = Candidate(clone(plain).set_params(schema=rest))
    return candidates
