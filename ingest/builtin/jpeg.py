"""The segments of a JPEG up to its first scan (ISO/IEC 10918-1), without decoding it."""

from collections.abc import Iterator
from typing import BinaryIO

from ingest.builtin.blocks import MAX_BLOCK, ImageBlocks
from ingest.builtin.photoshop import iptc_of_resources

MAX_SEGMENTS = 10_000
_SEARCHED = 64 * 1024  # for the next marker, behind bytes that belong to none
_SCAN, _END, _COMMENT = 0xDA, 0xD9, 0xFE
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
# Lossless and hierarchical frames, and JPEG-LS.
_RARE_FRAMES = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7})
_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_ICC = b"ICC_PROFILE\0"
_PHOTOSHOP = b"Photoshop 3.0\0"


def read_jpeg(file: BinaryIO, size: int) -> ImageBlocks:
    """Return what the segments of a JPEG hold."""
    found = ImageBlocks()
    resources = b""
    for marker, data in _segments(file, size):
        if marker in _FRAMES and len(data) >= 5 and found.size is None:
            _read_frame(found, marker, data)
        elif marker == 0xE1 and data.startswith(_EXIF):
            if len(found.exif) < MAX_BLOCK:  # a long block goes on in the next segment
                found.exif += data.removeprefix(_EXIF)
        elif marker == 0xE1 and data.startswith(_XMP):
            found.xmp = found.xmp or data.removeprefix(_XMP)
        elif marker == 0xE2 and data.startswith(_ICC) and len(found.icc) < MAX_BLOCK:
            found.icc += data[len(_ICC) + 2 :]
        elif marker == 0xED and data.startswith(_PHOTOSHOP) and len(resources) < MAX_BLOCK:
            resources += data.removeprefix(_PHOTOSHOP)
        elif marker == _COMMENT:
            found.texts.setdefault("Comment", data)
    found.iptc = iptc_of_resources(resources)
    return found


def _read_frame(found: ImageBlocks, marker: int, data: bytes) -> None:
    height, width = int.from_bytes(data[1:3], "big"), int.from_bytes(data[3:5], "big")
    if width and height:
        found.size = width, height
    if marker in _RARE_FRAMES:
        found.unsupported = "JPEG-LS" if marker == 0xF7 else "a lossless or hierarchical JPEG"
    elif data[0] not in (8, 0):
        found.unsupported = f"a JPEG with samples of {data[0]} bits"


def _segments(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    """Return the marker and the data of each segment before the first scan."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        file.seek(at)
        head = file.read(4)
        if len(head) < 4:
            return
        if head[0] != 0xFF or head[1] in (0x00, 0xFF):
            skipped = (head + file.read(_SEARCHED)).find(b"\xff", 1)
            if skipped < 0:
                return
            at += skipped
            continue
        marker = head[1]
        if marker in (_SCAN, _END):
            return
        if marker in _STANDALONE:
            at += 2
            continue
        length = int.from_bytes(head[2:4], "big")
        if length < 2 or at + 2 + length > size:
            return
        yield marker, file.read(length - 2)
        at += 2 + length
