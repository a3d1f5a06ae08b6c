"""The finished fits of a run that is not finished, so that none is done twice when the run is resumed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from mixed_data.bundle import save_bundle
from mixed_data.estimator import load
from mixed_data.files.checked_json import INTEGERS, NUMBER, OBJECT, check_fields, optional, read_json, write_json
from mixed_data.network.epoch_checkpoint import EpochCheckpoint

_FIELDS = {"rows": INTEGERS, "columns": OBJECT, "weights": optional(OBJECT), "seconds": NUMBER}


@dataclass(frozen=True)
class Fit:
    """One model of one fold.

    Attributes:
        rows: what it predicted for the held-out rows, indexed by their positions; see `HeldOut.rows`.
        model: the fitted model, or what stands for it.
        seconds: wall time of fitting and predicting.
    """

    rows: pd.DataFrame
    model: Any
    seconds: float


@dataclass(frozen=True)
class StandIn:
    """What a run's files say of a fitted model that is not its main one.

    Attributes:
        fusion_weights_: see `MixedDataRegressor`.
        member_weights_: see `MixedDataRegressor`.
    """

    fusion_weights_: dict[str, float]
    member_weights_: np.ndarray | None


class KeptFits:
    """Keeps what every finished fit predicted, and the main model itself.

    Args:
        folder: of the files; exists.
        main: name of the model that is kept whole.
    """

    def __init__(self, folder: Path, main: str) -> None:
        self._folder = folder
        self._main = main

    @property
    def is_empty(self) -> bool:
        """Whether not one fit is finished."""
        return not any(self._folder.glob("*.json"))

    def watch_epochs(self, name: str, fold: int) -> EpochCheckpoint:
        """Return the callback that keeps a fit's finished epochs."""
        return EpochCheckpoint(self._path(name, fold))

    def keep(self, name: str, fold: int, fit: Fit) -> None:
        """Write a finished fit; its epochs are no longer needed."""
        path = self._path(name, fold)
        if name == self._main:
            save_bundle(fit.model, path.with_name(f"{path.name}.bundle"))
        members = getattr(fit.model, "member_weights_", None)
        means = getattr(fit.model, "fusion_weights_", {})
        state = {
            "rows": [int(row) for row in fit.rows.index],
            "columns": {column: fit.rows[column].tolist() for column in fit.rows},
            "weights": None if members is None else {"means": means, "members": members.tolist()},
            "seconds": fit.seconds,
        }
        write_json(path.with_name(f"{path.name}.json"), state)
        self.watch_epochs(name, fold).remove()

    def read(self, name: str, fold: int, model: BaseEstimator) -> Fit | None:
        """Return a fit that an earlier process finished, or None.

        Args:
            name: of the model.
            fold: from 0.
            model: the same, unfitted.

        Raises:
            BundleError: the main model was changed since.
            ValueError: a file was changed since.
        """
        path = self._path(name, fold)
        file = path.with_name(f"{path.name}.json")
        if not file.is_file():
            return None
        state = check_fields(read_json(file), str(file), _FIELDS)
        rows = pd.DataFrame(state["columns"], index=state["rows"])
        if name == self._main:
            fitted = load(path.with_name(f"{path.name}.bundle"))
            # A bundle holds settings as they were resolved; a further fit begins with those of the plan.
            fitted.set_params(**clone(model).get_params(deep=False))
            return Fit(rows, fitted, state["seconds"])
        weights = state["weights"]
        stand_in = StandIn({}, None) if weights is None else StandIn(weights["means"], np.array(weights["members"]))
        return Fit(rows, stand_in, state["seconds"])

    def _path(self, name: str, fold: int) -> Path:
        return self._folder / f"{name}-fold{fold}"
