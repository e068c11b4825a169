"""
The media type of a file: by its content, and by its name where the content does not decide.

A format's signature decides. Without one the name's extension does, unless the content contradicts
it: text is not a PNG, and bytes with NULs are not a `.csv`. The table of extensions is Python's own
with a few additions, not the machine's `/etc/mime.types`, so the result is the same everywhere.
"""

import re
from collections.abc import Mapping
from functools import cache
from mimetypes import MimeTypes
from types import MappingProxyType

from ingest.builtin.signatures import ICO, type_of_signature

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

# Extensions that Python's table lacks, or that differ between versions of Python.
_EXTENSIONS: Mapping[str, str] = MappingProxyType(
    {
        ".avif": "image/avif",
        ".gz": "application/gzip",
        ".heic": "image/heic",
        ".ico": ICO,
        ".js": "text/javascript",
        ".markdown": "text/markdown",
        ".md": "text/markdown",
        ".mjs": "text/javascript",
        ".ndjson": "application/x-ndjson",
        ".pyi": "text/x-python",
        ".rst": "text/x-rst",
        ".rtf": "application/rtf",
        ".sql": "application/sql",
        ".toml": "application/toml",
        ".webp": "image/webp",
        ".yaml": "application/yaml",
        ".yml": "application/yaml",
    }
)

# Textual types that are not named `text/`, `+xml` or `+json`.
_TEXTUAL = frozenset(
    {
        "application/json",
        "application/n-quads",
        "application/n-triples",
        "application/postscript",
        "application/rtf",
        "application/sql",
        "application/toml",
        "application/trig",
        "application/x-csh",
        "application/x-latex",
        "application/x-ndjson",
        "application/x-sh",
        "application/x-tcl",
        "application/x-tex",
        "application/x-texinfo",
        "application/xml",
        "application/yaml",
        "image/x-portable-anymap",
        "image/x-portable-bitmap",
        "image/x-portable-graymap",
        "image/x-portable-pixmap",
        "image/x-xbitmap",
        "image/x-xpixmap",
        "message/rfc822",
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


def media_type(head: bytes, suffix: str, *, text: bool) -> str:
    """
    Return the media type of a file that begins with `head` and whose name ends in `suffix`.

    `text` states whether the content that was read is text. `head` is at least 512 bytes or the
    whole file, and is not empty.
    """
    suffix = suffix.lower()
    by_name = type_of_name(suffix)
    signed = type_of_signature(head, suffix)
    if signed and (not text or _outweighs_text(signed, head, by_name)):
        return signed
    if text:
        return _type_of_text(head, by_name)
    if by_name is None or by_name in _SIGNED_IMAGES or (is_textual(by_name) and b"\0" in head):
        return OCTET_STREAM
    return by_name


def type_of_name(suffix: str) -> str | None:
    """Return the type of an extension such as `.png`, or None if it is unknown."""
    return _table().get(suffix.lower())


@cache
def _table() -> Mapping[str, str]:
    known = MimeTypes(filenames=())
    return {**known.types_map[False], **known.types_map[True], **_EXTENSIONS}


def _outweighs_text(signed: str, head: bytes, by_name: str | None) -> bool:
    """Return whether a signature counts in text: `BZh` or `MZ` may begin a word."""
    return head[0] >= 0x80 or signed in _SIGNED_TEXT or signed == by_name


def _type_of_text(head: bytes, by_name: str | None) -> str:
    if by_name is not None and by_name != "image/svg+xml" and is_textual(by_name):
        return by_name
    start = head[:_MARKUP_SEARCHED].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start.startswith(b"<"):
        return TEXT
    root = _ROOT.match(start)
    name = root[1].lower() if root else b""
    if name == b"svg":
        return "image/svg+xml"
    if name == b"html" or start[:14].lower() == b"<!doctype html":
        return "text/html"
    return "text/xml" if start.startswith(b"<?xml") else TEXT


def is_textual(kind: str) -> bool:
    """Return whether this type is meant to be read as text, as SVG is and PDF is not."""
    return (
        kind.startswith(_TEXTUAL_FAMILIES) or kind in _TEXTUAL or kind.endswith(("+xml", "+json"))
    )
