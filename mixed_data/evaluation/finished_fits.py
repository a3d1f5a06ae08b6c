"""The finished fits of a run that is not finished, so that none is done twice when the run is resumed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixed_data.bundle import save_bundle
from mixed_data.estimator import MixedDataRegressor, load
from mixed_data.files.checked_json import (
    INTEGER,
    INTEGERS,
    NUMBER,
    NUMBERS,
    OBJECT,
    TEXT,
    TEXTS,
    Kind,
    check_fields,
    read_json,
    write_json,
)
from mixed_data.network.epoch_checkpoint import EpochCheckpoint
from mixed_data.network.spare_networks import give_back

_LIST = Kind("a list or null", lambda value: value is None or isinstance(value, list))
_FIELDS = {
    "model": TEXT,
    "fold": INTEGER,
    "rows": INTEGERS,
    "columns": OBJECT,
    "weights": OBJECT,
    "member_weights": _LIST,
    "seconds": NUMBER,
    "hidden": OBJECT,
}
_COLUMNS = {"prediction": NUMBERS, "images_used": INTEGERS, "warnings": TEXTS, "fold": INTEGERS}
_HIDDEN = {"row": INTEGERS, "pattern": TEXTS, "prediction": NUMBERS}
_ENDS = {"lower": NUMBERS, "upper": NUMBERS}


@dataclass(frozen=True)
class StandIn:
    """What a run's files say of a fitted model that is not its main one.

    Attributes:
        fusion_weights_: see `MixedDataRegressor`; empty where there are none.
        member_weights_: see `MixedDataRegressor`; None where there are none.
    """

    fusion_weights_: dict[str, float]
    member_weights_: np.ndarray | None

    @classmethod
    def of(cls, model: Any) -> StandIn:
        """Return what is said of a fitted model, or of what stands in for it."""
        weights = getattr(model, "fusion_weights_", {})
        members = getattr(model, "member_weights_", None)
        return cls({branch: float(weight) for branch, weight in weights.items()}, members)

    @classmethod
    def in_place_of(cls, model: Any) -> StandIn:
        """Return the same, and leave the model's network to the next fit: the model is not used any more."""
        found = cls.of(model)
        if isinstance(model, MixedDataRegressor):
            give_back(model.model_)
        return found


@dataclass(frozen=True)
class Fit:
    """One model of one fold.

    Attributes:
        rows: what it predicted for the held-out rows, indexed by their positions; see `HeldOut.rows`.
        model: the fitted model, or what stands in for it.
        seconds: wall time of fitting and predicting.
        hidden: what it predicted with modalities hidden, if that was asked for; see `HeldOut.hidden`.
    """

    rows: pd.DataFrame
    model: Any
    seconds: float
    hidden: pd.DataFrame = field(default_factory=pd.DataFrame)


class FinishedFits:
    """Keeps what every finished fit predicted, the epochs of one that is not finished, and the main model itself.

    A fit is one small JSON file, which appears whole or not at all; a file that is damaged, or of something else, is
    no finished fit.

    Args:
        folder: of the files; exists. None keeps nothing.
        main: name of the model that is kept whole, as a bundle; of all others `StandIn` is enough.
    """

    def __init__(self, folder: Path | None = None, main: str | None = None) -> None:
        self._folder = None if folder is None else folder.absolute()  # for workers that start elsewhere
        self._main = main

    @property
    def is_empty(self) -> bool:
        """Whether not one fit is finished."""
        return self._folder is None or not any(self._folder.rglob("*-fold*.json"))

    def inside(self, part: str) -> FinishedFits:
        """Return a store of its own for a part of the run, such as a repeat."""
        if self._folder is None:
            return self
        (self._folder / part).mkdir(exist_ok=True)
        return FinishedFits(self._folder / part, self._main)

    def watch_epochs(self, name: str, fold: int) -> list[EpochCheckpoint]:
        """Return the callbacks that keep a fit's finished epochs, and begin after them."""
        return [] if self._folder is None else [EpochCheckpoint(self._path(name, fold, ""))]

    def keep(self, name: str, fold: int, fit: Fit) -> Fit:
        """Write a finished fit, whose epochs are no longer needed, and return it as `read` will."""
        if self._folder is None:
            return fit
        if name == self._main:
            save_bundle(fit.model, self._path(name, fold, ".bundle"), for_runtime=False)
        else:
            fit = replace(fit, model=StandIn.in_place_of(fit.model))
        said = StandIn.of(fit.model)
        state = {
            "model": name,
            "fold": fold,
            "rows": [int(row) for row in fit.rows.index],
            "columns": {column: fit.rows[column].tolist() for column in fit.rows},
            "weights": said.fusion_weights_,
            "member_weights": None if said.member_weights_ is None else said.member_weights_.tolist(),
            "seconds": fit.seconds,
            "hidden": fit.hidden.reset_index(names="row").to_dict("list") if len(fit.hidden) else {},
        }
        write_json(self._path(name, fold, ".json"), state)
        for epochs in self.watch_epochs(name, fold):
            epochs.remove()
        return fit

    def read(self, name: str, fold: int, rows: Sequence[int] | np.ndarray) -> Fit | None:
        """Return a fit that an earlier process finished.

        Args:
            name: of the model.
            fold: from 0.
            rows: positions of the rows that it must have predicted, in order.

        Returns:
            The fit, or None where there is none that can be used.
        """
        if self._folder is None:
            return None
        file = self._path(name, fold, ".json")
        try:
            state = check_fields(read_json(file), str(file), _FIELDS)
            if (state["model"], state["fold"], state["rows"]) != (name, fold, [int(row) for row in rows]):
                return None
            columns = state["columns"]
            kinds = _COLUMNS if columns.keys().isdisjoint(_ENDS) else _COLUMNS | _ENDS
            kinds = kinds | {"level_rows": INTEGERS} if "level_rows" in columns else kinds
            check_fields(columns, str(file), kinds if len(rows) else {})
            if any(len(values) != len(rows) for values in columns.values()):
                return None
            predicted = pd.DataFrame(columns, index=state["rows"])
            if "level_rows" in predicted:  # a fold may have none
                predicted = predicted.astype({"level_rows": "Int64"})
            hidden = _read_hidden(state["hidden"], set(state["rows"]), str(file))
            if name == self._main:
                return Fit(predicted, load(self._path(name, fold, ".bundle")), state["seconds"], hidden)
            members = None if state["member_weights"] is None else np.array(state["member_weights"], dtype="float64")
            return Fit(predicted, StandIn(state["weights"], members), state["seconds"], hidden)
        except (OSError, ValueError):
            return None

    def _path(self, name: str, fold: int, ending: str) -> Path:
        """Name a file of a fit; the digest tells apart what is equal in letters and digits."""
        letters = re.sub(r"[^A-Za-z0-9]+", "-", name)[:40]
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        return (self._folder or Path()) / f"{letters}-{digest}-fold{fold}{ending}"


def _read_hidden(columns: dict[str, Any], rows: set[int], what: str) -> pd.DataFrame:
    if not columns:
        return pd.DataFrame()
    check_fields(columns, what, _HIDDEN if columns.keys().isdisjoint(_ENDS) else _HIDDEN | _ENDS)
    if not rows.issuperset(columns["row"]):
        raise ValueError(f"{what}: hidden rows that were not held out")
    return pd.DataFrame(columns).set_index("row").rename_axis(None)  # arrays of unequal lengths are a ValueError


KEEP_NOTHING = FinishedFits()
