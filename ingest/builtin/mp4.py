"""Duration, size, codecs and date of ISO base media files (MP4, QuickTime, 3GP)."""

import math
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, BinaryIO

from ingest.builtin.boxes import Box, boxes, find

_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)
# The names that FFmpeg has for the codecs, which other formats are recorded with.
_CODECS: Mapping[str, str] = MappingProxyType(
    {
        "avc1": "h264", "avc3": "h264", "hvc1": "hevc", "hev1": "hevc", "av01": "av1",
        "vp08": "vp8", "vp09": "vp9", "mp4v": "mpeg4", "s263": "h263", "jpeg": "mjpeg",
        "apch": "prores", "apcn": "prores", "apcs": "prores", "ap4h": "prores", "mp4a": "aac",
        "Opus": "opus", "fLaC": "flac", "ac-3": "ac3", "ec-3": "eac3", ".mp3": "mp3",
        "samr": "amr_nb", "sawb": "amr_wb", "sowt": "pcm_s16le", "twos": "pcm_s16be",
    }
)  # fmt: skip
_MAX_TRACKS = 100
_MAX_SECONDS = 10_000 * 3600


def read_mp4(file: BinaryIO, size: int, group: str) -> dict[str, Any]:
    """Return the fields of the film or sound in `group`, `video` or `audio`."""
    movie = find(file, 0, size, b"moov")
    if movie is None:
        return {}
    found: dict[str, Any] = {}
    tracks = 0
    for box in boxes(file, movie.start, movie.end):
        if box.name == b"mvhd":
            found |= _movie_header(box.read(file, 32))
        elif box.name == b"trak" and tracks < _MAX_TRACKS:
            tracks += 1
            for name, value in _track(file, box).items():
                found.setdefault(name, value)
    if group == "audio":
        found = {
            "audio_codec": found.get("audio_codec"),
            "duration": found.get("duration"),
            "created": found.get("created"),
        }
        found["codec"] = found.pop("audio_codec")
    return {name: value for name, value in found.items() if value is not None}


def _movie_header(data: bytes) -> dict[str, Any]:
    layout = ">QQIQ" if data[:1] == b"\1" else ">IIII"
    if len(data) < 4 + struct.calcsize(layout):
        return {}
    created, _, scale, length = struct.unpack_from(layout, data, 4)
    seconds = length / scale if scale else math.inf
    return {
        "duration": round(seconds, 3) if 0 < seconds < _MAX_SECONDS else None,
        "created": _date(created),
    }


def _date(seconds: int) -> str | None:
    """Return seconds since 1904 in ISO 8601; None where the clock was not set."""
    try:
        date = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None
    return date.isoformat() if date.year > 1970 else None


def _track(file: BinaryIO, track: Box) -> dict[str, Any]:
    handler = find(file, track.start, track.end, b"mdia", b"hdlr")
    kind = handler.read(file, 12)[8:12] if handler else b""
    samples = find(file, track.start, track.end, b"mdia", b"minf", b"stbl", b"stsd")
    codec = samples.read(file, 16)[12:16].decode("latin-1").strip() if samples else ""
    codec = _CODECS.get(codec, codec if codec.isascii() and codec.isprintable() else "")
    if kind == b"soun":
        return {"audio_codec": codec or None}
    header = find(file, track.start, track.end, b"tkhd")
    if kind != b"vide" or header is None:
        return {}
    data = header.read(file, 104)
    at = 88 if data[:1] == b"\1" else 76
    width, height = struct.unpack(">II", data[at : at + 8].ljust(8, b"\0"))
    known = width >> 16 and height >> 16
    return {
        "width": width >> 16 if known else None,
        "height": height >> 16 if known else None,
        "codec": codec or None,
    }
