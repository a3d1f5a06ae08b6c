"""What an explanation says of one row, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Part:
    """What one part of a row did to its prediction: its table, its photos, one photo or one column.

    Attributes:
        name: of the part.
        present: whether the row has it; a part that is missing did nothing.
        value: of a column, as written in the row; of a photo, its file; else None.
        factor: on a logarithmic scale what the part multiplies the prediction by, else None. The factors of all parts
            of a kind multiply to prediction / reference.
        amount: the prediction minus what it would be without this factor, target units; on a linear scale, what the
            part adds.
        lower: where the factor (without one, the amount) of 90 % of ensembles of such members would lie at least; None
            where the model has one member.
        upper: likewise, at most.
        standard_error: of the factor (the amount), where orders of the parts were drawn, by chance; else None.
    """

    name: str
    present: bool
    value: str | None
    factor: float | None
    amount: float
    lower: float | None
    upper: float | None
    standard_error: float | None


@dataclass(frozen=True)
class Reference:
    """What every factor counts from.

    Attributes:
        value: the prediction for the row with all its parts hidden, target units.
        text: the same as a sentence.
    """

    value: float
    text: str


@dataclass(frozen=True)
class Without:
    """The prediction as it would be without one photo that is there.

    Attributes:
        view: name of the photo.
        prediction: target units.
        lower: end of its interval; None where the model knows no intervals.
        upper: likewise.
    """

    view: str
    prediction: float
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class Narrowing:
    """By what one more photo would change the interval.

    Attributes:
        view: name of a photo that is missing.
        width: upper / lower end with it, over the same without it, in logarithms; on a linear scale the ratio of the
            widths. Below 1 the interval gets narrower.
    """

    view: str
    width: float


@dataclass(frozen=True)
class Explanation:
    """Why a row is predicted as it is; see `mixed_data.explain.reasons.explain_rows`.

    Attributes:
        prediction: target units.
        lower: end of its interval; None where the model knows no intervals.
        upper: likewise.
        coverage: of the interval.
        scale: "log" where parts multiply, "identity" where they add up.
        reference: what they start from.
        modalities: "table" and "photos", as far as the model reads them.
        views: the photos. Their factors multiply to that of "photos".
        columns: the columns. Their factors multiply to that of "table".
        without: for each photo that is there, the prediction without it.
        narrowing: for each photo that is missing, what it would do to the interval, the narrowest first.
        warnings: what was doubtful in the row.
    """

    prediction: float
    lower: float | None
    upper: float | None
    coverage: float
    scale: Literal["log", "identity"]
    reference: Reference
    modalities: Sequence[Part]
    views: Sequence[Part]
    columns: Sequence[Part]
    without: Sequence[Without]
    narrowing: Sequence[Narrowing]
    warnings: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values that JSON can hold."""
        return asdict(self)
