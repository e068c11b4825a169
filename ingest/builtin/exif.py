"""
The fields of an image's EXIF that are recorded, as plain values.

The values come from strangers: each text is bounded, each number is finite, and a value that makes
no sense is left out. Tags have the names of the standard, as `PIL.ExifTags.TAGS` has them.
"""

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ingest.builtin.clean_text import clean_text

_TEXTS = {
    "ImageDescription": "description",
    "Make": "make",
    "Model": "model",
    "Artist": "artist",
    "Copyright": "copyright",
    "XPTitle": "title",
    "UserComment": "user_comment",
    "LensModel": "lens",
}
_NUMBERS = {
    "ExposureTime": "exposure_time",
    "FNumber": "f_number",
    "ISOSpeedRatings": "iso",
    "FocalLength": "focal_length",
}
# Taken, digitised, changed, each with the tag of its offset from UTC; the first that is valid.
_DATES = {
    "DateTimeOriginal": "OffsetTimeOriginal",
    "DateTimeDigitized": "OffsetTimeDigitized",
    "DateTime": "OffsetTime",
}
_KEYWORDS = "XPKeywords"
_ORIENTATION = "Orientation"

TAGS = frozenset({*_TEXTS, *_NUMBERS, *_DATES, *_DATES.values(), _KEYWORDS, _ORIENTATION})
"""The tags that are read here."""


def exif_fields(tags: Mapping[str, Any]) -> dict[str, Any]:
    """Return what EXIF says of a photo; `tags` are those of the main and the Exif directory."""
    found: dict[str, Any] = {}
    for tag, name in _TEXTS.items():
        if tag in tags and (text := _exif_text(tag, tags[tag])):
            found[name] = text
    if taken := _date(tags):
        found["taken"] = taken
    for tag, name in _NUMBERS.items():
        if (number := _number(tags.get(tag))) is not None:
            found[name] = number
    orientation = tags.get(_ORIENTATION)
    if isinstance(orientation, int) and 1 <= orientation <= 8:
        found["orientation"] = orientation
    return found


def exif_keywords(tags: Mapping[str, Any]) -> list[str]:
    """Return the keywords that Windows writes: UTF-16, separated by semicolons."""
    return _exif_text(_KEYWORDS, tags[_KEYWORDS]).split(";") if _KEYWORDS in tags else []


def _exif_text(tag: str, value: object) -> str:
    """Return a tag's value as text; empty if it is not text."""
    if isinstance(value, tuple) and all(
        isinstance(byte, int) and 0 <= byte < 256 for byte in value
    ):
        value = bytes(value)
    if isinstance(value, bytes):
        if tag.startswith("XP"):
            value = value.decode("utf-16-le", "replace")
        elif value.startswith(b"UNICODE\0"):
            value = _utf16(value[8:])
        elif value.startswith((b"ASCII\0\0\0", b"JIS\0\0\0\0\0", bytes(8))):
            value = value[8:]
    return clean_text(value) if isinstance(value, str | bytes) else ""


def _utf16(value: bytes) -> str:
    """Return a user comment in UTF-16, in the byte order that has more NULs in high bytes."""
    little = value[1::2].count(0) >= value[::2].count(0)
    return value.decode("utf-16-le" if little else "utf-16-be", "replace")


def _number(value: object) -> float | int | None:
    """Return a rational as float and an int as it is; None for what is not a finite number."""
    if isinstance(value, tuple) and value:
        value = value[0]
    if isinstance(value, int):
        return value
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return round(number, 6) if math.isfinite(number) else None


def _date(tags: Mapping[str, Any]) -> str | None:
    """Return the first valid date in ISO 8601, with its offset from UTC if there is one."""
    for tag, offset_tag in _DATES.items():
        text = str(tags.get(tag, "")).strip("\0 ")
        try:
            taken = datetime.strptime(text, "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 (EXIF's local time)
        except ValueError:
            continue
        offset = str(tags.get(offset_tag, "")).strip("\0 ")
        return taken.isoformat() + (offset if re.fullmatch(r"[+-]\d\d:\d\d", offset) else "")
    return None
