"""What the report says, before it is a page: groups, answers, ratios, intervals, wording, plots."""

from __future__ import annotations

import base64
import re

import numpy as np
import pandas as pd
import pytest
from report_helpers import NUM_ROWS, make_comparison, make_rows, make_run, read, write

from mixed_data.files.written_values import Unit, clip
from mixed_data.report.coverage_lines import count_coverage
from mixed_data.report.figures import draw_predictions
from mixed_data.report.report_sections import judge_ratios, list_ablations
from mixed_data.report.row_groups import (
    Grouping,
    group_by_frequency,
    group_by_level,
    group_by_photos,
    group_by_target,
)
from mixed_data.report.run_answers import ErrorScale, answer_questions, choose_rivals, find_interval
from mixed_data.report.run_contents import read_run
from mixed_data.report.wording import describe_model, is_reference
from mixed_data.schema import Schema

DOLLARS = Unit("price", is_dollars=True)


def answers(run):
    found = dict(answer_questions(run, ErrorScale.of(run, DOLLARS), np.arange(len(run.rows))))
    return {question: answer.replace("\u00a0", " ") for question, answer in found.items()}


# Groups.


def test_bands_hold_equally_many_rows_and_are_named_by_their_ends():
    target = np.arange(1, 101) * 10_000.0
    grouping = group_by_target(target, DOLLARS)
    assert [len(group.rows) for group in grouping.groups] == [20] * 5
    assert [group.label for group in grouping.groups][:2] == ["$10k to $200k", "$210k to $400k"]
    assert grouping.groups[4].label == "$810k to $1M"
    assert grouping.groups[0].rows.tolist() == list(range(20))
    assert [len(group.rows) for group in group_by_target(target[:25], DOLLARS).groups] == [13, 12]


@pytest.mark.parametrize("target", [np.arange(19.0), np.full(100, 5.0)])
def test_few_or_equal_targets_have_no_bands_but_a_reason(target):
    grouping = group_by_target(target, DOLLARS)
    assert grouping.groups == []
    assert grouping.reason == f"{len(target)} rows are too few, or too alike, for bands"


def test_levels_are_those_of_the_first_column_with_enough_rows_and_the_rest_is_pooled():
    cells = pd.DataFrame(
        {
            "code": [f"{number:05d}" for number in range(13)],  # all different
            "style": [*["loft"] * 5, *["ranch"] * 6, "yurt", None],
        }
    )
    grouping = group_by_level(cells, Schema(codes=["code"], categorical=["style"]))
    assert grouping.by == "style"
    assert [(group.label, len(group.rows)) for group in grouping.groups] == [
        ("loft", 5),
        ("ranch", 6),
        ("2 other values", 2),
    ]
    assert grouping.groups[2].rows.tolist() == [11, 12]
    assert "no code or category column" in group_by_level(cells, Schema(codes=["code"])).reason


def test_rows_are_grouped_by_the_number_of_their_photos():
    grouping = group_by_photos(np.array([4, 0, 4, 1]))
    assert [(group.label, group.rows.tolist()) for group in grouping.groups] == [
        ("no photo", [1]),
        ("1 photo", [3]),
        ("4 photos", [0, 2]),
    ]
    assert group_by_photos(np.array([4, 4])).reason == "all 2 rows had 4 photos, nothing to compare"


def test_rows_are_grouped_by_how_often_their_level_stood_in_training():
    grouping = group_by_frequency(np.array([3.0, 0.0, 4.0, 1.0, 24.0, 1e6]))
    assert [(group.label, group.rows.tolist()) for group in grouping.groups] == [
        ("level not in training", [1]),
        ("level of 1 to 3 rows", [0, 3]),
        ("level of 4 to 24 rows", [2, 4]),
        ("level of 25 rows or more", [5]),
    ]
    alike = group_by_frequency(np.array([25.0, 99.0]))
    assert (alike.groups, alike.reason) == ([], "all rows are alike in that: level of 25 rows or more")


# Answers.


def test_the_error_is_answered_with_mean_interval_and_median(tmp_path):
    run = read_run(make_run(tmp_path))
    error = 100 * np.abs(run.rows["prediction"] / run.rows["target"] - 1)
    text = answers(run)["How far off is it?"]
    assert f"weighted_sum is off by {error.mean():.1f} % on average" in text
    assert f"less than {error.median():.1f} %." in text
    low, high = map(float, re.search(r"interval ([\d.]+) % to ([\d.]+) %", text).groups())
    standard_error = error.std() / np.sqrt(len(error))
    assert low == pytest.approx(error.mean() - 1.96 * standard_error, abs=0.4 * standard_error)
    assert high == pytest.approx(error.mean() + 1.96 * standard_error, abs=0.4 * standard_error)


def test_rows_of_one_group_are_drawn_together():
    errors = np.repeat(np.random.default_rng(0).normal(10.0, 2.0, 50), 4)[None]
    low, high = find_interval(errors, np.arange(200))
    low_grouped, high_grouped = find_interval(errors, np.repeat(np.arange(50), 4))
    assert (high_grouped - low_grouped) / (high - low) == pytest.approx(2.0, rel=0.15)


def test_others_are_set_beside_it_by_their_errors_alone(tmp_path):
    run = read_run(make_run(tmp_path))
    own, ridge, table = (run.of_model(name)["mape"] for name in ("weighted_sum", "ridge", "table"))
    assert answers(run)["How far off are others?"] == (
        f"ridge (ridge regression on the columns) is off by {ridge:.1f} %, {ridge - own:.1f} points more. "
        f"table (network, columns only) is off by {table:.1f} %, {table - own:.1f} points more."
    )


def test_another_model_that_is_better_is_said_to_be(tmp_path):
    folder = make_run(tmp_path)
    comparison = read(folder, "comparison.json")
    own = next(entry for entry in comparison if entry["model"] == "weighted_sum")["mape"]
    next(entry for entry in comparison if entry["model"] == "table")["mape"] = own - 2.04
    write(folder / "comparison.json", comparison)
    assert f"is off by {own - 2.04:.1f} %, 2.0 points less." in answers(read_run(folder))["How far off are others?"]


@pytest.mark.parametrize(
    ("num_folds", "how"), [(1, "one split into training and held-out rows"), (5, "one round of 5 folds")]
)
def test_no_run_of_train_says_whether_photos_help_but_what_can_say_it(tmp_path, num_folds, how):
    rows = make_rows(tmp_path)
    folder = make_run(tmp_path, rows=rows)
    predictions = pd.read_csv(folder / "predictions.csv")
    predictions.assign(fold=np.arange(NUM_ROWS) % num_folds).to_csv(folder / "predictions.csv", index=False)
    comparison = read(folder, "comparison.json")
    said = set()
    for table in (1.0, 99.0):  # however good or bad the network without photos is
        next(entry for entry in comparison if entry["model"] == "table")["mape"] = table
        write(folder / "comparison.json", comparison)
        said.add(answers(read_run(folder))["Do the photos help?"])
    (answer,) = said
    assert answer.startswith(f"This run cannot show it: {how} cannot tell a difference from chance. To find out,")
    assert "run python -m mixed_data compare with the same data options" in answer
    assert "photos shuffled among the rows" in answer


def test_a_network_on_the_columns_is_not_asked_about_photos(tmp_path):
    folder = make_run(tmp_path)
    write(folder / "metrics.json", next(each for each in read(folder, "comparison.json") if each["model"] == "table"))
    write(folder / "config.json", {**read(folder, "config.json"), "main": "table"})
    found = answers(read_run(folder))
    assert [*found][1:] == ["How far off are others?", "Is the network worth it over simpler models?"]
    assert "photos" not in found["Is the network worth it over simpler models?"]
    assert "table" not in found["How far off are others?"]


def test_what_a_stack_gains_over_a_network_on_the_columns_is_not_put_down_to_the_photos(tmp_path):
    folder = make_run(tmp_path)
    comparison = read(folder, "comparison.json")
    next(entry for entry in comparison if entry["model"] == "weighted_sum")["model"] = "best"
    write(folder / "comparison.json", comparison)
    write(folder / "config.json", {**read(folder, "config.json"), "main": "best"})
    run = read_run(folder)
    assert "Besides, table lacks the trees of the stack, too." in answers(run)["Do the photos help?"]
    assert list(list_ablations(run, ErrorScale.of(run, DOLLARS))) == []


def test_the_best_baseline_is_the_one_with_the_lowest_error(tmp_path):
    folder = make_run(tmp_path)
    comparison = read(folder, "comparison.json")
    comparison.insert(0, {**comparison[0], "model": "boosting", "mape": comparison[0]["mape"] - 1.0})
    comparison.insert(0, {**comparison[0], "model": "median", "mape": 99.0})
    write(folder / "comparison.json", comparison)
    run = read_run(folder)
    assert choose_rivals(run, ErrorScale.of(run, DOLLARS)) == ["boosting", "table"]


def test_a_comparison_has_answered_all_but_how_far_off_it_is(tmp_path):
    assert list(answers(read_run(make_comparison(tmp_path)))) == ["How far off is it?"]


# Ratios, intervals.


@pytest.mark.parametrize(
    ("name", "value", "judgement"),
    [
        ("median_ratio", 0.9, "inside"),
        ("median_ratio", 1.1, "inside"),
        ("median_ratio", 0.899, "below"),
        ("cod", 5.0, "inside"),
        ("cod", 15.1, "above"),
        ("cod", 4.9, "below"),
        ("prd", 1.03, "inside"),
        ("prd", 0.97, "below"),
        ("prb", -0.051, "below"),
        ("prb", 0.05, "inside"),
        ("prb", 0.051, "above"),
        ("prb", None, "not defined"),
    ],
)
def test_a_ratio_is_judged_by_the_range_of_the_standard(name, value, judgement):
    lines = dict(zip(("median_ratio", "cod", "prd", "prb"), judge_ratios({name: value}), strict=True))
    assert lines[name][-1] == judgement
    assert {line[-1] for other, line in lines.items() if other != name} == {"not defined"}


def test_coverage_counts_the_rows_inside_ends_included():
    rows = pd.DataFrame(
        {"target": [1.0, 2.0, 3.0, 4.0], "prediction": 2.0, "lower": 1.0, "upper": [3.0, 3.0, 3.0, 5.0]}
    )
    grouping = group_by_photos(np.array([2, 2, 2, 0]))
    total, none, two = count_coverage(rows, [grouping, Grouping("nothing", [], "none")])
    assert (total["label"], total["n"], total["coverage"]) == ("all rows", 4, 100.0)
    assert (none["label"], none["n"], two["label"], two["n"]) == ("no photo", 1, "2 photos", 3)
    assert (two["median_width"], two["mean_relative_width"], none["median_width"]) == (2.0, 100.0, 4.0)
    rows["upper"] = 2.5
    total, none, two = count_coverage(rows, [grouping])
    assert (total["coverage"], none["coverage"], two["coverage"]) == (50.0, 0.0, pytest.approx(200 / 3))
    assert (total["low"], total["high"]) == pytest.approx((15.0, 85.0), abs=0.05)  # Wilson's interval of 2 in 4


# Wording and plots.


@pytest.mark.parametrize(
    ("value", "exact", "compact"),
    [
        (776_900.0, "$776,900", "$777k"),
        (999_999.0, "$999,999", "$1M"),
        (5_858_000.0, "$5,858,000", "$5.86M"),
        (-1_500.0, "−$1,500", "−$1.5k"),
        (42.0, "$42", "$42"),
    ],
)
def test_dollars_are_written_in_full_and_in_short(value, exact, compact):
    assert (DOLLARS.exact(value), DOLLARS.compact(value)) == (exact, compact)


def test_other_units_are_never_dollars():
    unit = Unit.of("yield", {"unit": ""})
    assert (unit.exact(1234.5), unit.exact(0.12345), unit.compact(-2e9), unit.label) == (
        "1,234",
        "0.1235",
        "−2bn",
        "yield",
    )
    assert Unit.of("price", {"unit": "US dollars"}).label == "price, US dollars"
    assert not Unit.of("price", {"options": {"dataset": "houses"}}).is_dollars
    assert not Unit.of("price", {"unit": 3}).is_dollars


def test_a_strangers_text_is_one_printable_line():
    assert clip("a\nb\x00\u202ec\ud800d") == "a b c d"
    assert clip("x" * 1000) == "x" * 159 + "…"
    assert clip("\x00" * 10_000 + "a") == ""
    assert clip(85255) == "85255"


def test_models_are_described_in_plain_words():
    assert describe_model("gated") == "network, columns and photos"
    assert describe_model("without kitchen") == "main network without kitchen"
    assert describe_model("oracle_table").startswith("reference: ")
    assert is_reference("oracle")
    assert not is_reference("oracles")


def test_many_points_do_not_make_a_large_picture():
    random = np.random.default_rng(0)
    target = np.exp(random.normal(12, 1, 50_000))
    picture = draw_predictions(target, target * np.exp(random.normal(0, 0.2, 50_000)), DOLLARS)
    assert len(picture.source) < 800_000
    assert "50,000 rows" in picture.alt


@pytest.mark.parametrize("target", [[5.0], [7.0, 7.0], [-3.0, 0.0, 4.0], [1e-9, 1e12], [101.0, 103.0]])
def test_any_targets_can_be_drawn(target):
    svg = base64.b64decode(draw_predictions(np.array(target), np.array(target), DOLLARS).source.partition(",")[2])
    assert len(re.findall(rb"<text[^>]*>\s*[^<]*\d", svg)) >= 2
    assert b"DejaVu" not in svg
