"""The comparison with exiftool: when two values are the same."""

from typing import Any

import pytest

from benchmarks.agreement import comparisons, verdict


@pytest.mark.parametrize(
    ("value", "stated", "expected"),
    [
        ("Camera", "Camera ", "agrees"),
        ("Camera", "Other", "contradicts"),
        (None, "Camera", "missing"),
        ([], "sea", "missing"),
        (["sea", "boat"], "sea", "agrees"),
        (["sea"], ["sea", "boat"], "contradicts"),
        (0.004, 0.00400001, "agrees"),
        (60, 40, "contradicts"),
        ("2024-05-01T12:30:00+02:00", "2024:05:01 12:30:00", "agrees"),
        ("2024-05-01T12:30:00", "2024:05:01 12:30:01", "contradicts"),
        ("007", 7, "contradicts"),
    ],
)
def test_verdict_is_of_the_values(value: Any, stated: Any, expected: str) -> None:
    """Numbers may differ by their rounding, dates are written in two forms, lists may hold more."""
    assert verdict(value, stated) == expected


def test_comparison_is_of_what_is_stated() -> None:
    """A tag is looked for with its group where the field names one; no tag, no comparison."""
    recorded = {"width": 60, "exif": {"make": "Camera"}}
    stated = {"File:ImageWidth": 60, "IFD0:Make": "Other", "MakerNotes:Model": "x"}
    assert [(field, found) for field, found, _, _ in comparisons(recorded, stated)] == [
        ("width", "agrees"),
        ("exif.make", "contradicts"),
    ]
