"""
The types that a ZIP archive and Microsoft's compound file hold.

A ZIP may claim any type in its first entry. Only a valid name (RFC 6838) of a type that is a ZIP is
accepted, because the type is written into reports and responses. An Office document states its type
in `[Content_Types].xml`; other kinds are recognised by the names of their entries, and then by the
extension. Only what lies in the first bytes of the file is seen.
"""

import re
import zlib
from collections.abc import Mapping
from types import MappingProxyType

from ingest.builtin.extensions import types_by_extension

ZIP = "application/zip"
KEYNOTE = "application/vnd.apple.keynote"
OLE = "application/x-ole-storage"
_OOXML = "application/vnd.openxmlformats-officedocument."

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

_CONTENT_TYPES = b"[Content_Types].xml"
_MAX_CONTENT_TYPES = 64 * 1024
_MAIN_PART = re.compile(rb'"application/([\w.+-]{1,120}?)(?:\.main)?\+xml"')
_MAIN_TYPES: Mapping[str, str] = MappingProxyType(
    {
        f"vnd.openxmlformats-officedocument.{part}": _OOXML + part
        for part in (
            "wordprocessingml.document", "wordprocessingml.template", "spreadsheetml.sheet",
            "spreadsheetml.template", "presentationml.presentation", "presentationml.slideshow",
            "presentationml.template",
        )
    }
    | {
        f"vnd.ms-{part}": f"application/vnd.ms-{part.lower()}.12"
        for part in (
            "word.document.macroEnabled",
            "excel.sheet.macroEnabled", "excel.template.macroEnabled", "excel.addin.macroEnabled",
            "powerpoint.presentation.macroEnabled", "powerpoint.slideshow.macroEnabled",
            "powerpoint.template.macroEnabled", "powerpoint.addin.macroEnabled",
        )
    }
    | {
        "vnd.ms-word.template.macroEnabledTemplate": "application/vnd.ms-word.template"
        ".macroenabled.12",
        "vnd.ms-visio.drawing": "application/vnd.ms-visio.drawing.main+xml",
        "vnd.ms-visio.drawing.macroEnabled": "application/vnd.ms-visio.drawing.macroenabled"
        ".main+xml",
        "vnd.ms-package.xps-fixeddocumentsequence": "application/vnd.ms-xpsdocument",
        "vnd.ms-package.3dmanufacturing-3dmodel": "model/3mf",
    }
)  # fmt: skip
_BINARY_SHEET = b"application/vnd.ms-excel.sheet.binary.macroEnabled.main"

# The beginning of an entry's name, and the kind of ZIP that has it.
_ENTRIES = (
    (b"AndroidManifest.xml", "application/vnd.android.package-archive"),
    (b"word/", _OOXML + "wordprocessingml.document"),
    (b"xl/", _OOXML + "spreadsheetml.sheet"),
    (b"ppt/", _OOXML + "presentationml.presentation"),
    (b"doc.kml", "application/vnd.google-earth.kmz"),
    (b"Index/Document.iwa", "application/vnd.apple.pages"),
    (b"3D/3dmodel.model", "model/3mf"),
    (b"META-INF/MANIFEST.MF", "application/java-archive"),
)
_MAX_ENTRIES = 100

_BY_SUFFIX = frozenset(
    {
        "application/java-archive",
        "application/vnd.android.package-archive",
        KEYNOTE,
        "application/vnd.apple.numbers",
        "application/vnd.apple.pages",
        "application/vnd.comicbook+zip",
        "application/vnd.google-earth.kmz",
        "application/vnd.ms-xpsdocument",
        "application/x-npz",
        "application/x-xpinstall",
        "model/3mf",
        "application/epub+zip",
    }
)
_OFFICE = ("application/vnd.ms-word.", "application/vnd.ms-excel.", "application/vnd.ms-power")

_OLE_SUFFIXES: Mapping[str, str] = MappingProxyType(
    {".dot": "application/msword", ".pot": "application/vnd.ms-powerpoint"}
)
_OLE_TYPES = frozenset(
    {
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.ms-outlook",
        "application/vnd.ms-powerpoint",
        "application/vnd.ms-project",
        "application/vnd.visio",
        "application/x-msi",
    }
)
_STREAMS = (
    ("WordDocument", "application/msword"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("VisioDocument", "application/vnd.visio"),
    ("__properties_version1.0", "application/vnd.ms-outlook"),
    ("Workbook", "application/vnd.ms-excel"),
    ("Book", "application/vnd.ms-excel"),
)
_ENCRYPTED = "EncryptedPackage"


def is_zip_type(kind: str) -> bool:
    """Return whether files of this type are ZIP archives."""
    return (
        kind.startswith((*_ZIP_FAMILIES, _OOXML, *_OFFICE, "application/vnd.ms-visio.drawing"))
        or kind.endswith("+zip")
        or kind in _BY_SUFFIX
    )


def type_of_zip(head: bytes, suffix: str) -> str:
    """Return the type of a ZIP: as it claims, as its entries show, or as its name says."""
    found = _claimed_type(head) or _office_type(head)
    if found:
        return found
    # Of a text, this extension stands for a key.
    by_name = KEYNOTE if suffix == ".key" else types_by_extension().get(suffix, ZIP)
    inner = _type_of_entries(head)
    if inner is None or (is_zip_type(by_name) and _is_related(by_name, inner)):
        return by_name if is_zip_type(by_name) else inner or ZIP
    return inner


def _is_related(by_name: str, inner: str) -> bool:
    """Return whether a name may be more exact than the entries: an archive of Java, say."""
    office = inner.startswith(_OOXML)
    return not office or by_name.startswith((_OOXML, *_OFFICE))


def _claimed_type(head: bytes) -> str | None:
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


def _office_type(head: bytes) -> str | None:
    """Return the type of an Office document by the content types of its parts."""
    at = head.find(_CONTENT_TYPES) - 30
    if at < 0 or head[at : at + 4] != b"PK\3\4":
        return None
    start = at + 30 + len(_CONTENT_TYPES) + int.from_bytes(head[at + 28 : at + 30], "little")
    data = head[start : start + _MAX_CONTENT_TYPES]
    if head[at + 8 : at + 10] == b"\x08\0":
        try:
            data = zlib.decompressobj(-15).decompress(data, _MAX_CONTENT_TYPES)
        except zlib.error:
            return None
    if _BINARY_SHEET in data:
        return "application/vnd.ms-excel.sheet.binary.macroenabled.12"
    names = (name.decode("ascii") for name in _MAIN_PART.findall(data))
    return next((_MAIN_TYPES[name] for name in names if name in _MAIN_TYPES), None)


def _type_of_entries(head: bytes) -> str | None:
    """Return the type that the names of the first entries show."""
    names = []
    at = 0
    for _ in range(_MAX_ENTRIES):
        at = head.find(b"PK\3\4", at)
        if at < 0:
            break
        names.append(head[at + 30 : at + 50])
        at += 30
    for start, kind in _ENTRIES:
        if any(name.startswith(start) for name in names):
            return kind
    return None


def type_of_compound_file(head: bytes, suffix: str) -> str:
    """Return the type of a compound file, by the names of its streams and by its extension."""
    by_name = types_by_extension().get(suffix, "")
    if _utf16(_ENCRYPTED) in head:
        return by_name if by_name.startswith((_OOXML, *_OFFICE)) else OLE
    by_name = _OLE_SUFFIXES.get(suffix, by_name)
    if by_name in _OLE_TYPES:
        return by_name
    return next((kind for stream, kind in _STREAMS if _utf16(stream) in head), OLE)


def _utf16(name: str) -> bytes:
    # The length of the name in the directory entry follows 64 bytes of the name, so that a name in
    # a text is not one of a stream: it ends in zeros.
    return name.encode("utf-16-le") + bytes(4)
