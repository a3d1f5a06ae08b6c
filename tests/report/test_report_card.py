"""The model card: it says what the files say, and no text from the data can become a mark or HTML."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from report_helpers import make_run, read, write

from mixed_data.report import read_run, write_card
from mixed_data.report.wording import escape, quote
from mixed_data.schema import Schema

SECTIONS = ["Model details", "Intended use", "Training data", "Evaluation", "Ethical considerations", "Limits"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def card(folder):
    return write_card(read_run(folder), num_training_rows=180, created="2026-02-03")


def test_a_card_has_the_sections_of_its_form_and_how_to_load(card):
    assert re.findall("^## (.*)$", card, re.MULTILINE) == [*SECTIONS, "How to load"]
    assert 'MixedDataRegressor.load("bundle")' in card
    assert "arXiv:1810.03993" in card
    assert card.startswith("# Model card: predicting `price`\n")
    assert "\n\n\n" not in card


def test_a_card_names_what_is_read_and_what_it_was_made_from(card):
    for text in (
        "Reads the columns `area`, `zipcode`.",
        "Reads the photos in `front`, `kitchen`;",
        "in US dollars",
        "- Made with mixed_data on 2026-02-03.",
        "- 180 rows.",
        "60 held-out rows, one split.",
        "      python -m mixed_data train --rows 60\n",
        "keras 3.15.1",
        "rows that repeat the features and target of an earlier row: 1 (L3 = L4)",
        "\n- all photos hidden: MAPE 21.5 %, RMSE of log –\n",
        "- `zipcode`: if this names places",
    ):
        assert text in card


def test_the_scores_are_those_of_comparison_json(folder, card):
    lines = {line.split("|")[1].strip(" *`"): line for line in card.splitlines() if line.startswith("| ")}
    for entry in read(folder, "comparison.json"):
        scores = [f"{entry['mape']:.1f}", f"{entry['median_ape']:.1f}", f"{entry['ppe20']:.0f}"]
        scores += [f"{entry['rmse_log']:.3f}", f"{entry['r2']:.3f}", f"{entry['cod']:.1f}"]
        assert [cell.strip() for cell in lines[entry["model"]].split("|")[2:-1]] == scores
    assert "| **`weighted_sum`** |" in card
    assert f"it was off by {read(folder, 'metrics.json')['mape']:.1f} % on average" in card


def test_the_coverage_is_that_of_the_held_out_rows(folder, card):
    rows = pd.read_csv(folder / "predictions.csv")
    inside = 100 * ((rows["lower"] <= rows["target"]) & (rows["target"] <= rows["upper"])).mean()
    assert f"Intervals that promise 90 % held the actual value in {inside:.1f} % of the held-out rows" in card
    assert f"Their median width is ${(rows['upper'] - rows['lower']).median():,.0f}, on average 45 %" in card


def test_what_was_not_kept_is_said_so(tmp_path):
    card = write_card(read_run(make_run(tmp_path, extras=False)), num_training_rows=180, created="2026-02-03")
    assert "The intervals were not scored." in card
    assert "What the audit found was not kept." in card
    write(tmp_path / "findings.json", [])
    card = write_card(read_run(tmp_path), num_training_rows=180, created="2026-02-03")
    assert "The audit found nothing wrong." in card


def test_folds_are_told_apart_from_the_model_in_the_bundle(tmp_path):
    folder = make_run(tmp_path)
    predictions = pd.read_csv(folder / "predictions.csv")
    predictions.assign(fold=np.arange(60) % 5).to_csv(folder / "predictions.csv", index=False)
    card = write_card(read_run(folder), num_training_rows=60, created="2026-02-03")
    assert "60 rows (all of them; the scores below are of 5 other models" in card
    assert "60 held-out rows, grouped 5-fold, every row scored once." in card


def test_the_least_facts_make_a_card(tmp_path):
    write(tmp_path / "comparison.json", [{"model": "table", "mape": None, "mae": 3.0}])
    (tmp_path / "predictions.csv").write_text("id,target,prediction\n1,2,5\n")
    write(tmp_path / "config.json", {"main": "table"})
    card = write_card(read_run(tmp_path), num_training_rows=10, created="2026-02-03")
    assert "in the units of that column" in card
    assert "| **`table`** | – | – | – | – | – | – |" in card
    assert "Reads" not in card
    assert "$" not in card
    assert "off by" not in card


def test_texts_from_the_data_cannot_become_marks_or_html(folder):
    hostile = "</code>`` <script>\n# Heading\n| cell ![x](http://evil/x.png)"
    schema = Schema(target=hostile, numeric=["a" + hostile], codes=["b" + hostile], images=["c" + hostile])
    config = {"command": f"train\n{hostile}", "versions": {hostile: hostile}}
    comparison = [{"model": hostile, "mape": 1.0}]
    run = replace(
        read_run(folder), schema=schema, main=hostile, comparison=comparison, config=config, findings=[hostile]
    )
    card = write_card(run, num_training_rows=1, created="now")
    outside = re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", card)  # without code spans and blocks
    outside = re.sub(r"(?m)^ {6}.*$", "", outside)  # without the command, an indented block
    assert re.search(r"(?<!\\)<", outside) is None
    assert re.search(r"(?<!\\)!?(?<!\\)\[", outside) is None
    assert re.findall(r"(?m)^#+ (.*)$", card)[1:] == [*SECTIONS, "How to load"]
    table = [line for line in card.splitlines() if line.startswith("| **")]
    assert [len(re.split(r"(?<!\\)\|", line)) for line in table] == [9]


@pytest.mark.parametrize(
    ("text", "quoted", "escaped"),
    [
        ("area", "`area`", "area"),
        ("a`b", "``a`b``", r"a\`b"),
        ("``", "``` `` ```", r"\`\`"),
        ("<b>*x*", "`<b>*x*`", r"\<b\>\*x\*"),
        ("", "`  `", ""),
    ],
)
def test_names_are_code_spans_and_texts_are_escaped(text, quoted, escaped):
    assert (quote(text), escape(text)) == (quoted, escaped)
