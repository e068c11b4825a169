"""
The data sets of an IPTC-IIM block that are recorded.

Pillow's reader raises at the first damaged or padded data set, where this one returns what is
before it, and reads JPEG and TIFF only.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from ingest.builtin.clean_text import decode

_KEYWORDS, _DATE, _TIME = 25, 55, 60
FIELDS: Mapping[int, str] = MappingProxyType(
    {
        5: "title",
        80: "creator",
        90: "city",
        101: "country",
        105: "headline",
        116: "rights",
        120: "description",
    }
)
"""The fields of data sets in record 2."""


def iptc_keywords(block: bytes) -> list[str]:
    """Return the keywords of an IPTC-IIM block, up to where it is damaged."""
    return [decode(value) for number, value in _record_2(block) if number == _KEYWORDS]


def iptc_fields(block: bytes) -> dict[str, list[str]]:
    """Return the texts of each field, and the date with its time as `created`."""
    found: dict[str, list[str]] = {}
    moment = {_DATE: "", _TIME: ""}
    for number, value in _record_2(block):
        if number in FIELDS:
            found.setdefault(FIELDS[number], []).append(decode(value))
        elif number in moment:
            moment[number] = decode(value)
    if len(moment[_DATE]) == 8:
        day, time = moment[_DATE], moment[_TIME] or "000000"
        clock = f"{time[:2]}:{time[2:4]}:{time[4:6]}{time[6:]}"
        found["created"] = [f"{day[:4]}-{day[4:6]}-{day[6:]} {clock}"]
    return found


def _record_2(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Return the number and value of each data set of record 2, up to where it is damaged."""
    at = 0
    while at + 5 <= len(block) and block[at] == 0x1C:
        length = int.from_bytes(block[at + 3 : at + 5], "big")
        if at + 5 + length > len(block) or length & 0x8000:
            return
        if block[at + 1] == 2:
            yield block[at + 2], block[at + 5 : at + 5 + length]
        at += 5 + length
