"""
Images, by Pillow where it is installed; without it none is looked into.

An image is decoded, not only opened: one that is cut short often has a good beginning. Of several
frames or pages only the first is. Nothing but the decoder that its signature calls for is tried.
"""

import functools
import importlib
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from ingest.builtin import embedded
from ingest.builtin.signatures import ICO
from ingest.errors import MessageError

if TYPE_CHECKING:
    from PIL.Image import Image

# Pillow's own bound, above which it warns of a decompression bomb: 256 MiB at 24 bits. It goes on
# up to twice that; here that is too much already, for a worker on each core does it at once.
MAX_PIXELS = 89_478_485

# Some decoders hold the whole file; a larger one is hashed, not decoded.
MAX_BYTES = 512 * 1024 * 1024

# Pillow's plugin and format for each type that it decodes without another program.
_DECODERS = MappingProxyType(
    {
        "image/avif": ("Avif", "AVIF"),
        "image/bmp": ("Bmp", "BMP"),
        "image/gif": ("Gif", "GIF"),
        "image/jpeg": ("Jpeg", "JPEG"),
        "image/png": ("Png", "PNG"),
        "image/tiff": ("Tiff", "TIFF"),
        "image/webp": ("WebP", "WEBP"),
        ICO: ("Ico", "ICO"),
    }
)
_XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
_NO_TEXT = ("xml:com.adobe.xmp", "raw profile type")


class ImageError(MessageError, ValueError):
    """An image that is broken, or larger than what is decoded."""


def can_examine(media_type: str | None) -> bool:
    """Whether an image of this type can be decoded here."""
    return media_type in _DECODERS and _opener(media_type) is not None


def examine(file: BinaryIO, media_type: str, size: int) -> dict[str, Any]:
    """
    Decode the image in `file`, from its start, and give what it is and says.

    That is `format`, `width` and `height`, and where it has them `exif`, `text` and `keywords`;
    nothing if it cannot be decoded here.

    In a process's main thread, as in a worker, Pillow's warnings are silenced. In another thread
    the host's filters decide: Python cannot change them for one thread alone.

    Raises:
        ImageError: the image is broken, or has more than `MAX_PIXELS`.
    """
    opener = _opener(media_type) if media_type in _DECODERS and size <= MAX_BYTES else None
    if opener is None:
        return {}
    with _without_warnings():
        try:
            return _examined(opener(file))
        except ImageError:
            raise
        except Exception as error:  # Decoders raise nearly anything on what is broken.
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's error, not the image's
            unknown = type(error).__name__ == "UnidentifiedImageError"
            if unknown and media_type == "image/tiff" and _has_directory(file, size):
                return {}  # TIFF is a family: what Pillow does not know is most likely sound
            raise ImageError(_message(error)) from error


@functools.cache
def _opener(media_type: str) -> Callable[[BinaryIO], "Image"] | None:
    """None without Pillow, or if it was built without this format's library."""
    plugin, name = _DECODERS[media_type]
    try:
        pillow = importlib.import_module("PIL.Image")
        # Left to itself Pillow imports all of its plugins for one that it has not loaded yet.
        module = importlib.import_module(f"PIL.{plugin}ImagePlugin")
    except ImportError:
        return None
    supported = getattr(module, "SUPPORTED", True)
    return functools.partial(pillow.open, formats=(name,)) if supported else None


@contextmanager
def _without_warnings() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    bomb = importlib.import_module("PIL.Image").DecompressionBombWarning
    with warnings.catch_warnings(action="ignore"):
        warnings.simplefilter("error", bomb)
        yield


def _examined(image: "Image") -> dict[str, Any]:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(f"image of {width:,} x {height:,} pixels; the limit is {MAX_PIXELS:,}")
    found: dict[str, Any] = {"format": image.format, "width": width, "height": height}
    # A PNG's EXIF may stand at the file's end; a TIFF's orientation is gone once it is decoded.
    tags = {} if image.format == "PNG" else _exif_tags(image)
    # A JPEG decoded at an eighth of its size is read whole, in half the time and little memory.
    image.draft("L", (1, 1))
    image.load()
    tags = tags or _exif_tags(image)
    texts = dict(_texts(image))
    if exif := embedded.exif_fields(tags):
        found["exif"] = exif
    if text := embedded.clean_texts(texts):
        found["text"] = text
    if keywords := embedded.clean_keywords(_keywords(image, tags, texts)):
        found["keywords"] = keywords
    return found


def _exif_tags(image: "Image") -> dict[int, Any]:
    try:
        exif = image.getexif()
        return {**exif, **exif.get_ifd(embedded.EXIF_IFD)}
    except Exception:  # noqa: BLE001 (raises nearly anything; the picture can still be seen)
        return {}


def _texts(image: "Image") -> dict[str, str | bytes]:
    """Texts by their names: a PNG's chunks, the comment of a JPEG or GIF."""
    texts = getattr(image, "text", None) or {"Comment": image.info.get("comment", "")}
    return {name: text for name, text in texts.items() if not name.lower().startswith(_NO_TEXT)}


def _keywords(
    image: "Image", tags: Mapping[int, Any], texts: Mapping[str, str | bytes]
) -> Iterator[str]:
    for name, text in texts.items():
        if name.lower() in ("keywords", "tags"):
            yield from embedded.split_keywords(str(text))
    yield from embedded.iptc_keywords(_iptc_block(image))
    yield from embedded.xmp_keywords(_xmp_packet(image))
    yield from embedded.exif_keywords(tags)


def _iptc_block(image: "Image") -> bytes:
    photoshop = image.info.get("photoshop")
    block = photoshop.get(embedded.IPTC_IN_PHOTOSHOP) if isinstance(photoshop, dict) else None
    if block is None:
        block = getattr(image, "tag_v2", {}).get(embedded.IPTC_IN_TIFF)
    return block if isinstance(block, bytes) else b""


def _xmp_packet(image: "Image") -> bytes:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if not packet:  # before Pillow 11 a JPEG's packet stood among its segments alone
        for name, segment in getattr(image, "applist", ()):
            if name == "APP1" and segment.startswith(_XMP_SEGMENT):
                packet = segment.removeprefix(_XMP_SEGMENT)
    if isinstance(packet, str):
        packet = packet.encode("utf-8", "replace")
    return packet if isinstance(packet, bytes) and len(packet) <= embedded.MAX_XMP else b""


def _has_directory(file: BinaryIO, size: int) -> bool:
    """Whether a TIFF holds its directory, which many writers put at the end: if not, it is cut."""
    file.seek(0)
    head = file.read(16)
    order: Literal["little", "big"] = "little" if head.startswith(b"II") else "big"
    big = 43 in head[2:4]  # BigTIFF: offsets of 8 bytes, entries of 20
    at = int.from_bytes(head[8:16] if big else head[4:8], order)
    file.seek(min(at, size))
    entries = int.from_bytes(file.read(8 if big else 2), order)
    return at >= 8 and at + (16 + 20 * entries if big else 6 + 12 * entries) <= size


def _message(error: Exception) -> str:
    if type(error).__name__.startswith("DecompressionBomb"):
        return f"image too large to decode: {error}"
    if type(error).__name__ == "UnidentifiedImageError":
        return "broken image: its header cannot be read"
    reason = embedded.clean_text(str(error).partition("\n")[0], 200)
    return f"broken image: {reason or type(error).__name__}"
