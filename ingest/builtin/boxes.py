"""The boxes of ISO base media files (ISO/IEC 14496-12), as HEIF, JPEG 2000, JPEG XL and MP4."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ingest.builtin.blocks import read_at

MAX_BOXES = 10_000


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its type, and where its content begins and ends."""

    name: bytes
    start: int
    end: int

    def read(self, file: BinaryIO, limit: int = 1 << 62) -> bytes:
        """Return the content, `blocks.MAX_BLOCK` bytes at most."""
        return read_at(file, self.start, min(self.end - self.start, limit))


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """Return the boxes between two offsets, up to the first that is damaged."""
    for _ in range(MAX_BOXES):
        if start + 8 > end:
            return
        head = read_at(file, start, 16)
        if len(head) < 8:
            return
        size, header = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, header = int.from_bytes(head[8:16], "big"), 16
        elif size == 0:  # up to the end
            size = end - start
        if size < header:
            return
        yield Box(head[4:8], start + header, min(start + size, end))
        start += size


def find(file: BinaryIO, start: int, end: int, *path: bytes) -> Box | None:
    """Return the first box at `path`, a box in a box, or None."""
    for box in boxes(file, start, end):
        if box.name == path[0]:
            if len(path) == 1:
                return box
            # The version and flags of a full box stand before its boxes.
            return find(file, box.start + 4 * (box.name == b"meta"), box.end, *path[1:])
    return None
