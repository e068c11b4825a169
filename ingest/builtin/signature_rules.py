"""
The signatures that take more than a comparison: a type from a look behind the first bytes.

Each rule is a function from the beginning of a file and its extension to a media type, or None
where the content is not of this format.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from ingest.builtin.image_sizes import size_in_head
from ingest.builtin.jxl import codestream_size

ICO = "image/vnd.microsoft.icon"
_PE = "application/vnd.microsoft.portable-executable"
_MAX_SIDE = 65_536

# The brand of an ISO base media file (MP4 and related formats); other brands are MP4.
_BRANDS: Mapping[bytes, str] = MappingProxyType(
    dict.fromkeys((b"avif", b"avis"), "image/avif")
    | dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "image/heic")
    | dict.fromkeys((b"mif1", b"msf1"), "image/heif")
    | dict.fromkeys((b"3gp4", b"3gp5", b"3gp6", b"3gp7", b"3gg6", b"3gs7"), "video/3gpp")
    | dict.fromkeys((b"3g2a", b"3g2b", b"3g2c"), "video/3gpp2")
    | dict.fromkeys((b"M4A ", b"M4B ", b"M4P ", b"aax ", b"F4A ", b"F4B "), "audio/mp4")
    | dict.fromkeys((b"M4V ", b"M4VH", b"M4VP"), "video/x-m4v")
    | {
        b"qt  ": "video/quicktime",
        b"crx ": "image/x-canon-cr3",
        b"jp2 ": "image/jp2",
        b"jpx ": "image/jpx",
        b"mjp2": "video/mj2",
        b"f4v ": "video/x-f4v",
        b"jxl ": "image/jxl",
    }
)
# Brands that any file of a family may have: the compatible brands are more exact.
_GENERAL_IMAGES = frozenset({b"mif1", b"msf1"})
_GENERAL = frozenset(
    {b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"iso8", b"mp41", b"mp42", b"dash"}
)
_AUDIO_SUFFIXES = frozenset({".m4a", ".m4b", ".m4p", ".m4r", ".aax"})

_PNM: Mapping[bytes, str] = MappingProxyType(
    {
        b"1": "bitmap", b"2": "graymap", b"3": "pixmap",
        b"4": "bitmap", b"5": "graymap", b"6": "pixmap", b"7": "arbitrarymap",
    }
)  # fmt: skip
_ASF_VIDEO = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
_ASF_AUDIO = bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b")
_BEHIND_ID3 = (
    (b"fLaC", "audio/flac"), (b"MAC ", "audio/x-ape"), (b"wvpk", "audio/x-wavpack"),
    (b"TTA1", "audio/x-tta"), (b"MPCK", "audio/x-musepack"), (b"\xff\xf1", "audio/aac"),
    (b"\xff\xf9", "audio/aac"), (b"RIFF", "audio/x-wav"), (b"OggS", "audio/ogg"),
)  # fmt: skip
_DWG = re.compile(rb"AC10\d\d")


def iso_media(head: bytes, suffix: str) -> str:
    """ISO base media: the type of the major brand, or of a compatible one if that is general."""
    length = min(int.from_bytes(head[:4], "big"), 512)
    major = head[8:12]
    compatible = [head[at : at + 4] for at in range(16, length - 3, 4)]
    kind = _BRANDS.get(major)
    if major in _GENERAL_IMAGES:
        exact = (_BRANDS[brand] for brand in compatible if brand in _BRANDS)
        kinds = [found for found in exact if found in ("image/avif", "image/heic")]
        return kinds[0] if kinds else "image/heif"
    if kind is None and major in _GENERAL:
        audio = any(_BRANDS.get(brand) == "audio/mp4" for brand in compatible)
        kind = "audio/mp4" if audio or suffix in _AUDIO_SUFFIXES else None
    return kind or "video/mp4"


def jpeg2000(head: bytes, _suffix: str) -> str:
    """Boxes of JPEG 2000: plain or extended, by the brand."""
    return {b"jpx ": "image/jpx", b"mjp2": "video/mj2"}.get(head[20:24], "image/jp2")


def bare_jxl(head: bytes, suffix: str) -> str | None:
    """A codestream of JPEG XL, whose signature is two bytes: its size must make sense."""
    size = codestream_size(head)
    return "image/jxl" if suffix == ".jxl" or (size and max(size) <= _MAX_SIDE) else None


def bmp(head: bytes, _suffix: str) -> str | None:
    """`BM` also begins text: the reserved bytes must be zero and the header's size known."""
    header = int.from_bytes(head[14:18], "little")
    known = header in (12, 16, 40, 52, 56, 64, 108, 124)
    return "image/bmp" if known and head[6:10] == bytes(4) else None


def icon(head: bytes, _suffix: str) -> str | None:
    """An icon or cursor: at least one image, and the first entry's reserved byte is zero."""
    is_one = head[4:6] != b"\0\0" and head[9:10] == b"\0"
    return ({1: ICO, 2: "image/x-win-bitmap"}.get(head[2])) if is_one else None


def pcx(head: bytes, _suffix: str) -> str | None:
    """PCX: a version, run lengths, and a number of bits that exist."""
    known = head[1:2] in (b"\0", b"\2", b"\3", b"\4", b"\5") and head[2:3] == b"\1"
    return "image/vnd.zbrush.pcx" if known and head[3:4] in (b"\1", b"\2", b"\4", b"\10") else None


def tga(head: bytes, suffix: str) -> str | None:
    """A Targa image has no signature: its name and the values of its header decide."""
    if suffix not in (".tga", ".targa") or len(head) < 18:
        return None
    known = head[1] in (0, 1) and head[2] in (1, 2, 3, 9, 10, 11, 32, 33)
    return "image/x-tga" if known and head[16] in (8, 15, 16, 24, 32) else None


def pnm(head: bytes, _suffix: str) -> str | None:
    """The portable formats: `P`, a digit, and a size in digits."""
    kind = f"image/x-portable-{_PNM[head[1:2]]}"
    return kind if size_in_head(kind, head) else None


def pfm(head: bytes, _suffix: str) -> str | None:
    """A portable map of floats: width and height in digits on the second line."""
    return "image/x-portable-floatmap" if re.match(rb"P[Ff]\n\d+ \d+\n", head) else None


def dwg(head: bytes, _suffix: str) -> str | None:
    """AutoCAD's drawings, from release 10 on."""
    return "image/vnd.dwg" if _DWG.match(head) else None


def emf(head: bytes, _suffix: str) -> str | None:
    """An enhanced metafile has its signature behind its first record's sizes."""
    return "image/emf" if head[40:44] == b" EMF" else None


def flic(head: bytes, _suffix: str) -> str | None:
    """An animation of Autodesk; its first chunk's flags or depth are those of the format."""
    return "video/x-flic" if head[12:14] in (b"\x08\0", b"\0\0") and head[6:8] != b"\0\0" else None


def riff(head: bytes, _suffix: str) -> str | None:
    """RIFF, by the form."""
    forms = {
        b"WEBP": "image/webp", b"WAVE": "audio/x-wav", b"AVI ": "video/x-msvideo",
        b"RMID": "audio/midi", b"ACON": "application/x-navi-animation", b"sfbk": "audio/x-sfbk",
    }  # fmt: skip
    return forms.get(head[8:12])


def wave64(head: bytes, _suffix: str) -> str | None:
    """WAVE in its forms of more than 4 GiB."""
    return "audio/x-wav" if head[8:12] == b"WAVE" else None


def iff(head: bytes, _suffix: str) -> str | None:
    """IFF, by the form."""
    forms = {b"AIFF": "audio/x-aiff", b"AIFC": "audio/x-aiff", b"ILBM": "image/x-ilbm"}
    return forms.get(head[8:12])


def ogg(head: bytes, _suffix: str) -> str:
    """Ogg with a stream of Theora among its first pages is video."""
    return "video/ogg" if b"\x80theora" in head[:512] else "audio/ogg"


def ebml(head: bytes, suffix: str) -> str:
    """Matroska, or its subset WebM."""
    if b"webm" in head[:64]:
        return "video/webm"
    return "audio/x-matroska" if suffix == ".mka" else "video/x-matroska"


def asf(head: bytes, suffix: str) -> str:
    """Windows Media: video or audio by its streams, which the header lists."""
    if _ASF_VIDEO in head:
        return "video/x-ms-asf" if suffix == ".asf" else "video/x-ms-wmv"
    if _ASF_AUDIO in head or suffix == ".wma":
        return "audio/x-ms-wma"
    return "video/x-ms-wmv" if suffix == ".wmv" else "video/x-ms-asf"


def id3(head: bytes, _suffix: str) -> str:
    """A tag of ID3, which may stand before other formats than MPEG audio."""
    if len(head) < 10:
        return "audio/mpeg"
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    data = head[10 + size : 14 + size]
    return next((kind for start, kind in _BEHIND_ID3 if data.startswith(start)), "audio/mpeg")


def mpeg_audio(head: bytes, _suffix: str) -> str | None:
    """A frame of MPEG audio: neither the bit rate nor the sampling rate that it excludes."""
    known = head[2:3] and head[2] >> 4 not in (0, 15) and head[2] & 12 != 12
    return "audio/mpeg" if known else None


def adts(head: bytes, _suffix: str) -> str | None:
    """A frame of AAC: a sampling rate that exists, and a length that holds its header."""
    if len(head) < 7 or head[2] >> 2 & 15 > 12:
        return None
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    follows = head[length : length + 1] in (b"\xff", b"")
    return "audio/aac" if length >= 7 and follows else None


def ac3(head: bytes, _suffix: str) -> str | None:
    """AC-3 and its successor, by the version of the stream."""
    if len(head) < 6:
        return None
    version = head[5] >> 3
    if version <= 10:
        return "audio/ac3" if head[4] >> 6 != 3 and head[4] & 63 < 38 else None
    return "audio/eac3" if version <= 16 else None


def cafebabe(head: bytes, _suffix: str) -> str:
    """A Java class has its version here, 45 or more; a fat binary its number of architectures."""
    is_class = int.from_bytes(head[4:8], "big") >= 45
    return "application/java-vm" if is_class else "application/x-mach-binary"


def pe(head: bytes, _suffix: str) -> str:
    """A program of Windows, or of DOS."""
    at = int.from_bytes(head[0x3C:0x40], "little")
    return _PE if head[at : at + 4] == b"PE\0\0" else "application/x-msdos-program"


def ttf(head: bytes, _suffix: str) -> str | None:
    """Other formats begin with this number too; in a font the name of a table follows."""
    return "font/ttf" if head[4:5] == b"\0" and head[12:15].isalnum() else None


def access(head: bytes, _suffix: str) -> str | None:
    """A database of Access, whose engine's name follows."""
    known = head[4:19] in (b"Standard Jet DB", b"Standard ACE DB")
    return "application/x-msaccess" if known else None


def lzma(head: bytes, suffix: str) -> str | None:
    """A stream of LZMA, whose signature is weak: the size is unknown, or less than 256 GiB."""
    size = head[5:13]
    known = size == b"\xff" * 8 or (suffix in (".lzma", ".tlz") and size[5:] == bytes(3))
    return "application/x-lzma" if known and len(head) > 13 else None
