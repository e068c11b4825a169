"""The types of raw photos, most of which are TIFFs that only their tags tell from others."""

import io
from collections.abc import Mapping
from types import MappingProxyType

from ingest.builtin.extensions import types_by_extension
from ingest.builtin.tiff import SUB_DIRECTORIES, Directory, TiffReader, first_number

# By the first word of the name of the camera's maker.
_MAKES: Mapping[bytes, str] = MappingProxyType(
    {
        b"hasselblad": "image/x-hasselblad-3fr",
        b"nikon": "image/x-nikon-nef",
        b"pentax": "image/x-pentax-pef",
        b"ricoh": "image/x-pentax-pef",
        b"samsung": "image/x-samsung-srw",
        b"sony": "image/x-sony-arw",
    }
)
RAW_TYPES = frozenset(
    {
        "image/x-adobe-dng",
        "image/x-canon-cr2",
        "image/x-canon-cr3",
        "image/x-canon-crw",
        "image/x-epson-erf",
        "image/x-fujifilm-raf",
        "image/x-hasselblad-3fr",
        "image/x-hasselblad-fff",
        "image/x-kodak-dcr",
        "image/x-kodak-kdc",
        "image/x-leaf-mos",
        "image/x-mamiya-mef",
        "image/x-minolta-mrw",
        "image/x-nikon-nef",
        "image/x-nikon-nrw",
        "image/x-olympus-orf",
        "image/x-panasonic-rw2",
        "image/x-pentax-pef",
        "image/x-phaseone-iiq",
        "image/x-samsung-srw",
        "image/x-sigma-x3f",
        "image/x-sony-arw",
        "image/x-sony-sr2",
    }
)
"""The types of raw photos."""

_COMPRESSION, _PHOTOMETRIC, _MAKE, _DNG_VERSION = 259, 262, 271, 50706
_SENSOR = frozenset({32803, 34892})  # a colour filter array, and linear values of a sensor
# Of Sony, Pentax, Nikon, Kodak, Samsung and Epson.
_RAW_COMPRESSIONS = frozenset({32767, 32769, 32770, 32867, 34713, 65000, 65535})


def type_of_tiff(head: bytes, suffix: str) -> str:
    """Return the type of a TIFF: the raw photo that it holds, or plain TIFF."""
    if head[8:10] == b"CR" and head.startswith(b"II*\0"):
        return "image/x-canon-cr2"
    if head[8:12] in (b"IIII", b"MMMM"):
        return "image/x-phaseone-iiq"
    reader = TiffReader(io.BytesIO(head), len(head))
    directories = list(reader.directories())
    main = directories[0].tags if directories else {}
    if _DNG_VERSION in main or (not main and suffix == ".dng"):
        return "image/x-adobe-dng"
    by_name = types_by_extension().get(suffix)
    if SUB_DIRECTORIES in main and by_name in RAW_TYPES:
        return by_name
    if directories and not any(map(_is_raw, directories)):
        return "image/tiff"
    make = main.get(_MAKE)
    words = make.partition(b"\0")[0].lower().split() if isinstance(make, bytes) else []
    by_make = _MAKES.get(words[0]) if words else None
    return by_name if by_name in RAW_TYPES else by_make or "image/tiff"


def _is_raw(directory: Directory) -> bool:
    """Return whether a directory's image has the mosaic of a sensor, or a raw compression."""
    photometric = first_number(directory.tags, _PHOTOMETRIC)
    compression = first_number(directory.tags, _COMPRESSION)
    return photometric in _SENSOR or compression in _RAW_COMPRESSIONS
