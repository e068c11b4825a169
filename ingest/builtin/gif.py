"""The blocks of a GIF (89a), without decoding its pixels."""

from collections.abc import Iterator
from typing import BinaryIO

from ingest.builtin.blocks import MAX_BLOCK, ImageBlocks

MAX_SUB_BLOCKS = 50_000
_IMAGE, _EXTENSION = b"\x2c", b"\x21"
_COMMENT, _APPLICATION = 0xFE, 0xFF
# Ends an XMP packet, so that readers that do not know it skip it as sub-blocks.
_TRAILER = b"\x01\xff\xfe\xfd"


def read_gif(file: BinaryIO, _size: int) -> ImageBlocks:
    """Return the size, the first comment and the XMP packet of a GIF."""
    found = ImageBlocks()
    file.seek(0)
    head = file.read(13)
    width, height = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    if len(head) == 13 and width and height:
        found.size = width, height
        file.seek(_table_size(head[10]), 1)
        for label, data in _extensions(file):
            if label == _COMMENT:
                found.texts.setdefault("Comment", b"".join(part[1:] for part in data))
            elif label == _APPLICATION and data and data[0][1:] == b"XMP DataXMP":
                found.xmp = b"".join(data[1:]).partition(_TRAILER)[0]
    return found


def _extensions(file: BinaryIO) -> Iterator[tuple[int, list[bytes]]]:
    """Return each extension's label and its sub-blocks, each with its length before it."""
    left = MAX_SUB_BLOCKS
    while left > 0:
        kind = file.read(1)
        if kind == _EXTENSION:
            label = file.read(1)
            data, left = _sub_blocks(file, left)
            if label and data:
                yield label[0], data
        elif kind == _IMAGE:
            head = file.read(9)
            if len(head) < 9:
                return
            file.seek(_table_size(head[8]) + 1, 1)
            _, left = _sub_blocks(file, left)
        else:
            return


def _sub_blocks(file: BinaryIO, left: int) -> tuple[list[bytes], int]:
    parts: list[bytes] = []
    kept = 0
    while left > 0:
        left -= 1
        length = file.read(1)
        if not length or length == b"\0":
            break
        part = length + file.read(length[0])
        if kept < MAX_BLOCK:
            parts.append(part)
            kept += len(part)
    return parts, left


def _table_size(flags: int) -> int:
    """Return the bytes of the colour table that `flags` announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
