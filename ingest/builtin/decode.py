"""
The check that an image can be decoded, by Pillow; without Pillow no image is checked.

With pillow-heif, the extra `[heif]`, the headers of HEIF images are checked too.

An image is decoded, not only opened, because a truncated file often has a valid beginning. Of
several frames or pages only the first is decoded. Only the decoder of the signature is tried.

A problem is one of three kinds: the image is broken, it is sound as far as is known but not
supported by this decoder, or it is too large to decode.
"""

import functools
import importlib
import io
import os
import re
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, cast

from ingest.builtin.clean_text import clean_text
from ingest.builtin.options import MAX_PIXELS
from ingest.builtin.png import TEXTS, chunks
from ingest.builtin.signature_rules import ICO

if TYPE_CHECKING:
    from PIL.Image import Image

# Some decoders hold the whole file in memory; a larger file is hashed, not decoded.
MAX_BYTES = 512 * 1024 * 1024

# Pillow's plugin and format for each type that it decodes without another program.
_DECODERS = MappingProxyType(
    {
        "image/avif": ("Avif", "AVIF"),
        "image/bmp": ("Bmp", "BMP"),
        "image/gif": ("Gif", "GIF"),
        "image/jpeg": ("Jpeg", "JPEG"),
        "image/png": ("Png", "PNG"),
        "image/tiff": ("Tiff", "TIFF"),
        "image/webp": ("WebP", "WEBP"),
        ICO: ("Ico", "ICO"),
    }
)
_HEIF = frozenset({"image/heic", "image/heif"})
_UNSUPPORTED = re.compile(
    r"unsupported|not supported|cannot handle|not available|not implemented|not configured"
    r"|unknown (?:pixel mode|file mode|data organization|compression|raw mode)"
    r"|unrecognized (?:raw )?mode|bad configuration",
    re.IGNORECASE,
)
_REASON_LIMIT = 200


NO_HEADER = "its header cannot be read"
"""The reason where the decoder does not recognise the format behind the signature."""


class Kind(StrEnum):
    """What kind of problem an image has."""

    BROKEN = "broken image"
    UNSUPPORTED = "unsupported image"
    TOO_LARGE = "image too large to decode"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of an image; the text begins with its kind."""

    kind: Kind
    reason: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"


def format_name(media_type: str) -> str | None:
    """Return Pillow's name of an image type that it can decode, whether it is installed or not."""
    return _DECODERS[media_type][1] if media_type in _DECODERS else None


def can_decode(media_type: str | None) -> bool:
    """Return whether an image of this type can be decoded here."""
    return media_type in _DECODERS and _opener(media_type) is not None


def find_problem(
    file: BinaryIO, media_type: str, size: int, *, max_pixels: int = MAX_PIXELS
) -> Problem | None:
    """
    Decode the image in `file` from its start; return its problem, or None.

    In a process's main thread, as in a worker, Pillow's warnings and what libtiff writes to the
    standard error are suppressed. In another thread they are not: both are the whole process's.

    Raises:
        OSError: the disk failed.
    """
    if media_type in _HEIF:
        return _heif_problem(file)
    opener = _opener(media_type) if media_type in _DECODERS else None
    if opener is None:
        return None
    if size > MAX_BYTES:
        return Problem(Kind.TOO_LARGE, f"{size:,} bytes; the limit is {MAX_BYTES:,}")
    problem = _decoded(opener, file, media_type, max_pixels)
    if problem is not None and media_type == "image/png" and "text" in problem.reason.lower():
        # Pillow refuses texts of more than 1 MiB; the pixels are checked without them.
        with io.BytesIO(_without_texts(file, size)) as bare:
            return _decoded(opener, bare, media_type, max_pixels)
    return problem


@functools.cache
def _opener(media_type: str) -> Callable[[BinaryIO], "Image"] | None:
    """Return the format's opener; None without Pillow or without the format's library."""
    plugin, name = _DECODERS[media_type]
    try:
        pillow = importlib.import_module("PIL.Image")
        # Without this Pillow imports all of its plugins to find one.
        module = importlib.import_module(f"PIL.{plugin}ImagePlugin")
    except ImportError:
        return None
    if not getattr(module, "SUPPORTED", True):
        return None
    # `Image.open` would refuse a large image before its size is known here.
    factory = pillow.OPEN[name][0]
    return lambda file: factory(file, "")


def _heif_problem(file: BinaryIO) -> Problem | None:
    """Return the problem of a HEIF's header, which pillow-heif reads; decoding takes seconds."""
    reader = _heif_reader()
    if reader is None:
        return None
    try:
        file.seek(0)
        reader(file)
    except Exception as error:  # noqa: BLE001 (almost any exception on broken data)
        return _problem(error, "")
    return None


@functools.cache
def _heif_reader() -> Callable[[BinaryIO], object] | None:
    """Return what opens a HEIF; None without the extra `[heif]`."""
    try:
        opener = importlib.import_module("pillow_heif").open_heif
    except ImportError:
        return None
    return cast("Callable[[BinaryIO], object]", opener)


def _decoded(
    opener: Callable[[BinaryIO], "Image"], file: BinaryIO, media_type: str, max_pixels: int
) -> Problem | None:
    with _without_warnings(), _captured_stderr(wanted=media_type == "image/tiff") as printed:
        try:
            file.seek(0)
            image = opener(file)
            width, height = image.size
            # A JPEG is decoded at an eighth of its size: all of it is read, in half the time and
            # memory. Of a progressive one all coefficients are held nevertheless.
            image.draft("L", (1, 1))
            if not image.info.get("progressive"):
                width, height = image.size
            if width * height > max_pixels:
                pixels = f"{width:,} x {height:,} pixels; the limit is {max_pixels:,}"
                return Problem(Kind.TOO_LARGE, pixels)
            image.load()
        except Exception as error:  # Decoders raise almost any exception on broken data.
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's error, not the image's
            return _problem(error, printed())
    return None


def _problem(error: Exception, printed: str) -> Problem:
    """Return the problem that Pillow raised; `printed` is what a library wrote beside it."""
    name = type(error).__name__
    reason = clean_text(str(error).partition("\n")[0], _REASON_LIMIT) or name
    if name.startswith("DecompressionBomb") or isinstance(error, MemoryError):
        return Problem(Kind.TOO_LARGE, reason)
    if isinstance(error, KeyError):  # a table of Pillow's lacks the value
        return Problem(Kind.UNSUPPORTED, f"{name}: {reason}")
    if isinstance(error, NotImplementedError) or _UNSUPPORTED.search(f"{error} {printed}"):
        return Problem(Kind.UNSUPPORTED, reason)
    if isinstance(error, SyntaxError | TypeError | IndexError | struct.error):
        reason = NO_HEADER
    return Problem(Kind.BROKEN, reason)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress warnings in the main thread, and raise Pillow's of a decompression bomb."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    bomb = importlib.import_module("PIL.Image").DecompressionBombWarning
    with warnings.catch_warnings(action="ignore"):
        warnings.simplefilter("error", bomb)
        yield


@contextmanager
def _captured_stderr(*, wanted: bool) -> Iterator[Callable[[], str]]:
    """Capture what C code writes to the standard error; return a function that reads it."""
    is_main = threading.current_thread() is threading.main_thread()
    if not wanted or not is_main or not hasattr(os, "memfd_create"):
        yield str
        return
    captured = os.memfd_create("stderr", os.MFD_CLOEXEC)
    own = os.dup(2)
    os.dup2(captured, 2)
    try:
        yield lambda: os.pread(captured, 4096, 0).decode("utf-8", "replace")
    finally:
        os.dup2(own, 2)
        os.close(own)
        os.close(captured)


def _without_texts(file: BinaryIO, size: int) -> bytes:
    """Return a PNG without its text chunks."""
    file.seek(0)
    parts = [file.read(8)]
    at = 8
    for name, start, length in chunks(file, size):
        if name not in TEXTS:
            file.seek(start - 8)
            parts.append(file.read(length + 12))
        at = start + length + 4
    file.seek(at)
    return b"".join([*parts, file.read()])
