"""
The signatures at the beginning of files ("magic numbers"), and the media types that they prove.

A ZIP archive that holds its own type, as EPUB and OpenDocument do, has that type. Other archives
and Microsoft's compound files take their type from the extension.
"""

import io
import re
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

from ingest.builtin.tiff import Directory, TiffReader, first_number

ZIP = "application/zip"
ICO = "image/vnd.microsoft.icon"
_OLE = "application/x-ole-storage"
_PE = "application/vnd.microsoft.portable-executable"
_OOXML = "application/vnd.openxmlformats-officedocument."

_ZIP_KINDS = MappingProxyType(
    {
        ".docx": _OOXML + "wordprocessingml.document",
        ".xlsx": _OOXML + "spreadsheetml.sheet",
        ".pptx": _OOXML + "presentationml.presentation",
        ".jar": "application/java-archive",
        ".apk": "application/vnd.android.package-archive",
        ".kmz": "application/vnd.google-earth.kmz",
        ".xpi": "application/x-xpinstall",
        ".cbz": "application/vnd.comicbook+zip",
    }
)

# Raw photos that are TIFFs, by the suffix and by the first word of the camera's maker.
_RAW_SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        ".3fr": "image/x-hasselblad-3fr",
        ".arw": "image/x-sony-arw",
        ".cr2": "image/x-canon-cr2",
        ".dcr": "image/x-kodak-dcr",
        ".dng": "image/x-adobe-dng",
        ".erf": "image/x-epson-erf",
        ".fff": "image/x-hasselblad-fff",
        ".iiq": "image/x-phaseone-iiq",
        ".kdc": "image/x-kodak-kdc",
        ".mef": "image/x-mamiya-mef",
        ".mos": "image/x-leaf-mos",
        ".nef": "image/x-nikon-nef",
        ".nrw": "image/x-nikon-nrw",
        ".pef": "image/x-pentax-pef",
        ".sr2": "image/x-sony-sr2",
        ".srw": "image/x-samsung-srw",
    }
)
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
        *_RAW_SUFFIXES.values(),
        "image/x-canon-cr3",
        "image/x-canon-crw",
        "image/x-fujifilm-raf",
        "image/x-minolta-mrw",
        "image/x-olympus-orf",
        "image/x-panasonic-rw2",
        "image/x-sigma-x3f",
    }
)
"""The types of raw photos."""

_COMPRESSION, _PHOTOMETRIC, _MAKE, _DNG_VERSION = 259, 262, 271, 50706
_SENSOR = frozenset({32803, 34892})  # a colour filter array, and linear values of a sensor
# Of Sony, Pentax, Nikon, Kodak, Samsung and Epson.
_RAW_COMPRESSIONS = frozenset({32767, 32769, 32770, 32867, 34713, 65000, 65535})

# A ZIP may claim any type in its first entry. Only a valid name (RFC 6838) of a type that is a ZIP
# is accepted, because the type is written into reports and responses.
_TYPE_NAME = re.compile(r"[a-z]+/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_ZIP_FAMILIES = (
    "application/vnd.oasis.opendocument.",
    "application/vnd.sun.xml.",
    "application/vnd.adobe.indesign-idml-package",
    "application/vnd.recordare.musicxml",
    "application/x-krita",
    "image/openraster",
)
_MAX_TYPE = 255

_OLE_KINDS = MappingProxyType(
    {
        ".doc": "application/msword",
        ".xls": "application/vnd.ms-excel",
        ".ppt": "application/vnd.ms-powerpoint",
        ".msg": "application/vnd.ms-outlook",
        ".msi": "application/x-msi",
    }
)

# The brand of an ISO base media file (MP4 and related formats); other brands are MP4.
_BRANDS: Mapping[bytes, str] = MappingProxyType(
    dict.fromkeys((b"avif", b"avis"), "image/avif")
    | dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "image/heic")
    | dict.fromkeys((b"mif1", b"msf1"), "image/heif")
    | dict.fromkeys((b"3gp4", b"3gp5", b"3gp6"), "video/3gpp")
    | dict.fromkeys((b"M4A ", b"M4B "), "audio/mp4")
    | {b"qt  ": "video/quicktime", b"crx ": "image/x-canon-cr3", b"jp2 ": "image/jp2"}
)


def _zip(head: bytes, suffix: str) -> str:
    return _type_in_zip(head) or _ZIP_KINDS.get(suffix, ZIP)


def _type_in_zip(head: bytes) -> str | None:
    """Return the type that the first entry holds, uncompressed, if it is that of a kind of ZIP."""
    if head[30:38] != b"mimetype" or head[8:10] != b"\0\0" or head[26:28] != b"\x08\0":
        return None
    start = 38 + int.from_bytes(head[28:30], "little")
    length = int.from_bytes(head[22:26], "little")
    claimed = head[start : start + min(length, _MAX_TYPE)].decode("ascii", "replace").strip()
    is_zip = claimed.startswith(_ZIP_FAMILIES) or (
        claimed.startswith("application/") and claimed.endswith("+zip")
    )
    return claimed if is_zip and _TYPE_NAME.fullmatch(claimed) else None


def _ole(_head: bytes, suffix: str) -> str:
    return _OLE_KINDS.get(suffix, _OLE)


def _bmp(head: bytes, _suffix: str) -> str | None:
    # "BM" also begins text: the reserved bytes must be zero and the header's size known.
    header = int.from_bytes(head[14:18], "little")
    known = header in (12, 16, 40, 52, 56, 64, 108, 124)
    return "image/bmp" if known and head[6:10] == bytes(4) else None


def _icon(head: bytes, _suffix: str) -> str | None:
    # At least one image, and the first entry's reserved byte is zero.
    return ICO if head[4:6] != b"\0\0" and head[9:10] == b"\0" else None


def _riff(head: bytes, _suffix: str) -> str | None:
    return {b"WEBP": "image/webp", b"WAVE": "audio/x-wav", b"AVI ": "video/x-msvideo"}.get(
        head[8:12]
    )


def _form(head: bytes, _suffix: str) -> str | None:
    return "audio/x-aiff" if head[8:12] in (b"AIFF", b"AIFC") else None


def _ogg(head: bytes, _suffix: str) -> str:
    return "video/ogg" if b"\x80theora" in head[:512] else "audio/ogg"


def _ebml(head: bytes, _suffix: str) -> str:
    return "video/webm" if b"webm" in head[:64] else "video/x-matroska"


def _cafebabe(head: bytes, _suffix: str) -> str:
    # A Java class has its version here, 45 or more; a fat binary its number of architectures.
    is_class = int.from_bytes(head[4:8], "big") >= 45
    return "application/java-vm" if is_class else "application/x-mach-binary"


def _pe(head: bytes, _suffix: str) -> str:
    at = int.from_bytes(head[0x3C:0x40], "little")
    return _PE if head[at : at + 4] == b"PE\0\0" else "application/x-msdos-program"


def _mpeg(head: bytes, _suffix: str) -> str | None:
    # An MPEG audio frame: neither the bit rate nor the sampling rate that the format excludes.
    return (
        "audio/mpeg" if head[2:3] and head[2] >> 4 not in (0, 15) and head[2] & 12 != 12 else None
    )


def _tiff(head: bytes, suffix: str) -> str:
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
    if directories and not any(map(_is_raw, directories)):
        return "image/tiff"
    make = main.get(_MAKE)
    words = make.partition(b"\0")[0].lower().split() if isinstance(make, bytes) else []
    by_make = _MAKES.get(words[0]) if words else None
    return _RAW_SUFFIXES.get(suffix) or by_make or "image/tiff"


def _is_raw(directory: Directory) -> bool:
    """Return whether a directory's image has the mosaic of a sensor, or a raw compression."""
    photometric = first_number(directory.tags, _PHOTOMETRIC)
    compression = first_number(directory.tags, _COMPRESSION)
    return photometric in _SENSOR or compression in _RAW_COMPRESSIONS


def _ttf(head: bytes, _suffix: str) -> str | None:
    # Other formats begin with this version number too; in a font the name of a table follows.
    return "font/ttf" if head[4:5] == b"\0" and head[12:15].isalnum() else None


_Rule = tuple[bytes, str | Callable[[bytes, str], str | None]]

_RULES: tuple[_Rule, ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"RIFF", _riff),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
    (b"II+\0", _tiff),
    (b"MM\0+", _tiff),
    (b"IIRO", "image/x-olympus-orf"),
    (b"IIRS", "image/x-olympus-orf"),
    (b"MMOR", "image/x-olympus-orf"),
    (b"IIU\0", "image/x-panasonic-rw2"),
    (b"FUJIFILMCCD-RAW ", "image/x-fujifilm-raf"),
    (b"II\x1a\0\0\0HEAPCCDR", "image/x-canon-crw"),
    (b"FOVb", "image/x-sigma-x3f"),
    (b"\0MRM", "image/x-minolta-mrw"),
    (b"BM", _bmp),
    (b"\0\0\1\0", _icon),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"8BPS\0", "image/vnd.adobe.photoshop"),
    (b"%PDF-", "application/pdf"),
    (b"%!PS", "application/postscript"),
    (b"{\\rtf", "application/rtf"),
    (b"PK\3\4", _zip),
    (b"PK\5\6", _zip),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"\x04\x22\x4d\x18", "application/x-lz4"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"MSCF\0\0\0\0", "application/vnd.ms-cab-compressed"),
    (b"!<arch>\ndebian-binary", "application/vnd.debian.binary-package"),
    (b"!<arch>\n", "application/x-archive"),
    (b"\xed\xab\xee\xdb", "application/x-rpm"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _ole),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"PAR1", "application/vnd.apache.parquet"),
    (b"\x89HDF\r\n\x1a\n", "application/x-hdf5"),
    (b"TZif", "application/tzif"),
    (b"\x7fELF", "application/x-elf"),
    (b"MZ", _pe),
    (b"\xca\xfe\xba\xbe", _cafebabe),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xce\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\0asm", "application/wasm"),
    (b"\xde\x12\x04\x95", "application/x-gettext-translation"),
    (b"\x95\x04\x12\xde", "application/x-gettext-translation"),
    (b"\0\5\x16\7", "application/applefile"),  # "._photo.jpg", beside each photo on some shares
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", _mpeg),
    (b"\xff\xfa", _mpeg),
    (b"\xff\xf3", _mpeg),
    (b"\xff\xf2", _mpeg),
    (b"fLaC", "audio/flac"),
    (b"OggS", _ogg),
    (b"FORM", _form),
    (b"MThd\0\0\0\6", "audio/midi"),
    (b"\x1aE\xdf\xa3", _ebml),
    (b"\0\0\1\xba", "video/mpeg"),
    (b"\0\0\1\xb3", "video/mpeg"),
    (b"\0\1\0\0", _ttf),
    (b"OTTO", "font/otf"),
    (b"ttcf\0", "font/collection"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
)


@cache
def _rules() -> dict[bytes, list[_Rule]]:
    """Return the rules by their first two bytes, so that one look-up rejects most files."""
    rules: dict[bytes, list[_Rule]] = {}
    for rule in _RULES:
        rules.setdefault(rule[0][:2], []).append(rule)
    return rules


def type_of_signature(head: bytes, suffix: str) -> str | None:
    """
    Return the media type that the beginning of a file proves, or None.

    `suffix` is the name's extension in lower case, for formats that share one signature. Some
    signatures are only letters: the caller checks whether the file is text.
    """
    for prefix, kind in _rules().get(head[:2], ()):
        if head.startswith(prefix):
            found = kind if isinstance(kind, str) else kind(head, suffix)
            if found is not None:
                return found
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head[257:262] == b"ustar":
        return "application/x-tar"
    # MPEG transport stream: packets of 188 bytes, each begun by a "G".
    if head[:1] == b"G" == head[188:189] == head[376:377]:
        return "video/mp2t"
    return None
