"""The size of an image in formats whose header holds it at a fixed place; no pixel is decoded."""

import re
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

Size = tuple[int, int] | None

HEAD = 64 * 1024
"""Bytes of a file that a reader here may need."""

_ICNS_SIZES = MappingProxyType(
    {
        b"ICN#": 32, b"ics#": 16, b"icl4": 32, b"icl8": 32, b"is32": 16, b"il32": 32,
        b"ih32": 48, b"it32": 128, b"icp4": 16, b"icp5": 32, b"icp6": 64, b"ic07": 128,
        b"ic08": 256, b"ic09": 512, b"ic10": 1024, b"ic11": 32, b"ic12": 64, b"ic13": 256,
        b"ic14": 512, b"ic04": 16, b"ic05": 32,
    }
)  # fmt: skip
_EXR_WINDOW = b"dataWindow\0box2i\0\x10\0\0\0"
_PNM = re.compile(rb"P[1-6]\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s")
_PFM = re.compile(rb"P[Ff]\s+(\d{1,9})\s+(\d{1,9})\s")
_PAM = re.compile(rb"\b(WIDTH|HEIGHT)\s+(\d{1,9})\s")


def _unpacked(layout: str, head: bytes, at: int) -> tuple[int, ...]:
    data = head[at : at + struct.calcsize(layout)]
    return struct.unpack(layout, data) if len(data) == struct.calcsize(layout) else (0, 0)


def _at(layout: str, at: int, *, height_first: bool = False) -> Callable[[bytes], Size]:
    def read(head: bytes) -> Size:
        first, second = _unpacked(layout, head, at)
        return (second, first) if height_first else (first, second)

    return read


def _bmp(head: bytes) -> Size:
    if int.from_bytes(head[14:18], "little") == 12:
        width, height = _unpacked("<HH", head, 18)
    else:
        width, height = _unpacked("<ii", head, 18)
    return width, abs(height)


def _icon(head: bytes) -> Size:
    count = int.from_bytes(head[4:6], "little")
    entries = [head[at : at + 2] for at in range(6, 6 + 16 * min(count, 1000), 16)]
    sizes = [(entry[0] or 256, entry[1] or 256) for entry in entries if len(entry) == 2]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _pcx(head: bytes) -> Size:
    left, top = _unpacked("<HH", head, 4)
    right, bottom = _unpacked("<HH", head, 8)
    return right - left + 1, bottom - top + 1


def _pnm(head: bytes) -> Size:
    if head.startswith(b"P7"):
        header = head[:1024].partition(b"ENDHDR")[0]
        fields = {name: int(value) for name, value in _PAM.findall(header)}
        return fields.get(b"WIDTH", 0), fields.get(b"HEIGHT", 0)
    found = _PNM.match(head)
    return (int(found[1]), int(found[2])) if found else None


def _pfm(head: bytes) -> Size:
    found = _PFM.match(head)
    return (int(found[1]), int(found[2])) if found else None


def _exr(head: bytes) -> Size:
    at = head.find(_EXR_WINDOW)
    if at < 0 or len(head) < at + len(_EXR_WINDOW) + 16:
        return None
    left, top, right, bottom = struct.unpack_from("<4i", head, at + len(_EXR_WINDOW))
    return right - left + 1, bottom - top + 1


def _icns(head: bytes) -> Size:
    best, at = 0, 8
    while at + 8 <= len(head):
        best = max(best, _ICNS_SIZES.get(head[at : at + 4], 0))
        length = int.from_bytes(head[at + 4 : at + 8], "big")
        if length < 8:
            break
        at += length
    return best, best


def _djvu(head: bytes) -> Size:
    at = head.find(b"INFO")
    return _unpacked(">HH", head, at + 8)[:2] if at > 0 else None  # type: ignore[return-value]


_READERS: Mapping[str, Callable[[bytes], Size]] = MappingProxyType(
    {
        "image/bmp": _bmp,
        "image/vnd.microsoft.icon": _icon,
        "image/qoi": _at(">II", 4),
        "image/x-xcf": _at(">II", 14),
        "image/vnd.zbrush.pcx": _pcx,
        "image/x-tga": _at("<HH", 12),
        "image/vnd.ms-dds": _at("<II", 12, height_first=True),
        "image/sgi": _at(">HH", 6),
        "image/x-exr": _exr,
        "image/x-sun-raster": _at(">II", 4),
        "image/x-win-bitmap": _icon,
        "video/x-flic": _at("<HH", 8),
        "image/x-icns": _icns,
        "image/vnd.djvu": _djvu,
        "image/x-portable-anymap": _pnm,
        "image/x-portable-bitmap": _pnm,
        "image/x-portable-graymap": _pnm,
        "image/x-portable-pixmap": _pnm,
        "image/x-portable-arbitrarymap": _pnm,
        "image/x-portable-floatmap": _pfm,
    }
)


def size_in_head(media_type: str, head: bytes) -> Size:
    """Return width and height from the first `HEAD` bytes of an image, or None."""
    reader = _READERS.get(media_type)
    size = reader(head) if reader else None
    return size if size and size[0] > 0 and size[1] > 0 else None
