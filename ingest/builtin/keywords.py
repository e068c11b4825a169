"""
Keywords in IPTC and XMP, the two blocks in which photo programs store them.

Both readers are written here, not taken from Pillow, because Pillow's lose keywords or bounds:

- `IptcImagePlugin.getiptcinfo` raises at the first damaged or padded data set, where this returns
  the keywords before it. It reads JPEG and TIFF only, not the block that a PNG holds.
- `Image.getxmp` removes the namespaces, so a `subject` of any vocabulary looks like `dc:subject`.
  It builds a tree, and walks it with one Python call per level: a packet of 1 MiB can hold 100,000
  levels. Here memory and time grow with the packet's size alone. A document type is refused, as
  defusedxml does with `forbid_dtd`, so no entity can be declared.
"""

import codecs
from collections.abc import Iterator
from xml.parsers import expat

from ingest.builtin.clean_text import decode, split_keywords

# The standard allows 64 KiB in a JPEG segment; programs write some 20 KiB.
MAX_XMP = 1024 * 1024

_DC_SUBJECT = "http://purl.org/dc/elements/1.1/ subject"
_RDF_ITEM = "http://www.w3.org/1999/02/22-rdf-syntax-ns# li"


class _DocumentTypeError(Exception):
    """A document type, which XMP never has and entity bombs need."""


def iptc_keywords(block: bytes) -> list[str]:
    """Return the keywords (data set 2:25) of an IPTC-IIM block, up to where it is damaged."""
    return [decode(value) for dataset, value in _iptc(block) if dataset == (2, 25)]


def xmp_keywords(packet: bytes) -> list[str]:
    """Return the items of `dc:subject`; none if the packet is damaged or has a DOCTYPE."""
    items: list[list[str]] = []
    plain: list[list[str]] = []  # the text right in a `dc:subject`, or its value as an attribute
    texts: list[list[str] | None] = []  # of each open element, outermost first; None: no item
    subjects = 0  # how many of these are a `dc:subject`

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal subjects
        subjects += name == _DC_SUBJECT
        if _DC_SUBJECT in attributes:
            plain.append([attributes[_DC_SUBJECT]])
        own: list[str] = []
        if name == _DC_SUBJECT:
            plain.append(own)
        elif subjects and name == _RDF_ITEM:
            items.append(own)
        is_read = name == _DC_SUBJECT or bool(subjects and name == _RDF_ITEM)
        texts.append(own if is_read else None)

    def end(name: str) -> None:
        nonlocal subjects
        subjects -= name == _DC_SUBJECT
        texts.pop()

    def text(data: str) -> None:
        if texts[-1] is not None:
            texts[-1].append(data)

    def refuse(*_: object) -> None:
        raise _DocumentTypeError

    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(_as_utf8(packet), True)
    except (expat.ExpatError, _DocumentTypeError, ValueError):
        return []
    words = (word.strip() for text in plain for word in split_keywords("".join(text)))
    return [*map("".join, items), *filter(None, words)]


def _as_utf8(packet: bytes) -> bytes:
    """Return a packet, which may be UTF-16 with or without a mark, as UTF-8 without padding."""
    if packet.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        packet = packet.decode("utf-16").encode()
    elif packet.startswith((b"\0<", b"<\0")):
        packet = packet.decode("utf-16-be" if packet[0] == 0 else "utf-16-le").encode()
    return packet.strip(b"\0 \r\n\t")


def _iptc(block: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Return each data set's number and value, up to where the block is damaged."""
    at = 0
    while at + 5 <= len(block) and block[at] == 0x1C:
        length = int.from_bytes(block[at + 3 : at + 5], "big")
        if at + 5 + length > len(block) or length & 0x8000:
            return
        yield (block[at + 1], block[at + 2]), block[at + 5 : at + 5 + length]
        at += 5 + length
