"""The chunks of a WebP (RFC 9649), and the extensions of a GIF 89a, without decoding pixels."""

from collections.abc import Iterator
from typing import BinaryIO

from ingest.builtin.blocks import ImageBlocks, read_at

MAX_CHUNKS = 10_000


def read_webp(file: BinaryIO, size: int) -> ImageBlocks:
    """Return what the chunks of a WebP hold."""
    found = ImageBlocks()
    for name, at, length in _chunks(file, size):
        if name in _SIZES and found.size is None:
            found.size = _SIZES[name](read_at(file, at, 10))
        elif name == b"EXIF":
            found.exif = read_at(file, at, length).removeprefix(b"Exif\0\0")
        elif name == b"XMP ":
            found.xmp = read_at(file, at, length)
        elif name == b"ICCP":
            found.icc = read_at(file, at, length)
    return found


def _chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    at = 12
    for _ in range(MAX_CHUNKS):
        head = read_at(file, at, 8)
        if len(head) < 8:
            return
        length = int.from_bytes(head[4:], "little")
        yield head[:4], at + 8, min(length, size - at - 8)
        at += 8 + length + length % 2


def _extended(data: bytes) -> tuple[int, int] | None:
    if len(data) < 10:
        return None
    return 1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:10], "little")


def _lossy(data: bytes) -> tuple[int, int] | None:
    if data[3:6] != b"\x9d\x01\x2a" or len(data) < 10:
        return None
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    return width & 0x3FFF, height & 0x3FFF


def _lossless(data: bytes) -> tuple[int, int] | None:
    if data[:1] != b"\x2f" or len(data) < 5:
        return None
    bits = int.from_bytes(data[1:5], "little")
    return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)


_SIZES = {b"VP8X": _extended, b"VP8 ": _lossy, b"VP8L": _lossless}
