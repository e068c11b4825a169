"""
The values of chosen elements and attributes of an XML document, within bounds.

A document type is refused, as defusedxml does with `forbid_dtd`, so no entity can be declared. No
tree is built: memory and time grow with the document's size alone, however deep it is.
"""

import codecs
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from xml.parsers import expat

RDF_ITEM = "http://www.w3.org/1999/02/22-rdf-syntax-ns# li"
"""An item of a list in RDF: inside a chosen element it is a value of its own."""

MAX_DOCUMENT = 1024 * 1024
"""Bytes of a document that is read."""

MAX_VALUES = 2_000
"""Values of one name that are returned."""


class _RefusedError(Exception):
    """A document type, which XMP and documents never have and entity bombs need."""


@dataclass(slots=True)
class Values:
    """The values of one name: list items, and the texts and attributes outside of lists."""

    items: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[str]:
        """The items, then the other texts, without those that are empty."""
        texts = (text.strip() for text in (*self.items, *self.plain))
        return [text for text in texts if text]


def xml_values(document: bytes, wanted: Collection[str]) -> dict[str, Values]:
    """
    Return the values of the elements and attributes whose `namespace name` is wanted.

    Empty if the document is damaged, too large, or has a document type.
    """
    if len(document) > MAX_DOCUMENT:
        return {}
    reader = _Reader(frozenset(wanted))
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(_as_utf8(document), True)
    except (expat.ExpatError, _RefusedError, ValueError):
        return {}
    return reader.values()


class _Reader:
    """Collects values; each open element has the pieces of its text, or None if it has no value."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._open: list[str] = []  # the wanted elements that are open
        self._texts: list[list[str] | None] = []  # of each open element
        self._counts: Counter[str] = Counter()
        self._found: list[tuple[str, bool, list[str]]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        for attribute in self._wanted.intersection(attributes):
            self._add(attribute, [attributes[attribute]], is_item=False)
        own: list[str] | None = None
        if name in self._wanted:
            own = []
            self._add(name, own, is_item=False)
            self._open.append(name)
        elif name == RDF_ITEM and self._open:
            own = []
            self._add(self._open[-1], own, is_item=True)
        self._texts.append(own)

    def end(self, name: str) -> None:
        self._texts.pop()
        if self._open and name == self._open[-1]:
            self._open.pop()

    def text(self, data: str) -> None:
        own = self._texts[-1]
        if own is not None:
            own.append(data)

    def refuse(self, *_: object) -> None:
        raise _RefusedError

    def values(self) -> dict[str, Values]:
        """Return what was collected, by name."""
        found: dict[str, Values] = {}
        for name, is_item, pieces in self._found:
            values = found.setdefault(name, Values())
            (values.items if is_item else values.plain).append("".join(pieces))
        return found

    def _add(self, name: str, pieces: list[str], *, is_item: bool) -> None:
        self._counts[name] += 1
        if self._counts[name] <= MAX_VALUES:
            self._found.append((name, is_item, pieces))


def _as_utf8(document: bytes) -> bytes:
    """Return a document, which may be UTF-16 with or without a mark, as UTF-8 without padding."""
    if document.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        document = document.decode("utf-16").encode()
    elif document.startswith((b"\0<", b"<\0")):
        document = document.decode("utf-16-be" if document[0] == 0 else "utf-16-le").encode()
    return document.strip(b"\0 \r\n\t")
