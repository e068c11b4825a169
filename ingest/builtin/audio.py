"""Tags and duration of sound files, by tinytag: the extra `[audio]`."""

import functools
import importlib
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, BinaryIO

from ingest.builtin.clean_text import clean_text

_TEXTS = ("title", "artist", "album", "albumartist", "composer", "genre", "year")
_NUMBERS = ("duration", "bitrate", "samplerate", "channels", "track", "disc")
_NAMES: Mapping[str, str] = MappingProxyType(
    {"albumartist": "album_artist", "samplerate": "sample_rate"}
)

FIELDS = frozenset({_NAMES.get(name, name) for name in (*_TEXTS, *_NUMBERS)} | {"codec", "created"})
"""The fields that are recorded of sound, here or of MP4."""

_TYPES = frozenset(
    {
        "audio/flac", "audio/mp4", "audio/mpeg", "audio/ogg", "audio/opus", "audio/x-aiff",
        "audio/x-ms-wma", "audio/x-wav",
    }
)  # fmt: skip


def can_read(kind: str) -> bool:
    """Return whether sound of this type can be read here."""
    return kind in _TYPES and _reader() is not None


def read_audio(file: BinaryIO) -> dict[str, Any]:
    """
    Return the fields of the sound in `file`.

    Raises:
        Exception: any that tinytag raises on a damaged file.
    """
    reader = _reader()
    if reader is None:
        return {}
    file.seek(0)
    tag = reader.get(file_obj=file)
    found: dict[str, Any] = {}
    for name in _TEXTS:
        value = getattr(tag, name, None)
        if value is not None and (text := clean_text(value)):
            found[_NAMES.get(name, name)] = text
    for name in _NUMBERS:
        value = getattr(tag, name, None)
        if isinstance(value, int | float) and math.isfinite(value) and value > 0:
            found[_NAMES.get(name, name)] = round(value, 3)
    return found


@functools.cache
def _reader() -> Any:
    try:
        return importlib.import_module("tinytag").TinyTag
    except ImportError:
        return None
