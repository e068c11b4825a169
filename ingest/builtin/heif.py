"""
The metadata of HEIF and AVIF (ISO/IEC 23008-12), JPEG 2000 and JPEG XL, without decoding pixels.

The size of a HEIF is that of its primary item, as stored; its rotation is a property of the item.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from ingest.builtin.blocks import ImageBlocks, read_at
from ingest.builtin.boxes import Box, boxes, find
from ingest.builtin.jxl import codestream_size

MAX_ITEMS = 10_000
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF_UUID = b"JpgTiffExif->JP2"


def read_heif(file: BinaryIO, size: int) -> ImageBlocks:
    """Return what the items of a HEIF or AVIF hold."""
    found = ImageBlocks()
    meta = find(file, 0, size, b"meta")
    if meta is None:
        return found
    inner = {box.name: box for box in boxes(file, meta.start + 4, meta.end)}
    content = {name: box.read(file) for name, box in inner.items() if name != b"iprp"}
    primary = _primary(content.get(b"pitm", b""))
    if b"iprp" in inner:
        _read_properties(found, file, inner[b"iprp"], primary)
    places = dict(_locations(content.get(b"iloc", b"")))
    for number, kind, mime in _items(content.get(b"iinf", b"")):
        if number in places and (kind == b"Exif" or mime == b"application/rdf+xml"):
            data = read_at(file, *places[number])
            if kind == b"Exif":
                found.exif = found.exif or _exif(data)
            else:
                found.xmp = found.xmp or data
    return found


def read_jpeg2000(file: BinaryIO, size: int) -> ImageBlocks:
    """Return the size, and the XMP and EXIF boxes, of a JPEG 2000, with or without boxes."""
    found = ImageBlocks()
    head = read_at(file, 0, 16)
    if head.startswith(b"\xff\x4f\xff\x51"):
        width, height, left, top = struct.unpack(">4I", read_at(file, 8, 16).ljust(16, b"\0"))
        found.size = (width - left, height - top) if width > left and height > top else None
        return found
    header = find(file, 0, size, b"jp2h", b"ihdr")
    if header is not None:
        height, width = struct.unpack(">2I", header.read(file, 8).ljust(8, b"\0"))
        found.size = (width, height) if width and height else None
    for box in boxes(file, 0, size):
        if box.name == b"uuid":
            data = box.read(file)
            if data.startswith(_XMP_UUID):
                found.xmp = data[16:]
            elif data.startswith(_EXIF_UUID):
                found.exif = data[16:]
    return found


def read_jxl(file: BinaryIO, size: int) -> ImageBlocks:
    """Return the size, and the XMP and EXIF boxes, of a JPEG XL, with or without boxes."""
    found = ImageBlocks()
    head = read_at(file, 0, 16)
    if head.startswith(b"\xff\x0a"):
        found.size = codestream_size(head)
        return found
    for box in boxes(file, 0, size):
        if box.name in (b"jxlc", b"jxlp") and found.size is None:
            data = box.read(file, 32)
            found.size = codestream_size(data[4:] if box.name == b"jxlp" else data)
        elif box.name == b"Exif":
            found.exif = found.exif or _exif(box.read(file))
        elif box.name == b"xml ":
            found.xmp = found.xmp or box.read(file)
    return found


def _exif(data: bytes) -> bytes:
    """Return the TIFF of an Exif item, which begins with the offset at which the TIFF does."""
    start = 4 + int.from_bytes(data[:4], "big")
    return data[start:]


def _primary(data: bytes) -> int:
    return int.from_bytes(data[4:8] if data[:1] > b"\0" else data[4:6], "big")


def _read_properties(found: ImageBlocks, file: BinaryIO, box: Box, primary: int) -> None:
    container = find(file, box.start, box.end, b"ipco")
    associations = find(file, box.start, box.end, b"ipma")
    if container is None or associations is None:
        return
    properties = list(boxes(file, container.start, container.end))
    for index in _associated(associations.read(file), primary):
        if not 0 < index <= len(properties):
            continue
        name, data = properties[index - 1].name, properties[index - 1].read(file, 1 << 20)
        if name == b"ispe" and len(data) >= 12:
            width, height = struct.unpack(">2I", data[4:12])
            found.size = (width, height) if width and height else None
        elif name == b"clap" and len(data) >= 16:
            width, of_width, height, of_height = struct.unpack(">4I", data[:16])
            if of_width and of_height and width and height:
                found.clean = width // of_width, height // of_height
        elif name == b"irot" and data:
            found.turned = bool(data[0] & 1)
        elif name == b"colr" and data[:4] in (b"prof", b"rICC"):
            found.icc = data[4:]


def _associated(data: bytes, item: int) -> list[int]:
    """Return the numbers of an item's properties, from 1."""
    if len(data) < 8:
        return []
    is_long, wide = data[0] > 0, bool(data[3] & 1)
    at = 8
    for _ in range(min(int.from_bytes(data[4:8], "big"), MAX_ITEMS)):
        number = int.from_bytes(data[at : at + (4 if is_long else 2)], "big")
        at += 4 if is_long else 2
        count = data[at] if at < len(data) else 0
        indices = data[at + 1 : at + 1 + count * (1 + wide)]
        if number == item:
            if wide:
                pairs = zip(indices[::2], indices[1::2], strict=False)
                return [(high & 0x7F) << 8 | low for high, low in pairs]
            return [index & 0x7F for index in indices]
        at += 1 + count * (1 + wide)
    return []


def _items(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Return each item's number, type, and media type where its type is `mime`."""
    if len(data) < 6:
        return
    count, at = (data[4:6], 6) if data[0] == 0 else (data[4:8], 8)
    for _ in range(min(int.from_bytes(count, "big"), MAX_ITEMS)):
        size = int.from_bytes(data[at : at + 4], "big")
        entry = data[at + 8 : at + size]  # behind the size and `infe`
        if size < 8 or len(entry) < 8:
            return
        width = 4 if entry[0] == 3 else 2
        number = int.from_bytes(entry[4 : 4 + width], "big")
        kind, rest = entry[6 + width : 10 + width], entry[10 + width :]
        mime = rest.partition(b"\0")[2].partition(b"\0")[0] if kind == b"mime" else b""
        yield number, kind, mime
        at += size


def _locations(data: bytes) -> Iterator[tuple[int, tuple[int, int]]]:
    """Return each item's number with the offset and length of its first extent in the file."""
    if len(data) < 8:
        return
    version = data[0]
    widths = [data[4] >> 4, data[4] & 15, data[5] >> 4, data[5] & 15 if version else 0]
    offset_width, length_width, base_width, index_width = widths
    number_width = 4 if version == 2 else 2
    reader = _Reader(data, 6)
    for _ in range(min(reader.number(number_width), MAX_ITEMS)):
        number = reader.number(number_width)
        method = reader.number(2) & 15 if version else 0
        reader.number(2)
        base = reader.number(base_width)
        extents = []
        for _ in range(min(reader.number(2), MAX_ITEMS)):
            reader.number(index_width)
            extents.append((base + reader.number(offset_width), reader.number(length_width)))
            if reader.is_done:
                break
        if method == 0 and extents:
            yield number, extents[0]
        if reader.is_done:
            return


class _Reader:
    """Reads big-endian numbers one after another; 0 behind the end."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    @property
    def is_done(self) -> bool:
        return self._at >= len(self._data)

    def number(self, width: int) -> int:
        value = int.from_bytes(self._data[self._at : self._at + width], "big")
        self._at += width
        return value
