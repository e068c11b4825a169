"""Figures as text: numbers that can be compared at a glance, in columns. Pure."""

import math
from collections.abc import Mapping, Sequence

Cell = str | float | None

NOTHING = "\N{EN DASH}"


def number(value: float, digits: int = 3) -> str:
    """Write to `digits` significant digits, with commas between thousands and no exponent."""
    if math.isnan(value):
        return NOTHING
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    before = math.floor(math.log10(abs(rounded))) + 1
    return f"{rounded:,.{max(0, digits - before)}f}"


def cell(value: Cell) -> str:
    """Write a cell; what could not be measured is a dash."""
    if value is None:
        return NOTHING
    return value if isinstance(value, str) else number(value)


def render(columns: Sequence[str], rows: Sequence[Mapping[str, Cell]]) -> str:
    """Lay out as a Markdown table: the first column to the left, figures to the right."""
    lines = [[cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *lines, strict=True)]
    head, *body = ([*columns], *lines)
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(line, widths) for line in (head, rule, *body))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = (text.rjust(width) for text, width in zip(cells[1:], widths[1:], strict=True))
    return "| " + " | ".join([first, *rest]) + " |"
