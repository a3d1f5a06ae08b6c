"""A sheet of paper that texts and bars are drawn on, with Pillow alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mixed_data.explain.heat_pictures import BLUE, RED

WIDTH, MARGIN = 1280, 56
INK, SOFT, LINE, TINT = (31, 36, 48), (99, 107, 122), (222, 226, 232), (244, 246, 249)

_MOST_HEIGHT = 12_000
_UNKNOWN = "\uffff"  # drawn as what stands for a character that a font lacks
_SYSTEM_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "arial.ttf")
_SPELLINGS = str.maketrans({"×": "x", "−": "-", "–": "-", "\u00a0": " "})


class Face:
    """A font in any size: Pillow's own, or where it lacks a character of the texts, a usual one of the system.

    Pillow's own knows the letters of English and few signs. Of the fonts that are there, the one that lacks the fewest
    characters is taken; those are drawn as crossed boxes.

    Args:
        texts: all that is to be written.

    Attributes:
        lacks: the characters that are drawn as boxes, in order.
    """

    def __init__(self, texts: str) -> None:
        lacks: dict[str | None, list[str]] = {None: _find_lacking(None, texts.translate(_SPELLINGS))}
        if lacks[None]:
            lacks |= {name: _find_lacking(name, texts) for name in _SYSTEM_FONTS if _is_there(name)}
        self._name = min(lacks, key=lambda name: len(lacks[name]))
        self.lacks = lacks[self._name]

    def at(self, size: int) -> ImageFont.FreeTypeFont:
        """Return the font in a size."""
        return _load(self._name, size)

    def spell(self, text: str) -> str:
        """Write a text with the signs that the font has: "x" for "×"."""
        return text if self._name else text.translate(_SPELLINGS)


@lru_cache(maxsize=64)
def _load(name: str | None, size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size) if name is None else ImageFont.truetype(name, size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise ValueError("pictures need a Pillow that draws TrueType fonts; type: pip install --force-reinstall pillow")
    return font


@cache
def _is_there(name: str) -> bool:
    try:
        _load(name, 24)
    except OSError:
        return False
    return True


def _find_lacking(name: str | None, texts: str) -> list[str]:
    font = _load(name, 24)
    unknown = font.getmask(_UNKNOWN)
    shapes = {sign: font.getmask(sign) for sign in sorted(set(texts)) if not sign.isspace()}
    return [sign for sign, shape in shapes.items() if shape.size == unknown.size and bytes(shape) == bytes(unknown)]


class Sheet:
    """A white sheet that is filled from the top and cut below what was drawn last.

    Args:
        face: that texts are written in.

    Attributes:
        y: where the next thing begins, in pixels from the top.
    """

    def __init__(self, face: Face) -> None:
        self._face, self.y = face, MARGIN
        self._image = Image.new("RGB", (WIDTH, _MOST_HEIGHT), "white")
        self._draw = ImageDraw.Draw(self._image)

    def measure(self, text: str, size: int) -> float:
        """Return the width of a text in pixels."""
        return self._face.at(size).getlength(self._face.spell(text))

    def cut(self, text: str, size: int, width: float) -> str:
        """Return a text that is not wider, with "..." for what had to go."""
        if self.measure(text, size) <= width:
            return text
        while text and self.measure(f"{text}...", size) > width:
            text = text[:-1]
        return f"{text.rstrip()}..."

    def write(
        self,
        x: float,
        y: float,
        text: str,
        size: int = 20,
        *,
        colour: tuple[int, int, int] = INK,
        anchor: str = "l",
        is_bold: bool = False,
        width: float | None = None,
    ) -> None:
        """Write one line.

        Args:
            x: of its left end, its middle or its right end.
            y: of its baseline.
            text: to write.
            size: of the letters, in pixels.
            colour: of the letters.
            anchor: what ``x`` is: "l", "m" or "r".
            is_bold: whether to write thicker.
            width: that it may have; the rest is cut.
        """
        text = text if width is None else self.cut(text, size, width)
        stroke = size / 44 if is_bold else 0
        font = self._face.at(size)
        self._draw.text((x, y), self._face.spell(text), colour, font, f"{anchor}s", stroke_width=stroke)

    def wrap(self, text: str, size: int, width: float, most: int) -> list[str]:
        """Return a text as lines that are not wider; what needs more lines than the most is cut."""
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and self.measure(longer, size) > width:
                lines.append(word)
            else:
                lines[-1] = longer
        lines[most - 1 :] = [" ".join(lines[most - 1 :])] if len(lines) >= most else []
        return [self.cut(line, size, width) for line in lines]

    def write_lines(self, text: str, size: int = 20, *, colour: tuple[int, int, int] = INK, most: int = 4) -> None:
        """Write a paragraph from the left to the right margin, and go below it."""
        for line in self.wrap(text, size, WIDTH - 2 * MARGIN, most):
            self.y += round(1.45 * size)
            self.write(MARGIN, self.y - 0.35 * size, line, size, colour=colour)

    def head(self, text: str) -> None:
        """Begin a section."""
        self.y += 34
        self._draw.line([(MARGIN, self.y), (WIDTH - MARGIN, self.y)], LINE, 2)
        self.y += 42
        self.write(MARGIN, self.y, text, 26, is_bold=True)
        self.y += 18

    def fill(
        self, box: Sequence[float], colour: tuple[int, int, int], *, radius: float = 0, outline: bool = False
    ) -> None:
        """Fill a rectangle, left, top, right and bottom in pixels."""
        self._draw.rounded_rectangle([round(end) for end in box], radius, colour, LINE if outline else None)

    def paste(self, pixels: np.ndarray, x: int, y: int) -> None:
        """Put a picture, uint8 ``(height, width, 3)``, with its top left corner at a place."""
        self._image.paste(Image.fromarray(pixels), (x, y))

    def bar(self, y: float, x: float, reach: float, value: float, ends: Sequence[float]) -> None:
        """Draw what a part did as a bar from a middle line, red to the right and blue to the left.

        Args:
            y: of the bar's middle.
            x: of the line that means nothing was done.
            reach: of the longest bar, in pixels.
            value: -1 to 1.
            ends: of an interval around it, drawn as a thin line; or none.
        """
        left, right = sorted((x, x + reach * value))
        self.fill((left, y - 11, max(right, left + 2), y + 11), RED if value >= 0 else BLUE)
        if ends:
            low, high = (x + reach * end for end in ends)
            for start, end, colour in ((-2, 2, (255, 255, 255)), (-1, 1, INK)):
                self.fill((low - (start == -2), y + start, high + (start == -2), y + end), colour)
        self.fill((x - 1, y - 20, x, y + 20), SOFT)

    def finish(self) -> Image.Image:
        """Return the sheet, cut below what was drawn."""
        return self._image.crop((0, 0, WIDTH, min(self.y + MARGIN, _MOST_HEIGHT)))
