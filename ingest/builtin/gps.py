"""The position in the GPS directory of an EXIF block, in degrees and metres (WGS 84)."""

import math

from ingest.builtin.tiff import Tags

_LATITUDE, _LONGITUDE, _ALTITUDE_REFERENCE, _ALTITUDE = 2, 4, 5, 6
_DIGITS = 7  # a centimetre


def gps_fields(tags: Tags) -> dict[str, float]:
    """Return latitude, longitude and altitude, as far as they are known and possible."""
    found: dict[str, float] = {}
    latitude = _degrees(tags, _LATITUDE, b"N", b"S", 90)
    longitude = _degrees(tags, _LONGITUDE, b"E", b"W", 180)
    if latitude is not None and longitude is not None:
        found = {"latitude": latitude, "longitude": longitude}
    altitude = tags.get(_ALTITUDE, ())
    if altitude and math.isfinite(altitude[0]):
        below = tags.get(_ALTITUDE_REFERENCE, b"")[:1] in (b"\1", (1,))
        found["altitude"] = round(-altitude[0] if below else altitude[0], 3)
    return found


def _degrees(tags: Tags, tag: int, positive: bytes, negative: bytes, limit: int) -> float | None:
    """Return degrees, minutes and seconds as degrees; the tag before states the direction."""
    value, direction = tags.get(tag, ()), tags.get(tag - 1, b"")
    if len(value) != 3 or not all(map(math.isfinite, value)) or not isinstance(direction, bytes):
        return None
    degrees = value[0] + value[1] / 60 + value[2] / 3600
    if direction[:1].upper() not in (positive, negative) or not 0 <= degrees <= limit:
        return None
    return round(-degrees if direction[:1].upper() == negative else degrees, _DIGITS)
