"""The bathroom photo: its finish and a bathtub are in it."""

from __future__ import annotations

from mixed_data.readers.sample.canvas import WHITE, Canvas, Colour, mix, shade, steps

_WALLS: list[Colour] = [(222, 214, 196), (206, 214, 218), (216, 208, 212), (226, 220, 192), (204, 214, 202)]
_TILES: list[Colour] = [(150, 184, 196), (170, 190, 160), (202, 176, 150), (176, 176, 190), (120, 156, 170)]
_WOODS: list[Colour] = [(150, 106, 68), (104, 74, 54), (190, 150, 104), (96, 100, 108)]
_TOWELS: list[Colour] = [(196, 90, 84), (86, 120, 160), (226, 196, 120), (120, 150, 120), (236, 232, 226)]
_CERAMIC: Colour = (250, 250, 248)
_CERAMIC_SHADE: Colour = (206, 208, 212)
_METAL: Colour = (150, 156, 164)
_FLOOR = 78.0


def draw_bathroom(canvas: Canvas, *, bathroom_finish: int, bathtub: int) -> None:
    """Draw a bathroom with a bathtub (1) or a shower cabin (0).

    Its finish goes from 0 (stained wall, basin on a post) to 3 (tiled to the ceiling, two basins).
    """
    _draw_room(canvas, bathroom_finish)
    _draw_mirror(canvas, bathroom_finish)
    _draw_basin(canvas, bathroom_finish)
    _draw_toilet(canvas)
    if bathtub:
        _draw_bathtub(canvas)
    else:
        _draw_shower(canvas)
    _draw_clutter(canvas)


def _draw_room(canvas: Canvas, finish: int) -> None:
    wall, tile = canvas.pick(_WALLS), canvas.pick(_TILES)
    canvas.rectangle(-20, -20, 120, _FLOOR, wall)
    if finish == 0:
        _draw_damage(canvas)
    else:
        top = _FLOOR - (0, 24, 48, 100)[finish]
        canvas.rectangle(-20, top, 120, _FLOOR, tile)
        for y in steps(_FLOOR, top, -6):
            canvas.line([(-20, y), (120, y)], mix(tile, WHITE, 0.6), 0.5)
        for x in steps(-14, 120, 7.5):
            canvas.line([(x, top), (x, _FLOOR)], mix(tile, WHITE, 0.6), 0.5)
        canvas.rectangle(-20, top - 1.6, 120, top, shade(tile, 0.6))
    floor = canvas.pick([(188, 182, 176), (150, 146, 146), (206, 192, 172)])
    canvas.rectangle(-20, _FLOOR, 120, 120, floor)
    for shift in range(-7, 8):
        canvas.line([(50 + shift * 9, _FLOOR), (50 + shift * 16, 115)], shade(floor, 0.85), 0.5)
    for y in (_FLOOR + 5, _FLOOR + 13):
        canvas.line([(-20, y), (120, y)], shade(floor, 0.85), 0.5)
    canvas.rectangle(-20, _FLOOR - 0.6, 120, _FLOOR + 0.8, shade(floor, 0.7))


def _draw_damage(canvas: Canvas) -> None:
    for x, y in canvas.scatter(7, -4, 96, 2, 66):
        width = canvas.random.uniform(7, 15)
        canvas.ellipse(x, y, x + width, y + width * canvas.random.uniform(0.6, 1.1), (112, 96, 62, 110))
    for x, y in canvas.scatter(3, 4, 92, 2, 44):
        canvas.line([(x, y), (x + 3, y + 6), (x + 1, y + 11), (x + 5, y + 18)], (92, 82, 72), 0.7)


def _draw_mirror(canvas: Canvas, finish: int) -> None:
    glass: Colour = (188, 212, 222)
    half_width, y0, y1 = ((5, 32, 46), (8, 28, 48), (13, 24, 49), (18.5, 20, 49))[finish]
    x0, x1 = 25 - half_width, 25 + half_width
    if finish == 3:
        canvas.rectangle(x0 - 3, y0 - 3, x1 + 3, y1 + 3, (255, 244, 200), radius=2)
    else:
        canvas.rectangle(x0 - 1.2, y0 - 1.2, x1 + 1.2, y1 + 1.2, (124, 104, 86))
    canvas.rectangle(x0, y0, x1, y1, glass)
    canvas.polygon([(x0, y1), (x0, y1 - 7), (x0 + half_width, y0), (x0 + half_width + 4, y0)], (255, 255, 255, 90))
    if finish == 0:
        canvas.line([(25, -10), (25, 18)], (60, 56, 52), 0.7)
        canvas.ellipse(22.8, 17, 27.2, 23, (255, 240, 180))
    elif finish == 1:
        canvas.rectangle(18, 22, 32, 25, (255, 246, 214), radius=1)
    elif finish == 2:
        for x in (15, 25, 35):
            canvas.ellipse(x - 2.4, 15.6, x + 2.4, 20.4, (255, 246, 210))


def _draw_basin(canvas: Canvas, finish: int) -> None:
    if finish <= 1:
        canvas.polygon([(22, 62), (28, 62), (29, 82), (21, 82)], _CERAMIC_SHADE)
        basins = [(25.0, 9.0)]
    else:
        wood = canvas.pick(_WOODS)
        half_width = 14.0 if finish == 2 else 21.0
        canvas.rectangle(25 - half_width, 61, 25 + half_width, 81, wood)
        num_doors = 2 if finish == 2 else 4
        width = 2 * half_width / num_doors
        for door in range(num_doors):
            x = 25 - half_width + door * width
            canvas.rectangle(x + 0.8, 63, x + width - 0.8, 79.5, shade(wood, 1.15))
            canvas.rectangle(x + width / 2 - 1.6, 65, x + width / 2 + 1.6, 66.2, (226, 214, 180))
        canvas.rectangle(24 - half_width, 59, 26 + half_width, 62, _CERAMIC)
        basins = [(25.0, 8.5)] if finish == 2 else [(14.5, 8.0), (35.5, 8.0)]
    for x, half_width in basins:
        canvas.ellipse(x - half_width, 55.5, x + half_width, 65, _CERAMIC_SHADE)
        canvas.ellipse(x - half_width, 55, x + half_width, 62, _CERAMIC)
        canvas.ellipse(x - half_width + 2, 56, x + half_width - 2, 60.5, (214, 224, 230))
        metal: Colour = (206, 168, 84) if finish == 3 else _METAL
        canvas.line([(x, 56.5), (x, 51.5), (x + 3, 51.5), (x + 3, 53.5)], metal, 1.1)


def _draw_toilet(canvas: Canvas) -> None:
    canvas.rectangle(50, 54, 63, 66, _CERAMIC, radius=1.5)
    canvas.rectangle(49.4, 52.6, 63.6, 55.4, _CERAMIC_SHADE, radius=1)
    canvas.polygon([(52, 72), (61, 72), (60, 86), (53, 86)], _CERAMIC_SHADE)
    canvas.ellipse(48.6, 66, 64.4, 79, _CERAMIC_SHADE)
    canvas.ellipse(48.6, 64.6, 64.4, 76, _CERAMIC)
    canvas.ellipse(51, 66.4, 62, 73.6, (196, 206, 214))


def _draw_bathtub(canvas: Canvas) -> None:
    if canvas.random.random() < 0.5:
        canvas.rectangle(74, 14, 94, 36, (250, 250, 248))
        canvas.rectangle(75.6, 15.6, 92.4, 34.4, (40, 46, 84) if canvas.is_evening else (176, 212, 236))
        canvas.line([(84, 15), (84, 35)], (250, 250, 248), 1.2)
    for x in (71.0, 103.0):
        canvas.rectangle(x, 84, x + 3, 91, (196, 170, 110))
    canvas.polygon([(66, 64), (112, 64), (110, 80), (106, 87), (72, 87), (68, 80)], _CERAMIC_SHADE)
    canvas.polygon([(67, 64), (111, 64), (108, 78), (104, 83), (74, 83), (70, 78)], _CERAMIC)
    canvas.rectangle(64, 61, 114, 65.4, (255, 255, 254), radius=2)
    canvas.rectangle(67, 62, 111, 63.6, (168, 208, 224))
    canvas.line([(72, 62), (72, 54), (77, 54), (77, 57)], _METAL, 1.3)
    for x, y, size in ((84, 57, 6), (90, 58, 5), (79, 59, 4), (95, 58.6, 4)):
        canvas.ellipse(x, y, x + size, y + size, (255, 255, 255, 190))


def _draw_shower(canvas: Canvas) -> None:
    canvas.rectangle(67, 12, 106, 84, (208, 232, 240, 110))
    canvas.line([(98, 84), (98, 18), (88, 18)], _METAL, 1.4)
    canvas.rectangle(82, 18, 94, 20.6, _METAL)
    for x in steps(82.6, 94, 2.2):
        canvas.line([(x, 22), (x - 0.8, 52)], (232, 246, 252, 170), 0.5)
    canvas.polygon([(72, 84), (86, 12), (92, 12), (78, 84)], (255, 255, 255, 60))
    canvas.rectangle(66, 81, 107, 87, _CERAMIC, radius=1)
    canvas.line([(67, 84), (67, 11), (107, 11)], (96, 104, 112), 1.4)
    canvas.line([(86, 12), (86, 82)], (120, 130, 138), 0.9)
    canvas.rectangle(83.4, 44, 84.8, 54, (96, 104, 112))


def _draw_clutter(canvas: Canvas) -> None:
    if canvas.random.random() < 0.6:
        mat = canvas.pick(_TOWELS)
        canvas.ellipse(20, 87, 58, 99, shade(mat, 0.86))
        canvas.ellipse(22, 87.6, 56, 98, mat)
    if canvas.random.random() < 0.5:
        towel = canvas.pick(_TOWELS)
        canvas.line([(49, 30), (63, 30)], _METAL, 0.9)
        canvas.rectangle(51, 30, 61, 46, towel)
        canvas.rectangle(51, 41, 61, 42.6, shade(towel, 0.82))
    if canvas.random.random() < 0.4:
        canvas.polygon([(88, 92), (98, 92), (96.6, 104), (89.4, 104)], canvas.pick(_WOODS))
        for reach in (-6, -2, 2, 6):
            canvas.line([(93, 93), (93 + reach, 83 + abs(reach) * 0.6)], (86, 140, 80), 2)
