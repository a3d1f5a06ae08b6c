"""The kitchen photo: its finish and an island are in it."""

from __future__ import annotations

from mixed_data.readers.sample.canvas import WHITE, Canvas, Colour, mix, shade, steps

_WALLS: list[Colour] = [(236, 226, 200), (214, 220, 222), (226, 214, 206), (212, 222, 206), (240, 222, 178)]
_CABINETS: list[Colour] = [
    (232, 230, 224), (150, 104, 68), (86, 108, 132), (108, 130, 112), (196, 158, 112), (92, 92, 98)
]  # fmt: skip
_COUNTERS: list[Colour] = [(206, 200, 190), (96, 92, 92), (170, 124, 82), (226, 224, 220)]
_TILES: list[Colour] = [(198, 214, 216), (214, 190, 160), (160, 186, 190), (220, 214, 206)]
_FLOORS: list[Colour] = [(182, 142, 100), (160, 156, 150), (206, 186, 156), (132, 100, 74)]
_STEEL: Colour = (172, 178, 186)
_APPLIANCE: Colour = (240, 240, 236)
_FLOOR = 80.0


def draw_kitchen(canvas: Canvas, *, kitchen_finish: int, kitchen_island: int) -> None:
    """Draw a kitchen, with an island and stools in the middle (1), or a bare floor or a rug (0).

    Its finish goes from 0 (a shelf, a missing door, stains) to 3 (fitted to the ceiling, steel, lamps).
    """
    cabinet = canvas.pick(_CABINETS)
    _draw_room(canvas, kitchen_finish)
    _draw_fridge(canvas, kitchen_finish)
    _draw_base_cabinets(canvas, cabinet, kitchen_finish)
    _draw_stove(canvas, kitchen_finish)
    _draw_upper_cabinets(canvas, cabinet, kitchen_finish)
    _draw_counter_clutter(canvas)
    if kitchen_finish == 3:
        _draw_lamps(canvas)
    if kitchen_island:
        _draw_island(canvas, cabinet)
    elif canvas.random.random() < 0.5:
        rug = canvas.pick([(176, 88, 78), (90, 116, 150), (196, 176, 130), (120, 140, 112)])
        canvas.polygon([(30, 88), (74, 88), (80, 99), (24, 99)], rug)
        canvas.polygon([(34, 90), (70, 90), (74, 97), (30, 97)], mix(rug, WHITE, 0.3))


def _draw_room(canvas: Canvas, finish: int) -> None:
    wall, floor = canvas.pick(_WALLS), canvas.pick(_FLOORS)
    canvas.gradient(-20, -20, 120, _FLOOR, wall, shade(wall, 0.95))
    if finish >= 2:
        tile = canvas.pick(_TILES)
        canvas.rectangle(21, 36, 120, 58, tile)
        for row, y in enumerate(steps(36, 58, 3.6)):
            canvas.line([(21, y), (120, y)], mix(tile, WHITE, 0.65), 0.5)
            for x in steps(24 + (row % 2) * 3, 112, 6):
                canvas.line([(x, y), (x, y + 3.6)], mix(tile, WHITE, 0.65), 0.4)
    if finish == 0:
        for x, y in canvas.scatter(6, 20, 92, 8, 50):
            width = canvas.random.uniform(6, 13)
            canvas.ellipse(x, y, x + width, y + width * canvas.random.uniform(0.6, 1), (110, 92, 60, 100))
    canvas.rectangle(-20, _FLOOR, 120, 120, floor)
    for shift in range(-7, 8):
        canvas.line([(50 + shift * 9, _FLOOR), (50 + shift * 17, 115)], shade(floor, 0.88), 0.5)


def _draw_fridge(canvas: Canvas, finish: int) -> None:
    if finish == 3:
        canvas.rectangle(-2, 20, 20, 83, shade(_STEEL, 0.8))
        for x in (-1, 9.8):
            canvas.rectangle(x, 21, x + 9.6, 62, _STEEL)
        canvas.rectangle(-1, 63.4, 19.4, 81, _STEEL)
        canvas.rectangle(1.4, 34, 6.4, 44, (52, 60, 70))
        for x in (7, 10.8):
            canvas.rectangle(x, 46, x + 1, 58, (236, 238, 240))
    else:
        top = 38 - 4 * finish
        canvas.rectangle(2, top, 19, 83, shade(_APPLIANCE, 0.82), radius=1.5)
        canvas.rectangle(2.8, top + 0.8, 18.2, 52, _APPLIANCE, radius=1.2)
        canvas.rectangle(2.8, 53.4, 18.2, 81, _APPLIANCE, radius=1.2)
        for y in (46, 56):
            canvas.rectangle(15, y, 16.4, y + 5, (150, 152, 156))


def _draw_base_cabinets(canvas: Canvas, cabinet: Colour, finish: int) -> None:
    canvas.rectangle(21, 58, 120, 83, shade(cabinet, 0.78))
    missing = int(canvas.random.integers(3)) if finish == 0 else -1
    for door, x in enumerate((22, 33, 44, 74, 85, 96, 107)):
        if door == missing:
            canvas.rectangle(x, 60, x + 10, 80, (44, 36, 30))
            canvas.line([(x, 70), (x + 10, 70)], shade(cabinet, 0.6), 1)
            continue
        canvas.rectangle(x, 60, x + 10, 80, cabinet)
        canvas.rectangle(x + 1.6, 66, x + 8.4, 78.4, shade(cabinet, 0.92))
        canvas.rectangle(x + 3.4, 62, x + 6.6, 63.2, (206, 196, 170))
    canvas.rectangle(21, 80.4, 120, 83, (54, 48, 44))
    counter = canvas.pick(_COUNTERS)
    canvas.rectangle(20, 55.4 if finish >= 2 else 56.6, 120, 59, counter)
    canvas.rectangle(20, 58.4, 120, 59.4, shade(counter, 0.7))


def _draw_stove(canvas: Canvas, finish: int) -> None:
    body = _STEEL if finish >= 2 else _APPLIANCE
    canvas.rectangle(55, 55.6, 73, 83, shade(body, 0.8))
    canvas.rectangle(55.6, 58.6, 72.4, 82, body)
    canvas.rectangle(58, 66, 70, 77, (46, 46, 52), radius=1)
    canvas.polygon([(58, 74), (64, 66), (67, 66), (58, 77)], (120, 124, 132))
    canvas.rectangle(58, 63.4, 70, 64.6, shade(body, 0.6))
    for x in (57.4, 61, 65.6, 69.2):
        canvas.ellipse(x, 59.6, x + 2, 61.6, (60, 60, 64))
    canvas.rectangle(55, 54.6, 73, 56.4, (50, 50, 54))
    if canvas.random.random() < 0.6:
        pot = canvas.pick([(176, 60, 54), (90, 96, 104), (66, 104, 140)])
        canvas.rectangle(58, 48.6, 67, 54.8, pot, radius=1)
        canvas.line([(57, 48.6), (68, 48.6)], shade(pot, 0.75), 1)
    if finish >= 2:
        canvas.rectangle(61, -20, 67, 30, shade(_STEEL, 0.95))
        canvas.polygon([(61, 28), (67, 28), (74, 36), (54, 36)], _STEEL)
        canvas.rectangle(54, 36, 74, 38.4, shade(_STEEL, 0.72))


def _draw_upper_cabinets(canvas: Canvas, cabinet: Colour, finish: int) -> None:
    if finish == 0:
        canvas.rectangle(26, 35, 50, 36.6, (126, 92, 62))
        for x in (28, 34, 40, 45):
            jar = canvas.pick([(196, 120, 80), (150, 170, 120), (226, 206, 160), (160, 190, 206)])
            canvas.rectangle(x, 29 + canvas.random.uniform(-1, 1.5), x + 4, 35, jar, radius=0.8)
        return
    top = 8 if finish == 3 else 16
    for x in (22, 32, 42) if finish == 1 else (22, 32, 42, 76, 86, 96, 106):
        canvas.rectangle(x - 0.6, top - 0.6, x + 10, 36.6, shade(cabinet, 0.72))
        canvas.rectangle(x, top, x + 9.4, 36, cabinet)
        canvas.rectangle(x + 1.6, top + 2, x + 7.8, 34, shade(cabinet, 0.9))
        canvas.rectangle(x + 7.4, 28, x + 8.4, 33, (206, 196, 170))
    if finish == 3:
        for x0, x1 in ((22, 51.4), (76, 120)):
            canvas.rectangle(x0, 36, x1, 37.6, (255, 244, 190))
            canvas.rectangle(x0, 37.6, x1, 48, (255, 236, 160, 110))


def _draw_counter_clutter(canvas: Canvas) -> None:
    canvas.line([(33, 56), (33, 48.6), (38, 48.6), (38, 51)], (140, 146, 154), 1.2)
    canvas.rectangle(30, 55.4, 43, 57, (176, 184, 190))
    x = canvas.random.uniform(76, 80)
    kind = int(canvas.random.integers(3))
    if kind == 0:
        canvas.ellipse(x, 50, x + 13, 57, (206, 202, 196))
        for shift, colour in ((1.5, (206, 60, 50)), (5, (240, 170, 50)), (8, (126, 170, 70))):
            canvas.ellipse(x + shift, 48, x + shift + 4, 52, colour)
        canvas.rectangle(x, 52, x + 13, 53, (224, 220, 214))
    elif kind == 1:
        canvas.rectangle(x, 47, x + 10, 55.6, canvas.pick([(190, 60, 54), (210, 212, 214), (60, 64, 70)]), radius=1.4)
        canvas.rectangle(x + 2, 46, x + 8, 47.4, (50, 46, 44))
    else:
        canvas.rectangle(x + 1, 45, x + 5, 55.6, (70, 100, 66), radius=1)
        canvas.rectangle(x + 2.2, 41, x + 3.8, 46, (70, 100, 66))
        canvas.rectangle(x + 7, 49, x + 12, 55.6, (226, 214, 190), radius=0.8)


def _draw_lamps(canvas: Canvas) -> None:
    for x in (30, 50, 70):
        canvas.line([(x, -20), (x, 8)], (50, 48, 46), 0.7)
        canvas.ellipse(x - 8, 6, x + 8, 25, (255, 232, 150, 110))
        canvas.polygon([(x - 1.4, 7), (x + 1.4, 7), (x + 6, 14), (x - 6, 14)], (60, 58, 58))
        canvas.ellipse(x - 4, 12.4, x + 4, 17, (255, 244, 196))


def _draw_island(canvas: Canvas, cabinet: Colour) -> None:
    counter = canvas.pick(_COUNTERS)
    body = shade(cabinet, float(canvas.random.choice([0.75, 1.0])))
    canvas.rectangle(26, 80, 82, 104, shade(body, 0.95))
    for x in (28, 46, 64):
        canvas.rectangle(x, 83.5, x + 16, 103, shade(body, 0.84))
    canvas.polygon([(25, 73), (83, 73), (87, 79), (21, 79)], mix(counter, WHITE, 0.25))
    canvas.rectangle(21, 79, 87, 82, shade(counter, 0.8))
    wood = canvas.pick([(150, 104, 66), (70, 66, 66), (196, 160, 116)])
    for x in (33, 54, 75):
        canvas.ellipse(x - 6, 86, x + 6, 90.4, wood)
        for reach in (-3.6, 3.6):
            canvas.line([(x + reach * 0.7, 89), (x + reach, 108)], shade(wood, 0.75), 1.1)
