"""Why a row is predicted as it is: what each of its parts adds, on average over the orders in which they come in."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from mixed_data.explain.explanations import Explanation, Narrowing, Part, Reference, Without
from mixed_data.explain.hidden_parts import Explained, HiddenParts
from mixed_data.explain.shapley_values import shapley_values
from mixed_data.prediction.missing_patterns import name_patterns
from mixed_data.prediction.rare_levels import find_rare_levels
from mixed_data.preprocessing.row_reader import Inputs
from mixed_data.schema.cell_values import canonical_text
from mixed_data.schema.column_formats import read_cells
from mixed_data.schema.pandas_frames import to_pandas
from mixed_data.schema.photo_paths import show_path

# 95 % quantile of Student's t with 1, 2, ... degrees of freedom; of more than 30, that of the normal distribution.
_STUDENT = (
    *[6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771, 1.761, 1.753],
    *[1.746, 1.740, 1.734, 1.729, 1.725, 1.721, 1.717, 1.714, 1.711, 1.708, 1.706, 1.703, 1.701, 1.699, 1.697],
)
_NORMAL = 1.645
_REFERENCES = {
    "both": ("neither a column nor a photo is known", "no column is known and each of its photos is a typical one"),
    "tabular": ("no column is known", ""),
    "image": ("no photo is known", "each of its photos is a typical one"),
}
"""Modalities -> what the reference is the prediction for: of a row whose photos are hidden as if there were none, and
behind typical ones."""


def explain_rows(model: Explained, table: pd.DataFrame, coverage: float = 0.9) -> list[Explanation]:
    """Say what columns and photos did to the predictions of rows.

    The value of a part is what its presence adds to the prediction, averaged over the orders in which the parts can
    become known: the Shapley value. First for table and photos as two parts; then for the columns among themselves and
    the photos among themselves, with the other modality known in half of the orders and unknown in the other half, so
    that they add up to what their modality did (Owen values). Exact up to 12 columns and 12 photos, by drawn orders
    beyond. On a logarithmic scale, what adds up there multiplies here.

    A cell that is not known looks to the model like an empty one. In the place of a photo that is not known stands the
    mean training photo of its view, where the bundle has it, or else none. A photo that the row does not have stays
    missing throughout.

    Args:
        model: that predicts.
        table: the rows.
        coverage: of the intervals.

    Returns:
        One explanation per row, in order.

    Raises:
        ValueError: the table does not fit the schema (all problems are listed), or the coverage is no share.

    Reference:
        Shapley 1953, A Value for n-Person Games. Owen 1977, Values of Games with a Priori Unions,
        doi:10.1007/978-3-642-45494-3_7.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage must be a share above 0 and below 1, such as 0.9, got {coverage!r}")
    table = to_pandas(table)
    schema = model.preprocessor_.schema_
    schema.validate(table, needs_target=False)
    table = read_cells(schema, table)
    return [_explain(model, table.iloc[row : row + 1], coverage) for row in range(len(table))]


def _explain(model: Explained, table: pd.DataFrame, coverage: float) -> Explanation:
    inputs = model.read_rows(table)
    row = HiddenParts(model, table, inputs)
    known = row.predict(*_all_known(row), coverage)
    scale, ends = _Scale(model, row, float(known[0][0])), _interval(*known)
    schema, preprocessor = model.preprocessor_.schema_, model.preprocessor_
    reads_table, reads_photos = model.modalities != "image", model.modalities != "tabular"
    columns = _weigh(_average(row, of_columns=True), len(row.columns))
    views = _weigh(_average(row, of_columns=False), len(row.views))
    found_columns = dict(zip(row.columns, columns, strict=True))
    found_views = dict(zip(row.views, views, strict=True))
    features = schema.features if reads_table else ()
    names = preprocessor.views_ if reads_photos else []
    cells = {name: canonical_text(table[name]).iloc[0] for name in found_columns}
    photos = dict(zip(names, _name_photos(model, table) if reads_photos else (), strict=True))
    modalities = [
        scale.part(name, _sum(found), None)
        for name, found, is_read in (("table", columns, reads_table), ("photos", views, reads_photos))
        if is_read
    ]
    rare = find_rare_levels(inputs, preprocessor)[0]
    is_typical = bool(row.views) and model.typical_photos_ is not None
    return Explanation(
        prediction=scale.prediction,
        lower=ends[0],
        upper=ends[1],
        coverage=coverage,
        scale="log" if scale.is_log else "identity",
        reference=Reference(scale.reference, f"the prediction where {_REFERENCES[model.modalities][is_typical]}"),
        modalities=modalities,
        views=[scale.part(name, found_views.get(place), photos[name]) for place, name in enumerate(names)],
        columns=[scale.part(name, found_columns.get(name), cells.get(name)) for name in features],
        without=[_leave_out(row, position, names[view], coverage) for position, view in enumerate(row.views)],
        narrowing=_narrow(model, table, inputs, names, coverage),
        warnings=[*inputs.row_warnings[0], *rare],
    )


class _Scale:
    """Turns what parts add on the scale of a model into factors and amounts."""

    def __init__(self, model: Explained, row: HiddenParts, prediction: float) -> None:
        self._transformer, self.prediction = model.target_transformer_, prediction
        self.is_log = self._transformer.log_
        members = row.predict_members(*(~known for known in _all_known(row)))
        self.reference = float(self._transformer.inverse_transform(members.mean(axis=1))[0])

    def part(self, name: str, found: tuple[np.ndarray, np.ndarray | None] | None, value: str | None) -> Part:
        """Describe a part by what it adds for each member, and the standard errors of that; None is missing."""
        if found is None:
            return Part(name, False, value, 1.0 if self.is_log else None, 0.0, None, None, None)
        added, errors = found[0] * self._transformer.std_, found[1]
        mean = float(added.mean())
        error = None if errors is None else float(errors.mean() * self._transformer.std_)
        ends: list[float | None] = [None, None]
        num_members = len(added)
        if num_members > 1:
            quantile = _STUDENT[num_members - 2] if num_members - 2 < len(_STUDENT) else _NORMAL
            reach = quantile * float(added.std(ddof=1)) / math.sqrt(num_members)
            ends = [mean - reach, mean + reach]
        if not self.is_log:
            return Part(name, True, value, None, mean, ends[0], ends[1], error)
        factor = math.exp(mean)
        lower, upper = (None if end is None else math.exp(end) for end in ends)
        amount = self.prediction - self.prediction / factor
        return Part(name, True, value, factor, amount, lower, upper, None if error is None else factor * error)


def _weigh(worth: Callable[[np.ndarray], np.ndarray], num_players: int) -> list[tuple[np.ndarray, np.ndarray | None]]:
    values, errors = shapley_values(worth, num_players)
    return [(value, None if errors is None else errors[player]) for player, value in enumerate(values)]


def _average(row: HiddenParts, *, of_columns: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Return what columns (or photos) are worth, averaged over the other modality's being known and unknown."""

    def worth(who: np.ndarray) -> np.ndarray:
        twice = np.vstack([who, who])
        others = np.zeros((len(twice), len(row.views if of_columns else row.columns)), dtype=bool)
        others[: len(who)] = True
        found = row.predict_members(twice, others) if of_columns else row.predict_members(others, twice)
        return (found[: len(who)] + found[len(who) :]) / 2

    return worth


def _sum(parts: Sequence[tuple[np.ndarray, np.ndarray | None]]) -> tuple[np.ndarray, None] | None:
    """Return what the parts of a modality add together, which is exact also where that of each is not."""
    return (np.sum([added for added, _ in parts], axis=0), None) if parts else None


def _all_known(row: HiddenParts) -> tuple[np.ndarray, np.ndarray]:
    return np.ones((1, len(row.columns)), dtype=bool), np.ones((1, len(row.views)), dtype=bool)


def _interval(
    prediction: np.ndarray, lower: np.ndarray | None, upper: np.ndarray | None
) -> tuple[float | None, float | None]:
    return (None if lower is None else float(lower[0])), (None if upper is None else float(upper[0]))


def _leave_out(row: HiddenParts, position: int, name: str, coverage: float) -> Without:
    columns, views = _all_known(row)
    views[0, position] = False
    found = row.predict(columns, views, coverage)
    return Without(name, float(found[0][0]), *_interval(*found))


def _narrow(
    model: Explained, table: pd.DataFrame, inputs: Inputs, names: Sequence[str], coverage: float
) -> list[Narrowing]:
    """Compare the interval of a row as it is with that of a row as hard that has one more photo."""
    missing = [name for place, name in enumerate(names) if not inputs["image_mask"][0, place]]
    if model.calibrator_ is None or not missing:
        return []
    scaled, difficulty = model.describe_read(table, inputs)
    prediction = model.target_transformer_.inverse_transform(scaled)
    widths = []
    for mask in (inputs["image_mask"], np.ones_like(inputs["image_mask"])):
        pattern = name_patterns(Inputs({**inputs, "image_mask": mask}), model.modalities)
        try:
            ends = model.calibrator_.predict(prediction, difficulty=difficulty, pattern=pattern, coverage=coverage)
        except ValueError:  # a pattern with too few rows for it
            return []
        lower, upper = (model.target_transformer_.transform(end) for end in ends)
        widths.append(float(upper[0] - lower[0]))
    width = widths[1] / widths[0] if widths[0] > 0 else 1.0
    return [Narrowing(name, width) for name in missing]


def _name_photos(model: Explained, table: pd.DataFrame) -> list[str | None]:
    """Return the file of each view of a row as a person recognises it; None where there is none."""
    images = model.preprocessor_.images_
    photos = images.list_photos(table)[0]
    shown = {
        name: show_path(photo if isinstance(photo, bytes) else photo.rsplit("/", 1)[-1])
        for name, photo in photos.items()
    }
    if images.montage:
        return [", ".join(shown.values()) or None for _ in images.views_]
    return [shown.get(view) for view in images.views_]
