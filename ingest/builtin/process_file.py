"""
What is done with each file: the built-in processor.

It runs in a worker process, on small files by the hundred thousand: each is opened once, read
with one call and looked at in memory. A larger one is read through one buffer; memory does not
grow with it.
"""

import errno
import hashlib
import io
import os
import stat
from pathlib import Path
from typing import Any, NamedTuple

from ingest.builtin.image import ImageError, can_examine, examine
from ingest.builtin.media_type import EMPTY, OCTET_STREAM, is_textual, media_type, type_of_name
from ingest.builtin.text import MAX_COUNTED, TextScan
from ingest.outcome import Outcome

# Read whole up to this, and in pieces of this above: 256 KiB stay in a core's cache between the
# read and the hash, which at 1 MiB is no faster and often slower.
PIECE = 256 * 1024

# What was a file when it was found may have become a link, a FIFO or a terminal: do not follow
# it, do not wait for its writer, do not be controlled by it.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class FileInspection(NamedTuple):
    """What was found in one file."""

    sha256: str
    media_type: str
    metadata: dict[str, Any]
    counters: dict[str, int]


def process_file(path: Path | str) -> Outcome:
    """
    Hash one file, tell its media type, and read what an image or a text says of itself.

    Exactly the bytes that the file had when it was opened are read: `counters["bytes"]` is how
    many were hashed, and what is appended meanwhile is left for the next time.

    Raises:
        OSError: the file cannot be opened or read, is no regular file (a link is none), or was
            cut short while it was read; `strerror` says it all.
        ImageError: its image is broken or too large to decode.
    """
    sha256, kind, metadata, counters = inspect_file(path)
    return Outcome({"sha256": sha256, "media_type": kind, **metadata}, counters)


def inspect_file(path: Path | str) -> FileInspection:
    """Do as `process_file` does, and give what was found part by part."""
    try:
        fd = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "a symbolic link, not a regular file") from None
        raise
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return _process(fd, status.st_size, os.path.splitext(path)[1])
    finally:
        os.close(fd)


def _process(fd: int, size: int, suffix: str) -> FileInspection:
    scan = TextScan()
    if size <= PIECE:
        head = _read(fd, size)
        sha256 = hashlib.sha256(head).hexdigest()
        scan.feed(head)
    else:
        sha256, head = _read_in_pieces(fd, size, scan)
    kind = media_type(head, suffix, text=scan.is_text) if size else EMPTY
    found: dict[str, Any] = {}
    if is_textual(kind):
        if scan.is_text and size <= MAX_COUNTED:
            found = scan.found()
    elif kind.startswith("image/"):
        # The same open file, never the path again: that may be another file by now.
        with io.BytesIO(head) if size <= PIECE else os.fdopen(fd, "rb", closefd=False) as file:
            found = examine(file, kind, size)
    elif kind == OCTET_STREAM and can_examine(type_of_name(suffix)):
        raise ImageError(f"broken image: nothing known, though its name ends in {suffix.lower()}")
    counters = {
        "bytes": size,
        "metadata_extracted": 1 if found else 0,
        "keywords_added": len(found.get("keywords", ())),
    }
    return FileInspection(sha256, kind, found, counters)


def _read(fd: int, size: int) -> bytes:
    data = os.read(fd, size)
    while len(data) < size:
        more = os.read(fd, size - len(data))
        if not more:
            raise _cut_short(len(data), size)
        data += more
    return data


def _read_in_pieces(fd: int, size: int, scan: TextScan) -> tuple[str, bytes]:
    """The file's SHA-256 and its first piece; the scan is fed while it finds text."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(PIECE))
    head = b""
    done = 0
    scanning = True
    with io.FileIO(fd, closefd=False) as file:
        while done < size:
            read = file.readinto(buffer[: size - done])
            if not read:
                raise _cut_short(done, size)
            piece = buffer[:read]
            digest.update(piece)
            done += read
            head = head or bytes(piece)
            if scanning:
                scanning = scan.feed(bytes(piece), final=done == size) and size <= MAX_COUNTED
    return digest.hexdigest(), head


def _cut_short(done: int, size: int) -> OSError:
    return OSError(errno.EIO, f"cut short while it was read: {done:,} of {size:,} bytes were left")
