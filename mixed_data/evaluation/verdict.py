"""The answers in plain sentences: do the photos help, which fusion, is the network worth it.

This is the only place that answers "do the photos help?". A sentence claims no more than both intervals of
`mixed_data.evaluation.model_differences` bear out; "no difference can be shown" is an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixed_data.audit import Finding
from mixed_data.audit.findings import KEPT_TOGETHER
from mixed_data.evaluation.difference_sentences import Differences, judge, say, write_difference
from mixed_data.evaluation.model_differences import HELPS, NOT_SHOWN, Evidence, compare_models, score_repeats
from mixed_data.evaluation.model_names import BEST, BOOSTING, PLACEBO, TABLE, lacks_part_of
from mixed_data.evaluation.significance import CONFIDENCE, adjust_holm
from mixed_data.metrics import METRICS

Entry = dict[str, Any]
"""``question``, ``answer``, ``claim`` (of `differences`), ``first`` and ``second`` (names of models), ``differences``
(metric -> `Difference.to_dict`), fit for JSON. "Which fusion?" also has ``others``: name -> the same against each other
fusion, with ``p_holm``."""


def reach_verdict(
    evidence: Evidence, *, main: str, fusions: Sequence[str], findings: Sequence[Finding] = ()
) -> list[Entry]:
    """Say what the evidence shows, and before that what is wrong with the rows it stands on.

    A question whose models are not in the evidence is left out.

    Args:
        evidence: held-out predictions on identical folds; models are known by the names of
            `mixed_data.evaluation.model_names`.
        main: the network that the questions are about.
        fusions: names of the fused networks.
        findings: of `mixed_data.audit.audit_table`.

    Returns:
        One entry per question, in the order of asking; where there are findings, one with them comes first, without a
        claim.
    """
    entries = []
    models = set(evidence.models)
    if findings:
        entries.append(_make_entry("Is something wrong with the data?", _say_wrong(findings), None, (main, None), {}))
    if main in fusions and {main, TABLE} <= models:
        entries.append(_answer_photos(evidence, main))
    if {main, PLACEBO} <= models:
        question = "Is it what the photos show, or only the larger network?"
        subject = "Each row's own photos, instead of photos shuffled among the rows (placebo),"
        words = ("with own photos", "with shuffled ones")
        entries.append(_compare(evidence, question, (main, PLACEBO), subject, ("lower", "raise"), words))
    compared = [name for name in evidence.models if name in fusions]
    if len(compared) > 1:
        entries.append(_answer_fusion(evidence, compared))
    for name, what in ((main, "network"), (BEST, "stack")):
        if {name, BOOSTING} <= models:
            question = f"Is the {what} worth it over gradient boosting?"
            subject = f"The {what} ({name}), instead of gradient boosting,"
            words = (f"by the {what}", "by boosting")
            entries.append(_compare(evidence, question, (name, BOOSTING), subject, ("lowers", "raises"), words))
    return entries


def _say_wrong(findings: Sequence[Finding]) -> str:
    """Name leaked and repeated rows in full, of all else how many rows it concerns."""
    leaks = [finding for finding in findings if finding.action.startswith(KEPT_TOGETHER)]
    others = [f"{finding.problem}: {finding.num_rows:,}" for finding in findings if finding not in leaks]
    sentences = [*map(str, leaks), *(["; ".join(others) + " (the audit names them)"] if others else [])]
    return " ".join(["Yes.", *(f"{sentence[:1].upper()}{sentence[1:]}." for sentence in sentences)])


def describe_ablations(evidence: Evidence, *, main: str) -> list[dict[str, Any]]:
    """Say what the main network loses without each of its parts.

    Args:
        evidence: as for `reach_verdict`.
        main: the whole network.

    Returns:
        One entry per model that lacks something of it: ``model``, ``answer`` (the difference by the deciding metric
        with its interval) and ``differences`` (metric -> `Difference.to_dict`), model minus main: above zero, what it
        lacks was of use.
    """
    entries = []
    for name in evidence.models:
        if lacks_part_of(name, main):
            differences = find_differences(evidence, name, main)
            answer = write_difference(next(iter(differences.values())))
            entries.append({"model": name, "answer": answer, "differences": _to_dicts(differences)})
    return entries


def find_differences(evidence: Evidence, first: str, second: str) -> Differences:
    """Compare two models by every metric that is defined; the first in the dict decides.

    That is the MAPE, or where a target is zero the mean absolute error (MAE).
    """
    metrics = ("mape", "rmse_log") if _choose_metric(evidence) == "mape" else ("mae",)
    found = {metric: compare_models(evidence, first, second, metric=metric) for metric in metrics}
    return {metric: difference for metric, difference in found.items() if difference is not None}


def _choose_metric(evidence: Evidence) -> str:
    return "mape" if (evidence.target != 0).all() else "mae"


def _compare(
    evidence: Evidence, question: str, pair: tuple[str, str], subject: str, *wording: tuple[str, str]
) -> Entry:
    """Answer a question about two models; ``subject`` and ``wording`` are the arguments of `say`."""
    differences = find_differences(evidence, *pair)
    return _make_entry(question, say(differences, subject, *wording), judge(differences), pair, differences)


def _answer_photos(evidence: Evidence, main: str) -> Entry:
    words = ("with photos", "without")
    entry = _compare(evidence, "Do the photos help?", (main, TABLE), "Photos", ("lower", "raise"), words)
    has_placebo = PLACEBO in evidence.models
    if entry["claim"] == HELPS and has_placebo and judge(find_differences(evidence, main, PLACEBO)) != HELPS:
        # The fused network has more weights and more noise in training, which may help by itself.
        entry["claim"] = NOT_SHOWN
        entry["answer"] += " But this cannot be put down to what they show: see the placebo."
    return entry


def _answer_fusion(evidence: Evidence, fusions: Sequence[str]) -> Entry:
    """Compare all fusions with the one that is best on average, corrected for their number."""
    metric = _choose_metric(evidence)
    scores = {name: float(score_repeats(evidence, name, metric).mean()) for name in fusions}
    best, *others = sorted(scores, key=lambda name: scores[name])
    differences = {name: find_differences(evidence, best, name) for name in others}
    adjusted = dict(zip(others, adjust_holm([differences[name][metric].p_value for name in others]), strict=True))
    written = {name: METRICS[metric].write_with_unit(score) for name, score in scores.items()}
    worse = [f"{name} ({written[name]})" for name in others if adjusted[name] < 1 - CONFIDENCE]
    level = [f"{name} ({written[name]})" for name in others if adjusted[name] >= 1 - CONFIDENCE]
    answer = f"{best} has the lowest {METRICS[metric].label}, {written[best]}"
    answer += f", but cannot be told apart from {', '.join(level)}." if level else "."
    answer += f" Shown to be worse: {', '.join(worse)}." if worse else ""
    answer += f" The best of {len(fusions)} on the same folds looks better than it is."
    claim = NOT_SHOWN if level else HELPS
    entry = _make_entry("Which fusion?", answer, claim, (best, others[0]), differences[others[0]])
    against = {name: {"differences": _to_dicts(differences[name]), "p_holm": adjusted[name]} for name in others}
    return {**entry, "others": against}


def _make_entry(
    question: str, answer: str, claim: str | None, pair: tuple[str, str | None], differences: Differences
) -> Entry:
    entry = {"question": question, "answer": answer, "claim": claim, "first": pair[0], "second": pair[1]}
    return {**entry, "differences": _to_dicts(differences)}


def _to_dicts(differences: Differences) -> dict[str, dict[str, Any]]:
    return {metric: difference.to_dict() for metric, difference in differences.items()}
