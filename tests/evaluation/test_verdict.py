"""The sentences: right words for right figures, and no claim that the figures do not bear out."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from comparison_helpers import NUM_ROWS, make_errors, make_evidence

from mixed_data.audit.findings import KEPT_TOGETHER, Case, Finding
from mixed_data.evaluation.difference_sentences import judge, say, write_difference
from mixed_data.evaluation.model_differences import HELPS, HURTS, NOT_SHOWN, Difference, Evidence, compare_models
from mixed_data.evaluation.significance import adjust_holm
from mixed_data.evaluation.verdict import describe_ablations, find_differences, reach_verdict

FUSIONS = ["concat", "gated", "weighted_sum"]


def make_difference(first, second, low, high, **changes):
    fields = {
        "metric": "mape",
        "first": first,
        "first_sd": 0.2,
        "second": second,
        "second_sd": 0.2,
        "difference": first - second,
        "t_interval": (low, high),
        "t_p_value": 0.5,
        "bootstrap_interval": (low, high),
        "bootstrap_p_value": 0.5,
        "folds_won": 15,
        "num_folds": 15,
        "repeats_won": 3,
        "num_repeats": 3,
        "num_rows": 535,
        "num_rows_needed": 3951.0,
    }
    return Difference(**{**fields, **changes})


def say_photos(*differences):
    found = {difference.metric: difference for difference in differences}
    return say(found, "Photos", ("lower", "raise"), ("with photos", "without"))


# --- one sentence ---------------------------------------------------------------------------------------------------


def test_a_help_is_said_with_both_scores_the_interval_and_the_folds():
    assert say_photos(make_difference(23.6, 25.1, -2.2, -0.8)) == (
        "Photos lower MAPE from 25.1 % to 23.6 % (−1.5 points, 95 % interval −2.2 to −0.8, 15 of 15 folds)."
    )


def test_a_harm_is_said_with_the_folds_that_show_it():
    assert say_photos(make_difference(26.0, 25.0, 0.25, 1.75, folds_won=2)) == (
        "Photos raise MAPE from 25.0 % to 26.0 % (+1.0 points, 95 % interval +0.2 to +1.8, 13 of 15 folds)."
    )


def test_where_nothing_is_shown_the_sentence_says_how_many_rows_would():
    assert say_photos(make_difference(24.9, 25.1, -1.0, 0.6)) == (
        "No difference can be shown with 535 rows (MAPE 24.9 % with photos against 25.1 % without, "
        "95 % interval −1.0 to +0.6); you would need about 4,000 if it is as large as it looks."
    )


@pytest.mark.parametrize(
    ("num_rows_needed", "end"),
    [
        (536.0, "; you would need about 540 if it is as large as it looks."),
        (53_499.0, "; you would need about 54,000 if it is as large as it looks."),
        (53_501.0, "; if there is one, it is too small for more rows to be the way to show it."),
        (np.inf, "; if there is one, it is too small for more rows to be the way to show it."),
        (400.0, "+0.6)."),
    ],
)
def test_rows_needed_are_rounded_up_and_end_in_words_where_they_are_no_remedy(num_rows_needed, end):
    assert say_photos(make_difference(24.9, 25.1, -1.0, 0.6, num_rows_needed=num_rows_needed)).endswith(end)


def test_the_wider_end_of_both_intervals_is_shown():
    difference = make_difference(23.6, 25.1, -2.2, -0.8, bootstrap_interval=(-2.0, -0.3))
    assert write_difference(difference) == "−1.5 points, 95 % interval −2.2 to −0.3"


def test_an_end_that_would_look_like_zero_gets_one_decimal_more():
    shown = make_difference(24.5, 25.1, -1.16, -0.04)
    assert write_difference(shown) == "−0.60 points, 95 % interval −1.16 to −0.04"
    assert write_difference(make_difference(25.0, 25.0, 0.0, 0.0)) == "0.0 points, 95 % interval 0.0 to 0.0"
    assert write_difference(make_difference(25.0, 25.0, -0.001, 0.5)) == "0.00 points, 95 % interval 0.00 to +0.50"


def make_log_difference(low, high):
    return make_difference(0.340, 0.350, low, high, metric="rmse_log", difference=(low + high) / 2)


def test_another_metric_speaks_only_where_it_shows_something_else():
    help_shown = make_difference(23.6, 25.1, -2.2, -0.8)
    assert say_photos(help_shown, make_log_difference(-0.02, -0.01)) == say_photos(help_shown)
    assert say_photos(help_shown, make_log_difference(-0.02, 0.01)).endswith(
        "15 of 15 folds). RMSE of log alone does not show it (−0.005, 95 % interval −0.020 to +0.010)."
    )
    assert say_photos(make_difference(24.9, 25.1, -1.0, 0.6), make_log_difference(-0.02, -0.01)).endswith(
        "as it looks. RMSE of log alone shows one, from 0.350 to 0.340 (−0.015, 95 % interval −0.020 to −0.010)."
    )


def test_the_first_metric_decides_unless_another_shows_the_opposite():
    help_shown, none_shown = make_difference(23.6, 25.1, -2.2, -0.8), make_difference(24.9, 25.1, -1.0, 0.6)
    for deciding, log, claim in (
        (help_shown, make_log_difference(-0.02, 0.01), HELPS),
        (help_shown, make_log_difference(0.01, 0.02), NOT_SHOWN),
        (none_shown, make_log_difference(-0.02, -0.01), NOT_SHOWN),
        (make_difference(26.0, 25.0, 0.2, 1.8), make_log_difference(-0.02, -0.01), NOT_SHOWN),
        (make_difference(26.0, 25.0, 0.2, 1.8), make_log_difference(-0.02, 0.01), HURTS),
    ):
        assert judge({"mape": deciding, "rmse_log": log}) == claim
    assert say_photos(help_shown, make_log_difference(0.01, 0.02)).endswith(
        "RMSE of log shows the opposite, from 0.350 to 0.340 (+0.015, 95 % interval +0.010 to +0.020), "
        "so that neither is claimed."
    )


# --- the questions --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def evidence():
    """Photos help, the placebo does not; two fusions are alike; trees are worse, a stack of all is better."""
    good = make_errors(0.10, seed=1)
    nearly = 1.01 * good + np.random.default_rng(9).normal(0, 0.01, good.shape)
    return make_evidence(
        {
            "boosting": make_errors(0.40, seed=2),
            "table": make_errors(0.30, seed=3),
            "concat": make_errors(0.30, seed=4),
            "gated": nearly,
            "weighted_sum": good,
            "placebo": make_errors(0.30, seed=5),
            "without kitchen": make_errors(0.2, seed=6),
            "best": make_errors(0.05, seed=7),
        }
    )


def ask(evidence, models=None, main="weighted_sum"):
    lines = evidence.predictions
    kept = lines if models is None else lines[lines["model"].isin(models)]
    entries = reach_verdict(Evidence(kept, evidence.target, evidence.groups), main=main, fusions=FUSIONS)
    return {entry["question"]: entry for entry in entries}


def test_every_question_is_answered_in_order(evidence):
    entries = ask(evidence)
    assert {question: (entry["first"], entry["second"], entry["claim"]) for question, entry in entries.items()} == {
        "Do the photos help?": ("weighted_sum", "table", HELPS),
        "Is it what the photos show, or only the larger network?": ("weighted_sum", "placebo", HELPS),
        "Which fusion?": ("weighted_sum", "gated", NOT_SHOWN),
        "Is the network worth it over gradient boosting?": ("weighted_sum", "boosting", HELPS),
        "Is the stack worth it over gradient boosting?": ("best", "boosting", HELPS),
    }
    assert next(iter(entries)) == "Do the photos help?"
    json.dumps(entries, allow_nan=False)


def test_an_entry_holds_the_figures_of_its_sentence(evidence):
    entry = ask(evidence)["Do the photos help?"]
    expected = compare_models(evidence, "weighted_sum", "table")
    assert entry["differences"]["mape"] == expected.to_dict()
    assert list(entry["differences"]) == ["mape", "rmse_log"]
    assert entry["answer"].startswith(
        f"Photos lower MAPE from {expected.second:.1f} % to {expected.first:.1f} % (−{-expected.difference:.1f} points"
    )


@pytest.mark.parametrize(
    ("models", "questions"),
    [
        (["boosting", "table"], 0),
        (["weighted_sum"], 0),
        (["weighted_sum", "table"], 1),
        (["weighted_sum", "placebo"], 1),
        (["weighted_sum", "concat"], 1),
        (["weighted_sum", "boosting"], 1),
        (["boosting", "best"], 1),
    ],
)
def test_a_question_whose_models_are_missing_is_not_asked(evidence, models, questions):
    assert len(ask(evidence, models)) == questions


def test_a_network_without_fusion_is_not_asked_what_photos_add(evidence):
    assert [*ask(evidence, ["table", "boosting"], main="table")] == ["Is the network worth it over gradient boosting?"]


def test_a_help_that_the_placebo_gives_too_is_not_put_down_to_the_photos(evidence):
    lines = evidence.predictions
    own = lines[lines["model"] == "weighted_sum"]
    same = pd.concat([lines[lines["model"] != "placebo"], own.assign(model="placebo")])
    entries = ask(Evidence(same, evidence.target, evidence.groups))
    entry = entries["Do the photos help?"]
    assert entry["claim"] == NOT_SHOWN
    assert entry["differences"]["mape"]["claim"] == HELPS
    assert entry["answer"].endswith("But this cannot be put down to what they show: see the placebo.")
    assert entries["Is it what the photos show, or only the larger network?"]["claim"] == NOT_SHOWN


def test_a_harm_stays_a_harm_whatever_the_placebo_does(evidence):
    swapped = evidence.predictions.replace({"model": {"table": "weighted_sum", "weighted_sum": "table"}})
    entry = ask(Evidence(swapped, evidence.target, evidence.groups))["Do the photos help?"]
    assert entry["claim"] == HURTS
    assert entry["answer"].startswith("Photos raise MAPE from ")
    assert "placebo" not in entry["answer"]


def test_fusions_are_ranked_and_those_that_cannot_be_told_apart_are_named(evidence):
    entry = ask(evidence)["Which fusion?"]
    scores = {name: compare_models(evidence, name, "table").first for name in FUSIONS}
    best, second, third = sorted(scores, key=scores.get)
    assert (best, second, third) == ("weighted_sum", "gated", "concat")
    assert entry["answer"] == (
        f"weighted_sum has the lowest MAPE, {scores[best]:.1f} %, but cannot be told apart from "
        f"gated ({scores[second]:.1f} %). Shown to be worse: concat ({scores[third]:.1f} %). "
        "The best of 3 on the same folds looks better than it is."
    )
    p_values = [compare_models(evidence, best, name).p_value for name in (second, third)]
    assert [entry["others"][name]["p_holm"] for name in (second, third)] == adjust_holm(p_values)
    assert entry["others"]["concat"]["differences"]["mape"]["claim"] == HELPS


def test_more_fusions_make_the_same_difference_harder_to_show():
    worse = make_errors(0.12, seed=2)
    found = make_evidence({"weighted_sum": make_errors(0.10, seed=1), "concat": worse, "gated": worse})
    p_value = compare_models(found, "weighted_sum", "concat").p_value
    assert 0.025 < p_value < 0.05
    for models, claim in ((["weighted_sum", "concat"], HELPS), (FUSIONS, NOT_SHOWN)):
        assert ask(found, models)["Which fusion?"]["claim"] == claim


def test_a_fusion_that_beats_all_others_is_shown(evidence):
    entry = ask(evidence, ["weighted_sum", "concat"])["Which fusion?"]
    assert entry["claim"] == HELPS
    assert "cannot be told apart" not in entry["answer"]


def test_a_target_of_zero_is_judged_by_the_absolute_error(evidence):
    target = np.where(np.arange(NUM_ROWS) == 3, 0.0, evidence.target)
    found = find_differences(Evidence(evidence.predictions, target, evidence.groups), "weighted_sum", "table")
    assert list(found) == ["mae"]
    entry = ask(Evidence(evidence.predictions, target, evidence.groups))["Do the photos help?"]
    assert entry["answer"].startswith("Photos lower MAE from ")


def test_leaked_rows_are_named_first_and_claim_nothing(evidence):
    cases = (Case((58, 71), ("59", "72")),)
    findings = [
        Finding("photos that look alike", 1200, cases, "named only"),
        Finding("rows that repeat", 1, cases, KEPT_TOGETHER),
        Finding("far targets", 3, cases, "kept"),
    ]
    first, *answers = reach_verdict(evidence, main="weighted_sum", fusions=FUSIONS, findings=findings)
    repeats = f"Rows that repeat: 1 (59 = 72): {KEPT_TOGETHER}."
    others = "Photos that look alike: 1,200; far targets: 3 (the audit names them)."
    assert first["answer"] == f"Yes. {repeats} {others}"
    assert (first["claim"], first["first"], first["second"], first["differences"]) == (None, "weighted_sum", None, {})
    assert answers == reach_verdict(evidence, main="weighted_sum", fusions=FUSIONS)


def test_the_ablation_says_what_each_part_was_worth(evidence):
    found = {entry["model"]: entry for entry in describe_ablations(evidence, main="weighted_sum")}
    assert set(found) == {"table", "placebo", "without kitchen"}
    expected = compare_models(evidence, "without kitchen", "weighted_sum")
    assert expected.difference > 0
    assert found["without kitchen"]["differences"]["mape"] == expected.to_dict()
    assert found["without kitchen"]["answer"] == write_difference(expected)
    assert "table" not in [entry["model"] for entry in describe_ablations(evidence, main="table")]
