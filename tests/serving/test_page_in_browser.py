"""The page at / in a real browser: filled in, read, and failed at. How it is used stands in test_page_access.py."""

from __future__ import annotations

import base64
import math
import re

import httpx
import pytest
from browser_helpers import (
    BRIGHT,
    DARK,
    LEVEL,
    MARKUP,
    estimate,
    fill,
    make_home_predictor,
    open_page,
    serve,
    upload,
)
from playwright.sync_api import expect
from serving_helpers import make_large_photo, make_predictor

from mixed_data.serving import Limits


def ask(address: str, path: str, **cells: str) -> dict:
    photos = [("front", ("a.png", BRIGHT)), ("kitchen", ("b.png", DARK))]
    return httpx.post(address + path, data=cells, files=photos).json()


def test_a_filled_form_is_answered_with_what_the_service_says_and_why(page, address):
    assert page.title() == "Price · mixed_data"
    fill(page, Area="200", Zip="1")
    upload(page, "Front photo", BRIGHT)
    upload(page, "Kitchen photo", DARK)
    expect(page.locator(".previews img")).to_have_count(2)
    assert page.locator(".previews img").first.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    estimate(page)
    found = ask(address, "v1/explain", area="200", zip="1")
    value, lower, upper = (f"${round(found[name]):,}" for name in ("prediction", "lower", "upper"))
    assert page.locator(".value").inner_text() == value
    assert page.locator(".interval strong").inner_text() == f"{lower} to {upper}"
    assert page.locator("#status").inner_text() == f"Estimate: {value}, between {lower} and {upper}"
    bar = {name: page.locator(f".bar .{name}").bounding_box() for name in ("track", "range", "point")}
    low, high = bar["range"]["x"], bar["range"]["x"] + bar["range"]["width"]
    assert (high - bar["track"]["x"]) / (low - bar["track"]["x"]) == pytest.approx(
        found["upper"] / found["lower"], rel=0.05
    )
    assert low < bar["point"]["x"] < high
    shown = page.locator(".parts").all_inner_texts()
    for part in (*found["modalities"], *found["columns"], *found["views"]):
        effect = f"× {part['factor']:.2f}, {'−' if part['amount'] < 0 else '+'} ${abs(round(part['amount'])):,}"
        assert any(effect in text for text in shown) == part["present"], part["name"]
    (front, _) = found["without"]
    assert f"Without the front photo it would be ${round(front['prediction']):,}" in page.locator(".cards").inner_text()
    assert f"Counted from ${round(found['reference']['value']):,}, {found['reference']['text']}." in (
        page.locator("#reasons").inner_text()
    )
    assert "Not given: rooms photo." in page.locator(".notes").inner_text()


def test_longer_bars_are_larger_effects_and_falls_lie_left_of_rises(page, address):
    fill(page, Area="200", Zip="1")
    upload(page, "Front photo", BRIGHT)
    upload(page, "Kitchen photo", DARK)
    estimate(page)
    widths = {
        row.locator(".name").inner_text(): row.locator("b").bounding_box()["width"]
        for row in page.locator(".parts").first.locator("li").all()
    }
    found = {part["name"]: part["factor"] for part in ask(address, "v1/explain", area="200", zip="1")["modalities"]}
    assert widths["Details"] / widths["Photos"] == pytest.approx(
        math.log(found["table"]) / math.log(found["photos"]), rel=0.05
    )
    down = page.evaluate(
        """async () => {
          const { drawReasons } = await import("./static/reasons.js");
          const { Amounts } = await import("./static/texts.js");
          const part = (name, amount) => ({ name, present: true, value: null, factor: null, amount });
          const found = { reference: { value: 5, text: "" }, modalities: [], views: [], without: [], narrowing: [],
            columns: [part("down", -3.21), part("up", 1)] };
          document.querySelector("#reasons").replaceChildren(
            ...drawReasons(found, { fields: [] }, new Amounts("m", 12), new Map(), null).filter(Boolean));
          return [...document.querySelectorAll("#reasons .effect")].map((one) => one.textContent);
        }"""
    )
    assert down == ["− 3.21\u00a0m", "+ 1\u00a0m"]
    left, right = (page.locator(f"#reasons b.{way}").bounding_box() for way in ("down", "up"))
    assert left["width"] == pytest.approx(3.21 * right["width"], rel=0.05)
    assert left["x"] + left["width"] == pytest.approx(right["x"], abs=1.5)


def test_a_heat_map_is_drawn_when_it_is_asked_for(page):
    fill(page, Area="200")
    upload(page, "Front photo", BRIGHT)
    with page.expect_request("**/v1/explain"):
        estimate(page)
    photo = page.get_by_role("img", name="Front photo", exact=True)
    assert photo.get_attribute("src").startswith("blob:")
    with page.expect_request("**/v1/explain?heat_map=front"):
        page.get_by_role("button", name="Show where").click()
    heat = page.get_by_role("img", name="Heat map over the front photo")
    assert heat.evaluate("image => image.decode().then(() => image.naturalWidth)") == 384
    assert "covering the place lowers the prediction" in page.locator(".cards").inner_text()
    page.get_by_role("button", name="Show the photo").click()
    expect(photo).to_have_attribute("src", re.compile("^blob:"))


def test_a_row_without_photos_is_answered_and_told_what_a_photo_would_do(page, address):
    page.get_by_role("button", name="Example 1").click()
    page.locator("#reasons section").first.wait_for()
    assert page.get_by_label("Area").input_value() == "100"
    assert page.get_by_label(MARKUP).input_value() == "900,25"
    answer = httpx.post(
        address + "v1/predict", json={"area": 100, MARKUP: 900.25, "style": LEVEL, "zip": "1", "built": "1950-01-31"}
    ).json()
    assert page.locator(".value").inner_text() == f"${round(answer['prediction']):,}"
    assert "There are no photos" in page.locator(".notes").inner_text()
    assert re.search(
        r"any one of front photo, kitchen photo, rooms photo 1, and rooms photo 2, the interval gets about 33 % narrow",
        page.locator("#reasons").inner_text(),
    )


def test_training_rows_that_resemble_the_row_are_shown_where_the_bundle_carries_some(page, address):
    fill(page, Area="150", Zip="2", Style="ranch")
    estimate(page)
    first, *others = page.locator(".similar li").all_inner_texts()
    assert [line for line in first.splitlines() if line] == [
        "$250 no. 1",
        "100 % alike",
        f"Area 150, {MARKUP} 900,25, style ranch, zip 2, built 1980-06-01",
    ]
    assert sorted(text.split()[0] for text in others) == ["$150", "$900"]
    found = ask(address, "v1/explain", area="150", zip="2", style="ranch")["comparables"]
    assert [f"{round(100 * one['similarity'])} % alike" for one in found[1:]] == [
        next(line for line in text.splitlines() if "alike" in line) for text in others
    ]
    assert httpx.get(address + "v1/schema").json()["has_comparables"]


def test_what_cannot_be_used_is_named_beside_its_field_and_in_a_summary(page):
    fill(page, Area="large", Zip="1")
    upload(page, "Kitchen photo", b"no picture")
    page.get_by_role("button", name="Estimate").click()
    summary = page.locator("#summary")
    expect(summary).to_be_focused()
    area = page.get_by_label("Area", exact=True)
    expect(area).to_have_attribute("aria-invalid", "true")
    assert area.evaluate(
        "input => document.getElementById(input.getAttribute('aria-describedby').split(' ').pop()).innerText"
    ) == ("Area is 'large', no usable number.")
    page.get_by_role("link", name="Area is 'large'").click()
    expect(area).to_be_focused()
    area.fill("200")
    expect(area).not_to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="Estimate").click()
    expect(summary).to_contain_text("Kitchen photo: the photo cannot be used")
    page.get_by_role("button", name="Remove 0.png from kitchen photo").click()
    estimate(page)
    expect(summary).to_be_hidden()


def test_an_empty_form_and_a_service_that_is_gone_are_said(page, context):
    page.get_by_role("button", name="Estimate").click()
    expect(page.locator("#summary")).to_contain_text("Fill in at least one detail, or add a photo.")
    fill(page, Area="200")
    context.set_offline(True)
    page.get_by_role("button", name="Estimate").click()
    expect(page.locator("#summary")).to_contain_text("The service does not answer.")
    context.set_offline(False)
    estimate(page)


def test_an_answer_stands_where_the_reasons_fail(page):
    page.route("**/v1/explain", lambda route: route.fulfill(status=503, body="{}"))
    fill(page, Area="200")
    page.get_by_role("button", name="Estimate").click()
    expect(page.locator("#reasons")).to_have_text(
        "Why could not be found out. The service has too much to do. Please try again in a moment."
    )
    expect(page.locator(".value")).to_be_visible()
    expect(page.locator("#result")).not_to_have_attribute("aria-busy", "true")


def test_values_outside_training_and_unseen_levels_are_warned_of_in_words(page):
    fill(page, Area="5000", Zip="9")
    estimate(page)
    notes = page.locator(".notes .strong").all_inner_texts()
    assert notes[0].startswith("Area lies outside what the model was trained on (100 to 300).")
    assert any(note.startswith("Zip is '9', not seen in training") for note in notes)
    assert "Left empty: " in page.locator(".notes").inner_text()


def test_an_answer_to_what_the_form_no_longer_says_is_marked(page):
    fill(page, Area="200")
    estimate(page)
    expect(page.locator("#result")).not_to_have_class(re.compile("stale"))
    fill(page, Area="201")
    expect(page.locator("#status")).to_have_text("The form has changed since this was estimated.")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".value")).to_have_count(0)
    assert page.get_by_label("Area").input_value() == ""


def test_an_answer_that_comes_late_does_not_take_the_place_of_a_later_one(page):
    held = []
    page.route("**/v1/predict", lambda route: route.continue_() if held else held.append(route))
    fill(page, Area="100")
    with page.expect_request("**/v1/predict"):
        page.get_by_role("button", name="Estimate").click()
    fill(page, Area="300")
    estimate(page)
    shown = page.locator(".value").inner_text()
    with page.expect_response("**/v1/predict") as late:
        held[0].continue_()
    late.value.finished()
    page.wait_for_timeout(100)
    assert page.locator(".value").inner_text() == shown
    assert late.value.json()["prediction"] != pytest.approx(float(shown.strip("$").replace(",", "")), rel=0.1)


def test_markup_in_names_and_levels_is_shown_as_text(page):
    assert page.locator("label").filter(has_text=MARKUP).count() == 1
    page.get_by_label(MARKUP).fill("1.000,5")
    fill(page, Style=LEVEL)
    upload(page, "Rooms photo", BRIGHT, DARK)
    estimate(page)
    assert {f"{MARKUP} 1000.5", f"Style {LEVEL}"} <= set(page.locator(".parts .name").all_inner_texts())
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img:not([src^='blob:'])").count() == 0


def test_photos_are_dropped_replaced_counted_and_taken_away(page):
    drop = """(zone, [names, text]) => {
      const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      for (const name of names) dataTransfer.items.add(new File([bytes], name, { type: "image/png" }));
      zone.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    }"""
    text = base64.b64encode(BRIGHT).decode()
    front, rooms = (page.locator(".zone").filter(has_text=name) for name in ("Front photo", "Rooms photo"))
    front.evaluate(drop, [["old.png"], text])
    front.evaluate(drop, [["new.png"], text])
    assert [image.get_attribute("alt") for image in front.locator("img").all()] == ["Front photo: new.png"]
    rooms.evaluate(drop, [["1.png", "2.png", "3.png"], text])
    expect(rooms.locator("img")).to_have_count(2)
    expect(rooms).to_contain_text("At most 2 photos; 1 left out.")
    page.get_by_role("button", name="Remove 1.png from rooms photo").click()
    assert [image.get_attribute("alt") for image in rooms.locator("img").all()] == ["Rooms photo: 2.png"]
    expect(rooms).to_contain_text("up to 1 more")


def test_photos_that_are_too_large_are_refused_before_they_are_sent(context):
    limits = Limits(photo_bytes=len(BRIGHT), body_bytes=2 * len(BRIGHT) - 10)
    with serve(make_home_predictor(), limits=limits) as address:
        page = open_page(context, address)
        upload(page, "Front photo", make_large_photo(1000))
        front = page.locator(".zone").filter(has_text="Front photo")
        expect(front.locator(".error")).to_contain_text("0.png is larger than")
        expect(front.locator("img")).to_have_count(0)
        upload(page, "Front photo", BRIGHT)
        expect(front.locator(".error")).to_be_hidden()
        upload(page, "Kitchen photo", BRIGHT)
        page.get_by_role("button", name="Estimate").click()
        expect(page.locator("#summary")).to_contain_text("The photos together are larger than")


def test_another_bundle_has_another_form_and_says_that_it_knows_no_intervals(context):
    with serve(make_predictor(unit="points")) as address:
        page = open_page(context, address)
        labels = [text.strip() for text in page.locator("#fields label").all_inner_texts()]
        assert labels == ["Area m2", "Rooms", "Style", "Zip", "Built"]
        fill(page, **{"Area m2": "100"})
        estimate(page)
        assert page.locator(".value").inner_text() == "100,000\u00a0points"
        expect(page.locator("#answer")).to_contain_text("The model was saved without intervals.")
        assert page.locator(".bar, .similar").count() == 0
        assert "Area 100\n+ 100,000\u00a0points" in page.locator(".parts").last.inner_text()
