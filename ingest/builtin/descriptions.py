"""
What an image says of itself in XMP, IPTC, EXIF and the texts of a PNG, under one set of names.

Where several blocks have a field, the first of these wins, in this order.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from ingest.builtin.blocks import ImageBlocks
from ingest.builtin.clean_text import clean_text
from ingest.builtin.dates import iso_date
from ingest.builtin.icc import profile_name
from ingest.builtin.iptc import iptc_fields
from ingest.builtin.xml_values import Values
from ingest.builtin.xmp import xmp_fields

MAX_CREATORS = 20

FIELDS = (
    "title", "description", "headline", "creator", "rights", "city", "country", "rating", "created",
    "software", "color_profile",
)  # fmt: skip
"""The fields that are recorded."""

_EXIF: Mapping[str, str] = MappingProxyType(
    {
        "title": "title",
        "description": "description",
        "artist": "creator",
        "copyright": "rights",
        "rating": "rating",
        "taken": "created",
        "software": "software",
    }
)
_PNG: Mapping[str, str] = MappingProxyType(
    {
        "Title": "title",
        "Description": "description",
        "Author": "creator",
        "Copyright": "rights",
        "Creation Time": "created",
        "Software": "software",
    }
)


def describe(
    blocks: ImageBlocks, xmp: Mapping[str, Values], exif: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields that an image has in any of its blocks."""
    found: dict[str, Any] = {}
    for source in (
        xmp_fields(xmp),
        iptc_fields(blocks.iptc),
        {_EXIF[name]: [str(value)] for name, value in exif.items() if name in _EXIF},
        {_PNG[name]: [text] for name, text in blocks.texts.items() if name in _PNG},
    ):
        for name, texts in source.items():
            if name not in found and (value := _value(name, texts)) is not None:
                found[name] = value
    if name := profile_name(blocks.icc):
        found["color_profile"] = name
    return found


def _value(name: str, texts: list[Any]) -> Any:
    if name == "created":
        return next(filter(None, map(_date, texts)), None)
    if name == "rating":
        return _rating(texts[0])
    cleaned = list(_cleaned(texts))
    if name == "creator":
        return cleaned or None
    return cleaned[0] if cleaned else None


def _cleaned(texts: list[Any]) -> Iterator[str]:
    return filter(None, map(clean_text, texts[:MAX_CREATORS]))


def _date(text: object) -> str | None:
    return iso_date(clean_text(text, 100))


def _rating(text: str) -> int | None:
    """Return a rating of -1 (rejected) to 5 stars; 0 is none."""
    try:
        rating = float(text)
    except ValueError:
        return None
    return int(rating) if rating in (-1, 1, 2, 3, 4, 5) else None
