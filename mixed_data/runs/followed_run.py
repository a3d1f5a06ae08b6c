"""A run whose networks several processes train: what process 0 tells the others, and what these do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pandas as pd
from sklearn.base import clone

from mixed_data.evaluation.held_out_scores import Splits, Watch, make_networks
from mixed_data.network.distribution import Job
from mixed_data.preprocessing.lost_photos import without_photo_warnings
from mixed_data.runs.claimed_folder import find_changes
from mixed_data.schema import Schema
from mixed_data.schema.column_formats import check_and_read

if TYPE_CHECKING:
    from mixed_data.runs.train_run import Plan

ALL_ROWS = ", all rows"
"""Behind the name of the main network, where a `Watch` is told of its fit on all rows."""

_SAME_EVERYWHERE = ("schema", "table", "versions", "settings")


def announce_fits(job: Job, watch: Watch, splits: Splits) -> Watch:
    """Tell the other processes the rows of each fold, and return a `Watch` that tells them of each fit that begins.

    Args:
        job: of process 0.
        watch: another one.
        splits: of the run.
    """
    job.share([training_rows.tolist() for training_rows, _ in splits])

    def announce(name: str, fold: int) -> Sequence[keras.callbacks.Callback]:
        job.share([name, fold])
        return watch(name, fold)

    return announce


def follow_run(
    job: Job, table: pd.DataFrame, schema: Schema, plan: Plan, *, own: Mapping[str, Any], first: Mapping[str, Any]
) -> None:
    """Take part in every fit that process 0 begins, until it is done with the run.

    Args:
        job: of this process.
        table: all rows.
        schema: roles of the columns.
        plan: of the run.
        own: ``config.json`` as this process would write it, without the photos.
        first: ``config.json`` of process 0.

    Raises:
        ValueError: this process has other rows, versions or settings than process 0.
    """
    own = json.loads(json.dumps(own))  # as the other one came: tuples are lists
    if changed := find_changes(first, own, _SAME_EVERYWHERE):
        raise ValueError(
            f"process {job.process_id} cannot train with process 0, because these are not alike: {', '.join(changed)}. "
            "Give all processes the same command, files and packages"
        )
    schema, table = check_and_read(schema, table)
    networks = make_networks(schema, [*plan.networks, plan.main], {"random_state": plan.random_state, **plan.options})
    folds = [np.array(rows) for rows in job.share()]
    while (fit := job.share()) is not None:
        name, fold = fit
        rows = table if name.endswith(ALL_ROWS) else table.iloc[folds[fold]]
        with without_photo_warnings():
            clone(networks[name.removesuffix(ALL_ROWS)]).fit(rows, rows[schema.target])
