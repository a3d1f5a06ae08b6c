"""The page as a whole: its numbers are those of the files, it is safe, needs nothing else and hides no gap."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from report_helpers import NUM_ROWS, VIEWS, Page, make_comparison, make_rows, make_run, read, write

from mixed_data.report import write_report

SCRIPT = "<script>alert(1)</script>"
NBSP = "\u00a0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "full")


@pytest.fixture(scope="module")
def page(folder):
    return Page(write_report(folder))


@pytest.fixture(scope="module")
def comparison_page(tmp_path_factory):
    return Page(write_report(make_comparison(tmp_path_factory.mktemp("runs") / "compare")))


def test_the_table_of_models_has_the_scores_of_comparison_json(folder, page):
    for entry in read(folder, "comparison.json"):
        numbers = [f"{entry['mape']:.1f}", f"{entry['median_ape']:.1f}", f"{entry['ppe20']:.0f}"]
        numbers += [f"{entry['rmse_log']:.3f}", f"{entry['r2']:.3f}", f"{entry['cod']:.1f}"]
        assert page.row(entry["model"])[1:7] == numbers
    assert page.row("weighted_sum")[7] == "7"
    assert page.row("oracle")[7] == ""


def test_the_main_model_is_marked_and_the_oracle_is_called_a_reference(page):
    marked = [attributes["class"] for tag, attributes in page.tags if tag == "tr" and "class" in attributes]
    assert marked == ["main", "reference"]
    assert page.row("oracle")[0].startswith("oraclereference: knows how the data was made")


def test_the_verdict_comes_first_with_the_figures_of_the_main_model(folder, page):
    metrics = read(folder, "metrics.json")
    assert next(attributes["id"] for tag, attributes in page.tags if tag == "section") == "verdict"
    tiles = f"{metrics['mape']:.1f}{NBSP}%", f"{metrics['median_ape']:.1f}{NBSP}%", f"{metrics['ppe20']:.0f}{NBSP}%"
    for text in (*tiles, f"{metrics['r2']:.3f}"):
        assert text in page.texts["verdict"]


def test_errors_by_group_are_medians_and_means_of_the_rows(folder, page):
    predictions, cells = pd.read_csv(folder / "predictions.csv"), pd.read_csv(folder / "held_out.csv", dtype=str)
    error = 100 * (predictions["prediction"] / predictions["target"] - 1)
    part = error[(cells["zipcode"] == "02139").to_numpy()]
    expected = [f"{len(part)}", f"{part.median():.1f}".replace("-", "−"), f"{part.abs().mean():.1f}"]
    assert page.row("02139") == ["02139", *expected]
    part = error[predictions["images_used"] == 1]
    assert page.row("1 photo")[1:] == ["12", f"{part.median():.1f}".replace("-", "−"), f"{part.abs().mean():.1f}"]
    part = error[predictions["level_rows"] == 2]
    expected = ["15", f"{part.median():.1f}".replace("-", "−"), f"{part.abs().mean():.1f}"]
    assert page.row("level of 1 to 3 rows")[1:] == expected
    assert "price band" in page.texts["errors"]


def test_coverage_is_counted_in_total_by_price_by_frequency_and_by_photos(folder, page):
    rows = pd.read_csv(folder / "predictions.csv")
    inside = (rows["lower"] <= rows["target"]) & (rows["target"] <= rows["upper"])
    total = page.row("all rows")
    assert total[1:3] == ["60", f"{100 * inside.mean():.1f}"]
    assert total[4:] == [f"${(rows['upper'] - rows['lower']).median():,.0f}", "45"]  # 1 / 0.8 - 0.8 of each prediction
    start = next(number for number, row in enumerate(page.rows) if row[0] == "all rows")
    assert [row[0][:9] for row in page.rows[start + 1 : start + 6]] == [
        "price $18",
        "price $36",
        *["price $49"] * 1,
        "price $59",
        "price $70",
    ]
    unseen = inside[rows["level_rows"] == 0]
    assert page.rows[start + 6][:3] == ["level not in training", "15", f"{100 * unseen.mean():.1f}"]
    few = inside[rows["images_used"] == 1]
    assert page.rows[start + 10][:3] == ["1 photo", "12", f"{100 * few.mean():.1f}"]


def test_learned_weights_are_shown_with_their_spread(page):
    assert ["weighted_sum", "tabular", "0.625", "± 0.031"] in page.rows
    assert ["weighted_sum", "image", "0.375", "± 0.031"] in page.rows


def test_rows_with_hidden_parts_stand_beside_the_network_that_never_had_them(folder, page):
    assert ["all photos hidden", "21.5\u00a0%", "–", "91.2", "$123,456"] in page.rows
    table = next(entry for entry in read(folder, "comparison.json") if entry["model"] == "table")
    label = "for comparison: table (network, columns only)"
    assert [label, f"{table['mape']:.1f}\u00a0%", f"{table['rmse_log']:.3f}", "–", "–"] in page.rows


def test_the_ratio_study_judges_the_metrics_by_the_ranges_of_the_standard(folder, page):
    metrics = read(folder, "metrics.json")
    assert page.row("median ratio") == ["median ratio", f"{metrics['median_ratio']:.2f}", "0.90 to 1.10", "inside"]
    assert page.row("COD") == ["COD", f"{metrics['cod']:.1f}", "5.0 to 15.0", "inside"]
    assert "IAAO Standard on Ratio Studies (2013)" in page.texts["ratios"]
    assert "properties that were sold" in page.texts["ratios"]


def test_how_it_was_made_has_command_seed_and_versions(page):
    for text in ("python -m mixed_data train --rows 60", "seed17", "keras3.15.1", "seconds, all models21"):
        assert text in page.texts["making"]


def test_the_audit_shows_the_findings_and_counts_the_warnings(page):
    assert "Rows that repeat the features and target of an earlier row: 1 (L3 = L4)" in page.texts["audit"]
    assert "2 of 62 rows skipped: - line 7: area is 'many', no usable number" in page.texts["audit"]
    assert f"12 of {NUM_ROWS} held-out rows had one" in page.texts["audit"]
    assert "id L5: kitchen: no such file" in page.texts["audit"]
    assert 'href="#audit"' in page.source[page.source.index('id="verdict"') : page.source.index('id="models"')]


def test_the_worst_rows_come_with_their_photos(folder, page):
    rows = pd.read_csv(folder / "predictions.csv")
    distance = np.abs(np.log(rows["prediction"] / rows["target"]))
    worst = rows["id"].iloc[np.argsort(-distance)[:10]].tolist()
    assert re.findall(r"\d+\. id (L\d+):", page.texts["worst"]) == worst
    photos = [alt for source, alt in page.pictures() if source.startswith("data:image/jpeg;base64,")]
    assert photos == [f"{view} of {name}" for name in worst for view in VIEWS]


def test_a_row_has_its_reason_or_none(page):
    assert "Likely reason: kitchen: no such file." in page.texts["worst"]
    assert "Likely reason: none found in the data." in page.texts["worst"]
    assert page.texts["worst"].count("Likely reason:") == 10


def test_every_plot_is_a_valid_picture_with_units_and_words(page):
    plots = [(source, alt) for source, alt in page.pictures() if source.startswith("data:image/svg+xml;base64,")]
    texts = []
    for source, alt in plots:
        root = ElementTree.fromstring(base64.b64decode(source.partition(",")[2]))
        texts.append(" | ".join(node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text")))
        assert len(alt) > 40
    assert len(texts) == 9
    units = ["predicted price, US dollars, log scale", "% of actual price", "error, % of actual price"]
    units += [
        "zipcode (rows)",
        "frequency of level (rows)",
        "number of photos (rows)",
        "lies in the interval, %",
        "when shuffled, points of mean error",
        "learned weight",
    ]
    for text, unit in zip(texts, units, strict=True):
        assert unit in text
    assert "60 rows" in plots[0][1]
    assert "02139:" in plots[3][1]


def test_the_page_opens_offline_and_runs_nothing(page):
    assert {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "base", "form"} == set()
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:image/"))
    assert not re.search(r"https?://|url\(|@import", page.source)
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page.source


def test_the_same_files_give_the_same_bytes(folder, page):
    assert write_report(folder).read_text(encoding="utf-8") == page.source


def test_making_the_page_does_not_start_keras(folder):
    code = "import sys; from mixed_data.report import write_report; write_report(sys.argv[1])"
    code += "; print({'keras', 'tensorflow'} & set(sys.modules), 'matplotlib.pyplot' in sys.modules)"
    run = [sys.executable, "-c", code, str(folder)]
    result = subprocess.run(run, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert result.stdout == "set() False\n", result.stderr


def test_texts_from_the_data_are_escaped_wherever_they_stand(tmp_path):
    zipcode, target = f"zip{SCRIPT}", f'price"><img src=x onerror=alert(1)>{SCRIPT}'
    rows = make_rows(tmp_path, target=target, zipcode=zipcode)
    rows["id"] = [f"{SCRIPT}\x01\u202e{number}" for number in range(len(rows))]
    rows[zipcode] = [f"{value}{SCRIPT}" for value in rows[zipcode]]
    rows["front"] = f"/nowhere/{SCRIPT}.jpg"
    folder = make_run(tmp_path / f"run{SCRIPT[:8]}", rows=rows, target=target, zipcode=zipcode, data_set=SCRIPT)
    comparison = read(folder, "comparison.json")
    for entry in comparison:
        entry["model"] += SCRIPT
    write(folder / "comparison.json", comparison)
    predictions = pd.read_csv(folder / "predictions.csv")
    predictions["warnings"] = f"warned {SCRIPT} $\\frac$ \ud800".encode("utf-8", "replace").decode()
    predictions.to_csv(folder / "predictions.csv", index=False)
    write(folder / "findings.json", [f"found {SCRIPT} \ud800"])
    write(folder / "weights.json", {f"$\\frac${SCRIPT}": {SCRIPT: {"mean": 1.0, "sd": 0.0}}})
    config = read(folder, "config.json")
    config |= {"command": f"train {SCRIPT}", "main": config["main"] + SCRIPT, "versions": {SCRIPT: SCRIPT}}
    write(folder / "config.json", config)
    write(folder / "verdict.json", [{"question": f"asked {SCRIPT}", "answer": f"said {SCRIPT}"}])
    page = Page(write_report(folder))
    assert "<script" not in page.source.lower()
    assert [src for src, _ in page.pictures() if not src.startswith("data:image/")] == []
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert not re.search("[\x00-\x08\u202e\ud800-\udfff]", page.source)
    for section, text in (("verdict", f"asked {SCRIPT}"), ("audit", f"Found {SCRIPT}"), ("making", f"train {SCRIPT}")):
        assert text in page.texts[section]
    assert f"zip{SCRIPT}: " in page.texts["worst"]
    assert f"warned {SCRIPT}" in page.texts["worst"]
    for source, _ in page.pictures():
        if "svg" in source[:20]:
            ElementTree.fromstring(base64.b64decode(source.partition(",")[2]))


def test_parts_are_listed_by_how_much_the_error_grows_without_them(tmp_path):
    page = Page(write_report(make_run(tmp_path / "run")))
    rows = [page.row(name) for name in ("area", "front", "kitchen")]
    assert rows == [
        ["area", "+11.2 points", "+10.8 to +11.5 points"],
        ["front", "0.0 points", "−0.5 to +0.2 points"],
        ["kitchen", "+0.5 points", "0.0 to +0.8 points"],
    ]
    shown = [row[0] for row in page.rows if row in rows]
    assert shown == ["area", "kitchen", "front"]
    alt = next(alt for _, alt in page.pictures() if alt.startswith("Increase of the mean error"))
    assert "area: +11.2 (+10.8 to +11.5); kitchen" in alt


def test_a_run_with_the_least_files_says_what_is_missing(tmp_path):
    folder = make_run(tmp_path / "least", extras=False)
    page = Page(write_report(folder))
    assert "Not shown: the run kept no intervals" in page.texts["intervals"]
    assert "Not shown: the run kept no missing.json" in page.texts["missing"]
    assert "Not shown: the run kept no importance.json" in page.texts["weights"]
    assert "Not shown: no fusion with learned weights was trained." in page.texts["weights"]
    assert "This run cannot show it" in page.texts["verdict"]
    assert "What the audit found was not kept." in page.texts["audit"]


def test_without_the_rows_the_page_says_that_columns_and_photos_are_missing(tmp_path):
    folder = make_run(tmp_path / "run")
    (folder / "held_out.csv").unlink()
    page = Page(write_report(folder))
    assert "reasons in them were not looked for: the run kept no held_out.csv." in page.texts["worst"]
    assert "none found in the data" not in page.texts["worst"]
    assert "Not shown: the run kept no held_out.csv." in page.texts["errors"]
    assert len(re.findall(r"\d+\. id L\d+:", page.texts["worst"])) == 10


def test_a_strangers_target_is_not_in_dollars(tmp_path):
    page = Page(write_report(make_run(tmp_path / "run", data_set="table", target="yield [t]")))
    visible = "".join(page.texts.values()) + "".join(alt for _, alt in page.pictures())
    assert "$" not in visible
    assert "dollar" not in visible
    assert "Predicting yield [t]" in page.source
    assert "only if yield [t] is a price" in page.texts["ratios"]


def test_a_target_that_can_be_zero_is_judged_in_its_own_units(tmp_path):
    rows = make_rows(tmp_path)
    rows["price"] = np.arange(NUM_ROWS) - 20.0
    folder = make_run(tmp_path / "run", rows=rows, data_set="table")
    metrics = read(folder, "metrics.json")
    assert metrics["mape"] is None
    page = Page(write_report(folder))
    assert f"{metrics['mae']:.4g}" in page.texts["verdict"]
    assert "nan" not in re.sub(r"base64,[^\"]+", "", page.source).lower()
    assert page.row("median ratio")[1::2] == ["–", "not defined"]
    assert page.row("model")[1:] == ["R²", "MAE", "seconds"]
    assert re.search(r"\d+\. id L\d+: [\d.]+ too (high|low)", page.texts["worst"])


def test_two_thousand_rows_make_a_page_below_three_megabytes(tmp_path):
    few = make_rows(tmp_path)
    rows = pd.concat([few] * 34, ignore_index=True)[:2000]
    rows["id"] = [f"row {number}" for number in range(2000)]
    for view in VIEWS:
        rows[view] = rows[view] + ";" + few["front"].iloc[0] + ";" + few["kitchen"].iloc[1]
    rows["price"] *= np.random.default_rng(1).uniform(0.9, 1.1, 2000)
    path = write_report(make_run(tmp_path / "run", rows=rows))
    assert 100_000 < path.stat().st_size < 3_000_000


def test_a_comparison_shows_its_verdict_first_and_its_figures(comparison_page):
    texts = comparison_page.texts["verdict"]
    assert texts.index("Do the photos help?") < texts.index("How far off is it?")
    assert "Photos lower MAPE from 21.0 % to 12.0 %." in texts
    assert "This run cannot show it" not in texts
    figures = ["concat − table", "MAPE, %", "12.0", "21.0", "−9.00", "−12.25 to −6.50", "9 of 10"]
    assert figures in comparison_page.rows


def test_a_comparison_is_about_the_model_of_its_first_question_with_spread_over_repeats(comparison_page):
    marked = [attributes for tag, attributes in comparison_page.tags if attributes.get("class") == "main"]
    assert len(marked) == 1
    assert re.fullmatch(r"\d+\.\d ± \d+\.\d", comparison_page.row("concatnetwork")[1])
    assert comparison_page.texts["head"].strip().startswith("Predicting price")
    assert "concat (network, columns and photos) predicts price" in comparison_page.texts["head"]
    assert "the first of 2 repeats" in comparison_page.texts["predictions"]


def test_a_comparison_sets_every_ablation_beside_the_main_network(comparison_page):
    rows = [row for row in comparison_page.rows if row[0] in ("table", "placebo")]
    assert [row[1] for row in rows] == ["network, columns only", "main network, photos shuffled among the rows"]
    without, whole = (float(comparison_page.row(f"{name}network")[1].split()[0]) for name in ("table", "concat"))
    assert rows[0][2] == f"{without:.1f}{NBSP}%"
    assert float(re.fullmatch(r"([+]\d+\.\d) points", rows[0][3])[1]) == pytest.approx(without - whole, abs=0.11)
    assert rows[1][3] == "+7.9 points (95 % interval +5.0 to +9.9)"
    assert "Sets of rows that share a photo: 1 (L1 = L2)" in comparison_page.texts["audit"]


def test_a_folder_that_is_no_run_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"has no comparison\.json and no predictions\.csv: expected the folder that"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
