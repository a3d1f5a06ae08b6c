"""Pages from hostile data: whatever a column, an id, a file or a warning is called, it is shown as that text."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape as escape_html
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from reliability import Case, documented
from report_helpers import make_rows, make_run, read, write

from mixed_data.files.whole_files import write_csv
from mixed_data.report import read_run, write_card, write_report
from mixed_data.schema import Schema

AS_TEXT = "shown as that text"
CASES = [
    Case("a script element", AS_TEXT, "<script>alert(1)</script>"),
    Case("an element with a handler", AS_TEXT, "<img src=x onerror=alert(1)>"),
    Case("quotes that would end an attribute", AS_TEXT, '"\' onmouseover=\'alert(1)" x="'),
    Case("the end of a comment, a style or a section", AS_TEXT, "--></style></title></svg>]]><svg onload=alert(1)>"),
    Case("an address that runs code", "shown as that text, never an address", "javascript:alert(1)"),
    Case("a link to a page", "shown as that text, never a link", "[here](https://evil.example/x) www.evil.example"),
    Case("HTML that is escaped already", "shown as it stands in the data", "&lt;b&gt; &amp;"),
    Case("what is code to a template", AS_TEXT, "{{ 7 * 7 }}{% raw %}"),
    Case("what is a formula to Matplotlib", AS_TEXT, "$\\frac{$_^"),
    Case(
        "line breaks, and characters that turn the text around", "shown as one line", "a\r\n\u2028# b\u202ec\x00\ud800"
    ),
    Case("a very long text", "cut, with …", "long " * 10_000),
]
HOSTILE = [case.given for case in CASES]
PRINTABLE = re.compile("[\x00-\x1f\ud800-\udfff\u2028\u202e]+")


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


class Shown(NamedTuple):
    """A page and a card of hostile data, and the elements of a page of harmless data."""

    source: str
    page: Page
    card: str
    harmless: Page


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    root = tmp_path_factory.mktemp("pages")
    harmless = write_report(make_run(root / "harmless")).read_text("utf-8")
    zipcode, target = f"zip {HOSTILE[0]}", f"price {HOSTILE[2]}"
    rows = make_rows(root / "hostile", target=target, zipcode=zipcode)
    texts = [text.encode("utf-8", "replace").decode().replace("\0", "") for text in HOSTILE]
    rows["id"] = [f"{number} {texts[number % len(texts)]}" for number in range(len(rows))]
    rows[zipcode] = [texts[number % 3] for number in range(len(rows))]
    rows["front"] = [f"/nowhere/{texts[number % len(texts)]}.jpg" for number in range(len(rows))]
    folder = make_run(root / "hostile", rows=rows, target=target, zipcode=zipcode, data_set=HOSTILE[1])
    comparison = read(folder, "comparison.json")
    for entry, name in zip(comparison, [f"without {HOSTILE[1]}", HOSTILE[2], HOSTILE[3], HOSTILE[4]], strict=True):
        entry["model"] = name
    write(folder / "comparison.json", comparison)
    predictions = pd.read_csv(folder / "predictions.csv")
    predictions["warnings"] = [f"front: {texts[number % len(texts)]}" for number in range(len(rows))]
    predictions.to_csv(folder / "predictions.csv", index=False)
    write(folder / "findings.json", HOSTILE)
    parts = {HOSTILE[8]: {"mean": 0.4, "sd": 0.1}, HOSTILE[10]: {"mean": 0.6, "sd": 0.1}}
    write(folder / "weights.json", dict.fromkeys(HOSTILE, parts))
    write(folder / "missing.json", [{"pattern": text, "mape": 1.0, "rmse_log": text} for text in HOSTILE])
    ends = {"increase": 1.0, "low": 0.5, "high": 1e300}
    parts = [{"part": text, "kind": text, "mae": ends, "mape": ends} for text in HOSTILE]
    write(folder / "importance.json", parts)
    write(folder / "verdict.json", [{"question": text, "answer": text} for text in HOSTILE])
    config = read(folder, "config.json")
    config |= {"command": f"train {HOSTILE[0]}", "main": HOSTILE[3], "versions": {text: text for text in HOSTILE}}
    config["schema"]["reasons"] = {zipcode: HOSTILE[0]}
    write(folder / "config.json", config)
    source = write_report(folder).read_text("utf-8")
    schema = Schema(target=target, numeric=HOSTILE[:4], codes=HOSTILE[4:7], images=HOSTILE[7:])
    scores = [{"model": f"without {text}", "mape": 1.0} for text in HOSTILE]
    run = replace(read_run(folder), schema=schema, main=scores[1]["model"], comparison=scores)
    card = write_card(run, num_training_rows=1, created="now")
    return Shown(source, Page(source), card, Page(harmless))


@documented("Pages", CASES)
def test_a_text_of_the_data_is_shown_as_a_text(case: Case, shown: Shown) -> None:
    line = PRINTABLE.sub(" ", case.given).strip()[:150]
    if any(character in line for character in "<>&\"'"):
        assert case.given not in shown.source
    assert escape_html(line).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in shown.source
    assert line in "".join(shown.page.words)  # a browser shows it again as it stood in the data


def test_hostile_data_adds_no_kind_of_element_or_attribute(shown: Shown) -> None:
    kinds = {(tag, name) for tag, attributes in shown.page.elements for name in attributes or [""]}
    assert kinds <= {(tag, name) for tag, attributes in shown.harmless.elements for name in attributes or [""]}
    addresses = [attributes.get("href") or attributes.get("src") for _, attributes in shown.page.elements]
    assert [each[:30] for each in addresses if each and not each.startswith(("#", "data:image/"))] == []


def test_the_page_forbids_scripts_and_addresses_by_its_own_policy(shown: Shown) -> None:
    (policy,) = [each["content"] for tag, each in shown.page.elements if tag == "meta" and "http-equiv" in each]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


CARD_CASES = [
    Case("HTML or links in what the model card shows", "marks are escaped, names stand in code", r"(?<!\\)<"),
    Case("a picture or a link in what the model card shows", "no picture, no link", r"(?<!\\)\["),
    Case("a bare address in what the model card shows", "no link", r"(?<!\\)://|www\."),
]


@documented("Pages", CARD_CASES)
def test_a_model_card_has_no_marks_of_the_data(case: Case, shown: Shown) -> None:
    code = r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)"
    outside = re.sub(r"(?m)^ {6}.*$", "", re.sub(code, "", shown.card))
    assert re.search(case.given, outside) is None
    assert "evil.example" in outside
    assert "without \\<img" in outside  # what the main model is, which its name says


FORMULAS = [
    Case(f"a text that a spreadsheet takes for a formula, such as {text}", "written as it is", text)
    for text in ("=1+1", "+1", "-1", "@SUM(A1)")
]


@documented("Pages", FORMULAS)
def test_a_csv_file_holds_the_data_unchanged(case: Case, tmp_path: Path) -> None:
    """A quote before it would make another id of an id; whoever opens the file in a spreadsheet imports it as text."""
    write_csv(tmp_path / "predictions.csv", pd.DataFrame({"id": [case.given], "warnings": [f"{case.given},"]}))
    again = pd.read_csv(tmp_path / "predictions.csv", dtype=str)
    assert again.to_numpy().tolist() == [[case.given, f"{case.given},"]]
