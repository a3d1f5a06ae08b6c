"""The plots of the report: each an SVG in a ``data:`` address, with the words for who cannot see it."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mixed_data.files.written_values import Unit, clip
from mixed_data.report.coverage_lines import NOMINAL
from mixed_data.report.row_groups import Group

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind can tell apart.
_BLUE, _ORANGE, _GREEN, _GREY, _INK = "#0072b2", "#d55e00", "#009e73", "#8a8f98", "#1f2430"
_WIDTH = 4.6  # inches
_BAND = 0.2
MIN_BOX_ROWS = 8

_MAX_VECTOR_POINTS = 1000
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "mixed_data",
    "svg.fonttype": "none",
    "text.parse_math": False,  # "$" is a dollar, and a column may be called anything.
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _GREY,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e3e6ea",
    "legend.frameon": False,
}
_LEGEND_ABOVE: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0}
# Measured with the wide font that Matplotlib brings, shown in the page's own: it is narrower, so that nothing overlaps.
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_FONTS_OF_MATPLOTLIB = re.compile(r"'DejaVu Sans'(, ('[^']*'|sans-serif))*")


@dataclass(frozen=True)
class Picture:
    """A plot.

    Attributes:
        source: ``data:`` address of an SVG.
        alt: what it shows, in words.
    """

    source: str
    alt: str


def draw_predictions(target: NDArray[np.float64], prediction: NDArray[np.float64], unit: Unit) -> Picture:
    """Draw predicted against actual values, on logarithmic axes where all are positive.

    Args:
        target: ``(n,)``.
        prediction: ``(n,)``.
        unit: of both.
    """
    is_log = bool((target > 0).all() and (prediction > 0).all())
    low, high = _pad_range(np.concatenate([target, prediction]), is_log=is_log)
    line = np.geomspace(low, high, 50) if is_log else np.linspace(low, high, 50)
    scale = ", log scale" if is_log else ""
    within = np.mean(np.abs(prediction - target) <= _BAND * np.abs(target))
    alt = (
        f"Scatter plot of predicted against actual {unit.label}, {len(target):,} rows, from "
        f"{unit.compact(target.min())} to {unit.compact(target.max())}. {within:.0%} of the rows lie within 20 % of "
        "the line where both are equal."
    )
    with _canvas(4.2) as (figure, axes):
        if is_log:
            axes.set(xscale="log", yscale="log")
        band = _BAND * np.abs(line)
        axes.fill_between(line, line - band, line + band, color=_GREEN, alpha=0.15, linewidth=0, label="±20 %")
        axes.plot(line, line, color=_INK, linewidth=1, label="prediction = actual")
        is_raster = len(target) > _MAX_VECTOR_POINTS
        axes.scatter(target, prediction, s=14, color=_BLUE, alpha=0.55, linewidths=0, rasterized=is_raster)
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        axes.set(xlabel=f"actual {unit.label}{scale}", ylabel=f"predicted {unit.label}{scale}")
        for axis in (axes.xaxis, axes.yaxis):
            _write_values(axis, unit, decades=np.log10(high / low) if is_log else None)
        axes.legend(loc="upper left", handlelength=1.5)
        return Picture(_encode(figure), alt)


def draw_shares(errors: Mapping[str, NDArray[np.float64]], unit: Unit, *, is_percent: bool) -> Picture:
    """Draw which share of the rows is predicted within which error, one line per model.

    Args:
        errors: model -> absolute error of each row, ``(n,)``; the first is the main one.
        unit: of the target.
        is_percent: True when errors are in percent of the actual value.
    """
    main = next(iter(errors))
    reach = float(np.quantile(errors[main], 0.95)) or 1.0
    said = [f"{share} % of the rows within {np.quantile(errors[main], share / 100):,.3g}" for share in (25, 50, 75, 90)]
    kind = "percent of the actual value" if is_percent else unit.label
    alt = f"Share of the rows by size of error, in {kind}. {clip(main)}: {', '.join(said)}."
    heading = f"error of at most, % of actual {unit.name}" if is_percent else f"error of at most, {unit.label}"
    with _canvas(4.2) as (figure, axes):
        styles = zip((_BLUE, _ORANGE, _GREEN), ("-", "--", ":"), strict=True)
        for (name, values), (colour, dashes) in zip(errors.items(), styles, strict=False):
            shares = 100 * np.arange(1, len(values) + 1) / len(values)
            style: dict[str, Any] = {"color": colour, "linestyle": dashes, "linewidth": 2 if name == main else 1.5}
            axes.step(np.sort(values), shares, where="post", label=clip(name, 30), **style)
        axes.set(xlim=(0, reach), ylim=(0, 100), xlabel=heading, ylabel="rows, %")
        if not is_percent:
            _write_values(axes.xaxis, unit)
        axes.legend(loc="lower right", handlelength=2)
        return Picture(_encode(figure), alt)


def draw_errors(groups: Sequence[Group], errors: NDArray[np.float64], by: str, label: str) -> Picture:
    """Draw the spread of the errors in each group of rows, one box per group.

    Args:
        groups: at least one.
        errors: signed, of each row, ``(n,)``.
        by: what sorts the groups.
        label: what the errors are, with their unit.
    """
    medians = "; ".join(f"{group.label}: {np.median(errors[group.rows]):+,.3g}" for group in groups)
    with _canvas(1.2 + 0.36 * len(groups)) as (figure, axes):
        axes.axvline(0, color=_INK, linewidth=1)
        for position, group in enumerate(groups):
            _draw_box(axes, position, errors[group.rows])
        _name_rows(axes, [f"{group.label}  ({len(group.rows):,})" for group in groups], f"{clip(by, 22)} (rows)")
        axes.set_xlabel(f"{label}\nbelow 0: too low, above 0: too high")
        return Picture(_encode(figure), f"Box plot of the {label}, by {by}. Medians: {medians}.")


def draw_coverage(lines: Sequence[Mapping[str, Any]]) -> Picture:
    """Draw the share of rows inside their interval, for all rows and by groups.

    Args:
        lines: of `mixed_data.report.coverage_lines.count_coverage`.
    """
    low, share, high = (np.array([line[name] for line in lines]) for name in ("low", "coverage", "high"))
    labels = [f"{line['label']}  ({line['n']:,})" for line in lines]
    said = "; ".join(f"{label}: {value:.0f} %" for label, value in zip(labels, share, strict=True))
    alt = f"Share of rows inside their interval; {NOMINAL:.0f} % was promised. {said}."
    with _canvas(1.1 + 0.32 * len(lines)) as (figure, axes):
        axes.axvline(NOMINAL, color=_ORANGE, linewidth=1.5, label=f"promised: {NOMINAL:.0f} %")
        spread = np.clip(np.vstack([share - low, high - share]), 0, None)
        axes.errorbar(share, range(len(lines)), xerr=spread, fmt="o", color=_BLUE, capsize=3, markersize=5)
        _name_rows(axes, labels, "group (rows)")
        axes.set_xlim(min(60.0, low.min() - 2), 101)
        axes.set_xlabel("rows whose actual value lies in the interval, %")
        axes.legend(**_LEGEND_ABOVE, handlelength=1.5)
        return Picture(_encode(figure), alt)


def draw_importance(parts: Sequence[tuple[str, float, float, float]], label: str) -> Picture:
    """Draw by how much errors grow when a part is shuffled.

    Args:
        parts: name, increase, and the ends of its interval, of at least one part.
        label: what errors are counted in.
    """
    said = "; ".join(f"{name}: {increase:+,.3g} ({low:+,.3g} to {high:+,.3g})" for name, increase, low, high in parts)
    with _canvas(1.1 + 0.32 * len(parts)) as (figure, axes):
        axes.axvline(0, color=_INK, linewidth=1)
        for place, (_, increase, low, high) in enumerate(parts):
            axes.hlines(place, low, high, color=_BLUE, linewidth=2)
            axes.plot(increase, place, "o", color=_BLUE, markersize=5)
        _name_rows(axes, [name for name, *_ in parts])
        axes.set_xlabel(f"increase of the mean error when shuffled, {label}")
        return Picture(_encode(figure), f"Increase of the mean error when a part is shuffled, {label}. {said}.")


def draw_weights(weights: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> Picture:
    """Draw the learned weights of each fusion with their spread.

    Args:
        weights: fusion -> modality -> ``mean`` and ``sd``.
    """
    modalities = list(dict.fromkeys(name for entry in weights.values() for name in entry))
    height, said = 0.7 / len(modalities), []
    with _canvas(1.2 + 0.5 * len(weights)) as (figure, axes):
        for number, modality in enumerate(modalities):
            parts = {place: entry[modality] for place, entry in enumerate(weights.values()) if modality in entry}
            means, spreads = ([part.get(name) or 0.0 for part in parts.values()] for name in ("mean", "sd"))
            axes.barh(
                [place + (number - (len(modalities) - 1) / 2) * height for place in parts],
                means,
                height=0.9 * height,
                xerr=spreads if any(spreads) else None,
                color=(_BLUE, _ORANGE, _GREEN, _GREY)[number % 4],
                error_kw={"ecolor": _INK, "capsize": 3, "elinewidth": 1},
                label=clip(modality, 30),
            )
            said.append(f"{clip(modality, 30)} " + ", ".join(f"{mean:.2f}" for mean in means))
        _name_rows(axes, [clip(name, 30) for name in weights])
        axes.set_xlim(left=0)
        axes.set_xlabel("learned weight (the weights of a fusion sum to 1)")
        axes.legend(**_LEGEND_ABOVE, ncols=4, handlelength=1, fontsize=9)
        alt = f"Bar chart of the learned weights of {', '.join(map(clip, weights))}: {'; '.join(said)}."
        return Picture(_encode(figure), alt)


@contextmanager
def _canvas(height: float) -> Iterator[tuple[Figure, Axes]]:
    """Give a figure of its own, outside of pyplot's global state, in the report's style."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        yield figure, figure.subplots()


def _draw_box(axes: Axes, position: int, values: NDArray[np.float64]) -> None:
    # `Axes.boxplot` would import pyplot, which looks for a screen.
    if len(values) < MIN_BOX_ROWS:  # Quartiles of so few are no fact.
        axes.plot(values, [position] * len(values), "o", color=_BLUE, markersize=4, alpha=0.7)
        return
    fifth, first, median, third, last = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
    inner = values[(values >= fifth) & (values <= last)]
    low, high = inner.min(), inner.max()
    axes.hlines([position, position], [low, third], [first, high], color=_BLUE, linewidth=1)
    axes.vlines([low, high], position - 0.14, position + 0.14, color=_BLUE, linewidth=1)
    axes.barh(position, third - first, left=first, height=0.55, facecolor="#cfe3f1", edgecolor=_BLUE, linewidth=1)
    axes.vlines(median, position - 0.275, position + 0.275, color=_ORANGE, linewidth=2)


def _name_rows(axes: Axes, names: Sequence[str], heading: str = "") -> None:
    """Label the rows of a horizontal plot, from the top, with a heading over the labels."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    place: dict[str, Any] = {"xycoords": "axes fraction", "xytext": (-3.5, 4), "textcoords": "offset points"}
    axes.annotate(heading, (0, 1), **place, ha="right", fontweight="bold")


def _pad_range(values: NDArray[np.float64], *, is_log: bool) -> tuple[float, float]:
    """Return the ends of an axis that leaves some room around the values."""
    low, high = float(values.min()), float(values.max())
    if is_log:
        return low / 1.15, high * 1.15
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _write_values(axis: Axis, unit: Unit, *, decades: float | None = None) -> None:
    """Write the axis' numbers as values of the target; ``decades``: of a logarithmic axis, how many it spans."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    if decades is not None:  # Round numbers that neither crowd nor leave the axis bare.
        subs = (1, 2, 5) if decades < 1.6 else (1, 3) if decades < 3.2 else (1,)
        axis.set_major_locator(MaxNLocator(5) if decades < 0.8 else LogLocator(subs=subs, numticks=12))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: unit.compact(value)))


def _encode(figure: Figure) -> str:
    file = io.StringIO()
    with warnings.catch_warnings():
        # The page's font draws what Matplotlib's own has no glyph for.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(
            file, format="svg", dpi=200, metadata={"Date": None, "Creator": None}, bbox_inches="tight", pad_inches=0.05
        )
    text = _FONTS_OF_MATPLOTLIB.sub(_FONTS, file.getvalue())
    return "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode("ascii")
