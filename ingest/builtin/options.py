"""How the built-in processor looks at files."""

from dataclasses import dataclass
from enum import StrEnum

MAX_PIXELS = 89_478_485
"""
Pixels of an image that is decoded, at most, unless the operator sets another limit.

Pillow's own limit, above which it warns of a decompression bomb: 256 MiB at 24 bits. Pillow decodes
up to twice that; here the limit is strict, as a worker on each core may decode at once.
"""


class Verify(StrEnum):
    """How far an image is looked at: decoded as a whole, its header read, or not at all."""

    FULL = "full"
    HEADER = "header"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the built-in processor."""

    verify: Verify = Verify.FULL
    max_pixels: int = MAX_PIXELS


DEFAULT = Options()
