"""
Title, authors, dates and pages of Office documents, OpenDocument and EPUB: XML files in a ZIP.

What is read is bounded: the archive's list of entries, each entry, and each text. An archive that
states more entries, or needs more than Deflate, is not opened.
"""

import zipfile
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, BinaryIO

from ingest.builtin.clean_text import clean_keywords, clean_text, split_keywords
from ingest.builtin.dates import iso_date
from ingest.builtin.xml_values import MAX_DOCUMENT, Values, xml_values

MAX_ENTRIES = 10_000
_MAX_DIRECTORY = 4 * 1024 * 1024
_END = b"PK\5\6"
_END_SIZE = 22 + 0xFFFF

_DC = "http://purl.org/dc/elements/1.1/ "
_TERMS = "http://purl.org/dc/terms/ "
_CORE = "http://schemas.openxmlformats.org/package/2006/metadata/core-properties "
_APP = "http://schemas.openxmlformats.org/officeDocument/2006/extended-properties "
_META = "urn:oasis:names:tc:opendocument:xmlns:meta:1.0 "

# The names of each field, the first one that is there first.
_FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "title": (_DC + "title",),
        "subject": (_DC + "subject",),
        "description": (_DC + "description",),
        "creator": (_META + "initial-creator", _DC + "creator"),
        "publisher": (_DC + "publisher",),
        "language": (_DC + "language",),
        "rights": (_DC + "rights",),
        "created": (_META + "creation-date", _TERMS + "created", _DC + "date"),
        "modified": (_TERMS + "modified", _DC + "date"),
        "software": (_META + "generator", _APP + "Application"),
        "pages": (_META + "page-count", _APP + "Pages", _APP + "Slides"),
        "words": (_META + "word-count", _APP + "Words"),
    }
)
_KEYWORDS = (_CORE + "keywords", _META + "keyword")
_WANTED = frozenset({*(name for names in _FIELDS.values() for name in names), *_KEYWORDS})
_NUMBERS = frozenset({"pages", "words"})
_DATES = frozenset({"created", "modified"})

FIELDS = frozenset({*_FIELDS, "is_encrypted"})
"""The fields that are recorded of documents, here or of PDF."""

_OFFICE = ("docProps/core.xml", "docProps/app.xml")
_OPEN_DOCUMENT = ("meta.xml",)
_EPUB_CONTAINER = "META-INF/container.xml"
_ROOT_FILE = "full-path"


def is_document(kind: str) -> bool:
    """Return whether files of this type are documents that can be read here."""
    return (
        kind.startswith(
            ("application/vnd.openxmlformats-officedocument.", "application/vnd.oasis.opend")
        )
        or kind == "application/epub+zip"
        or (kind.startswith("application/vnd.ms-") and ".macroenabled" in kind)
    )


def read_document(file: BinaryIO, kind: str, size: int) -> dict[str, Any]:
    """Return `document` and `keywords` of a document, as far as it has them."""
    if not _is_small(file, size):
        return {}
    try:
        with zipfile.ZipFile(file) as archive:
            values = _values(archive, kind)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return {}
    keywords = clean_keywords(
        word for name in _KEYWORDS for text in _texts(values, name) for word in split_keywords(text)
    )
    fields = document_fields(
        {
            field: next(filter(None, (_texts(values, name) for name in names)), [])
            for field, names in _FIELDS.items()
        }
    )
    groups = {"document": fields, "keywords": keywords}
    return {name: group for name, group in groups.items() if group}


def document_fields(texts: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the fields of a document as plain, bounded values."""
    found: dict[str, Any] = {}
    for field, values in texts.items():
        text = clean_text(values[0]) if values else ""
        value: Any = text
        if field in _NUMBERS:
            value = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else None
        elif field in _DATES:
            value = iso_date(text)
        if value:
            found[field] = value
    return found


def _texts(values: Mapping[str, Values], name: str) -> list[str]:
    return values[name].all if name in values else []


def _is_small(file: BinaryIO, size: int) -> bool:
    """Return whether the list of entries is one that may be read into memory."""
    file.seek(max(0, size - _END_SIZE))
    tail = file.read(_END_SIZE)
    at = tail.rfind(_END)
    entries = int.from_bytes(tail[at + 10 : at + 12], "little")
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    return at >= 0 and entries <= MAX_ENTRIES and length <= _MAX_DIRECTORY


def _values(archive: zipfile.ZipFile, kind: str) -> dict[str, Values]:
    names: tuple[str, ...] = _OPEN_DOCUMENT if ".oasis." in kind else _OFFICE
    if kind == "application/epub+zip":
        container = xml_values(_read(archive, _EPUB_CONTAINER), {_ROOT_FILE})
        names = tuple(_texts(container, _ROOT_FILE)[:1])
    found: dict[str, Values] = {}
    for name in names:
        found |= xml_values(_read(archive, name), _WANTED)
    return found


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return an entry; empty if it is missing, too large, encrypted or in another compression."""
    try:
        entry = archive.getinfo(name)
    except KeyError:
        return b""
    if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return b""
    with archive.open(entry) as file:
        data = file.read(MAX_DOCUMENT + 1)
    return data if len(data) <= MAX_DOCUMENT else b""
