"""
Images: what their headers hold, and whether they can be decoded.

The size, EXIF, XMP, IPTC and texts are read here without decoding, so a broken image keeps them.
Pillow decodes the image as a check (`decode.py`).
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

from ingest.builtin import exif
from ingest.builtin.blocks import ImageBlocks
from ingest.builtin.clean_text import (
    MAX_TEXT,
    are_truncated,
    clean_keywords,
    clean_texts,
    is_truncated,
    split_keywords,
    truncated_texts,
)
from ingest.builtin.decode import (
    NO_HEADER,
    Kind,
    Problem,
    can_decode,
    find_problem,
    format_name,
)
from ingest.builtin.descriptions import describe
from ingest.builtin.gif import read_gif
from ingest.builtin.heif import read_heif, read_jpeg2000, read_jxl
from ingest.builtin.image_sizes import HEAD, size_in_head
from ingest.builtin.iptc import iptc_keywords
from ingest.builtin.jpeg import read_jpeg
from ingest.builtin.options import DEFAULT, Options, Verify
from ingest.builtin.photoshop import iptc_of_resources, read_psd
from ingest.builtin.png import read_png
from ingest.builtin.raw_types import RAW_TYPES
from ingest.builtin.tiff import TiffReader, main_size
from ingest.builtin.webp import read_webp
from ingest.builtin.xml_values import Values
from ingest.builtin.xmp import keywords_of, read_xmp
from ingest.outcome import ProcessingError

_READERS: Mapping[str, Callable[[BinaryIO, int], ImageBlocks]] = MappingProxyType(
    {
        "image/avif": read_heif,
        "image/gif": read_gif,
        "image/heic": read_heif,
        "image/heif": read_heif,
        "image/j2c": read_jpeg2000,
        "image/jp2": read_jpeg2000,
        "image/jpx": read_jpeg2000,
        "image/jpeg": read_jpeg,
        "image/jxl": read_jxl,
        "image/png": read_png,
        "image/vnd.adobe.photoshop": read_psd,
        "image/webp": read_webp,
    }
)
# Orientations that exchange width and height for display.
_TURNED = frozenset({5, 6, 7, 8})
_XMP_TAG, _IPTC_TAG, _PHOTOSHOP_TAG, _ICC_TAG = 700, 33723, 34377, 34675
_COMPRESSION = 259
# Compressions of which few builds of libtiff have all: Thunderscan, SGI, LZMA, Zstandard, WebP.
_RARE_COMPRESSIONS = frozenset({32809, 34676, 34677, 34925, 50000, 50001, 50002})
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"IIRO", b"IIRS", b"MMOR", b"IIU\0")


class ImageError(ProcessingError, ValueError):
    """An image that is broken; `outcome` is what is known of it."""


class Examination(NamedTuple):
    """The metadata of an image, and what is wrong with it: an error, a warning, or neither."""

    metadata: dict[str, Any]
    error: str | None = None
    warning: str | None = None


class _Header(NamedTuple):
    blocks: ImageBlocks
    tags: Mapping[str, Any]
    big_endian: bool
    is_whole_tiff: bool = False


def can_examine(media_type: str | None) -> bool:
    """Return whether an image of this type can be decoded here."""
    return can_decode(media_type)


def examine(file: BinaryIO, media_type: str, size: int, options: Options = DEFAULT) -> Examination:
    """
    Return the metadata of the image in `file`, and its problem, as far as `options` demands.

    The metadata is `format`, `width` and `height`, and where the image has them `exif`, `text` and
    `keywords`, as far as they can be read.

    Raises:
        OSError: the disk failed.
    """
    if options.verify is Verify.NONE:
        return Examination({})
    header = _read_header(file, media_type, size)
    metadata = _metadata(header, media_type)
    is_read = header.blocks.size or header.is_whole_tiff or not format_name(media_type)
    # For a JPEG's frame Pillow would look byte by byte, up to the end of the file.
    if not is_read and (options.verify is Verify.HEADER or media_type == "image/jpeg"):
        return Examination(metadata, f"{Kind.BROKEN}: {NO_HEADER}")
    if options.verify is Verify.HEADER:
        return Examination(metadata)
    problem = find_problem(file, media_type, size, max_pixels=options.max_pixels)
    return _judged(metadata, header, problem) if problem else Examination(metadata)


def _judged(metadata: dict[str, Any], header: _Header, problem: Problem) -> Examination:
    """Return the metadata with the problem as an error or, if the image may be sound, a warning."""
    if problem.kind is not Kind.BROKEN:
        return Examination(metadata, warning=str(problem))
    unknown = problem.reason == NO_HEADER and header.is_whole_tiff
    if header.blocks.unsupported or unknown:
        unsupported = f"{Kind.UNSUPPORTED}: {header.blocks.unsupported or problem.reason}"
        return Examination(metadata, warning=unsupported)
    return Examination(metadata, error=str(problem))


def _read_header(file: BinaryIO, media_type: str, size: int) -> _Header:
    """Return the blocks of an image and the tags of its EXIF."""
    file.seek(0)
    if file.read(4) in _TIFF_SIGNATURES:
        return _read_tiff(file, media_type, size)
    reader = _READERS.get(media_type)
    if reader is None:
        file.seek(0)
        blocks = ImageBlocks(size=size_in_head(media_type, file.read(HEAD)))
    else:
        blocks = reader(file, size)
    tags, big_endian = exif.read_exif(blocks.exif)
    return _Header(blocks, tags, big_endian)


def _read_tiff(file: BinaryIO, media_type: str, size: int) -> _Header:
    reader = TiffReader(file, size)
    directories = list(reader.directories())
    if not directories:
        return _Header(ImageBlocks(), {}, reader.big_endian)
    main = directories[0].tags
    found = ImageBlocks(size=main_size(directories, raw=media_type in RAW_TYPES))
    xmp, iptc, resources, icc = (
        value if isinstance(value := main.get(tag, b""), bytes) else b""
        for tag in (_XMP_TAG, _IPTC_TAG, _PHOTOSHOP_TAG, _ICC_TAG)
    )
    found.xmp, found.icc = xmp, icc
    found.iptc = iptc or iptc_of_resources(resources)
    compression = main.get(_COMPRESSION, ())
    if compression and compression[0] in _RARE_COMPRESSIONS:
        found.unsupported = f"a TIFF with compression {int(compression[0])}"
    tags = exif.named_tags(reader, main)
    return _Header(found, tags, reader.big_endian, reader.has_directory)


def _metadata(header: _Header, media_type: str) -> dict[str, Any]:
    blocks = header.blocks
    found: dict[str, Any] = {}
    fields = exif.exif_fields(header.tags, big_endian=header.big_endian) if header.tags else {}
    if blocks.size:
        if name := format_name(media_type):
            found["format"] = name
        found["width"], found["height"] = blocks.size
        turned = blocks.turned or fields.get("orientation", 1) in _TURNED
        display = blocks.clean or blocks.size
        display = display[::-1] if turned else display
        found["display_width"], found["display_height"] = display
    text = clean_texts(blocks.texts)
    xmp = read_xmp(blocks.xmp)
    all_keywords = list(_keywords(header, xmp))
    keywords = clean_keywords(all_keywords)
    truncated = [
        *(f"exif.{name}" for name, value in fields.items() if is_truncated(value, MAX_TEXT)),
        *truncated_texts(blocks.texts, text),
        *(["keywords"] if are_truncated(all_keywords, keywords) else []),
    ]
    groups = {
        "exif": fields,
        "image": describe(blocks, xmp, fields),
        "text": text,
        "keywords": keywords,
        "truncated": truncated,
    }
    return found | {name: group for name, group in groups.items() if group}


def _keywords(header: _Header, xmp: Mapping[str, Values]) -> Iterator[str]:
    """Return the keywords of each source one after another, repeated ones included."""
    for name, text in header.blocks.texts.items():
        if name.lower() in ("keywords", "tags"):
            yield from split_keywords(str(text))
    yield from iptc_keywords(header.blocks.iptc)
    yield from keywords_of(xmp)
    yield from exif.exif_keywords(header.tags)
