"""What may be said of the main model: its error with an interval, the others' errors, and what only `compare` shows.

Whether photos help is decided in one place, `mixed_data.evaluation.verdict`; a page without its answers gives figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixed_data.evaluation.model_names import BEST, TABLE
from mixed_data.evaluation.significance import estimate_by_bootstrap
from mixed_data.files.written_values import Unit, clip
from mixed_data.metrics import METRICS, FloatArray
from mixed_data.report.run_contents import Run
from mixed_data.report.wording import BASELINES, UNIMODAL, describe_model


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
        return f"{METRICS['mape'].write(error)}\u00a0%" if self.is_percent else self.unit.exact(error)

    def write_size(self, change: float) -> str:
        """Write the size of a difference of two errors, e.g. "1.5 points"."""
        return f"{METRICS['mape'].write(abs(change))} points" if self.is_percent else self.unit.exact(abs(change))


def find_interval(errors: FloatArray, groups: NDArray[np.int64]) -> tuple[float, float]:
    """Return the 95 % interval of a mean error, from drawing whole groups of rows anew.

    Args:
        errors: ``(repeats, n)``.
        groups: number of each row's group, ``(n,)``.
    """
    estimate = estimate_by_bootstrap(np.stack([errors, np.zeros_like(errors)]), groups, num_draws=2000)
    return estimate.low, estimate.high


def choose_rivals(run: Run, scale: ErrorScale) -> list[str]:
    """Return the names of the best baseline and of the network without photos, where the run has them."""
    errors = {entry["model"]: entry[scale.score] for entry in run.comparison if entry.get(scale.score) is not None}
    baselines = [name for name in BASELINES if name in errors and name != run.main]
    best = [min(baselines, key=lambda name: errors[name])] if baselines else []
    return best + ([TABLE] if run.main not in UNIMODAL and TABLE in errors else [])


def answer_questions(run: Run, scale: ErrorScale, groups: NDArray[np.int64]) -> Iterator[tuple[str, str]]:
    """Yield what a stranger asks first, each question with its answer and no more than the files can show.

    Args:
        run: what the folder holds.
        scale: of the errors.
        groups: of each row, for the interval.
    """
    errors = np.abs(scale.signed(run.rows["target"].to_numpy(), run.repeated))
    low, high = map(scale.write, find_interval(errors, groups))
    mean, half = scale.write(run.metrics[scale.score]), scale.write(float(np.median(errors, axis=1).mean()))
    answer = (
        f"On {errors.shape[1]:,} rows that it had not seen, {clip(run.main)} is off by {mean} on average (95 % "
        f"interval {low} to {high}). Half of the rows are off by less than {half}."
    )
    if run.verdict:  # `compare` has answered the others.
        yield "How far off is it?", answer
        return
    limits = (
        " The interval comes from drawing the held-out rows anew. It leaves out that another split or another seed "
        "trains other models, which can change the figures as much."
    )
    yield "How far off is it?", answer + limits
    if rivals := choose_rivals(run, scale):
        yield "How far off are others?", " ".join(_say_error(run, scale, name) for name in rivals)
    is_fused = run.main not in UNIMODAL
    question = "Do the photos help?" if is_fused else "Is the network worth it over simpler models?"
    yield question, _say_what_can_show_it(run, is_fused=is_fused)


def _say_error(run: Run, scale: ErrorScale, other: str) -> str:
    own, theirs = (run.of_model(name)[scale.score] for name in (run.main, other))
    error, size = scale.write(theirs), scale.write_size(theirs - own)
    return f"{clip(other)} ({describe_model(other)}) is off by {error}, {size} {'less' if theirs < own else 'more'}."


def _say_what_can_show_it(run: Run, *, is_fused: bool) -> str:
    how = f"one round of {run.num_folds} folds" if run.num_folds > 1 else "one split into training and held-out rows"
    trees = f" Besides, {TABLE} lacks the trees of the stack, too." if run.main == BEST and run.of_model(TABLE) else ""
    placebo = " sets photos shuffled among the rows beside the real ones," if is_fused else ""
    return (
        f"This run cannot show it: {how} cannot tell a difference from chance.{trees} To find out, run python -m "
        f"mixed_data compare with the same data options. It holds every row out in several rounds of folds,{placebo} "
        "and claims a difference only where two tests agree."
    )
