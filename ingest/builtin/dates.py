"""Dates in the forms that cameras and programs write, as ISO 8601."""

import re
from datetime import datetime

_DATE = re.compile(
    r"(\d{4})[:/.-](\d\d)[:/.-](\d\d)[ T](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
    r"\s*(Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_OFFSET = re.compile(r"([+-](?:0\d|1[0-4])):?([0-5]\d)", re.ASCII)
_MAX_DIGITS = 6


def iso_date(text: str, *, offset: str = "", subsec: str = "") -> str | None:
    """
    Return the date and time in `text` as ISO 8601, or None if there is none or it is impossible.

    `offset` from UTC and `subsec`, the digits of the fraction of a second, are used where `text`
    itself has neither.
    """
    found = _DATE.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute = (int(part) for part in found.groups()[:5])
    try:
        date = datetime(year, month, day, hour, minute, int(found[6] or 0))  # noqa: DTZ001 (local)
    except ValueError:
        return None
    digits = found[7] or (subsec if subsec.isascii() and subsec.isdigit() else "")
    fraction = f".{digits[:_MAX_DIGITS]}" if digits else ""
    return date.isoformat() + fraction + _offset(found[8] or offset)


def _offset(text: str) -> str:
    """Return an offset from UTC as `+hh:mm`; empty if it is not one."""
    if text == "Z":
        return "+00:00"
    found = _OFFSET.fullmatch(text)
    return f"{found[1]}:{found[2]}" if found else ""
