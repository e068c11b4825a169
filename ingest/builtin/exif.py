"""
The fields of an image's EXIF that are recorded, as plain values.

The values come from strangers: each text is bounded, each number is finite, and a value that makes
no sense is left out. Tags have the names of the standard.
"""

import io
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ingest.builtin.clean_text import clean_text
from ingest.builtin.dates import iso_date
from ingest.builtin.gps import gps_fields
from ingest.builtin.tiff import EXIF_DIRECTORY, GPS_DIRECTORY, Tags, TiffReader, Value

_COMMENT = "UserComment"
_TEXTS = {
    "ImageDescription": "description",
    "Make": "make",
    "Model": "model",
    "Artist": "artist",
    "Copyright": "copyright",
    "XPTitle": "title",
    _COMMENT: "user_comment",
    "LensModel": "lens",
    "LensMake": "lens_make",
    "Software": "software",
}
_NUMBERS = {
    "ExposureTime": "exposure_time",
    "FNumber": "f_number",
    "ISOSpeedRatings": "iso",
    "FocalLength": "focal_length",
    "FocalLengthIn35mmFilm": "focal_length_35mm",
}
# Taken, digitised, changed, each with its offset from UTC and its fraction of a second.
_DATES = {
    "DateTimeOriginal": ("OffsetTimeOriginal", "SubsecTimeOriginal"),
    "DateTimeDigitized": ("OffsetTimeDigitized", "SubsecTimeDigitized"),
    "DateTime": ("OffsetTime", "SubsecTime"),
}
_KEYWORDS = "XPKeywords"
_ORIENTATION = "Orientation"
_RATING = "Rating"
_GPS = "GPSInfo"

TAGS: Mapping[int, str] = MappingProxyType(
    {
        270: "ImageDescription",
        271: "Make",
        272: "Model",
        274: _ORIENTATION,
        305: "Software",
        306: "DateTime",
        315: "Artist",
        18246: _RATING,
        33432: "Copyright",
        33434: "ExposureTime",
        33437: "FNumber",
        34855: "ISOSpeedRatings",
        36867: "DateTimeOriginal",
        36868: "DateTimeDigitized",
        36880: "OffsetTime",
        36881: "OffsetTimeOriginal",
        36882: "OffsetTimeDigitized",
        37386: "FocalLength",
        37510: _COMMENT,
        37520: "SubsecTime",
        37521: "SubsecTimeOriginal",
        37522: "SubsecTimeDigitized",
        40091: "XPTitle",
        40094: _KEYWORDS,
        41989: "FocalLengthIn35mmFilm",
        42035: "LensMake",
        42036: "LensModel",
    }
)
"""The names of the tags that are read here."""

FIELDS = frozenset(
    {*_TEXTS.values(), *_NUMBERS.values(), "taken", "orientation", "rating", "latitude"}
    | {"longitude", "altitude"}
)
"""The fields that are recorded."""


def read_exif(block: bytes) -> tuple[dict[str, Any], bool]:
    """Return the tags of an EXIF block by name, and whether its byte order is big-endian."""
    if block[:4] not in (b"II*\0", b"MM\0*"):
        return {}, False
    reader = TiffReader(io.BytesIO(block), len(block))
    main, _ = reader.directory(reader.first)
    return named_tags(reader, main), reader.big_endian


def named_tags(reader: TiffReader, main: Tags) -> dict[str, Any]:
    """Return the tags of the main and the Exif directory by name, and the fields of the GPS's."""
    pointer = main.get(EXIF_DIRECTORY, ())
    tags = {**main, **(reader.directory(_offset(pointer))[0])}
    found: dict[str, Any] = {name: tags[tag] for tag, name in TAGS.items() if tag in tags}
    if gps := main.get(GPS_DIRECTORY):
        found[_GPS] = gps_fields(reader.directory(_offset(gps))[0])
    return found


def _offset(value: Value) -> int:
    """Return where a directory is, as a tag points to it; 0 if it does not."""
    return int(value[0]) if value and math.isfinite(value[0]) else 0


def exif_fields(tags: Mapping[str, Any], *, big_endian: bool = False) -> dict[str, Any]:
    """
    Return what EXIF says of a photo.

    `tags` are those of the main and the Exif directory; `big_endian` is the block's byte order.
    """
    found: dict[str, Any] = {}
    for tag, name in _TEXTS.items():
        if tag in tags and (text := _exif_text(tag, tags[tag], big_endian=big_endian)):
            found[name] = text
    if taken := _date(tags):
        found["taken"] = taken
    for tag, name in _NUMBERS.items():
        if (number := _number(tags.get(tag))) is not None:
            found[name] = number
    orientation = _number(tags.get(_ORIENTATION))
    if orientation in range(1, 9):
        found["orientation"] = orientation
    rating = _number(tags.get(_RATING))
    if rating in range(1, 6):
        found["rating"] = rating
    return {**found, **tags.get(_GPS, {})}


def exif_keywords(tags: Mapping[str, Any]) -> list[str]:
    """Return the keywords that Windows writes: UTF-16, separated by semicolons."""
    value = tags.get(_KEYWORDS)
    return _exif_text(_KEYWORDS, value, big_endian=False).split(";")


def _exif_text(tag: str, value: object, *, big_endian: bool) -> str:
    """Return a tag's value as text; empty if it is not text."""
    if isinstance(value, tuple) and all(
        isinstance(byte, int) and 0 <= byte < 256 for byte in value
    ):
        value = bytes(value)
    if isinstance(value, bytes) and tag.startswith("XP"):
        value = value.decode("utf-16-le", "replace")
    elif isinstance(value, bytes) and tag == _COMMENT:
        value = _comment(value, big_endian=big_endian)
    elif isinstance(value, str):
        value = _bytes_of_ascii(value)
    return clean_text(value) if isinstance(value, str | bytes) else ""


def _bytes_of_ascii(value: str) -> str | bytes:
    """Return a text's bytes up to its NUL: Pillow decodes any bytes as Latin-1."""
    text = value.partition("\0")[0]
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text


def _comment(value: bytes, *, big_endian: bool) -> str | bytes:
    """Return a user comment, whose first eight bytes name its encoding."""
    prefix, rest = value[:8], value[8:]
    if prefix == b"UNICODE\0":
        return _utf16(rest, big_endian=big_endian)
    if prefix == b"JIS\0\0\0\0\0":
        return _japanese(rest)
    if prefix in (b"ASCII\0\0\0", bytes(8)):
        value = rest
    return value.partition(b"\0")[0]


def _japanese(value: bytes) -> str | bytes:
    """Return text in JIS, or in Shift JIS, which some cameras write instead."""
    for encoding in ("iso2022_jp", "shift_jis"):
        try:
            return value.rstrip(b"\0").decode(encoding)
        except UnicodeDecodeError:
            continue
    return value


def _utf16(value: bytes, *, big_endian: bool) -> str:
    """
    Return UTF-16 in the byte order of the file.

    Some programs use the other order. Only text of mostly ASCII proves that: in the wrong order
    its characters are far apart, while ideographs look like ideographs in both orders.
    """
    orders = ("utf-16-be", "utf-16-le") if big_endian else ("utf-16-le", "utf-16-be")
    own, other = (value.decode(order, "replace").partition("\0")[0] for order in orders)
    is_other = _ascii_share(other) > 0.5 > _ascii_share(own)
    return other if is_other and len(other) > 1 else own


def _ascii_share(text: str) -> float:
    return sum(map(str.isascii, text)) / len(text) if text else 0.0


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
    for tag, (offset_tag, subsec_tag) in _DATES.items():
        text, offset, subsec = (
            _exif_text(name, tags.get(name), big_endian=False)
            for name in (tag, offset_tag, subsec_tag)
        )
        if date := iso_date(text, offset=offset, subsec=subsec):
            return date
    return None
