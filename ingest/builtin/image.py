"""
Images, examined by Pillow; without Pillow no image is examined.

An image is decoded, not only opened, because a truncated file often has a valid beginning. Of
several frames or pages only the first is decoded. Only the decoder of the signature is tried.
"""

import functools
import importlib
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from ingest.builtin import exif
from ingest.builtin.clean_text import (
    MAX_TEXT,
    are_truncated,
    clean_keywords,
    clean_text,
    clean_texts,
    is_truncated,
    split_keywords,
    truncated_texts,
)
from ingest.builtin.keywords import MAX_XMP, iptc_keywords, xmp_keywords
from ingest.builtin.signatures import ICO
from ingest.errors import MessageError

if TYPE_CHECKING:
    from PIL.Image import Image

# Pillow's own limit, above which it warns of a decompression bomb: 256 MiB at 24 bits. Pillow
# decodes up to twice that; here the limit is strict, as a worker on each core may decode at once.
MAX_PIXELS = 89_478_485

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
# Orientations that exchange width and height for display.
_TURNED = frozenset({5, 6, 7, 8})
_XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_IPTC_IN_TIFF = 33723
_IPTC_IN_PHOTOSHOP = 0x0404
_NO_TEXT = ("xml:com.adobe.xmp", "raw profile type")


class ImageError(MessageError, ValueError):
    """An image that is broken, or too large to decode."""


def can_examine(media_type: str | None) -> bool:
    """Return whether an image of this type can be decoded here."""
    return media_type in _DECODERS and _opener(media_type) is not None


def examine(file: BinaryIO, media_type: str, size: int) -> dict[str, Any]:
    """
    Return the metadata of the image in `file`, which is decoded from its start.

    The metadata is `format`, `width` and `height`, and where the image has them `exif`, `text` and
    `keywords`. It is empty if the image cannot be decoded here.

    In a process's main thread, as in a worker, Pillow's warnings are silenced. In another thread
    the host's filters apply: Python cannot change them for one thread alone.

    Raises:
        ImageError: the image is broken, or has more than `MAX_PIXELS`.
    """
    opener = _opener(media_type) if media_type in _DECODERS and size <= MAX_BYTES else None
    if opener is None:
        return {}
    with _without_warnings():
        try:
            return _examined(opener(file))
        except ImageError:
            raise
        except Exception as error:  # Decoders raise almost any exception on broken data.
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's error, not the image's
            unknown = type(error).__name__ == "UnidentifiedImageError"
            if unknown and media_type == "image/tiff" and _has_directory(file, size):
                return {}  # a kind of TIFF that Pillow does not know is most likely valid
            raise ImageError(_message(error)) from error


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
    supported = getattr(module, "SUPPORTED", True)
    return functools.partial(pillow.open, formats=(name,)) if supported else None


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence warnings in the main thread, and raise Pillow's of a decompression bomb."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    bomb = importlib.import_module("PIL.Image").DecompressionBombWarning
    with warnings.catch_warnings(action="ignore"):
        warnings.simplefilter("error", bomb)
        yield


def _examined(image: "Image") -> dict[str, Any]:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(f"image of {width:,} x {height:,} pixels; the limit is {MAX_PIXELS:,}")
    width, height = _stored_size(image)
    found: dict[str, Any] = {"format": image.format, "width": width, "height": height}
    # A PNG's EXIF may follow its pixels; Pillow removes a TIFF's orientation when it decodes.
    tags = {} if image.format == "PNG" else _exif_tags(image)
    # A JPEG is decoded at an eighth of its size: all of it is read, in half the time and memory.
    image.draft("L", (1, 1))
    image.load()
    tags = tags or _exif_tags(image)
    texts = dict(_texts(image))
    fields = exif.exif_fields(tags, big_endian=_is_big_endian(image)) if tags else {}
    turned = fields.get("orientation", 1) in _TURNED
    found["display_width"], found["display_height"] = (height, width) if turned else (width, height)
    text = clean_texts(texts)
    all_keywords = list(_keywords(image, tags, texts))
    keywords = clean_keywords(all_keywords)
    truncated = [
        *(f"exif.{name}" for name, value in fields.items() if is_truncated(value, MAX_TEXT)),
        *truncated_texts(texts, text),
        *(["keywords"] if are_truncated(all_keywords, keywords) else []),
    ]
    groups = {"exif": fields, "text": text, "keywords": keywords, "truncated": truncated}
    return found | {name: group for name, group in groups.items() if group}


def _stored_size(image: "Image") -> tuple[int, int]:
    """Return width and height as stored; Pillow turns a TIFF's by its orientation."""
    tags = getattr(image, "tag_v2", {})
    width, height = tags.get(_TIFF_WIDTH), tags.get(_TIFF_HEIGHT)
    if isinstance(width, int) and isinstance(height, int):
        return width, height
    return image.size


@functools.cache
def _tag_names() -> Mapping[int, str]:
    """Return the names of the tags that are recorded, from Pillow's table."""
    names = importlib.import_module("PIL.ExifTags").TAGS
    return {tag: name for tag, name in names.items() if name in exif.TAGS}


def _exif_tags(image: "Image") -> dict[str, Any]:
    """Return the recorded tags of the main and the Exif directory by name; none if damaged."""
    try:
        main = image.getexif()
        tags = {**main, **main.get_ifd(importlib.import_module("PIL.ExifTags").IFD.Exif)}
    except Exception:  # noqa: BLE001 (almost any exception; the picture can still be seen)
        return {}
    names = _tag_names()
    return {names[tag]: value for tag, value in tags.items() if tag in names}


def _is_big_endian(image: "Image") -> bool:
    """Return whether the EXIF block, which was read without an error, is big-endian."""
    return getattr(image.getexif(), "endian", "<") == ">"


def _texts(image: "Image") -> dict[str, str | bytes]:
    """Return texts by name: a PNG's chunks, the comment of a JPEG or GIF."""
    texts = getattr(image, "text", None) or {"Comment": image.info.get("comment", "")}
    return {name: text for name, text in texts.items() if not name.lower().startswith(_NO_TEXT)}


def _keywords(
    image: "Image", tags: Mapping[str, Any], texts: Mapping[str, str | bytes]
) -> Iterator[str]:
    """Return the keywords of each source one after another, repeated ones included."""
    for name, text in texts.items():
        if name.lower() in ("keywords", "tags"):
            yield from split_keywords(str(text))
    yield from iptc_keywords(_iptc_block(image))
    yield from xmp_keywords(_xmp_packet(image))
    yield from exif.exif_keywords(tags)


def _iptc_block(image: "Image") -> bytes:
    """Return the IPTC block of a JPEG or TIFF; empty if there is none."""
    photoshop = image.info.get("photoshop")
    block = photoshop.get(_IPTC_IN_PHOTOSHOP) if isinstance(photoshop, dict) else None
    if block is None:
        block = getattr(image, "tag_v2", {}).get(_IPTC_IN_TIFF)
    return block if isinstance(block, bytes) else b""


def _xmp_packet(image: "Image") -> bytes:
    """Return the XMP packet; empty if there is none or it is too large."""
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if not packet:  # before Pillow 11 a JPEG's packet was in its segments only
        for name, segment in getattr(image, "applist", ()):
            if name == "APP1" and segment.startswith(_XMP_SEGMENT):
                packet = segment.removeprefix(_XMP_SEGMENT)
    if isinstance(packet, str):
        packet = packet.encode("utf-8", "replace")
    return packet if isinstance(packet, bytes) and len(packet) <= MAX_XMP else b""


def _has_directory(file: BinaryIO, size: int) -> bool:
    """Return whether a TIFF holds its directory, often at the end; if not, it is truncated."""
    file.seek(0)
    head = file.read(16)
    order: Literal["little", "big"] = "little" if head.startswith(b"II") else "big"
    big = 43 in head[2:4]  # BigTIFF: offsets of 8 bytes, entries of 20
    at = int.from_bytes(head[8:16] if big else head[4:8], order)
    file.seek(min(at, size))
    entries = int.from_bytes(file.read(8 if big else 2), order)
    return at >= 8 and at + (16 + 20 * entries if big else 6 + 12 * entries) <= size


def _message(error: Exception) -> str:
    """Return the text of an `ImageError` for what Pillow raised."""
    if type(error).__name__.startswith("DecompressionBomb"):
        return f"image too large to decode: {error}"
    if type(error).__name__ == "UnidentifiedImageError":
        return "broken image: its header cannot be read"
    reason = clean_text(str(error).partition("\n")[0], 200)
    return f"broken image: {reason or type(error).__name__}"
