"""The chunks of a PNG (W3C, Third Edition), without decoding its pixels."""

import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from ingest.builtin.blocks import MAX_BLOCK, ImageBlocks, read_at
from ingest.builtin.photoshop import iptc_of_resources

MAX_CHUNKS = 65_536
MAX_TEXT_CHUNKS = 1_000
TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_XMP = "XML:com.adobe.xmp"
_PROFILE = re.compile(r"\s*[\w-]+\s+\d+\s+([0-9a-fA-F\s]*)")


def read_png(file: BinaryIO, size: int) -> ImageBlocks:
    """Return what the chunks of a PNG hold; texts may follow the pixels."""
    found = ImageBlocks()
    texts, room = 0, MAX_BLOCK
    for name, at, length in chunks(file, size):
        if name == b"IHDR" and length >= 8:
            header = read_at(file, at, 8)
            width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big")
            found.size = (width, height) if width and height else None
        elif name == b"eXIf":
            found.exif = read_at(file, at, length).removeprefix(b"Exif\0\0")
        elif name == b"iCCP":
            found.icc = _inflated(read_at(file, at, length).partition(b"\0")[2][1:])
        elif name in TEXTS and texts < MAX_TEXT_CHUNKS and room > 0:
            texts += 1
            room -= _read_text(found, name, read_at(file, at, length))
    return found


def chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Return the name, the offset of the data and its length, of each chunk that is whole."""
    at = 8
    for _ in range(MAX_CHUNKS):
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[:4], "big")
        if len(head) < 8 or at + 12 + length > size or head[4:] == b"IEND":
            return
        yield head[4:], at + 8, length
        at += 12 + length


def _read_text(found: ImageBlocks, name: bytes, data: bytes) -> int:
    """Read a text, and return its length."""
    keyword, _, rest = data.partition(b"\0")
    key = keyword.decode("latin-1")
    text: str | bytes
    if name == b"tEXt":
        text = rest.decode("latin-1")
    elif name == b"zTXt":
        text = _inflated(rest[1:]).decode("latin-1")
    else:
        is_compressed, (_, _, rest) = rest[:1] == b"\1", rest[2:].partition(b"\0")
        rest = rest.partition(b"\0")[2]
        text = (_inflated(rest) if is_compressed else rest).decode("utf-8", "replace")
    if key == _XMP:
        found.xmp = text.encode("utf-8", "replace")
    elif key.lower().startswith("raw profile type "):
        _read_profile(found, key.split()[-1].lower(), text)
    elif key:
        found.texts.setdefault(key, text)
    return len(text)


def _read_profile(found: ImageBlocks, kind: str, text: str) -> None:
    """Read a block that ImageMagick stores in a text, as its length and hexadecimal digits."""
    digits = _PROFILE.fullmatch(text)
    if digits is None:
        return
    data = bytes.fromhex(digits[1]) if len("".join(digits[1].split())) % 2 == 0 else b""
    if kind in ("exif", "app1") and not found.exif and data.startswith(b"Exif\0\0"):
        found.exif = data.removeprefix(b"Exif\0\0")
    elif kind in ("iptc", "8bim"):
        found.iptc = found.iptc or iptc_of_resources(data) or (data if data[:1] == b"\x1c" else b"")
    elif kind == "xmp":
        found.xmp = found.xmp or data


def _inflated(data: bytes) -> bytes:
    """Return what is compressed in `data`, at most `MAX_BLOCK` bytes, as far as it is sound."""
    try:
        return zlib.decompressobj().decompress(data, MAX_BLOCK)
    except zlib.error:
        return b""
