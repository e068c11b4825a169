"""
The directories of a TIFF, as an EXIF block, a TIFF image and most raw photos have them.

TIFF 6.0, with BigTIFF and the types of Exif 3.0. All that is read is bounded: the number of
directories, the entries of one, and the bytes of a value. A directory is read once, so a chain
that leads back to itself ends. What lies outside the file is left out.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

Value: TypeAlias = bytes | tuple[float, ...]
"""Text and undefined bytes as they are, anything else as numbers; a ratio to 0 is NaN."""

Tags: TypeAlias = Mapping[int, Value]

MAX_DIRECTORIES = 64
MAX_ENTRIES = 4096
MAX_NUMBERS = 64
# A user comment of the 65,536 characters that are recorded of a text, in UTF-16 and more.
MAX_VALUE = 256 * 1024
# XMP, IPTC and colour profiles.
MAX_BLOCK = 1024 * 1024

SUB_DIRECTORIES = 330
EXIF_DIRECTORY = 34665
GPS_DIRECTORY = 34853
_NEW_SUBFILE_TYPE, _SUBFILE_TYPE, WIDTH, HEIGHT = 254, 255, 256, 257
_REDUCED_OR_MASK = 0b101

BLOCKS = frozenset({700, 33723, 34377, 34675})
"""XMP, IPTC, Photoshop's resources and the colour profile: bytes, whatever type they have."""

_BYTES = frozenset({1, 2, 6, 7, 129})
_CODES: Mapping[int, str] = {
    3: "H", 4: "I", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q",
    5: "II", 10: "ii",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Directory:
    """The tags of one directory; `is_page` of one in the main chain behind the first."""

    tags: Tags
    is_page: bool = False

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height, where both are positive."""
        width, height = first_number(self.tags, WIDTH), first_number(self.tags, HEIGHT)
        return (width, height) if width > 0 and height > 0 else None

    @property
    def is_full(self) -> bool:
        """Whether its image is neither a smaller version of another nor a mask."""
        kind = first_number(self.tags, _NEW_SUBFILE_TYPE)
        return not kind & _REDUCED_OR_MASK and first_number(self.tags, _SUBFILE_TYPE) != 2


def first_number(tags: Tags, tag: int) -> int:
    """Return a tag's first number, or the first byte of its bytes; 0 if there is none."""
    value = tags.get(tag, ())
    return int(value[0]) if value and math.isfinite(value[0]) else 0


class TiffReader:
    """Reads directories of the TIFF in `file`, which is `size` bytes long, at any offset."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._done: set[int] = set()
        head = self._read(0, 16)
        self.big_endian = head.startswith(b"MM")
        self._order = ">" if self.big_endian else "<"
        self._is_big = head[2:4] in (b"+\0", b"\0+")
        self._pointer = "Q" if self._is_big else "I"
        at = 8 if self._is_big else 4
        width = struct.calcsize(self._pointer)
        self.first = self._number(head[at : at + width], self._pointer)

    def directory(self, at: int) -> tuple[Tags, int]:
        """Return the tags of the directory at an offset, and the offset of the next, or 0."""
        count_code, entry_size, inline = ("Q", 20, 8) if self._is_big else ("H", 12, 4)
        count_size = struct.calcsize(count_code)
        if at <= 0 or at in self._done or len(self._done) >= MAX_DIRECTORIES:
            return {}, 0
        self._done.add(at)
        count = self._number(self._read(at, count_size), count_code)
        entries = self._read(at + count_size, min(count, MAX_ENTRIES) * entry_size)
        tags: dict[int, Value] = {}
        for start in range(0, len(entries) - entry_size + 1, entry_size):
            entry = entries[start : start + entry_size]
            tag, kind = struct.unpack(self._order + "HH", entry[:4])
            length = self._number(entry[4:-inline], self._pointer)
            if (value := self._value(tag, kind, length, entry[-inline:])) is not None:
                tags.setdefault(tag, value)
        end = at + count_size + count * entry_size
        return tags, self._number(self._read(end, inline), self._pointer)

    @property
    def has_directory(self) -> bool:
        """Whether the first directory, which is often at the end, lies in the file as a whole."""
        count_code, entry_size = ("Q", 20) if self._is_big else ("H", 12)
        count_size = struct.calcsize(count_code)
        count = self._number(self._read(self.first, count_size), count_code)
        end = self.first + count_size + count * entry_size
        return self.first >= 8 and end + struct.calcsize(self._pointer) <= self._size

    def directories(self) -> Iterator[Directory]:
        """Return the directories of the main chain, each followed by its subdirectories."""
        at, is_page = self.first, False
        while at:
            tags, at = self.directory(at)
            if not tags:
                return
            yield Directory(tags, is_page)
            for below in tags.get(SUB_DIRECTORIES, ()):
                inner = self.directory(int(below))[0]
                if inner:
                    yield Directory(inner, is_page)
            is_page = True

    def _value(self, tag: int, kind: int, count: int, inline: bytes) -> Value | None:
        code = "B" if kind in _BYTES or tag in BLOCKS else _CODES.get(kind)
        if code is None or not count:
            return None
        width = struct.calcsize(self._order + (_CODES.get(kind) or "B"))
        limit = MAX_BLOCK if tag in BLOCKS else MAX_VALUE if code == "B" else MAX_NUMBERS * width
        length = min(count * width, limit)
        if count * width <= len(inline):
            data = inline[:length]
        else:
            data = self._read(self._number(inline, self._pointer), length)
        if code == "B":
            return data
        return self._numbers(code, data[: len(data) - len(data) % width])

    def _numbers(self, code: str, data: bytes) -> tuple[float, ...] | None:
        count = len(data) // struct.calcsize(self._order + code)
        numbers = struct.unpack(self._order + code * count, data)
        if len(code) == 2:
            pairs = zip(numbers[::2], numbers[1::2], strict=True)
            numbers = tuple(above / below if below else math.nan for above, below in pairs)
        return numbers or None

    def _number(self, data: bytes, code: str) -> int:
        if len(data) < struct.calcsize(code):
            return 0
        return int(struct.unpack_from(self._order + code, data)[0])

    def _read(self, at: int, length: int) -> bytes:
        if at < 0 or at >= self._size or length <= 0:
            return b""
        self._file.seek(at)
        return self._file.read(min(length, self._size - at))


def main_size(directories: list[Directory], *, raw: bool) -> tuple[int, int] | None:
    """
    Return the size of the main image, or None if it is not known.

    That is the largest full image of the first page, or of all for a raw photo, whose first
    directory is often a thumbnail.
    """
    full = [each for each in directories if each.is_full and each.size]
    first = [each for each in full if not each.is_page] if not raw else full
    sizes = [each.size for each in first or full if each.size]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)
