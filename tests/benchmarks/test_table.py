"""The benchmark's tables and plots."""

from xml.etree import ElementTree as ET

import pytest

from benchmarks.plot import lines
from benchmarks.table import number, render


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.01234, "0.0123"),
        (1.0, "1.00"),
        (12.345, "12.3"),
        (99.96, "100"),
        (123456.7, "123,000"),
        (float("nan"), "\N{EN DASH}"),
    ],
)
def test_number_has_three_digits(value: float, text: str) -> None:
    """Three digits are shown: what repeats of a measurement agree on is never more."""
    assert number(value) == text


def test_table_lines_up() -> None:
    """Every line of a table is as wide as the others, and what is missing is a dash."""
    table = render(("server", "p99 ms"), [{"server": "a", "p99 ms": 1234.5}, {"server": "long"}])
    assert len({len(line) for line in table.splitlines()}) == 1
    assert table.splitlines()[-1] == "| long   |      \N{EN DASH} |"


def test_plot_is_well_formed_whatever_the_names_hold() -> None:
    """A name with markup in it is text in the picture."""
    svg = lines("<b>&", "x", "y", {"a<b": [(1, 0.5), (1000, 80)], "none": []})
    root = ET.fromstring(svg)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "a<b" in texts
    assert "none" not in texts


def test_plot_stays_within_its_frame() -> None:
    """Points lie between the axes, at the ends of the scale too."""
    root = ET.fromstring(lines("t", "x", "y", {"a": [(1, 0.001), (10_000, 900)]}))
    (line,) = root.iter("{http://www.w3.org/2000/svg}polyline")
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert all(70 <= x <= 540 and 40 <= y <= 390 for x, y in points)
