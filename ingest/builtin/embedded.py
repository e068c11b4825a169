"""
What cameras and programs write into an image, made fit for a report: EXIF, IPTC, XMP, text.

All of it comes from strangers: every text is bounded and free of NULs, every number finite, and
a damaged block is passed over, for the picture can still be seen.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any
from xml.parsers import expat

# Generous for what people write; each outcome is kept in the catalogue, a million of them.
MAX_TEXT = 4000
MAX_TEXTS = 32
MAX_KEYWORD = 200
MAX_KEYWORDS = 100

# The standard allows 64 KiB in a JPEG segment; programs write some 20 KiB.
MAX_XMP = 1024 * 1024

EXIF_IFD = 0x8769
IPTC_IN_TIFF = 33723
IPTC_IN_PHOTOSHOP = 0x0404
XP_KEYWORDS = 0x9C9E
_UTF16_TAGS = frozenset(range(0x9C9B, 0x9CA0))

_TEXTS = {
    0x010E: "description",
    0x010F: "make",
    0x0110: "model",
    0x013B: "artist",
    0x8298: "copyright",
    0x9C9B: "title",
    0x9286: "user_comment",
    0xA434: "lens",
}
_NUMBERS = {0x829A: "exposure_time", 0x829D: "f_number", 0x8827: "iso", 0x920A: "focal_length"}
_ORIENTATION = 0x0112
# Taken, digitised, changed, each with the tag of its offset from UTC; the first that is there.
_DATES = ((0x9003, 0x9011), (0x9004, 0x9012), (0x0132, 0x9010))

_DC_SUBJECT = "http://purl.org/dc/elements/1.1/ subject"
_RDF_ITEM = "http://www.w3.org/1999/02/22-rdf-syntax-ns# li"


class _RefusedError(Exception):
    """A document type, which XMP never has and entity bombs need."""


def clean_text(value: object, limit: int = MAX_TEXT) -> str:
    """`value`, a str or bytes in an encoding that nobody stated, as bounded text."""
    text = _decoded(value) if isinstance(value, bytes) else str(value)
    text = text.replace("\0", "").strip()
    # Lone surrogates are no text: JSON refuses them.
    text = text[: limit + 1].encode("utf-8", "replace").decode()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clean_keywords(keywords: Iterable[str]) -> list[str]:
    """Each keyword once, in the order found."""
    found: dict[str, None] = {}
    for keyword in keywords:
        text = clean_text(" ".join(keyword.split()), MAX_KEYWORD)
        if text:
            found[text] = None
        if len(found) == MAX_KEYWORDS:
            break
    return list(found)


def clean_texts(texts: Mapping[str, str | bytes]) -> dict[str, str]:
    cleaned = ((clean_text(name, MAX_KEYWORD), clean_text(text)) for name, text in texts.items())
    return dict(islice(((name, text) for name, text in cleaned if text), MAX_TEXTS))


def split_keywords(text: str) -> Iterator[str]:
    return (found[0] for found in re.finditer(r"[^,;\r\n]+", text))


def exif_fields(tags: Mapping[int, Any]) -> dict[str, Any]:
    """What a reader asks of a photo's EXIF; `tags` are those of the main and the Exif directory."""
    found: dict[str, Any] = {}
    for tag, name in _TEXTS.items():
        if tag in tags and (text := _exif_text(tag, tags[tag])):
            found[name] = text
    if taken := _date(tags):
        found["taken"] = taken
    for tag, name in _NUMBERS.items():
        if (number := _number(tags.get(tag))) is not None:
            found[name] = number
    orientation = tags.get(_ORIENTATION)
    if isinstance(orientation, int) and 1 <= orientation <= 8:
        found["orientation"] = orientation
    return found


def exif_keywords(tags: Mapping[int, Any]) -> list[str]:
    """The tags that Windows writes: UTF-16, separated by semicolons."""
    return _exif_text(XP_KEYWORDS, tags[XP_KEYWORDS]).split(";") if XP_KEYWORDS in tags else []


def iptc_keywords(block: bytes) -> list[str]:
    """The keywords (data set 2:25) of an IPTC-IIM block, up to where it is damaged."""
    return [_decoded(value) for dataset, value in _iptc(block) if dataset == (2, 25)]


def xmp_keywords(packet: bytes) -> list[str]:
    """The items of `dc:subject` in an XMP packet; none if it is damaged or declares entities."""
    items: list[list[str]] = []
    texts: list[list[str] | None] = []  # of each open element, outermost first; None: no item
    subjects = 0  # how many of these are a `dc:subject`

    def start(name: str, _attributes: dict[str, str]) -> None:
        nonlocal subjects
        subjects += name == _DC_SUBJECT
        texts.append([] if subjects and name == _RDF_ITEM else None)
        if texts[-1] is not None:
            items.append(texts[-1])

    def end(name: str) -> None:
        nonlocal subjects
        subjects -= name == _DC_SUBJECT
        texts.pop()

    def text(data: str) -> None:
        if texts[-1] is not None:
            texts[-1].append(data)

    def refuse(*_: object) -> None:
        raise _RefusedError

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(packet.strip(b"\0 \r\n\t"), True)
    except (expat.ExpatError, _RefusedError, ValueError):
        return []
    return list(map("".join, items))


def _iptc(block: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    at = 0
    while at + 5 <= len(block) and block[at] == 0x1C:
        length = int.from_bytes(block[at + 3 : at + 5], "big")
        if at + 5 + length > len(block) or length & 0x8000:
            return
        yield (block[at + 1], block[at + 2]), block[at + 5 : at + 5 + length]
        at += 5 + length


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("windows-1252", "replace")


def _exif_text(tag: int, value: object) -> str:
    if isinstance(value, tuple) and all(
        isinstance(byte, int) and 0 <= byte < 256 for byte in value
    ):
        value = bytes(value)
    if isinstance(value, bytes):
        if tag in _UTF16_TAGS:
            value = value.decode("utf-16-le", "replace")
        elif value.startswith(b"UNICODE\0"):
            value = _utf16(value[8:])
        elif value.startswith((b"ASCII\0\0\0", b"JIS\0\0\0\0\0", bytes(8))):
            value = value[8:]
    return clean_text(value) if isinstance(value, str | bytes) else ""


def _utf16(value: bytes) -> str:
    """A user comment's UTF-16, whose byte order is the file's, or the writer's whim."""
    little = value[1::2].count(0) >= value[::2].count(0)
    return value.decode("utf-16-le" if little else "utf-16-be", "replace")


def _number(value: object) -> float | int | None:
    """A rational as float, an int as it is; None for what is no finite number."""
    if isinstance(value, tuple) and value:
        value = value[0]
    if isinstance(value, int):
        return value
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return round(number, 6) if math.isfinite(number) else None


def _date(tags: Mapping[int, Any]) -> str | None:
    for tag, offset_tag in _DATES:
        text = str(tags.get(tag, "")).strip("\0 ")
        try:
            taken = datetime.strptime(text, "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 (EXIF's local time)
        except ValueError:
            continue
        offset = str(tags.get(offset_tag, "")).strip("\0 ")
        return taken.isoformat() + (offset if re.fullmatch(r"[+-]\d\d:\d\d", offset) else "")
    return None
