"""A small picture of an image, made by Pillow; without Pillow there is none."""

import functools
import importlib
import io
import os
import stat
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 256
"""Pixels of a preview's longer side at most."""

MAX_PIXELS = 89_478_485
"""Pixels of an image at most: Pillow's own limit, above which it warns of a decompression bomb."""

MAX_BYTES = 512 * 1024 * 1024
"""Bytes of a file at most: some decoders hold all of it in memory."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "ICO", "AVIF")
"""What is decoded without another program."""

QUALITY = 75

# Since its outcome, a file may have been replaced by a link or a FIFO: follow none, wait for none.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


def preview(path: str, size: int, modified: int) -> bytes | None:
    """
    Return a preview of the image at `path`, or None if it is not an image that can be decoded.

    The preview is WebP, or JPEG where this Pillow writes no WebP; it has no metadata of the image.
    It is made only if the file has this size and this time of modification (ns) while it is open.

    Raises:
        OSError: the file is gone, unreadable or changed.
    """
    pillow = _pillow()
    if pillow is None or not 0 < size <= MAX_BYTES:
        return None
    fd = os.open(path, _FLAGS)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or (status.st_size, status.st_mtime_ns) != (
            size,
            modified,
        ):
            raise OSError(0, "the file was changed")
        with warnings.catch_warnings(action="ignore"):
            try:
                return _encoded(pillow, pillow.open(file, formats=FORMATS))
            except Exception:  # noqa: BLE001 - decoders raise almost any exception on broken data
                return None


@functools.cache
def _pillow() -> Any:
    try:
        return importlib.import_module("PIL.Image")
    except ImportError:
        return None


def _encoded(pillow: Any, image: "Image") -> bytes | None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        return None
    image.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG is decoded at a fraction of its size
    image.load()
    image = _upright(pillow, image)
    image = _in_colour(image)
    image.thumbnail((SIDE, SIDE), reducing_gap=2.0)
    written = io.BytesIO()
    pillow.init()
    if "WEBP" in pillow.SAVE:
        image.save(written, "WEBP", quality=QUALITY, method=2, exif=b"", icc_profile=None)
    else:
        _without_alpha(pillow, image).save(written, "JPEG", quality=QUALITY, exif=b"")
    return written.getvalue()


def _upright(pillow: Any, image: "Image") -> "Image":
    """Return the image turned as its EXIF orientation wants it."""
    ways = pillow.Transpose
    turn = {
        2: ways.FLIP_LEFT_RIGHT,
        3: ways.ROTATE_180,
        4: ways.FLIP_TOP_BOTTOM,
        5: ways.TRANSPOSE,
        6: ways.ROTATE_270,
        7: ways.TRANSVERSE,
        8: ways.ROTATE_90,
    }.get(image.getexif().get(0x0112, 1))
    return image if turn is None else image.transpose(turn)


def _in_colour(image: "Image") -> "Image":
    if image.mode.startswith("I;16"):  # 16 bits a pixel, of which conversion would cut the upper
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    transparent = "transparency" in image.info or image.mode in ("RGBA", "LA", "PA")
    return image.convert("RGBA" if transparent else "RGB")


def _without_alpha(pillow: Any, image: "Image") -> "Image":
    flat: Image = pillow.new("RGB", image.size, "white")
    flat.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
    return flat
