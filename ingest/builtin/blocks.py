"""What an image's file holds beside its pixels: its size, and blocks in formats of their own."""

from dataclasses import dataclass, field
from typing import BinaryIO

# The texts of an image are recorded up to 2 Mi characters; more of one is not read.
MAX_BLOCK = 4 * 1024 * 1024


@dataclass(slots=True)
class ImageBlocks:
    """
    The size and the blocks of an image, as far as they could be read.

    `size` is as stored. `exif` is a TIFF, `xmp` a packet of XML, `iptc` IPTC-IIM and `icc` a
    colour profile; `texts` are a PNG's by name, or the comment of a JPEG or GIF. `turned` states
    whether the container itself exchanges width and height, and `clean` is the size of what is left
    where it crops the image. `unsupported` names a part of the
    format that is sound but seldom decoded.
    """

    size: tuple[int, int] | None = None
    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    icc: bytes = b""
    texts: dict[str, str | bytes] = field(default_factory=dict)
    turned: bool = False
    clean: tuple[int, int] | None = None
    unsupported: str = ""


def read_at(file: BinaryIO, at: int, length: int) -> bytes:
    """Return up to `length` bytes at an offset, `MAX_BLOCK` at most."""
    file.seek(at)
    return file.read(min(length, MAX_BLOCK))
