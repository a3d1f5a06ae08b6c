"""The picture of a row's reasons: what is written on it, and how long its bars are."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from explain_helpers import KnownModel, make_photo, make_row

from mixed_data.explain import picture_sheet
from mixed_data.explain.explanations import Explanation, Part
from mixed_data.explain.heat_pictures import BLUE, RED, paint_heat, show_photo
from mixed_data.explain.picture_sheet import Face, Sheet
from mixed_data.explain.reason_pictures import PHOTO_SIDE, draw_reasons, write_effect
from mixed_data.explain.reasons import explain_rows
from mixed_data.files.written_values import Unit

DOLLARS = Unit("price", is_dollars=True)


@pytest.fixture
def written(monkeypatch):
    texts, write = [], Sheet.write
    monkeypatch.setattr(
        Sheet, "write", lambda self, x, y, text, *a, **k: texts.append(text) or write(self, x, y, text, *a, **k)
    )
    return texts


def explain(**cells) -> Explanation:
    return explain_rows(KnownModel(product=0.3), make_row(**cells))[0]


def make_part(name: str, factor: float, **fields) -> Part:
    return replace(Part(name, True, None, factor, 400 * (1 - 1 / factor), None, None, None), **fields)


def count(pixels, colour) -> np.ndarray:
    """Count the pixels of a colour in each line, where bars are."""
    return (np.asarray(pixels)[:, 620:980] == colour).all(axis=2).sum(axis=1)


def test_prediction_reference_and_every_part_are_written(written):
    found = replace(explain(), lower=300.0, upper=900.0)
    draw_reasons(found, DOLLARS, "line 5", {}, {})
    assert DOLLARS.exact(found.prediction) in written
    assert "line 5" in written
    assert f"reference {DOLLARS.exact(found.reference.value)}" in written
    assert "90 % of such rows lie between $300 and $900" in written
    for part in (*found.modalities, *found.views, *found.columns):
        assert part.name in written
        assert write_effect(part, DOLLARS) in written


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (make_part("a", 1.08, amount=38_000.4), "× 1.08, + $38,000"),
        (make_part("a", 0.5, amount=-400.0), "× 0.50, − $400"),
        (make_part("a", 12345.6, amount=400.0), "× 1.23e+04, + $400"),
        (replace(make_part("a", 1.0, amount=-3.25), factor=None), "− $3"),
    ],
)
def test_an_effect_is_a_factor_and_an_amount(part, text):
    assert write_effect(part, DOLLARS) == text


def test_bars_are_as_long_as_the_logarithms_of_the_factors_red_for_more_and_blue_for_less():
    parts = [make_part("table", math.exp(0.4)), make_part("photos", math.exp(-0.1))]
    found = replace(explain(), modalities=parts, views=[], columns=[], without=[])
    pixels = draw_reasons(found, DOLLARS, "", {}, {})
    red, blue = count(pixels, RED).max(), count(pixels, BLUE).max()
    assert red == pytest.approx(170, abs=3)
    assert blue == pytest.approx(170 / 4, abs=3)
    linear = [replace(part, factor=None, amount=amount) for part, amount in zip(parts, (3.0, -1.5), strict=True)]
    pixels = draw_reasons(replace(found, scale="identity", modalities=linear), Unit("grade"), "", {}, {})
    assert count(pixels, BLUE).max() == pytest.approx(170 / 2, abs=3)


def test_photos_stand_over_their_heat_maps_and_words_over_a_map_that_cannot_be_trusted(written):
    model, row = KnownModel(), make_row(front=make_photo(255, corner=0))
    photos = {view: show_photo(model, row, view, PHOTO_SIDE) for view in ("front", "kitchen")}
    assert photos["front"].shape == (PHOTO_SIDE, PHOTO_SIDE, 3)
    values = np.zeros((16, 16))
    values[12:, 12:] = 1
    painted = paint_heat(photos["front"], values)
    assert painted[-1, -1].tolist() == [round(255 * 0.35 + 0.65 * channel) for channel in RED]
    assert painted[0, 0].tolist() == [0, 0, 0]
    pixels = np.asarray(draw_reasons(explain(), DOLLARS, "", photos, {"front": painted, "kitchen": None}))
    assert _holds(pixels, photos["front"])
    assert _holds(pixels, painted)
    assert sum("not trustworthy here" in text for text in written) == 1


def _holds(pixels, part) -> bool:
    height, width = part.shape[:2]
    left = pixels[:, 56 : 56 + width]
    return any((left[y : y + height] == part).all() for y in range(len(left) - height))


def test_a_photo_that_is_missing_is_a_frame_with_the_reason(written):
    draw_reasons(explain(front=None, kitchen=b"no photo"), DOLLARS, "", {}, {})
    assert "no photo given" in written
    assert "a photo of 8 bytes: a text, not a" in " ".join(written)
    assert written.count("did nothing") == 2


def test_many_columns_photos_and_warnings_are_cut_and_the_rest_is_said(written):
    columns = [make_part(f"column {n} {'x' * 90}", math.exp(0.01 * n), value="y" * 90) for n in range(30)]
    views = [make_part(f"room {n}", 1.01) for n in range(40)]
    found = replace(explain(), columns=columns, views=views, warnings=[f"doubt {n}" for n in range(20)])
    picture = draw_reasons(found, DOLLARS, "z" * 400, {}, {})
    assert picture.height < 8000
    together = math.exp(sum(0.01 * n for n in range(15)))
    assert "15 more together" in written
    assert f"× {together:.2f}" in " ".join(written)
    assert "28 more photos, which did less, are not shown." in written
    assert "12 more are in reasons.json" in written


def test_characters_that_no_font_has_are_boxes_and_said_so(written, monkeypatch):
    monkeypatch.setattr(picture_sheet, "_SYSTEM_FONTS", ("no such font.ttf",))
    found = replace(explain(), columns=[make_part("面積 שטח", 1.1), make_part("größe [m²]", 1.1)])
    draw_reasons(found, DOLLARS, "", {}, {})
    assert any("Boxes stand for characters" in text for text in written)
    assert Face("größe").lacks == ["ß", "ö"]
    assert Face("area × 2 − 1").lacks == []


def test_a_system_font_that_has_the_characters_is_taken(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib", reason="its font stands in for one of the system")
    font = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf"
    monkeypatch.setattr(picture_sheet, "_SYSTEM_FONTS", ("no such font.ttf", font))
    face = Face("größe × 2 €")
    assert (face.lacks, face.spell("×"), face.at(20).getname()[0]) == ([], "×", "DejaVu Sans")
    assert Face("size").at(20).getname()[0] != "DejaVu Sans"
