"""The resources that Photoshop stores in its documents and in a JPEG or TIFF."""

from collections.abc import Iterator
from typing import BinaryIO

from ingest.builtin.blocks import ImageBlocks, read_at

_IPTC, _ICC, _EXIF, _XMP = 0x0404, 0x040F, 0x0422, 0x0424
_SIGNATURES = frozenset({b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR"})
_HEADER = 26


def iptc_of_resources(data: bytes) -> bytes:
    """Return the IPTC block of image resources; empty if there is none."""
    return next((value for number, value in _resources(data) if number == _IPTC), b"")


def read_psd(file: BinaryIO, _size: int) -> ImageBlocks:
    """Return the size and the resources of a document of Photoshop."""
    found = ImageBlocks()
    head = read_at(file, 0, _HEADER + 4)
    height, width = int.from_bytes(head[14:18], "big"), int.from_bytes(head[18:22], "big")
    found.size = (width, height) if width and height else None
    at = _HEADER + 4 + int.from_bytes(head[_HEADER:], "big")  # behind the colours
    length = int.from_bytes(read_at(file, at, 4), "big")
    for number, value in _resources(read_at(file, at + 4, length)):
        if number == _IPTC:
            found.iptc = value
        elif number == _ICC:
            found.icc = value
        elif number == _EXIF:
            found.exif = value
        elif number == _XMP:
            found.xmp = value
    return found


def _resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Return the number and value of each resource, up to where the data is damaged."""
    at = 0
    while data[at : at + 4] in _SIGNATURES:
        number = int.from_bytes(data[at + 4 : at + 6], "big")
        name = 1 + (data[at + 6] if at + 6 < len(data) else 0)
        at += 6 + name + name % 2
        length = int.from_bytes(data[at : at + 4], "big")
        at += 4
        yield number, data[at : at + length]
        at += length + length % 2
