"""SVG: line plots as text, for reports that must stand alone.

A plot here is axes, ticks and a few polylines, which needs no plotting library: matplotlib would
bring nine packages (25 MB) to every engine, and build its font cache in the first run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 560, 260
# Room for tick labels and titles: left, top, right, bottom.
LEFT, TOP, RIGHT, BOTTOM = 64, 26, 12, 44
TICKS = 5
LEGEND = 72  # width of a name beside the title
# Distinct for colour-blind readers (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
# Neighbours farther apart than this many usual steps are not joined: bands are missing there.
GAP_STEPS = 3.5

Values = Sequence["float | None"]


def line_plot(
    title: str, x_title: str, y_title: str, places: Sequence[float], lines: Mapping[str, Values]
) -> str:
    """An <svg> of lines by name over `places` (n,); None is a gap.

    Places may stand in any order. Without any value the plot says so.
    """
    order = sorted(range(len(places)), key=places.__getitem__)
    xs = [places[i] for i in order]
    drawn = {name: [values[i] for i in order] for name, values in lines.items()}
    told = [value for values in drawn.values() for value in values if value is not None]
    parts = [_text(LEFT, 15, title, weight="bold")]
    if not told:
        parts.append(_text(WIDTH / 2, HEIGHT / 2, "nothing to show", "middle"))
        return _frame(parts, title)
    x_scale, y_scale = Scale.of(xs, LEFT, WIDTH - RIGHT), Scale.of(told, HEIGHT - BOTTOM, TOP)
    parts += _axes(x_scale, y_scale, x_title, y_title)
    gap = GAP_STEPS * _usual_step(xs)
    for number, (name, values) in enumerate(drawn.items()):
        colour = COLOURS[number % len(COLOURS)]
        for run in _runs(xs, values, gap):
            points = [(x_scale.at(x), y_scale.at(y)) for x, y in run]
            parts.append(_line(points, colour))
        if len(drawn) > 1:
            left = WIDTH - RIGHT - LEGEND * (len(drawn) - number)
            parts.append(_line([(left, 11), (left + 14, 11)], colour))
            parts.append(_text(left + 18, 15, name))
    return _frame(parts, title)


class Scale:
    """From values to places on the page, with round numbers for ticks."""

    def __init__(self, low: float, high: float, start: float, stop: float, step: float) -> None:
        self._low, self._start = low, start
        self._slope = (stop - start) / (high - low)
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        self.ticks = [step * n for n in range(first, last + 1)]

    @classmethod
    def of(cls, values: Sequence[float], start: float, stop: float) -> Scale:
        """A scale that holds all values."""
        low, high = min(values), max(values)
        if not high > low:
            margin = abs(low) / 10 or 1.0
            low, high = low - margin, high + margin
        rough = (high - low) / TICKS
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * n for n in (1, 2, 5, 10) if unit * n >= rough * 0.999)
        return cls(low, high, start, stop, step)

    def at(self, value: float) -> float:
        """The place of a value."""
        return self._start + (value - self._low) * self._slope


def _axes(x_scale: Scale, y_scale: Scale, x_title: str, y_title: str) -> list[str]:
    floor, parts = HEIGHT - BOTTOM, []
    for tick in y_scale.ticks:
        y = y_scale.at(tick)
        parts.append(_line([(LEFT, y), (WIDTH - RIGHT, y)], "#ddd", 1))
        parts.append(_text(LEFT - 6, y + 4, f"{tick:.6g}", "end"))
    for tick in x_scale.ticks:
        x = x_scale.at(tick)
        parts.append(_line([(x, floor), (x, floor + 4)], "#444", 1))
        parts.append(_text(x, floor + 17, f"{tick:.6g}", "middle"))
    parts.append(_line([(LEFT, TOP), (LEFT, floor), (WIDTH - RIGHT, floor)], "#444", 1))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_title, "middle"))
    middle = (TOP + floor) / 2
    turned = f'transform="rotate(-90 14 {middle:g})"'
    parts.append(_text(14, middle, y_title, "middle", extra=turned))
    return parts


def _runs(xs: Sequence[float], ys: Values, gap: float) -> list[list[tuple[float, float]]]:
    """Points that are to be joined, a list each; broken where a value or a band is missing."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(xs, ys):
        if runs[-1] and (y is None or x - runs[-1][-1][0] > gap):
            runs.append([])
        if y is not None:
            runs[-1].append((x, y))
    return [run for run in runs if run]


def _usual_step(xs: Sequence[float]) -> float:
    steps = sorted(after - before for before, after in zip(xs, xs[1:]))
    return steps[len(steps) // 2] if steps else 1.0


def _line(points: Sequence[tuple[float, float]], colour: str, width: float = 1.6) -> str:
    if len(points) == 1:
        x, y = points[0]
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{colour}"/>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'


def _text(
    x: float, y: float, text: str, anchor: str = "start", weight: str = "normal", extra: str = ""
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" {extra}'
    return f"<text {place}>{escape(text)}</text>"


def _frame(parts: Sequence[str], title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="11" fill="#222">'
        f"{''.join(parts)}</svg>"
    )
