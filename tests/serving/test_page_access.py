"""The page at / in a real browser: by keyboard, on a phone, in the dark, on paper, with a key, small and offline."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_helpers import BRIGHT, DARK, estimate, fill, open_page, serve, upload
from playwright.sync_api import Page, expect
from serving_helpers import make_predictor

import mixed_data.serving

STATIC = Path(mixed_data.serving.__file__).parent / "static"
MOST_BYTES = 200_000
PHONE = {"width": 360, "height": 740}


def find_violations(page: Page) -> list[str]:
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in Axe().run(page).response["violations"]]


def is_as_wide_as_its_window(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_all_of_it_works_by_keyboard(page):
    def focused() -> str:
        return page.evaluate("document.activeElement.id || document.activeElement.innerText")

    def tab_to(name: str) -> None:
        for _ in range(20):
            if focused() == name:
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{name} is not reached")

    def choose_by(key: str) -> None:
        with page.expect_file_chooser() as chooser:
            page.keyboard.press(key)
        chooser.value.set_files([{"name": "a.png", "mimeType": "image/png", "buffer": BRIGHT}])
        page.locator(".previews img").wait_for()

    page.on("filechooser", lambda chooser: None)  # Playwright looks out for choosers from here on, not too late
    tab_to("field-0")
    page.keyboard.type("200")
    tab_to("photo-0")
    outline = page.locator("#photo-0 + .drop").evaluate("label => getComputedStyle(label).outlineStyle")
    assert outline == "solid"
    choose_by("Space")
    tab_to("×")
    page.keyboard.press("Enter")
    expect(page.locator(".previews img")).to_have_count(0)
    assert focused() == "photo-0"
    choose_by("Enter")
    tab_to("submit")
    page.keyboard.press("Enter")
    page.locator("#reasons section").first.wait_for()
    tab_to("Show where")
    page.keyboard.press("Enter")
    page.get_by_role("img", name="Heat map over the front photo").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(context, address, scheme):
    page = context.new_page()
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(address)
    page.locator("#work").wait_for()
    assert find_violations(page) == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background))) < 384) == (scheme == "dark")
    fill(page, Area="5000", Zip="9")
    upload(page, "Front photo", BRIGHT)
    upload(page, "Rooms photo", DARK)
    estimate(page)
    page.get_by_role("button", name="Show where").first.click()
    page.get_by_role("button", name="Show the photo").wait_for()
    assert find_violations(page) == []
    fill(page, Area="large")
    assert find_violations(page) == []
    page.get_by_role("button", name="Estimate").click()
    expect(page.locator("#summary")).to_be_focused()
    assert find_violations(page) == []


def test_nothing_is_wider_than_a_phone(context, address):
    page = context.new_page()
    page.set_viewport_size(PHONE)
    page.goto(address)
    page.locator("#work").wait_for()
    assert is_as_wide_as_its_window(page)
    fill(page, Area="123456789012", Zip="x" * 300)
    upload(page, "Front photo", BRIGHT)
    upload(page, "Rooms photo", BRIGHT, DARK)
    estimate(page)
    assert is_as_wide_as_its_window(page)
    assert find_violations(page) == []
    for selector in ("button", ".field input", ".drop"):
        assert min(one.bounding_box()["height"] for one in page.locator(selector).all() if one.is_visible()) >= 24


def test_a_long_unit_fits_on_a_phone(context):
    with serve(make_predictor(unit="thousands of Norwegian kroner")) as address:
        page = open_page(context, address)
        page.set_viewport_size(PHONE)
        fill(page, **{"Area m2": "200"})
        estimate(page)
        assert is_as_wide_as_its_window(page)


def test_a_page_with_an_answer_weighs_less_than_200_kilobytes(context, address):
    page = context.new_page()
    loaded = []
    page.on("response", lambda response: loaded.append(response))
    page.goto(address)
    page.locator("#work").wait_for()
    page.get_by_role("button", name="Example 1").click()
    page.locator("#reasons section").first.wait_for()
    assert {"/", "/static/app.css", "/static/reasons.js"} <= {httpx.URL(one.url).path for one in loaded}
    assert sum(len(one.body()) for one in loaded) < MOST_BYTES
    assert sum(file.stat().st_size for file in STATIC.iterdir()) < MOST_BYTES


def test_the_page_asks_for_the_key_and_keeps_it_in_memory_only(context):
    with serve(make_predictor(), api_key="öffne dich") as address:
        page = context.new_page()
        page.goto(address)
        expect(page.get_by_label("API key")).to_be_focused()
        assert find_violations(page) == []
        page.get_by_label("API key").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#key-error")).to_have_text("This key is not the one that the service wants.")
        page.get_by_label("API key").fill("öffne dich")
        page.keyboard.press("Enter")
        page.get_by_label("Area").fill("100")
        estimate(page)
        assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
        page.reload()
        expect(page.get_by_label("API key")).to_have_value("")


def test_a_printed_page_has_the_answer_and_no_form(page):
    fill(page, Area="200")
    estimate(page)
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("#row-form")).to_be_hidden()
    expect(page.locator(".value")).to_be_visible()
    assert find_violations(page) == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_no_file_of_the_page_names_an_address_elsewhere():
    for file in STATIC.iterdir():
        elsewhere = set(re.findall(r"https?://[^\s\"'<>]+", file.read_text("utf-8")))
        assert elsewhere <= {"http://www.w3.org/2000/svg"}, file.name
