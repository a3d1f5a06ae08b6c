"""Kernel machines that read the vectors of photos, columns, or both together; fitted, they are a few arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mixed_data.files.checked_arrays import ArrayKind, read_arrays, write_arrays
from mixed_data.kernels.kernel_ridge import choose_penalty, solve_ridge, squared_distances
from mixed_data.kernels.view_components import learn_components
from mixed_data.preprocessing.row_reader import Inputs

MACHINES = ("photos", "mixed", "table", "imputed")
"""What each predicts from: the photos; photos and columns; the columns; the last one predicts from the columns what
"photos" would, for rows without photos."""

MOST_ROWS = 2000
"""Training rows that the machines keep: time grows with their square and cube. Of more rows, whole groups are drawn."""

_MOST_ROWS_FOR_TUNING = 1000
_NUM_COMPONENTS = 256
_PHOTO_WIDTH = 0.5  # of the Gaussian kernel, per mean squared distance of a photo from the mean photo
_NUMBER_WIDTH, _LEVEL_WIDTH = 0.07, 0.5  # likewise, per mean squared distance of two rows
_PHOTO_SHARE = 0.3  # of the photos' kernel in the mixed one, where the columns' counts 1
_VIEW_PENALTY = 0.1
_FEWEST_ROWS_OF_VIEW = 20
_SMALLEST_SKILL = 0.01
_SVR = {"kernel": "precomputed", "C": 3.0, "epsilon": 0.05}
_KINDS = {
    "mean": ArrayKind("float32", 2),
    "projection": ArrayKind("float32", 3),
    "scales": ArrayKind("float32", 1),
    "photos": ArrayKind("float32", 2),
    "columns": ArrayKind("float32", 2),
    "has_photo": ArrayKind("bool", 1),
    "coefficients": ArrayKind("float64", 2),
    "intercepts": ArrayKind("float64", 1),
}


@dataclass(frozen=True)
class KernelMachines:
    """Four regressions on one set of training rows, of which two are told apart only by what they read.

    Photos and columns are put where their squared distances are the exponents of Gaussian kernels. Photos: principal
    components of each view's vectors, each view as important as it is good alone (its R², squared, on rows held out).
    A photo that is missing counts as the mean photo. Columns: numbers and levels, each brought to one scale. The mixed
    kernel is columns · (1 + 0.3 · photos): photos make two houses more alike only where the columns do.

    "photos" and "imputed" are kernel ridge regressions, whose predictions of held-out groups have a closed form.
    "mixed" and "table" are support vector regressions, which a price with a zero too many does not bend.

    Attributes:
        mean: float32 ``(V, D)``, of each view's vectors.
        projection: float32 ``(V, D, P)``, of what differs from it.
        scales: float32 ``(d,)``, of the columns.
        photos: float32 ``(m, V · P)``, the training rows' photos, projected.
        columns: float32 ``(m, d)``, the training rows' columns, scaled.
        has_photo: bool ``(m,)``, whether a training row has one.
        coefficients: float64 ``(m, 4)``, of each training row in each of `MACHINES`.
        intercepts: float64 ``(4,)``.

    Reference:
        Product and sum of kernels: Schölkopf and Smola 2002, Learning with Kernels, section 13.1.
    """

    mean: np.ndarray
    projection: np.ndarray
    scales: np.ndarray
    photos: np.ndarray
    columns: np.ndarray
    has_photo: np.ndarray
    coefficients: np.ndarray
    intercepts: np.ndarray

    @classmethod
    def learn(
        cls,
        inputs: Inputs,
        target: np.ndarray,
        *,
        groups: np.ndarray,
        splits: Sequence[tuple[np.ndarray, np.ndarray]],
        blocks: Sequence[int],
        random_state: int,
    ) -> tuple[KernelMachines, dict[str, np.ndarray]]:
        """Learn from training rows, and predict each by machines that have not seen its group.

        Args:
            inputs: of the rows, with vectors for photos.
            target: float64 ``(n,)``, of mean 0 and standard deviation 1.
            groups: int ``(n,)``.
            splits: of the rows, along the groups.
            blocks: sizes of the parts that a vector consists of.
            random_state: seed of the draw where there are more than `MOST_ROWS`.

        Returns:
            The machines, and for each of `MACHINES` float64 ``(n,)``; "photos" says nothing of rows without photos.
        """
        kept = _draw(groups, MOST_ROWS, random_state)
        rows, aim, names = inputs.take(kept), target[kept], groups[kept]
        tuning = _draw(names, _MOST_ROWS_FOR_TUNING, random_state)
        place = np.full(len(target), -1)
        place[kept] = np.arange(len(kept))
        inner = [tuple(place[part][place[part] >= 0] for part in split) for split in splits]
        mean, projection = _learn_projection(rows, aim, names, tuning, blocks)
        scales = _learn_scales(rows["tabular"])
        photos, columns, has_photo = _place(rows, mean, projection, scales)
        photos, columns = photos.astype("float32"), columns.astype("float32")
        empty = np.zeros((len(kept), len(MACHINES)))
        machines = cls(mean, projection, scales, photos, columns, has_photo, empty, np.zeros(len(MACHINES)))
        training = machines._training_rows()
        kernels = _make_kernels(training, training)
        has_cell = np.asarray(rows["tabular_mask"].any(axis=1))
        of_photos = _fit_ridge(kernels["photos"], aim, has_photo, names, tuning)
        fits = {
            "photos": of_photos,
            "mixed": _fit_svr(kernels["mixed"], aim, has_cell, inner),
            "table": _fit_svr(kernels["table"], aim, has_cell, inner),
            "imputed": _fit_ridge(kernels["table"], of_photos.held_out, has_cell & has_photo, names, tuning),
        }
        for column, name in enumerate(MACHINES):
            machines.coefficients[:, column], machines.intercepts[column] = (
                fits[name].coefficients,
                fits[name].intercept,
            )
        others = np.flatnonzero(place < 0)
        predicted = machines.predict(inputs.take(others))
        is_seen = np.isin(groups[others], names)  # only if there is one group in the machines: without it, they are 0
        held_out = {name: np.empty(len(target)) for name in MACHINES}
        for name, found in held_out.items():
            found[kept], found[others] = fits[name].held_out, np.where(is_seen, 0.0, predicted[name])
        return machines, held_out

    def predict(self, inputs: Inputs, *, num_together: int = 1) -> dict[str, np.ndarray]:
        """Predict rows, each by itself.

        Args:
            inputs: of the rows.
            num_together: rows that are computed at a time. Of one, the last bit does not depend on how many there are;
                many are quicker.

        Returns:
            for each of `MACHINES` float64 ``(n,)``; "photos" says nothing of rows without photos.
        """
        training, found = self._training_rows(), np.empty((len(inputs["image_mask"]), len(MACHINES)))
        for start in range(0, len(found), num_together):
            rows = slice(start, start + num_together)
            kernels = _make_kernels(_place(inputs.take(rows), self.mean, self.projection, self.scales), training)
            of_machines = (kernels["photos"], kernels["mixed"], kernels["table"], kernels["table"])
            for column, kernel in enumerate(of_machines):
                found[rows, column] = kernel @ self.coefficients[:, column] + self.intercepts[column]
        return dict(zip(MACHINES, found.T, strict=True))

    def write(self, file: Path) -> None:
        """Write the arrays."""
        write_arrays(file, {field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def read(cls, file: Path, *, num_views: int, num_features: int, num_columns: int) -> KernelMachines:
        """Read what `write` wrote.

        Args:
            file: to read.
            num_views: ``V``, that the preprocessing makes.
            num_features: ``D``, that the backbone makes.
            num_columns: ``d``, that the preprocessing makes.

        Raises:
            ValueError: it holds something else.
        """
        machines = cls(**read_arrays(file, _KINDS))
        num_rows, num_components = len(machines.has_photo), machines.projection.shape[-1]
        expected = {
            "mean": (num_views, num_features),
            "projection": (num_views, num_features, num_components),
            "scales": (num_columns,),
            "photos": (num_rows, num_views * num_components),
            "columns": (num_rows, num_columns),
            "coefficients": (num_rows, len(MACHINES)),
            "intercepts": (len(MACHINES),),
        }
        for name, shape in expected.items():
            if getattr(machines, name).shape != shape:
                raise ValueError(f"{file.name}: {name!r} must be {shape}, got {getattr(machines, name).shape}")
        return machines

    def _training_rows(self) -> _Placed:
        """Return where the training rows stand, in the precision that kernels are computed in."""
        return _Placed(self.photos.astype("float64"), self.columns.astype("float64"), self.has_photo)


class _Placed(NamedTuple):
    """Where photos ``(n, V · P)`` and columns ``(n, d)`` of rows stand, float64, and which rows have a photo."""

    photos: np.ndarray
    columns: np.ndarray
    has_photo: np.ndarray


def _make_kernels(rows: _Placed, training: _Placed) -> dict[str, np.ndarray]:
    """Return the kernels of rows with the training rows, float64 ``(n, m)``."""
    of_photos = np.exp(-squared_distances(rows.photos, training.photos))
    of_table = np.exp(-squared_distances(rows.columns, training.columns))
    both = rows.has_photo[:, None] & training.has_photo
    mixed = of_table * (1 + _PHOTO_SHARE * np.where(both, of_photos, 0.0)) / (1 + _PHOTO_SHARE)
    return {"photos": of_photos, "mixed": mixed, "table": of_table}


class _Fit(NamedTuple):
    """Coefficients ``(m,)``, intercept and held-out predictions ``(m,)`` of one machine."""

    coefficients: np.ndarray
    intercept: float
    held_out: np.ndarray


def _fit_ridge(
    kernel: np.ndarray, target: np.ndarray, known: np.ndarray, groups: np.ndarray, tuning: np.ndarray
) -> _Fit:
    """Fit kernel ridge regression to the known rows."""
    rows, some = np.flatnonzero(known), tuning[known[tuning]]
    coefficients = np.zeros(len(target))
    if not len(some):
        return _Fit(coefficients, 0.0, np.zeros(len(target)))
    penalty = choose_penalty(kernel[np.ix_(some, some)], target[some], groups[some])
    coefficients[rows], of_rows, inverse = solve_ridge(kernel[np.ix_(rows, rows)], target[rows], groups[rows], penalty)
    held_out = kernel @ coefficients
    held_out[rows] = of_rows
    for name in np.intersect1d(groups[~known], groups[rows]):  # of whose group some rows are known, some are not
        mates, others = np.flatnonzero(groups[rows] == name), np.flatnonzero((groups == name) & ~known)
        lost = inverse[:, mates] @ np.linalg.solve(inverse[np.ix_(mates, mates)], coefficients[rows[mates]])
        held_out[others] -= kernel[np.ix_(others, rows)] @ lost
    return _Fit(coefficients, 0.0, held_out)


def _fit_svr(
    kernel: np.ndarray, target: np.ndarray, known: np.ndarray, splits: Sequence[tuple[np.ndarray, ...]]
) -> _Fit:
    """Fit support vector regression to the known rows, and to those of each split to predict the others."""
    from sklearn.svm import SVR

    def fit(rows: np.ndarray) -> tuple[np.ndarray, float]:
        coefficients = np.zeros(len(target))
        if not len(rows):
            return coefficients, 0.0
        machine = SVR(**_SVR).fit(kernel[np.ix_(rows, rows)], target[rows])
        coefficients[rows[machine.support_]] = machine.dual_coef_[0]
        return coefficients, float(machine.intercept_[0])

    held_out = np.zeros(len(target))
    for training_rows, held_out_rows in splits:
        coefficients, intercept = fit(training_rows[known[training_rows]])
        held_out[held_out_rows] = kernel[held_out_rows] @ coefficients + intercept
    return _Fit(*fit(np.flatnonzero(known)), held_out)


def _draw(groups: np.ndarray, most: int, random_state: int) -> np.ndarray:
    """Return positions of at most so many rows, ascending: whole groups, or part of one where none is small enough."""
    if len(groups) <= most:
        return np.arange(len(groups))
    names, members, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(random_state).permutation(len(names))
    if sizes.min() > most:
        return np.flatnonzero(members == order[0])[:most]
    chosen, room = np.zeros(len(names), dtype=bool), most
    for group in order:
        if sizes[group] <= room:
            chosen[group], room = True, room - sizes[group]
    return np.flatnonzero(chosen[members])


def _learn_projection(
    rows: Inputs, target: np.ndarray, groups: np.ndarray, tuning: np.ndarray, blocks: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and projection: components, each view as far stretched as it is good alone."""
    vectors, mask = rows["images"], rows["image_mask"]
    mean, kernel = learn_components(vectors, mask, _NUM_COMPONENTS, blocks)
    skills = np.full(mask.shape[1], _SMALLEST_SKILL)
    for view in range(len(skills)):
        present = vectors[mask[:, view], view]
        size = np.mean(np.sum(((present - mean[view]) @ kernel[view]) ** 2, axis=1)) if len(present) else 0.0
        if size > 0:
            kernel[view] /= np.sqrt(size)
        some = tuning[mask[tuning, view]]
        if size > 0 and len(some) >= _FEWEST_ROWS_OF_VIEW and np.var(target[some]) > 0:
            placed = (vectors[some, view] - mean[view]) @ kernel[view]
            of_view = np.exp(-_PHOTO_WIDTH * squared_distances(placed, placed))
            held_out = solve_ridge(of_view, target[some], groups[some], _VIEW_PENALTY)[1]
            error = np.mean((target[some] - held_out) ** 2)
            skills[view] = max(1 - error / np.var(target[some]), _SMALLEST_SKILL)
    shares = skills**2 / np.sum(skills**2)
    kernel *= np.sqrt(_PHOTO_WIDTH * shares)[:, None, None]
    return mean.astype("float32"), kernel.astype("float32")


def _learn_scales(columns: np.ndarray) -> np.ndarray:
    """Return the scale of each column, float32 ``(d,)``: of those that hold only 0 and 1 as levels, else as numbers.

    One that is the same in all rows has 0: another value in a new row says nothing.
    """
    is_level = np.asarray(np.isin(columns, (0, 1)).all(axis=0))
    variances = columns.astype("float64").var(axis=0)
    scales = np.zeros(columns.shape[1])
    for width, chosen in ((_LEVEL_WIDTH, is_level), (_NUMBER_WIDTH, ~is_level)):
        mean_distance = 2 * variances[chosen].sum()
        if mean_distance > 0:
            scales[chosen] = np.sqrt(width / mean_distance)
    scales[np.ptp(columns, axis=0) == 0] = 0.0
    return scales.astype("float32")


def _place(rows: Inputs, mean: np.ndarray, projection: np.ndarray, scales: np.ndarray) -> _Placed:
    """Return where rows stand; the numbers are float32, so that those of training rows can be kept as such."""
    mask: np.ndarray = rows["image_mask"]
    placed = np.zeros((*mask.shape, projection.shape[-1]), dtype="float32")
    for view in range(mask.shape[1]):
        there = mask[:, view]
        placed[there, view] = (rows["images"][there, view] - mean[view]) @ projection[view]
    columns = rows["tabular"] * scales
    is_there = np.asarray(mask.any(axis=1))
    return _Placed(placed.reshape(len(mask), -1).astype("float64"), columns.astype("float64"), is_there)
