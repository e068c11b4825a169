"""What documents, sound and films hold, each by its reader; a problem is a warning."""

import functools
import re
from typing import Any, BinaryIO

from ingest.builtin import audio, pdf, video
from ingest.builtin.clean_text import clean_text
from ingest.builtin.documents import is_document, read_document
from ingest.builtin.mp4 import read_mp4

_MP4_FILMS = frozenset(
    {"video/3gpp", "video/3gpp2", "video/mp4", "video/quicktime", "video/x-f4v", "video/x-m4v"}
)
_MP4_SOUND = "audio/mp4"
_REASON_LIMIT = 200
_OBJECT = re.compile(r"(?:stream )?<[^<>]* at 0x[0-9a-f]+>")


@functools.lru_cache(maxsize=1000)
def is_readable(kind: str) -> bool:
    """Return whether a file of this type has more to read than text or an image."""
    return (
        is_document(kind)
        or kind in _MP4_FILMS
        or kind == _MP4_SOUND
        or audio.can_read(kind)
        or video.can_read(kind)
        or (kind == "application/pdf" and pdf.can_read())
    )


def read_contents(file: BinaryIO, kind: str, size: int) -> tuple[dict[str, Any], str | None]:
    """
    Return the metadata of a file by groups, and a warning if its reader failed.

    Raises:
        OSError: the disk failed.
    """
    try:
        return _read(file, kind, size), None
    except Exception as error:  # Readers raise almost any exception on damaged data.
        if isinstance(error, OSError) and type(error) is OSError and error.errno is not None:
            raise  # the disk's error
        text = _OBJECT.sub("file", str(error).partition("\n")[0])
        reason = clean_text(text, _REASON_LIMIT) or type(error).__name__
        return {}, f"metadata cannot be read: {reason}"


def _read(file: BinaryIO, kind: str, size: int) -> dict[str, Any]:
    if is_document(kind):
        return read_document(file, kind, size)
    if kind == "application/pdf":
        return pdf.read_pdf(file, size)
    if kind in _MP4_FILMS:
        group, fields = "video", read_mp4(file, size, "video")
    elif kind.startswith("video/"):
        group, fields = "video", video.read_video(file, kind)
    else:
        group, fields = "audio", read_mp4(file, size, "audio") if kind == _MP4_SOUND else {}
        if audio.can_read(kind):
            fields |= audio.read_audio(file)
    return {group: fields} if fields else {}
