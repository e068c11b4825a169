"""Lines over a plane, as SVG."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

WIDTH, HEIGHT, EDGE = 720, 300, 50
COLOURS = ("#1663c7", "#c2410c", "#15803d")


def plot(path: Path, title: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Return a plot of each line's points (x, y), from zero on both axes."""
    right = max((x for line in lines.values() for x, _ in line), default=1) or 1
    top = 1.25 * max((y for line in lines.values() for _, y in line), default=1) or 1

    def at(x: float, y: float) -> str:
        across = EDGE + x / right * (WIDTH - 2 * EDGE)
        return f"{across:.1f},{HEIGHT - EDGE - y / top * (HEIGHT - 2 * EDGE):.1f}"

    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            'font-family="sans-serif" font-size="12">'
        ),
        f'<title>{escape(title)}</title><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{EDGE}" y="24" font-size="14">{escape(title)}</text>',
        f'<polyline points="{at(0, top)} {at(0, 0)} {at(right, 0)}" fill="none" stroke="#888"/>',
    ]
    for step in range(5):
        x, y = right * step / 4, top * step / 4
        across, down = at(x, y).split(",")
        parts.append(f'<text x="{across}" y="{HEIGHT - EDGE + 18}" text-anchor="middle">{x:,.0f}')
        parts.append(f'</text><text x="{EDGE - 6}" y="{down}" text-anchor="end">{y:,.0f}</text>')
    for n, (name, line) in enumerate(lines.items()):
        colour = COLOURS[n % len(COLOURS)]
        points = " ".join(at(x, y) for x, y in line)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
        parts.append(f'<text x="{WIDTH - EDGE}" y="{44 + 16 * n}" fill="{colour}" ')
        parts.append(f'text-anchor="end">{escape(name)}</text>')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>\n"]))
