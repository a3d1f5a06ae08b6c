"""What gives the target away: a column that says too much, the order of the rows, what is known of the photo files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from mixed_data.audit.findings import Finding, Subject, report
from mixed_data.audit.photo_facts import PhotoFile
from mixed_data.files.first_few import name_some
from mixed_data.schema.cell_values import canonical_text
from mixed_data.schema.written_dates import days_of, parse_dates
from mixed_data.schema.written_numbers import parse_numbers

_MIN_ROWS = 20
_TOO_WELL = 0.95  # R², of ranks, from which one column alone says too much.
_MIN_CORRELATION = 0.2
_MAX_P_VALUE = 0.001  # Family-wise, by Bonferroni: 1 in 1000 audits of data without leaks would raise a false alarm.
_MAX_BINS = 100
_ROWS_PER_BIN = 5


class _Clue(NamedTuple):
    """What goes with the target without being a feature."""

    name: str
    where: str  # the image column; empty for the order of the rows
    correlation: float  # Spearman's with the target
    p_value: float  # not corrected


def find_leaks(subject: Subject, photos: pd.DataFrame, files: Mapping[str, PhotoFile]) -> list[Finding]:
    """Find columns that predict the target too well alone, and what goes with it that no model should see.

    The photos are those of `list_photos`, the files what `read_photos` has read of them.
    """
    known = np.flatnonzero(np.isfinite(subject.target))
    if len(known) < _MIN_ROWS or np.ptp(subject.target[known]) == 0:
        return []
    scores = {name: _score_column(subject, name, known) for name in subject.schema.features}
    cases = [
        subject.case([], f"{name} alone: R² {score:.3f} of ranks")
        for name, score in scores.items()
        if score >= _TOO_WELL
    ]
    action = "used as a feature: remove it if it is not known when you predict"
    found = report("columns that give the target away", cases, action, num_rows=len(known), flatters=True)
    target = subject.target[known]
    clues = [
        *_make_clue("row number", "", np.arange(len(target), dtype=np.float64), target),
        *_make_clue("target of the row before", "", target[:-1], target[1:]),
        *_file_clues(subject, photos, files),
    ]
    clear = [clue for clue in clues if clue.p_value * len(clues) < _MAX_P_VALUE]
    clear = [clue for clue in clear if abs(clue.correlation) >= _MIN_CORRELATION]
    clear.sort(key=lambda clue: -abs(clue.correlation))
    for problem, is_wanted in (
        ("row order that gives the target away", False),
        ("photo files that give the target away", True),
    ):
        names = dict.fromkeys(clue.name for clue in clear if bool(clue.where) == is_wanted)
        cases = [subject.case([], _write_clues([clue for clue in clear if clue.name == name])) for name in names]
        found += report(problem, cases, "never fed to a model; keep it from other tools", num_rows=len(known))
    return found


def _score_column(subject: Subject, name: str, known: NDArray[np.int64]) -> float:
    """Return how much of the target's ranks one feature alone predicts, as R² on rows that were left out.

    The prediction of a row is the mean rank of the other rows in its bin (quantiles of a number, or a level). For a
    number, the square of Spearman's correlation counts if it is higher: few rows make coarse bins. `known` are the
    positions of the rows with a target.
    """
    ranks = stats.rankdata(subject.target[known])
    column = subject.table[name].iloc[known]
    if name in subject.schema.dates:
        values = days_of(parse_dates(column)[0])
    elif name in subject.schema.numeric:
        values, _ = parse_numbers(column)
    else:
        return _left_out_score(pd.factorize(canonical_text(column), use_na_sentinel=False)[0], ranks)
    present = ~np.isnan(values)
    if present.sum() < _MIN_ROWS or np.ptp(values[present]) == 0:
        return 0.0
    values, ranks = values[present], ranks[present]
    num_bins = min(_MAX_BINS, len(values) // _ROWS_PER_BIN)
    order = stats.rankdata(values)
    bins = ((order - 0.5) * num_bins / len(values)).astype(np.int64)
    return max(_left_out_score(bins, ranks), float(np.corrcoef(order, stats.rankdata(ranks))[0, 1]) ** 2)


def _left_out_score(bins: NDArray[np.int64], ranks: NDArray[np.float64]) -> float:
    size, total = np.bincount(bins)[bins], np.bincount(bins, ranks)[bins]
    predicted = np.where(size > 1, (total - ranks) / np.maximum(size - 1, 1), ranks.mean())
    return float(1 - np.sum((ranks - predicted) ** 2) / np.sum((ranks - ranks.mean()) ** 2))


def _file_clues(subject: Subject, photos: pd.DataFrame, files: Mapping[str, PhotoFile]) -> Iterator[_Clue]:
    """Correlate what is known of the first photo of each column."""
    first = photos.drop_duplicates(["row", "column"])
    for column, lines in first.groupby("column", sort=False):
        facts = pd.DataFrame([files[path].facts for path in lines["path"]], dtype=np.float64)
        for name in facts:
            yield from _make_clue(str(name), str(column), facts[name].to_numpy(), subject.target[lines["row"]])


def _make_clue(name: str, where: str, values: NDArray[np.float64], target: NDArray[np.float64]) -> Iterator[_Clue]:
    known = np.isfinite(values) & np.isfinite(target)
    values, target = values[known], target[known]
    if len(values) >= _MIN_ROWS and np.ptp(values) > 0 and np.ptp(target) > 0:
        found = stats.spearmanr(values, target)
        yield _Clue(name, where, float(found.statistic), float(found.pvalue))


def _write_clues(found: list[_Clue]) -> str:
    """Write the strongest of the clues of one name: "file size: correlation 0.51 (kitchen_photo, and 3 more)"."""
    best = found[0]
    where = f" ({name_some([clue.where for clue in found], 1)})" if best.where else ""
    return f"{best.name}: correlation {best.correlation:.2f}{where}"
