"""
The media type of a file: by its content, and by its name where the content does not decide.

A format's signature decides. Without one the name's extension does, unless the content contradicts
it: text is not a PNG, and bytes with NULs are not a `.csv`. The table of extensions is our own, so
the result is the same on every Python and every system. Where name and content disagree, that is
recorded too.
"""

import codecs
import functools
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ingest.builtin.extensions import types_by_extension
from ingest.builtin.signature_rules import ICO
from ingest.builtin.signatures import type_of_signature
from ingest.builtin.zip_types import ZIP, is_zip_type

EMPTY = "inode/x-empty"  # as the `file` command calls it
OCTET_STREAM = "application/octet-stream"
TEXT = "text/plain"

# Images that always begin with a signature: an extension alone does not prove them.
_SIGNED_IMAGES = frozenset(
    {
        "image/avif",
        "image/bmp",
        "image/gif",
        "image/heic",
        "image/heif",
        "image/jpeg",
        "image/png",
        "image/tiff",
        "image/webp",
        ICO,
    }
)

# Textual types that are not named `text/`, `+xml` or `+json`.
_TEXTUAL = frozenset(
    {
        "application/json",
        "application/mbox",
        "application/n-quads",
        "application/n-triples",
        "application/postscript",
        "application/rtf",
        "application/sql",
        "application/toml",
        "application/trig",
        "application/x-csh",
        "application/typescript",
        "application/vnd.apple.mpegurl",
        "application/x-latex",
        "application/x-mif",
        "application/x-ndjson",
        "application/x-pem-file",
        "application/x-sh",
        "application/x-shar",
        "application/x-subrip",
        "application/x-tcl",
        "application/x-tex",
        "application/x-texinfo",
        "application/xml",
        "application/yaml",
        "audio/x-mpegurl",
        "audio/x-scpls",
        "image/vnd.dxf",
        "image/x-portable-anymap",
        "image/x-portable-bitmap",
        "image/x-portable-graymap",
        "image/x-portable-pixmap",
        "image/x-xbitmap",
        "image/x-xpixmap",
        "message/rfc822",
        "model/obj",
        "model/stl",
        "model/x-ply",
    }
)
_TEXTUAL_FAMILIES = ("text/", "application/x-troff")

# Formats whose signature is text, and may begin a file that is text throughout.
_SIGNED_TEXT = frozenset(("application/pdf", "application/postscript", "application/rtf"))

# The first element's name, after declarations and comments. The quantifier is possessive, so that
# hostile markup causes no backtracking, and the search is limited to the first bytes.
_ROOT = re.compile(
    rb"(?:\s+|<\?.*?\?>|<!--.*?-->|<!doctype[^>\[]*(?:\[.*?\]\s*)?>)*+<(?:\w+:)?(\w+)",
    re.DOTALL | re.IGNORECASE,
)
_MARKUP_SEARCHED = 4096


# Types that one name stands for, or that programs exchange: their difference is not an error.
_RELATED = (
    frozenset(
        {"audio/mp4", "video/3gpp", "video/3gpp2", "video/mp4", "video/quicktime", "video/x-f4v"}
        | {"video/x-m4v"}
    ),
    frozenset({"audio/x-matroska", "video/webm", "video/x-matroska"}),
    frozenset({"audio/ogg", "audio/opus", "video/ogg"}),
    frozenset({"audio/x-ms-wma", "video/x-ms-asf", "video/x-ms-wmv"}),
    frozenset({"audio/mpeg", "video/mpeg"}),
    frozenset({"audio/aac", "audio/mpeg"}),
    frozenset({"image/heic", "image/heif"}),
    frozenset({"image/apng", "image/png"}),
    frozenset({"image/jp2", "image/jpx"}),
    frozenset({"application/pdf", "application/postscript"}),
    frozenset({"application/x-font-type1", "application/postscript"}),
    frozenset({"font/otf", "font/ttf", "font/collection"}),
    frozenset({"application/x-hdf5", "application/x-netcdf", "application/x-matlab-data"}),
    frozenset({"application/vnd.apache.arrow.file", "application/x-feather"}),
    frozenset({"application/x-mobipocket-ebook", "application/vnd.amazon.ebook"}),
    frozenset({"video/mp2t", "application/typescript"}),
    frozenset({"application/x-archive", "application/vnd.debian.binary-package"}),
)
# Extensions that stand for something else where the content is text.
_OF_TEXT: Mapping[str, str] = MappingProxyType(
    {".dot": "text/vnd.graphviz", ".mts": "application/typescript", ".obj": "model/obj"}
)
_PNM = "image/x-portable-"


class Identity(NamedTuple):
    """The type of a file, and whether its extension stands for another one."""

    media_type: str
    is_mismatch: bool = False


def identify(head: bytes, suffix: str, *, text: bool) -> Identity:
    """
    Return the identity of a file that begins with `head` and whose name ends in `suffix`.

    `text` states whether the content that was read is text. `head` is at least 512 bytes or the
    whole file, and is not empty.
    """
    suffix = suffix.lower()
    by_name = (_OF_TEXT.get(suffix) if text else None) or type_of_name(suffix)
    kind = _type(head, suffix, by_name, text=text)
    return Identity(kind, by_name is not None and not _agree(by_name, kind, text=text))


def media_type(head: bytes, suffix: str, *, text: bool) -> str:
    """Return the type of a file; see `identify`."""
    return identify(head, suffix, text=text).media_type


def _type(head: bytes, suffix: str, by_name: str | None, *, text: bool) -> str:
    signed = type_of_signature(head, suffix, text=text)
    if signed and (not text or _outweighs_text(signed, head, by_name)):
        return signed
    if text:
        return _type_of_text(head, by_name)
    if by_name is None or by_name in _SIGNED_IMAGES or (is_textual(by_name) and b"\0" in head):
        return OCTET_STREAM
    return by_name


def _agree(by_name: str, kind: str, *, text: bool) -> bool:
    """Return whether a file may have this type and this type's name."""
    if by_name == kind or (text and is_textual(by_name) and is_textual(kind)):
        return by_name != "image/svg+xml" or kind == by_name
    if any(by_name in group and kind in group for group in _RELATED):
        return True
    if by_name == ZIP and is_zip_type(kind):
        return True
    if by_name == "image/tiff" or kind == "image/tiff":  # raw photos are kinds of TIFF
        return kind.startswith("image/x-") and by_name.startswith("image/")
    return by_name.startswith(_PNM) and kind.startswith(_PNM)


def type_of_name(suffix: str) -> str | None:
    """Return the type of an extension such as `.png`, or None if it is unknown."""
    return types_by_extension().get(suffix.lower())


def _outweighs_text(signed: str, head: bytes, by_name: str | None) -> bool:
    """Return whether a signature counts in text: `BZh` or `MZ` may begin a word."""
    return head[0] >= 0x80 or signed in _SIGNED_TEXT or signed == by_name


def _type_of_text(head: bytes, by_name: str | None) -> str:
    if by_name is not None and by_name != "image/svg+xml" and is_textual(by_name):
        return by_name
    start = _as_ascii(head[:_MARKUP_SEARCHED]).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start.startswith(b"<"):
        return TEXT
    root = _ROOT.match(start)
    name = root[1].lower() if root else b""
    if name == b"svg":
        return "image/svg+xml"
    if name == b"html" or start[:14].lower() == b"<!doctype html":
        return "text/html"
    return "text/xml" if start.startswith(b"<?xml") else TEXT


def _as_ascii(head: bytes) -> bytes:
    """Return UTF-16 as UTF-8, and other text as it is."""
    if head.startswith((codecs.BOM_UTF16_LE, b"<\0")):
        return head.decode("utf-16-le", "replace").removeprefix("\ufeff").encode()
    if head.startswith((codecs.BOM_UTF16_BE, b"\0<")):
        return head.decode("utf-16-be", "replace").removeprefix("\ufeff").encode()
    return head


@functools.lru_cache(maxsize=1000)
def is_textual(kind: str) -> bool:
    """Return whether this type is meant to be read as text, as SVG is and PDF is not."""
    return (
        kind.startswith(_TEXTUAL_FAMILIES) or kind in _TEXTUAL or kind.endswith(("+xml", "+json"))
    )
