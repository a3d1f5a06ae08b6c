"""The front photo: storeys, upkeep and a pool are in it, and much that is worth nothing."""

from __future__ import annotations

from mixed_data.readers.sample.canvas import WHITE, Canvas, Colour, mix, shade, steps

_GROUND = 71.0
_STOREY_HEIGHT = 15.0
_SKIES: dict[str, tuple[Colour, Colour]] = {
    "day": ((96, 160, 222), (208, 230, 244)),
    "overcast": ((166, 180, 194), (226, 231, 235)),
    "evening": ((88, 84, 150), (255, 186, 128)),
}
_WALLS: list[Colour] = [
    (238, 226, 200), (226, 226, 224), (190, 206, 216), (178, 96, 78), (214, 188, 150), (240, 214, 140),
    (186, 196, 168),
]  # fmt: skip
_ROOFS: list[Colour] = [(92, 92, 100), (126, 84, 66), (172, 92, 66), (82, 96, 122), (74, 88, 78)]
_DOORS: list[Colour] = [(150, 40, 40), (40, 74, 110), (60, 96, 70), (96, 62, 40), (50, 50, 54)]
_FLOWERS: list[Colour] = [(232, 70, 90), (250, 200, 60), (240, 130, 190), (250, 250, 245), (170, 100, 210)]
_CARS: list[Colour] = [(190, 44, 44), (60, 66, 78), (220, 222, 224), (44, 84, 140)]


def draw_front(canvas: Canvas, *, storeys: int, upkeep: float, pool: int) -> None:
    """Draw the front of a house with 1 to 3 storeys and, if ``pool`` is 1, a pool in the garden.

    Its upkeep, 0 to 1, shows in the lawn, the walls, the roof and the flowers.
    """
    wear = 1.0 - upkeep
    centre = canvas.random.uniform(47, 55)
    half_width = canvas.random.uniform(24, 28)
    left, right = centre - half_width, centre + half_width
    top = _GROUND - _STOREY_HEIGHT * storeys
    _draw_surroundings(canvas, upkeep)
    _draw_roof(canvas, left, right, top, wear)
    _draw_walls(canvas, left, top, right, wear)
    _draw_openings(canvas, left, top, right, storeys)
    _draw_flower_beds(canvas, left, right, centre, upkeep)
    path_end = centre + canvas.random.uniform(-4, 4)
    path = [(centre - 3, _GROUND + 1), (centre + 3, _GROUND + 1), (path_end + 8, 112), (path_end - 8, 112)]
    canvas.polygon(path, (196, 188, 176))
    if pool:
        _draw_pool(canvas)
    if canvas.random.random() < 0.3:
        _draw_car(canvas)


def _draw_surroundings(canvas: Canvas, upkeep: float) -> None:
    top, bottom = _SKIES[canvas.light]
    canvas.gradient(-10, -10, 110, 66, top, bottom)
    if canvas.light != "evening":
        for x, y in canvas.scatter(int(canvas.random.integers(0, 4)), 0, 100, 2, 26):
            for shift in (0, 6, 12):
                canvas.ellipse(x + shift, y - (shift == 6) * 2, x + shift + 11, y + 6, (255, 255, 255, 150))
    hills = mix((96, 130, 96), bottom, 0.45)
    canvas.ellipse(-40 + canvas.random.uniform(-20, 20), 50, 70, 90, hills)
    canvas.ellipse(40 + canvas.random.uniform(-20, 20), 53, 150, 90, shade(hills, 0.94))
    foliage = canvas.pick([(66, 120, 60), (88, 136, 62), (176, 120, 50)])
    for x in (canvas.random.uniform(2, 18), canvas.random.uniform(82, 98)):
        if canvas.random.random() < 0.6:
            _draw_tree(canvas, x, canvas.random.uniform(20, 44), foliage)
    grass = mix((186, 156, 96), (88, 158, 66), upkeep)
    canvas.gradient(-10, 64, 110, 110, shade(grass, 1.08), shade(grass, 0.86))
    for x, y in canvas.scatter(round(14 * (1 - upkeep)), -5, 100, 70, 98):
        canvas.ellipse(x, y, x + canvas.random.uniform(6, 14), y + canvas.random.uniform(2, 4), (132, 100, 62, 170))
    for x, y in canvas.scatter(12, 0, 100, 74, 100):
        canvas.line([(x, y), (x + 1.5, y - 2)], shade(grass, 0.8), 0.5)


def _draw_tree(canvas: Canvas, x: float, top: float, foliage: Colour) -> None:
    canvas.rectangle(x - 1.4, top + 8, x + 1.4, 69, (104, 78, 56))
    canvas.ellipse(x - 11, top + 4, x + 7, top + 24, shade(foliage, 0.86))
    canvas.ellipse(x - 6, top + 5, x + 11, top + 23, shade(foliage, 0.95))
    canvas.ellipse(x - 8, top - 4, x + 8, top + 14, foliage)


def _draw_roof(canvas: Canvas, left: float, right: float, top: float, wear: float) -> None:
    colour = canvas.pick(_ROOFS)
    ridge = top - 13
    inset = float(canvas.random.choice([16.0, 24.0]))
    if canvas.random.random() < 0.5:
        x = left + canvas.random.uniform(8, 14)
        canvas.rectangle(x, ridge - 3, x + 5, top - 2, (146, 88, 74))
        canvas.rectangle(x - 0.6, ridge - 4.5, x + 5.6, ridge - 2.5, (110, 70, 60))
    eaves = (left - 4, right + 4)
    canvas.polygon([(eaves[0], top), (eaves[1], top), (eaves[1] - inset, ridge), (eaves[0] + inset, ridge)], colour)
    for share in (0.2, 0.4, 0.6, 0.8):
        y = top + (ridge - top) * share
        canvas.line([(eaves[0] + inset * share, y), (eaves[1] - inset * share, y)], shade(colour, 0.82), 0.5)
    for x, y in canvas.scatter(round(8 * wear), left + 9, right - 14, ridge + 1.5, top - 4.5):
        canvas.rectangle(x, y, x + canvas.random.uniform(3.5, 7), y + 2.6, (46, 40, 36))
    canvas.rectangle(left - 4.5, top - 1, right + 4.5, top + 1, shade(WHITE, 0.97))


def _draw_walls(canvas: Canvas, left: float, top: float, right: float, wear: float) -> None:
    colour = canvas.pick(_WALLS)
    canvas.rectangle(left, top + 1, right, _GROUND + 1, colour)
    for y in steps(top + 3, _GROUND, 2.5):
        canvas.line([(left, y), (right, y)], shade(colour, 0.93), 0.4)
    canvas.rectangle(left, top + 1, right, top + 2.6, (0, 0, 0, 50))
    for x, y in canvas.scatter(round(wear * (8 + 10 * (_GROUND - top) / 30)), left, right - 5, top, _GROUND - 6):
        width = canvas.random.uniform(2.5, 6)
        canvas.ellipse(x, y, x + width, y + canvas.random.uniform(2.5, 5), (88, 70, 52, 150))
        canvas.ellipse(x + width * 0.3, y + 1, x + width * 0.7, y + canvas.random.uniform(6, 10), (88, 70, 52, 150))
    canvas.rectangle(left, _GROUND - 1, right, _GROUND + 1, shade(colour, 0.72))


def _draw_openings(canvas: Canvas, left: float, top: float, right: float, storeys: int) -> None:
    glass: Colour = (255, 214, 120) if canvas.is_evening else (92, 124, 152)
    shutters = canvas.pick(_DOORS) if canvas.random.random() < 0.5 else None
    width = (right - left) / 3
    centre = (left + right) / 2
    for storey in range(storeys):
        y = top + 4 + _STOREY_HEIGHT * storey
        ground_floor = storey == storeys - 1
        for column in range(3):
            if not (ground_floor and column == 1):
                _draw_window(canvas, left + width * (column + 0.5), y, glass, shutters)
        if not ground_floor:
            canvas.line([(left, y + 11), (right, y + 11)], shade(WHITE, 0.9), 0.8)
    door = canvas.pick(_DOORS)
    canvas.rectangle(centre - 4, _GROUND - 12.2, centre + 4, _GROUND + 1, WHITE)
    canvas.rectangle(centre - 3, _GROUND - 11.2, centre + 3, _GROUND + 1, door)
    canvas.rectangle(centre - 2, _GROUND - 10, centre + 2, _GROUND - 7.4, glass)
    canvas.ellipse(centre + 1.4, _GROUND - 5.6, centre + 2.4, _GROUND - 4.6, (240, 210, 120))
    canvas.rectangle(centre - 5.5, _GROUND + 0.4, centre + 5.5, _GROUND + 2.4, (176, 170, 164))
    foot, peak = _GROUND - 12, _GROUND - 14.4
    porch = [(centre - 7, foot), (centre + 7, foot), (centre + 4.5, peak), (centre - 4.5, peak)]
    canvas.polygon(porch, shade(door, 0.7))


def _draw_window(canvas: Canvas, x: float, y: float, glass: Colour, shutters: Colour | None) -> None:
    if shutters is not None:
        canvas.rectangle(x - 6, y - 0.3, x + 6, y + 8.3, shutters)
    canvas.rectangle(x - 3.8, y - 0.6, x + 3.8, y + 8.6, WHITE)
    canvas.rectangle(x - 3, y, x + 3, y + 8, glass)
    canvas.polygon([(x - 3, y), (x + 1, y), (x - 3, y + 5)], (255, 255, 255, 70))
    canvas.line([(x, y), (x, y + 8)], WHITE, 0.7)
    canvas.line([(x - 3, y + 4), (x + 3, y + 4)], WHITE, 0.7)
    canvas.rectangle(x - 4.4, y + 8.2, x + 4.4, y + 9.4, shade(WHITE, 0.88))


def _draw_flower_beds(canvas: Canvas, left: float, right: float, centre: float, upkeep: float) -> None:
    bush = mix((150, 126, 80), (58, 118, 54), upkeep)
    for first, last in ((left - 2, centre - 7), (centre + 7, right + 2)):
        for x in steps(first, last - 3, 4.5):
            height = canvas.random.uniform(3.5, 6)
            leaves = shade(bush, canvas.random.uniform(0.85, 1.1))
            canvas.ellipse(x, _GROUND + 2 - height, x + 6, _GROUND + 4, leaves)
    colour = canvas.pick(_FLOWERS)
    for _ in range(round(26 * upkeep)):
        x = canvas.random.uniform(left - 2, right + 1)
        y = _GROUND + canvas.random.uniform(-2, 3.4)
        if abs(x - centre) > 7:
            canvas.ellipse(x, y, x + 1.9, y + 1.9, colour)


def _draw_pool(canvas: Canvas) -> None:
    x, y = canvas.random.uniform(-2, 3), canvas.random.uniform(79, 83)
    width, height = canvas.random.uniform(37, 42), canvas.random.uniform(13, 15)
    canvas.ellipse(x - 2, y - 1.4, x + width + 2, y + height + 1.6, (226, 216, 198))
    canvas.ellipse(x, y, x + width, y + height, (46, 168, 206))
    canvas.ellipse(x + 3, y + 2.4, x + width - 2, y + height - 0.6, (72, 196, 226))
    for shift in (0.3, 0.5, 0.66):
        ripple_x, ripple_y = x + width * shift, y + height * (0.2 + shift * 0.8)
        ripple = [(ripple_x, ripple_y), (ripple_x + 5, ripple_y - 0.8), (ripple_x + 9, ripple_y)]
        canvas.line(ripple, (220, 246, 252), 0.6)
    for rail in (x + width * 0.62, x + width * 0.7):
        canvas.line([(rail, y + 3), (rail, y - 2.6), (rail + 1.6, y - 3.4)], (236, 238, 240), 0.7)


def _draw_car(canvas: Canvas) -> None:
    x, y = canvas.random.uniform(68, 74), canvas.random.uniform(80, 84)
    colour = canvas.pick(_CARS)
    canvas.ellipse(x - 1, y + 9.5, x + 27, y + 13.5, (0, 0, 0, 70))
    for inset, y_shift, fill in ((0.0, 0.0, shade(colour, 0.85)), (2.0, 1.0, (150, 184, 204))):
        roof = y - 1 + y_shift
        cabin = [(x + 5 + inset, y + 4), (x + 9 + inset / 2, roof), (x + 18 - inset / 2, roof), (x + 22 - inset, y + 4)]
        canvas.polygon(cabin, fill)
    canvas.rectangle(x, y + 3.6, x + 26, y + 10, colour, radius=2)
    for wheel in (x + 4, x + 17):
        canvas.ellipse(wheel, y + 7, wheel + 6, y + 13, (38, 38, 42))
        canvas.ellipse(wheel + 2, y + 9, wheel + 4, y + 11, (190, 190, 194))
    canvas.ellipse(x + 24, y + 5, x + 26, y + 7, (255, 240, 180))
