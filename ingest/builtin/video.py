"""
Duration, size and codecs of films, by PyAV: the extra `[video]`.

The demuxer is that of the file's signature. FFmpeg is never left to guess: a playlist or a list of
parts, whatever its name, would have it open other files and addresses.
"""

import functools
import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, BinaryIO

from ingest.builtin.clean_text import clean_text
from ingest.builtin.dates import iso_date

FIELDS = frozenset(
    {"duration", "width", "height", "codec", "audio_codec", "frame_rate", "created", "title"}
)
"""The fields that are recorded of a film, here or of MP4."""

_DEMUXERS: Mapping[str, str] = MappingProxyType(
    {
        "video/mp2t": "mpegts",
        "video/mpeg": "mpeg",
        "video/ogg": "ogg",
        "video/webm": "matroska",
        "video/x-flv": "flv",
        "video/x-matroska": "matroska",
        "video/x-ms-asf": "asf",
        "video/x-ms-wmv": "asf",
        "video/x-msvideo": "avi",
    }
)
_PROBED = "1000000"  # bytes, from which FFmpeg learns what the streams hold
_MAX_SECONDS = 10_000 * 3600
_MAX_RATE = 100_000
_TIME_BASE = 1_000_000


def can_read(kind: str) -> bool:
    """Return whether films of this type can be read here."""
    return kind in _DEMUXERS and _module() is not None


def read_video(file: BinaryIO, kind: str) -> dict[str, Any]:
    """
    Return the fields of the film in `file`; nothing is decoded.

    Raises:
        Exception: any that PyAV raises on a damaged file.
    """
    av = _module()
    if av is None:
        return {}
    file.seek(0)
    options = {"probesize": _PROBED, "analyzeduration": "1000000"}
    with av.open(file, format=_DEMUXERS[kind], options=options, metadata_errors="ignore") as film:
        found: dict[str, Any] = {}
        seconds = (film.duration or 0) / _TIME_BASE
        if 0 < seconds < _MAX_SECONDS:
            found["duration"] = round(seconds, 3)
        for stream in film.streams.video[:1]:
            found |= _picture(stream)
        for stream in film.streams.audio[:1]:
            found["audio_codec"] = _codec(stream)
        found["created"] = iso_date(clean_text(film.metadata.get("creation_time", ""), 100))
        found["title"] = clean_text(film.metadata.get("title", ""))
    return {name: value for name, value in found.items() if value}


def _picture(stream: Any) -> dict[str, Any]:
    rate = float(stream.average_rate or 0)
    return {
        "width": stream.width,
        "height": stream.height,
        "codec": _codec(stream),
        "frame_rate": round(rate, 3) if 0 < rate < _MAX_RATE else None,
    }


def _codec(stream: Any) -> str | None:
    context = stream.codec_context
    return str(context.name) if context is not None else None


@functools.cache
def _module() -> Any:
    try:
        return importlib.import_module("av")
    except ImportError:
        return None
