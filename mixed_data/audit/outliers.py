"""Numbers that are far from what the rest of their row lets one expect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from mixed_data.audit.findings import Case, Finding, Subject, report, write_number
from mixed_data.boosting import make_boosting, make_features
from mixed_data.preprocessing import TabularPreprocessor, TargetTransformer
from mixed_data.schema.written_numbers import parse_numbers
from mixed_data.split import k_fold

_MIN_ROWS = 50
_MAX_COLUMNS = 100
_FAR = 6.0  # In robust standard deviations; of a billion normal errors, two would be as far.
_MAX_SHARE = 0.05  # What is true of more rows than this is how the numbers are, and no outlier.
_LEAST_UNIT = 0.1  # Of the standard deviation of the values: where all is predicted well, a little error is none.
_MIN_DISTINCT_FOR_LOG = 20  # Counts such as bedrooms have fewer distinct values, and stay linear.
_ROWS_FOR_THREADS = 10_000
_NUM_FOLDS = 5
_MAX_LEARNED = 10_000  # Rows that a model is fitted to; more change no expectation that matters here.
_SEED = 0
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
_RIDGE_STRENGTHS = (0.1, 1.0, 10.0, 100.0)


def explain_skipped(subject: Subject) -> str:
    """Say why outliers are not looked for; empty if they are."""
    num_groups, num_features = len(set(subject.groups)), len(subject.schema.features)
    if num_groups < _MIN_ROWS:
        return f"outliers: it takes {_MIN_ROWS} rows that are not linked, there are {num_groups}"
    if num_features > _MAX_COLUMNS:
        return f"outliers: the limit is {_MAX_COLUMNS} columns, there are {num_features}"
    return ""


def find_outliers(subject: Subject) -> list[Finding]:
    """Find targets far from what the columns say, then cells far from what the other numbers of the row say.

    Each number is predicted by a model that was fitted to other rows. What counts is the error, in robust standard
    deviations of all errors (1.4826 times their median absolute deviation). A skewed positive target, and a positive
    column with many values, is compared on the logarithmic scale. Every row is looked at; where there are very many,
    the models are fitted to 10,000 of them, drawn at random. Ask `explain_skipped` first.
    """
    targets = list(_find_far_targets(subject))
    # Beside a price with a zero too many, every area looks too small.
    known = {row for case in targets for row in case.rows}
    cells = [case for name in subject.schema.numeric for case in _find_far_cells(subject, name)]
    cells = [case for case in cells if not known.intersection(case.rows)]
    num_others = len(subject.table) * (_NUM_FOLDS - 1) // _NUM_FOLDS
    drawn = f"; expected from {_MAX_LEARNED:,} rows drawn at random" if num_others > _MAX_LEARNED else ""
    unchased = "kept: correct what is a mistake; the default losses do not chase them" + drawn
    clipped = "kept: correct what is a mistake; far values are clipped smoothly" + drawn
    return [
        *report("targets far from what the columns say", targets, unchased),
        *report("cells far from what the row's other numbers say", cells, clipped),
    ]


def _describe_misplaced_point(value: float, expected: float, spread: float) -> str:
    """Write "perhaps 585,800 (a factor of 10)" where a number would fit with its decimal point elsewhere, else nothing.

    The spread is that of ordinary errors, as a natural logarithm.
    """
    if value <= 0 or expected <= 0:
        return ""
    power = round(np.log10(value / expected))
    remainder = np.log(value / expected) - power * np.log(10)
    if power == 0 or abs(remainder) > min(2 * spread, 0.6):
        return ""
    return f"perhaps {write_number(value / 10.0**power)} (a factor of {10 ** abs(power):,})"


def _find_far(values: NDArray[np.float64], predicted: NDArray[np.float64]) -> tuple[NDArray[np.int64], float]:
    """Return the places of the values that are far off, the farthest first, and one robust standard deviation."""
    errors = values - predicted
    errors = errors - np.median(errors)
    unit = max(1.4826 * float(np.median(np.abs(errors))), _LEAST_UNIT * float(values.std()))
    order = np.argsort(-np.abs(errors), kind="stable")
    far = order[np.abs(errors[order]) > _FAR * unit]
    return (far if len(far) <= _MAX_SHARE * len(values) else far[:0]), unit


def _limit(folds: Iterable[Fold]) -> list[Fold]:
    """Draw at most `_MAX_LEARNED` of the rows that the model of each fold is fitted to."""
    random = np.random.default_rng(_SEED)
    return [
        (np.sort(random.choice(learned, _MAX_LEARNED, replace=False)) if len(learned) > _MAX_LEARNED else learned, held)
        for learned, held in folds
    ]


def _find_far_targets(subject: Subject) -> Iterator[Case]:
    if not subject.schema.features or not np.isfinite(subject.target).all() or np.ptp(subject.target) == 0:
        return
    transformer = TargetTransformer().fit(subject.target)
    scaled = transformer.transform(subject.target)
    folds = _limit(k_fold(subject.groups, _NUM_FOLDS, random_state=_SEED))
    # Each is far off in its own way where it fits badly; a mistake in the target is far off for both.
    ridge = make_pipeline(TabularPreprocessor(subject.schema), RidgeCV(_RIDGE_STRENGTHS))
    by_ridge, _ = _find_far(scaled, cross_val_predict(ridge, subject.table, scaled, cv=folds))
    if not len(by_ridge):
        return
    trees = make_pipeline(make_features(subject.schema, TabularPreprocessor(), _SEED), make_boosting(_SEED))
    # Of few rows, the threads of the trees only wait for each other, on a busy machine for long.
    with threadpool_limits(1 if len(scaled) < _ROWS_FOR_THREADS else None, user_api="openmp"):
        predicted = cross_val_predict(trees, subject.table, scaled, cv=folds)
    by_trees, unit = _find_far(scaled, predicted)
    expected = transformer.inverse_transform(predicted)
    spread = unit * transformer.std_ if transformer.log_ else 0.0
    for row in by_trees[np.isin(by_trees, by_ridge)]:
        yield subject.case([row], _describe(subject.target[row], expected[row], spread))


def _find_far_cells(subject: Subject, name: str) -> Iterator[Case]:
    schema = subject.schema
    others = (*(other for other in schema.numeric if other != name), *([schema.target] if schema.target else []))
    values, _ = parse_numbers(subject.table[name])
    rows = np.flatnonzero(~np.isnan(values))
    values = values[rows]
    if not others or len(rows) < _MIN_ROWS or np.ptp(values) == 0:
        return
    is_log = values.min() > 0 and len(np.unique(values)) >= _MIN_DISTINCT_FOR_LOG
    worked = np.log(values) if is_log else values
    numbers = replace(schema, numeric=others, categorical=(), codes=(), dates=(), target=None)
    model = make_pipeline(TabularPreprocessor(numbers), RidgeCV(_RIDGE_STRENGTHS))
    folds = _limit(KFold(_NUM_FOLDS, shuffle=True, random_state=_SEED).split(values))
    predicted = cross_val_predict(model, subject.table.iloc[rows], worked, cv=folds)
    far, unit = _find_far(worked, predicted)
    for place in far:
        expected = np.exp(predicted[place]) if is_log else predicted[place]
        yield subject.case([rows[place]], f"{name} {_describe(values[place], expected, unit if is_log else 0.0)}")


def _describe(value: float, expected: float, spread: float) -> str:
    rounded = write_number(float(f"{expected:.2g}"))
    point = _describe_misplaced_point(value, expected, spread)
    return f"{write_number(value)}, expected about {rounded}" + (f", {point}" if point else "")
