"""Plots as SVG, written by hand: lines over axes that are linear or logarithmic. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.table import number

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 810, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 270, 40, 50
STYLES = (
    ("#222222", "none"),
    ("#0b6e4f", "none"),
    ("#2f9e77", "6 3"),
    ("#1f5fa8", "2 3"),
    ("#c2410c", "8 3 2 3"),
    ("#a21caf", "1 3"),
    ("#6b7280", "10 4"),
    ("#b45309", "4 2"),
    ("#dc2626", "none"),
    ("#7c3aed", "none"),
)
"""Told apart by brightness too; the dashes help where colour does not. No contender shares one."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from values to pixels."""

    label: str
    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = True

    def at(self, value: float) -> float:
        low, high = self._scaled(self.low), self._scaled(self.high)
        share = (self._scaled(value) - low) / ((high - low) or 1)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return the values of the ticks: powers of ten, or five steps."""
        if not self.logarithmic:
            return [self.low + (self.high - self.low) * n / 5 for n in range(6)]
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        powers = [10.0**n for n in range(first, last + 1)]
        return [power for power in powers if self.low * 0.999 <= power <= self.high * 1.001]

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, self.low)) if self.logarithmic else value


def lines(title: str, x: str, y: str, series: Mapping[str, Points], *, linear: str = "") -> str:
    """Return a plot with one line for each series; `linear` names the linear axes: "xy"."""
    drawn = {name: points for name, points in series.items() if points}
    xs = [point[0] for points in drawn.values() for point in points]
    ys = [point[1] for points in drawn.values() for point in points]
    if not xs:
        return ""
    across = Axis(x, *_range(xs, "x" in linear), LEFT, WIDTH - RIGHT, "x" not in linear)
    up = Axis(y, *_range(ys, "y" in linear), HEIGHT - BOTTOM, TOP, "y" not in linear)
    parts = [_text(LEFT, 24, title, size=15, weight="bold"), *_axes(across, up)]
    for n, (name, points) in enumerate(drawn.items()):
        parts += _series(n, name, points, across, up)
    style = "font-family:system-ui,sans-serif;background:#fff"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'style="{style}" role="img"><title>{escape(title)}</title>'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _range(values: Sequence[float], linear: bool) -> tuple[float, float]:
    if linear:
        return 0.0, max(values) or 1.0
    above = [value for value in values if value > 0] or [1.0]
    return 10 ** math.floor(math.log10(min(above))), 10 ** math.ceil(math.log10(max(above)))


def _axes(across: Axis, up: Axis) -> list[str]:
    parts = []
    for value in across.ticks():
        x = across.at(value)
        parts.append(_line(x, TOP, x, HEIGHT - BOTTOM))
        parts.append(_text(x, HEIGHT - BOTTOM + 18, number(value), anchor="middle"))
    for value in up.ticks():
        y = up.at(value)
        parts.append(_line(LEFT, y, WIDTH - RIGHT, y))
        parts.append(_text(LEFT - 8, y + 4, number(value), anchor="end"))
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(_text(middle, HEIGHT - 10, across.label, anchor="middle"))
    turned = f'transform="rotate(-90 16 {HEIGHT / 2})"'
    parts.append(_text(16, HEIGHT / 2, up.label, anchor="middle", extra=turned))
    return parts


def _series(n: int, name: str, points: Points, across: Axis, up: Axis) -> list[str]:
    colour, dash = STYLES[n % len(STYLES)]
    stroke = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}" fill="none"'
    path = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in points)
    y = TOP + 12 + 22 * n
    x = WIDTH - RIGHT + 14
    return [
        f'<polyline points="{path}" {stroke}/>',
        f'<line x1="{x}" y1="{y}" x2="{x + 26}" y2="{y}" {stroke}/>',
        _text(x + 32, y + 4, name),
    ]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    where = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {where} stroke="#ddd"/>'


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 12,
    anchor: str = "start",
    weight: str = "normal",
    extra: str = "",
) -> str:
    look = f'font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" fill="#222"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look} {extra}>{escape(text)}</text>'
