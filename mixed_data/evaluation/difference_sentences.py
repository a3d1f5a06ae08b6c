"""A difference between two models, said in one plain sentence with its figures."""

from __future__ import annotations

import math

from mixed_data.evaluation.model_differences import HELPS, HURTS, NOT_SHOWN, Difference
from mixed_data.metrics import METRICS, write_decimals

# Where a hundred times the rows would be needed, more rows are no remedy.
_HOPELESS = 100

Differences = dict[str, Difference]
"""Metric -> difference between the same two models; the first one decides."""


def judge(differences: Differences) -> str:
    """Return the claim of the deciding metric, but none where another metric shows the opposite."""
    first, *rest = (difference.claim for difference in differences.values())
    opposite = {HELPS: HURTS, HURTS: HELPS}.get(first)
    return NOT_SHOWN if opposite in rest else first


def say(differences: Differences, subject: str, verbs: tuple[str, str], models: tuple[str, str]) -> str:
    """Say what the first model does beside the second, no more than the intervals bear out.

    Args:
        differences: first model minus second.
        subject: what makes the difference, e.g. "Photos".
        verbs: for a lower and for a higher error, e.g. "lower" and "raise".
        models: what to call both where no difference is shown, e.g. "with photos" and "without".

    Returns:
        One sentence, and another where another metric shows something else.
    """
    difference, *rest = differences.values()
    if difference.claim == NOT_SHOWN:
        answer = _say_not_shown(difference, models)
    else:
        verb, won = verbs[0], difference.folds_won
        if difference.claim == HURTS:
            verb, won = verbs[1], difference.num_folds - won
        figures = f"{write_difference(difference)}, {won} of {difference.num_folds} folds"
        answer = f"{subject} {verb} {METRICS[difference.metric].label} from {_write_scores(difference)} ({figures})."
    return " ".join([answer, *(_say_other(difference, other) for other in rest if other.claim != difference.claim)])


def write_difference(difference: Difference) -> str:
    """Write a difference with its interval, e.g. "−1.5 points, 95 % interval −2.2 to −0.8"."""
    unit = " points" if METRICS[difference.metric].unit == "%" else ""
    return f"{_write_signed(difference.difference, difference)}{unit}, {_write_interval(difference)}"


def _say_not_shown(difference: Difference, models: tuple[str, str]) -> str:
    metric = METRICS[difference.metric]
    first, second = map(metric.write_with_unit, (difference.first, difference.second))
    what = f"{metric.label} {first} {models[0]} against {second} {models[1]}"
    answer = f"No difference can be shown with {difference.num_rows:,} rows ({what}, {_write_interval(difference)})"
    if difference.num_rows_needed > _HOPELESS * difference.num_rows:
        return f"{answer}; if there is one, it is too small for more rows to be the way to show it."
    if difference.num_rows_needed > difference.num_rows:
        step = 10 ** max(0, math.floor(math.log10(difference.num_rows_needed)) - 1)  # Rounded up to two figures.
        rows = math.ceil(difference.num_rows_needed / step) * step
        return f"{answer}; you would need about {rows:,} if it is as large as it looks."
    return f"{answer}."


def _say_other(deciding: Difference, other: Difference) -> str:
    figures = write_difference(other)
    label = METRICS[other.metric].label
    if other.claim == NOT_SHOWN:
        return f"{label} alone does not show it ({figures})."
    if deciding.claim == NOT_SHOWN:
        return f"{label} alone shows one, from {_write_scores(other)} ({figures})."
    return f"{label} shows the opposite, from {_write_scores(other)} ({figures}), so that neither is claimed."


def _write_scores(difference: Difference) -> str:
    return " to ".join(map(METRICS[difference.metric].write_with_unit, (difference.second, difference.first)))


def _write_interval(difference: Difference) -> str:
    low, high = (_write_signed(end, difference) for end in difference.interval)
    return f"95 % interval {low} to {high}"


def _write_signed(value: float, difference: Difference) -> str:
    """Write with a sign, with one decimal more than the score where an end would look like zero."""
    decimals = METRICS[difference.metric].count_decimals(difference.second)
    shown = (difference.difference, *difference.interval)
    if any(number and round(number, decimals) == 0 for number in shown):
        decimals += 1
    rounded = round(value, decimals)
    return f"{'+' if rounded > 0 else ''}{write_decimals(rounded or 0.0, decimals)}"
