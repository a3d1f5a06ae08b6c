"""The bedroom photo: the size of its window and a fireplace are in it."""

from __future__ import annotations

from mixed_data.readers.sample.canvas import WHITE, Canvas, Colour, mix, shade, steps

_WALLS: list[Colour] = [
    (226, 218, 204), (224, 222, 218), (214, 222, 206), (232, 212, 204), (222, 216, 228), (240, 232, 208)
]  # fmt: skip
_FLOORS: list[Colour] = [(182, 138, 96), (146, 104, 72), (206, 172, 128), (168, 164, 162), (196, 186, 170)]
_FABRICS: list[Colour] = [
    (70, 80, 96), (164, 82, 82), (108, 140, 110), (206, 180, 120), (140, 112, 156), (120, 126, 134)
]  # fmt: skip
_WOODS: list[Colour] = [(112, 76, 50), (156, 112, 72), (86, 62, 50), (204, 196, 184)]
_STONES: list[Colour] = [(166, 120, 104), (178, 174, 170), (206, 196, 182)]
_WALL_TOP, _WALL_FOOT = 8.0, 64.0


def draw_bedroom(canvas: Canvas, *, window_size: float, fireplace: int) -> None:
    """Draw a bedroom, where a fire burns to the right of the bed (1), or some piece of furniture stands (0).

    Its window goes from 0, a hatch, to 1, wider than the bed; by day it lights the floor.
    """
    wall = canvas.pick(_WALLS)
    _draw_room(canvas, wall)
    _draw_window(canvas, window_size)
    wood = canvas.pick(_WOODS)
    if fireplace:
        _draw_fireplace(canvas)
    else:
        [_draw_wardrobe, _draw_plant, _draw_armchair][int(canvas.random.integers(3))](canvas)
    _draw_bed(canvas, wood)
    _draw_nightstand(canvas, wood)


def _draw_room(canvas: Canvas, wall: Colour) -> None:
    floor = canvas.pick(_FLOORS)
    canvas.rectangle(-20, -20, 120, 120, shade(wall, 0.84))
    canvas.polygon([(-20, -12), (120, -12), (92, _WALL_TOP), (8, _WALL_TOP)], mix(wall, (255, 255, 255), 0.7))
    canvas.polygon([(92, _WALL_FOOT), (120, 84), (120, 120), (-20, 120), (-20, 84), (8, _WALL_FOOT)], floor)
    if canvas.random.random() < 0.6:
        for shift in range(-6, 7):
            canvas.line([(50 + shift * 7, _WALL_FOOT), (50 + shift * 17, 115)], shade(floor, 0.86), 0.5)
    canvas.gradient(8, _WALL_TOP, 92, _WALL_FOOT, wall, shade(wall, 0.93))
    canvas.rectangle(8, _WALL_FOOT - 2, 92, _WALL_FOOT, WHITE)
    if canvas.random.random() < 0.6:
        rug = canvas.pick(_FABRICS)
        canvas.ellipse(40, 82, 104, 104, shade(rug, 0.9))
        canvas.ellipse(44, 84, 100, 102, mix(rug, WHITE, 0.35))


def _draw_window(canvas: Canvas, size: float) -> None:
    half_width, height = 4 + 20 * size, 9 + 23 * size
    x, y = canvas.random.uniform(37, 39), 28 - height / 2
    left, right, foot = x - half_width, x + half_width, y + height
    if not canvas.is_evening:
        canvas.polygon([(left, 66), (right, 66), (right + 22, 112), (left + 6, 112)], (255, 250, 220, 76))
    canvas.rectangle(left - 1.6, y - 1.6, right + 1.6, foot + 1.6, (252, 252, 250))
    sky = {"day": ((84, 160, 232), (186, 224, 246)), "overcast": ((120, 164, 206), (190, 212, 230))}
    top, bottom = sky.get(canvas.light, ((40, 66, 150), (120, 130, 200)))
    canvas.gradient(left, y, right, foot, top, bottom)
    hills: Colour = (30, 40, 54) if canvas.is_evening else (98, 150, 84)
    canvas.rectangle(left, foot - height * 0.2, right, foot, hills)
    for share in (-0.34, 0.34) if size > 0.4 else (0.0,):
        canvas.line([(x + half_width * share, y), (x + half_width * share, foot)], WHITE, 1.0)
    canvas.line([(left, y + height * 0.45), (right, y + height * 0.45)], WHITE, 1.0)
    canvas.rectangle(left - 2.6, foot + 1, right + 2.6, foot + 2.6, shade(WHITE, 0.92))
    curtain = canvas.pick(_FABRICS)
    canvas.line([(left - 6, y - 3), (right + 6, y - 3)], (90, 76, 66), 1)
    for edge, side in ((left, -1), (right, 1)):
        near, far = sorted((edge + side * 0.6, edge + side * 5))
        canvas.rectangle(near, y - 3, far, foot + 5, curtain)
        canvas.line([((near + far) / 2, y - 2), ((near + far) / 2, foot + 5)], shade(curtain, 0.8), 0.7)


def _draw_fireplace(canvas: Canvas) -> None:
    stone = canvas.pick(_STONES)
    x = canvas.random.uniform(67, 69)
    canvas.rectangle(x + 2, _WALL_TOP, x + 20, 70, stone)
    for row, y in enumerate(steps(_WALL_TOP + 3, 70, 3.4)):
        canvas.line([(x + 2, y), (x + 20, y)], shade(stone, 0.86), 0.4)
        joint = x + 6 + (row % 2) * 5
        canvas.line([(joint, y), (joint, y + 3.4)], shade(stone, 0.86), 0.4)
    canvas.rectangle(x - 0.5, 41, x + 22.5, 45, (104, 72, 50))
    canvas.rectangle(x + 1, 68, x + 21, 72, shade(stone, 0.7))
    canvas.rectangle(x + 3.5, 48, x + 18.5, 68, (34, 26, 24), radius=2)
    middle = x + 11
    canvas.ellipse(middle - 7, 51, middle + 7, 70, (200, 76, 20, 170))
    for shift, height in ((-4, 11), (4, 12), (0, 17)):
        tip = middle + shift + canvas.random.uniform(-1.2, 1.2)
        for half_width, reach, fill in ((3.2, height, (240, 120, 30)), (1.5, height * 0.6, (255, 214, 90))):
            foot = (middle + shift - half_width, 67), (middle + shift + half_width, 67)
            canvas.polygon([foot[0], (tip, 67 - reach), foot[1]], fill)
    canvas.line([(middle - 5, 67.4), (middle + 5, 67.4)], (80, 50, 34), 1.6)
    canvas.ellipse(x - 3, 70, x + 26, 84, (255, 166, 70, 64))
    for shift in (4, 17):
        canvas.rectangle(x + shift - 1, 36, x + shift + 1, 41, WHITE)


def _draw_wardrobe(canvas: Canvas) -> None:
    wood = canvas.pick(_WOODS)
    canvas.rectangle(68, 20, 89, 70, wood)
    for door, handle in ((69, 76.6), (79, 79.8)):
        canvas.rectangle(door, 22, door + 9, 66, shade(wood, 1.14))
        canvas.rectangle(handle, 42, handle + 1, 47, (220, 210, 190))
    canvas.rectangle(68, 68, 89, 70, shade(wood, 0.7))


def _draw_plant(canvas: Canvas) -> None:
    green = canvas.pick([(70, 124, 70), (92, 140, 78)])
    for reach in (-9, -5.5, -2, 2, 5.5, 9):
        canvas.line([(78, 62), (78 + reach * 0.6, 46), (78 + reach, 41 + abs(reach))], green, 2)
    canvas.polygon([(73, 60), (83, 60), (81, 71), (75, 71)], canvas.pick(_FABRICS))
    frame = canvas.pick(_WOODS)
    canvas.rectangle(71, 18, 86, 32, frame)
    canvas.rectangle(72.4, 19.4, 84.6, 30.6, mix(canvas.pick(_FABRICS), WHITE, 0.6))
    canvas.ellipse(75, 22, 81, 28, mix(canvas.pick(_FABRICS), WHITE, 0.2))


def _draw_armchair(canvas: Canvas) -> None:
    fabric = canvas.pick(_FABRICS)
    canvas.rectangle(68, 44, 88, 66, fabric, radius=4)
    canvas.rectangle(70, 56, 86, 68, shade(fabric, 1.15), radius=2)
    for arm, leg in ((66, 68), (85.5, 86)):
        canvas.rectangle(arm, 54, arm + 5, 70, shade(fabric, 0.86), radius=2)
        canvas.rectangle(leg, 70, leg + 1.6, 73, (70, 50, 40))
    canvas.line([(91, 70), (91, 34)], (70, 64, 60), 0.9)
    canvas.polygon([(87, 36), (95, 36), (93, 27), (89, 27)], (250, 228, 170))


def _draw_bed(canvas: Canvas, wood: Colour) -> None:
    fabric = canvas.pick(_FABRICS)
    canvas.rectangle(19, 46, 59, 68, wood, radius=3)
    canvas.rectangle(21.5, 48.5, 56.5, 66, shade(wood, 1.16), radius=2)
    canvas.polygon([(20, 62), (58, 62), (66, 88), (12, 88)], (244, 242, 236))
    for x in (23, 41):
        canvas.rectangle(x, 56.5, x + 14, 65.5, shade(WHITE, 0.9), radius=3)
        canvas.rectangle(x + 0.8, 56.5, x + 13.2, 64.5, (252, 251, 248), radius=3)
    canvas.polygon([(18.5, 69), (59.5, 69), (66, 88), (12, 88)], fabric)
    canvas.polygon([(18.5, 69), (59.5, 69), (60.6, 72), (17.6, 72)], mix(fabric, WHITE, 0.55))
    canvas.rectangle(12, 88, 66, 97, shade(fabric, 0.82))
    for share in (0.3, 0.55, 0.8) if canvas.random.random() < 0.5 else ():
        seam = [(18.5 + 41 * share, 72), (12 + 54 * share, 88), (12 + 54 * share, 97)]
        canvas.line(seam, shade(fabric, 0.9), 1)
    for x in (13, 62):
        canvas.rectangle(x, 97, x + 3, 101, shade(wood, 0.7))


def _draw_nightstand(canvas: Canvas, wood: Colour) -> None:
    canvas.rectangle(4, 62, 16, 75, wood)
    canvas.rectangle(5, 64, 15, 68.5, shade(wood, 1.18))
    canvas.ellipse(9.2, 65.4, 10.8, 67, (230, 220, 200))
    if canvas.random.random() < 0.75:
        canvas.line([(10, 62), (10, 55)], (120, 110, 100), 1.2)
        if canvas.is_evening:
            canvas.ellipse(0, 38, 20, 66, (255, 226, 150, 70))
        canvas.polygon([(5.4, 55.5), (14.6, 55.5), (12.4, 47), (7.6, 47)], (252, 226, 166))
