"""An explanation as a picture for people: the prediction, its photos with heat maps, and what each part did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from mixed_data.explain.explanations import Explanation, Part
from mixed_data.explain.heat_pictures import BLUE, RED
from mixed_data.explain.picture_sheet import INK, LINE, MARGIN, SOFT, TINT, WIDTH, Face, Sheet
from mixed_data.files.written_values import Unit, clip

PHOTO_SIDE = 280
"""Pixels of the longer side of a photo in the picture."""

_PER_LINE, _GAP = 4, 16
_MOST_PHOTOS, _MOST_BARS, _MOST_WARNINGS = 12, 15, 8
_NAME, _VALUE, _MIDDLE, _REACH = MARGIN, 360, 800, 170  # pixels from the left, and the length of the longest bar
_NOT_TRUSTWORTHY = "not trustworthy here"
_LACKS = "Boxes stand for characters that the fonts found here lack; reasons.json has the texts."


def draw_reasons(
    found: Explanation,
    unit: Unit,
    title: str,
    photos: Mapping[str, np.ndarray],
    heat: Mapping[str, np.ndarray | None],
) -> Image.Image:
    """Draw a row's explanation.

    Args:
        found: what is explained.
        unit: of the prediction.
        title: what the row is called.
        photos: view -> the photo, uint8 ``(height, width, 3)``, RGB, its longer side `PHOTO_SIDE`; those that the row
            has.
        heat: view -> the photo under its heat map, of the same shape; None where the map is not trustworthy. Without
            the views that no map is asked for.

    Returns:
        The picture, RGB, as high as it needs to be. Of very many photos, columns and warnings the first, or those that
        did most, are shown.
    """
    parts = [*found.modalities, *found.views, *found.columns]
    texts = [part.name for part in parts] + [part.value or "" for part in parts]
    face = Face("".join(map(clip, [title, unit.label, *texts, *found.warnings])))
    sheet = Sheet(face)
    _draw_prediction(sheet, found, unit, clip(title))
    if found.views:
        _draw_photos(sheet, found, unit, photos, heat)
    _draw_bars(sheet, found, unit)
    _write_notes(sheet, found, unit, has_heat=any(one is not None for one in heat.values()))
    if face.lacks:
        sheet.write_lines(_LACKS, 18, colour=SOFT)
    return sheet.finish()


def write_effect(part: Part, unit: Unit) -> str:
    """Write what a part did, e.g. "× 1.08, + $38,000"."""
    sign = "−" if part.amount < 0 else "+"
    amount = f"{sign} {unit.exact(abs(part.amount))}"
    if part.factor is None:
        return amount
    return f"× {part.factor:.2f}, {amount}" if part.factor < 100 else f"× {part.factor:.3g}, {amount}"


def _draw_prediction(sheet: Sheet, found: Explanation, unit: Unit, title: str) -> None:
    sheet.y += 16
    sheet.write(MARGIN, sheet.y, title, 22, colour=SOFT, width=WIDTH - 2 * MARGIN)
    sheet.y += 84
    text = unit.exact(found.prediction)
    sheet.write(MARGIN, sheet.y, text, 72, is_bold=True)
    x = MARGIN + sheet.measure(text, 72) + 28
    sheet.write(x, sheet.y, f"predicted {unit.name}", 24, colour=SOFT, width=WIDTH - MARGIN - x)
    sheet.y += 24
    if found.lower is None or found.upper is None:
        sheet.write_lines("This model knows no interval for this row.", colour=SOFT)
        return
    is_log = found.scale == "log" and min(found.lower, found.prediction, found.upper, found.reference.value) > 0
    marks = np.array([found.lower, found.prediction, found.upper, found.reference.value])
    marks = np.log(marks) if is_log else marks
    span = float(np.ptp(marks)) or 1.0
    room = WIDTH - 2 * MARGIN
    places = MARGIN + room * (0.08 + 0.84 * (marks - marks.min()) / span)
    sheet.y += 40
    sheet.write(places[3], sheet.y - 8, f"reference {unit.exact(found.reference.value)}", 18, colour=SOFT, anchor="m")
    middle = sheet.y + 16
    sheet.fill((MARGIN, middle - 2, WIDTH - MARGIN, middle + 2), LINE)
    sheet.fill((places[0], middle - 10, places[2], middle + 10), (186, 199, 219), radius=10)
    sheet.fill((places[3] - 1, middle - 16, places[3] + 1, middle + 16), SOFT)
    sheet.fill((places[1] - 3, middle - 18, places[1] + 3, middle + 18), INK, radius=3)
    sheet.y = middle + 46
    ends = (
        f"{100 * found.coverage:.3g} % of such rows lie between {unit.exact(found.lower)} and {unit.exact(found.upper)}"
    )
    width = sheet.measure(ends, 20)
    x = min(max((places[0] + places[2] - width) / 2, MARGIN), WIDTH - MARGIN - width)
    sheet.write(x, sheet.y, ends, 20)


def _draw_photos(
    sheet: Sheet,
    found: Explanation,
    unit: Unit,
    photos: Mapping[str, np.ndarray],
    heat: Mapping[str, np.ndarray | None],
) -> None:
    sheet.head("Photos")
    shown = _choose(found.views, _MOST_PHOTOS)
    without = {one.view: one for one in found.without}
    for start in range(0, len(shown), _PER_LINE):
        line = shown[start : start + _PER_LINE]
        height = max([photos[part.name].shape[0] for part in line if part.name in photos], default=PHOTO_SIDE // 2)
        top = sheet.y + 12
        has_map = [part.name in photos and part.name in heat for part in line]
        for place, part in enumerate(line):
            x = MARGIN + place * (PHOTO_SIDE + _GAP)
            y = top
            if part.name in photos:
                sheet.paste(photos[part.name], x, y)
            else:
                _draw_no_photo(sheet, found, part.name, (x, y, x + PHOTO_SIDE, y + height))
            y += height + 30
            sheet.write(x, y, clip(part.name), 20, is_bold=True, width=PHOTO_SIDE)
            effect = write_effect(part, unit) if part.present else "did nothing"
            sheet.write(x, y + 28, effect, 20, colour=_colour(part), width=PHOTO_SIDE)
            if part.name in without:
                text = f"without it: {unit.exact(without[part.name].prediction)}"
                sheet.write(x, y + 54, text, 18, colour=SOFT, width=PHOTO_SIDE)
            if part.name in photos and part.name in heat:
                painted = heat[part.name]
                if painted is None:
                    box = (x, y + 76, x + PHOTO_SIDE, y + 76 + height)
                    sheet.fill(box, TINT, outline=True)
                    sheet.write(x + PHOTO_SIDE / 2, y + 82 + height / 2, _NOT_TRUSTWORTHY, 18, colour=SOFT, anchor="m")
                else:
                    sheet.paste(painted, x, y + 76)
        sheet.y = top + height + 30 + 60 + (44 + height if any(has_map) else 0)
    if len(shown) < len(found.views):
        sheet.write_lines(f"{len(found.views) - len(shown)} more photos, which did less, are not shown.", colour=SOFT)


def _draw_no_photo(sheet: Sheet, found: Explanation, view: str, box: tuple[int, int, int, int]) -> None:
    """Draw an empty frame with the reason that the row's warnings give."""
    sheet.fill(box, TINT, outline=True)
    reasons = [text.removeprefix(f"{view}: ") for text in found.warnings if text.startswith(f"{view}: ")]
    lines = sheet.wrap(clip(reasons[0] if reasons else "no photo given"), 18, PHOTO_SIDE - 24, 5)
    top = (box[1] + box[3]) / 2 - 12 * len(lines) + 18
    for place, line in enumerate(lines):
        sheet.write((box[0] + box[2]) / 2, top + 24 * place, line, 18, colour=SOFT, anchor="m")


def _draw_bars(sheet: Sheet, found: Explanation, unit: Unit) -> None:
    groups = [(text, parts) for text, parts in (("Columns", found.columns), ("Photos", found.views)) if parts]
    if len(found.modalities) > 1:
        groups.insert(0, ("Table and photos", found.modalities))
    largest = max((abs(end) for _, parts in groups for part in parts for end in _reach(part)), default=0.0) or 1.0
    sheet.head("What each part did")
    for text, parts in groups:
        sheet.y += 46
        sheet.write(_NAME, sheet.y, text, 20, colour=SOFT)
        known = [part for part in parts if part.present]
        shown = _choose(known, _MOST_BARS)
        rest = [part for part in known if part not in shown]
        for part in sorted(shown, key=lambda part: -abs(_size(part))) if text == "Columns" else shown:
            _draw_bar(sheet, part, unit, largest)
        if rest:
            _draw_bar(sheet, _join(rest, found), unit, largest)
        sheet.y += 22
        if unknown := [clip(part.name, 40) for part in parts if not part.present]:
            sheet.write_lines(f"not there, so without effect: {', '.join(unknown)}", 18, colour=SOFT, most=3)


def _draw_bar(sheet: Sheet, part: Part, unit: Unit, largest: float) -> None:
    sheet.y += 40
    size = _size(part) / largest
    ends = [end / largest for end in _reach(part)[1:]]
    sheet.write(_NAME, sheet.y + 7, clip(part.name), 20, width=_VALUE - _NAME - 16)
    sheet.write(_VALUE, sheet.y + 7, clip(part.value or ""), 18, colour=SOFT, width=_MIDDLE - _REACH - _VALUE - 24)
    sheet.bar(sheet.y, _MIDDLE, _REACH, size, ends)
    sheet.write(WIDTH - MARGIN, sheet.y + 7, write_effect(part, unit), 20, colour=_colour(part), anchor="r")


def _write_notes(sheet: Sheet, found: Explanation, unit: Unit, *, has_heat: bool) -> None:
    if found.warnings:
        sheet.head("Doubtful in this row")
        for warning in found.warnings[:_MOST_WARNINGS]:
            sheet.write_lines(clip(warning), most=2)
        if more := len(found.warnings) - _MOST_WARNINGS:
            sheet.write_lines(f"{more} more are in reasons.json", colour=SOFT) if more > 0 else None
    sheet.head("How to read it")
    steps = "The factors of table and photos multiply" if found.scale == "log" else "The amounts add up"
    reference = f"{unit.exact(found.reference.value)}, {found.reference.text}"
    within = "Within both it is shared among the columns and among the photos" if len(found.modalities) > 1 else ""
    lines = [f"{steps} from the reference to the prediction. The reference is {reference}.", within and f"{within}."]
    if any(part.lower is not None for part in found.modalities):
        lines.append("The thin line over a bar is an interval: so far apart are the members of the model.")
    if any(part.standard_error is not None for part in found.columns):
        lines.append("There are too many columns for exact shares; theirs are estimates.")
    if has_heat:
        lines.append("In a heat map, red raises the prediction and blue lowers it.")
    for one in [one for one in found.narrowing[:1] if one.width < 0.995]:
        lines.append(f"A photo {clip(one.view, 60)} would make the interval {1 - one.width:.0%} narrower.")
    sheet.write_lines(" ".join(filter(None, lines)), 18, colour=SOFT, most=8)


def _choose(parts: Sequence[Part], most: int) -> list[Part]:
    """Return the parts that did most, in their order."""
    kept = sorted(parts, key=lambda part: -abs(_size(part)))[:most]
    return [part for part in parts if part in kept]


def _join(parts: Sequence[Part], found: Explanation) -> Part:
    """Return what several parts did together."""
    name, size = f"{len(parts)} more together", sum(map(_size, parts))
    if found.scale != "log":
        return Part(name, True, None, None, size, None, None, None)
    factor = math.exp(size)
    return Part(name, True, None, factor, found.prediction - found.prediction / factor, None, None, None)


def _size(part: Part) -> float:
    return part.amount if part.factor is None else math.log(part.factor)


def _reach(part: Part) -> list[float]:
    """Return the length of a part's bar, and the ends of its interval where it has one."""
    ends = [end for end in (part.lower, part.upper) if end is not None]
    return [_size(part), *(end if part.factor is None else math.log(end) for end in ends)]


def _colour(part: Part) -> tuple[int, int, int]:
    return SOFT if not part.present else RED if part.amount >= 0 else BLUE
