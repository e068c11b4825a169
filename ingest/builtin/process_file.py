"""
The built-in processor: hash, media type and metadata of one file.

It runs in a worker process. A small file is opened once, read with one call and examined in
memory. A larger file is read through one buffer, so memory does not grow with the file.
"""

import errno
import hashlib
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ingest.builtin.clean_text import truncated_fields
from ingest.builtin.contents import is_readable, read_contents
from ingest.builtin.decode import Kind
from ingest.builtin.image import Examination, ImageError, can_examine, examine
from ingest.builtin.media_type import (
    EMPTY,
    OCTET_STREAM,
    Identity,
    identify,
    is_textual,
    type_of_name,
)
from ingest.builtin.options import DEFAULT, Options, Verify
from ingest.builtin.text import MAX_COUNTED, TextScan
from ingest.outcome import Outcome

# Files up to this size are read whole, larger ones in pieces of this size. 256 KiB stay in a core's
# cache between the read and the hash; pieces of 1 MiB are not faster and often slower.
PIECE = 256 * 1024

# Since it was found, a file may have been replaced by a link, a FIFO or a terminal: do not follow a
# link, wait for a FIFO's writer, or make a terminal the controlling one.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


_GROUPS = frozenset({"image", "audio", "video", "document"})
_PICTURES = ("image/", "video/x-flic")


class FileInspection(NamedTuple):
    """The result of the inspection of one file that is not an error."""

    sha256: str
    media_type: str
    metadata: dict[str, Any]
    counters: dict[str, int]
    warning: str | None


@dataclass(frozen=True, slots=True)
class BuiltinProcessor:
    """`process_file` with options: a value that can be pickled to a worker."""

    options: Options

    def __call__(self, path: Path | str) -> Outcome:
        """Return the outcome of one file; see `process_file`."""
        return process_file(path, self.options)


def process_file(path: Path | str, options: Options = DEFAULT) -> Outcome:
    """
    Return one file's SHA-256, its media type, and the metadata of an image or a text.

    Exactly the bytes that the file had when it was opened are read, and `counters["bytes"]` is
    their number. Data that is appended while the file is read is ignored.

    Raises:
        OSError: the file cannot be opened or read, is not a regular file, or was truncated while
            it was read; `strerror` is the whole message.
        ImageError: its image is broken; `outcome` is what is known of it.
    """
    sha256, kind, metadata, counters, warning = inspect_file(path, options)
    return Outcome({"sha256": sha256, "media_type": kind, **metadata}, counters, warning)


def inspect_file(path: Path | str, options: Options = DEFAULT) -> FileInspection:
    """Return the same as `process_file`, as separate parts."""
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
        return _process(fd, status.st_size, os.path.splitext(path)[1], options)
    finally:
        os.close(fd)


def _process(fd: int, size: int, suffix: str, options: Options) -> FileInspection:
    """Return the inspection of an open file of `size` bytes."""
    scan = TextScan()
    if size <= PIECE:
        head = _read(fd, size)
        sha256 = hashlib.sha256(head).hexdigest()
        scan.feed(head)
    else:
        sha256, head = _read_in_pieces(fd, size, scan)
    kind, is_mismatch = identify(head, suffix, text=scan.is_text) if size else Identity(EMPTY)
    found, error, warning = Examination({})
    if is_textual(kind) and scan.is_text and size <= MAX_COUNTED:
        found = scan.found()
    if kind.startswith(_PICTURES):
        # The same open file, not its path, which may name another file by now.
        with io.BytesIO(head) if size <= PIECE else os.fdopen(fd, "rb", closefd=False) as file:
            image, error, warning = examine(file, kind, size, options)
        found = {**found, **image}
    elif is_readable(kind):
        with io.BytesIO(head) if size <= PIECE else os.fdopen(fd, "rb", closefd=False) as file:
            contents, warning = read_contents(file, kind, size)
        found = {**found, **contents}
    elif (
        kind == OCTET_STREAM
        and options.verify is not Verify.NONE
        and can_examine(type_of_name(suffix))
    ):
        error = f"{Kind.BROKEN}: unknown content, but the name ends in {suffix.lower()}"
    if not _GROUPS.isdisjoint(found):
        _list_truncated(found)
    counters = {
        "bytes": size,
        "metadata_extracted": 1 if found else 0,
        "keywords_added": len(found.get("keywords", ())),
    }
    if is_mismatch:
        found["extension_mismatch"] = True
    if error:
        known = {"sha256": sha256, "media_type": kind, **found}
        raise ImageError(error, Outcome(known, counters, warning))
    return FileInspection(sha256, kind, found, counters, warning)


def _list_truncated(found: dict[str, Any]) -> None:
    """Add the truncated texts of the groups to `truncated`."""
    names = [
        each for group in sorted(_GROUPS) for each in truncated_fields(group, found.get(group, {}))
    ]
    if names:
        found["truncated"] = [*found.get("truncated", ()), *names]


def _read(fd: int, size: int) -> bytes:
    """Return the next `size` bytes, which may take several reads."""
    data = os.read(fd, size)
    while len(data) < size:
        more = os.read(fd, size - len(data))
        if not more:
            raise _truncated(len(data), size)
        data += more
    return data


def _read_in_pieces(fd: int, size: int, scan: TextScan) -> tuple[str, bytes]:
    """Return the SHA-256 and the first piece; `scan` receives the pieces until one is not text."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(PIECE))
    head = b""
    done = 0
    scanning = True
    with io.FileIO(fd, closefd=False) as file:
        while done < size:
            read = file.readinto(buffer[: size - done])
            if not read:
                raise _truncated(done, size)
            piece = buffer[:read]
            digest.update(piece)
            done += read
            head = head or bytes(piece)
            if scanning:
                scanning = scan.feed(bytes(piece), final=done == size) and size <= MAX_COUNTED
    return digest.hexdigest(), head


def _truncated(done: int, size: int) -> OSError:
    return OSError(errno.EIO, f"truncated while it was read: {done:,} of {size:,} bytes remained")
