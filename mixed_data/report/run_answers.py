"""What may be said of the main model: its error beside the others', and how much of that resampling could make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixed_data.evaluation.model_names import BEST
from mixed_data.evaluation.significance import FloatArray, grouped_bootstrap
from mixed_data.report.run_contents import Run
from mixed_data.report.wording import BASELINES, UNIMODAL, Unit, clip, describe_model, percent

NUM_RESAMPLES = 2000
Interval = tuple[float, float]


@dataclass(frozen=True)
class ErrorScale:
    """What errors are counted in: percent of the target, or its units where a target of 0 leaves no percentage.

    Attributes:
        unit: of the target.
        is_percent: True for percent.
    """

    unit: Unit
    is_percent: bool

    @classmethod
    def of(cls, run: Run, unit: Unit) -> ErrorScale:
        """Choose percent where all models of a run have it."""
        return cls(unit, all(entry.get("mape") is not None for entry in run.comparison))

    @property
    def score(self) -> str:
        """Name of the mean error in ``comparison.json``."""
        return "mape" if self.is_percent else "mae"

    def signed(self, target: FloatArray, prediction: FloatArray) -> FloatArray:
        """Return the error of each prediction, ``(..., n)``; above 0 it is too high."""
        return (prediction - target) / np.abs(target) * 100 if self.is_percent else prediction - target

    def write(self, error: float) -> str:
        """Write an error, e.g. "23.5 %"."""
        return percent(error, 1) if self.is_percent else self.unit.exact(error)

    def write_change(self, change: float, *, sign: bool = True) -> str:
        """Write a difference of two errors, e.g. "−1.5 points"."""
        mark = "" if not sign else "−" if change < 0 else "+"
        return mark + (f"{abs(change):.1f} points" if self.is_percent else self.unit.exact(abs(change)))


@dataclass(frozen=True)
class Contrast:
    """The main model beside another one on the same rows.

    Attributes:
        other: the other model.
        question: that the comparison answers.
        error: mean error of the main model.
        other_error: mean error of the other.
        interval: 95 % interval of ``error - other_error``, or None where the other's predictions were not kept.
    """

    other: str
    question: str
    error: float
    other_error: float
    interval: Interval | None


def bootstrap_mean(errors: FloatArray, others: FloatArray, groups: NDArray[np.int64]) -> Interval:
    """Return the 95 % interval of a difference of mean errors, from drawing whole groups of rows anew.

    Args:
        errors: of the first model, ``(repeats, n)``.
        others: of the second, of the same shape; zeros for the mean of ``errors`` itself.
        groups: number of each row's group, ``(n,)``.
    """
    estimate = grouped_bootstrap(np.stack([errors, others]), groups, num_draws=NUM_RESAMPLES)
    return estimate.low, estimate.high


def contrast_models(run: Run, scale: ErrorScale, groups: NDArray[np.int64]) -> list[Contrast]:
    """Set the main model beside the best baseline and beside the same network without photos.

    Args:
        run: what the folder holds.
        scale: of the errors.
        groups: of each row, for the intervals.
    """
    errors = {entry["model"]: entry[scale.score] for entry in run.comparison if entry.get(scale.score) is not None}
    questions = {}
    if baselines := [name for name in BASELINES if name in errors and name != run.main]:
        questions[min(baselines, key=lambda name: errors[name])] = "Is it better than the best baseline?"
    if run.main not in UNIMODAL and "table" in errors:
        without = "Is it better than the network on the columns alone?" if run.main == BEST else "Do the photos help?"
        questions["table"] = without
    target = run.rows["target"].to_numpy()
    own = np.abs(scale.signed(target, run.rows[["prediction"]].to_numpy().T))
    contrasts = []
    for other, question in questions.items():
        interval = None
        if other in run.others:
            theirs = np.abs(scale.signed(target, run.others[[other]].to_numpy().T))
            interval = bootstrap_mean(own, theirs, groups)
        contrasts.append(Contrast(other, question, errors[run.main], errors[other], interval))
    return contrasts


def answer_questions(
    run: Run, scale: ErrorScale, groups: NDArray[np.int64], contrasts: Iterable[Contrast]
) -> Iterator[tuple[str, str]]:
    """Yield what a stranger asks first, each question with its answer and no more than the files can show.

    Args:
        run: what the folder holds.
        scale: of the errors.
        groups: of each row, for the intervals.
        contrasts: of `contrast_models`.
    """
    errors = np.abs(scale.signed(run.rows["target"].to_numpy(), run.repeated))
    low, high = map(scale.write, bootstrap_mean(errors, np.zeros_like(errors), groups))
    mean, half = scale.write(run.metrics[scale.score]), scale.write(float(np.median(errors, axis=1).mean()))
    yield (
        "How far off is it?",
        f"On {errors.shape[1]:,} rows that it had not seen, {clip(run.main)} is off by {mean} on average (95 % "
        f"interval {low} to {high}). Half of the rows are off by less than {half}.",
    )
    if run.verdict:  # `compare` has answered the others on better grounds.
        return
    for contrast in contrasts:
        yield contrast.question, _say_contrast(contrast, scale)
    yield "What can this run not say?", _say_limits(run)


def _say_contrast(contrast: Contrast, scale: ErrorScale) -> str:
    difference = contrast.error - contrast.other_error
    word, size = "lower" if difference < 0 else "higher", scale.write_change(difference, sign=False)
    figures = (
        f"{clip(contrast.other)} ({describe_model(contrast.other)}) has a mean error of "
        f"{scale.write(contrast.other_error)}; this one's is {size} {word}"
    )
    if contrast.interval is None:
        answer = "Yes, on these rows" if difference < 0 else "Not on these rows"
        return f"{answer}: {figures}. What of this is chance cannot be said, because the run kept no predictions of it."
    low, high = contrast.interval
    figures += f" (95 % interval of the difference {scale.write_change(low)} to {scale.write_change(high)})"
    if low <= 0 <= high:
        return f"No difference is shown with these rows: {figures}."
    return f"{'Yes' if high < 0 else 'No'}: {figures}."


def _say_limits(run: Run) -> str:
    stack = (
        " Whether the photos help cannot be read from them either, because the network without photos lacks the trees "
        "of the stack too; `compare` asks it of the network."
    )
    split = (
        f"Every row was predicted once, by the one of {run.num_folds} models that had not seen it."
        if run.num_folds > 1
        else "This is one split into training rows and held-out rows; another would give other figures."
    )
    return (
        f"{split} The intervals come from drawing the held-out rows anew. They leave out that another split or another "
        f"seed trains other models, which can change the figures as much.{stack if run.main == BEST else ''}"
    )
