"""The media type: content before name, and the same on every machine."""

import gzip
import io
import mimetypes
import tarfile
import zipfile
from pathlib import Path

import pytest

from ingest.builtin.media_type import media_type, type_of_name
from ingest.builtin.text import TextScan

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def type_of(data: bytes, suffix: str = "") -> str:
    scan = TextScan()
    scan.feed(data)
    return media_type(data, suffix, text=scan.is_text)


def zipped(*names: str, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "application/epub+zip", method)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    return file.getvalue()


def zip_that_claims(
    media_type: bytes, method: int = zipfile.ZIP_STORED, extra: bytes = b""
) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo("mimetype")
        info.extra = extra
        archive.writestr(info, media_type, method)
    return file.getvalue()


SIGNED = [
    (PNG, "image/png"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "image/jpeg"),
    (b"\xff\xd8\xff\xe0 and then nothing but words", "image/jpeg"),
    (b"GIF89a\1\0\1\0\0\0\0", "image/gif"),
    (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
    (b"RIFF\x24\0\0\0WAVEfmt ", "audio/x-wav"),
    (b"II*\0\x08\0\0\0", "image/tiff"),
    (b"MM\0*\0\0\0\x08", "image/tiff"),
    (b"BM\x9a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "image/bmp"),
    (b"\0\0\1\0\1\0\x10\x10\0\0\1\0", "image/vnd.microsoft.icon"),
    (b"\0\0\0\x20ftypavif\0\0\0\0", "image/avif"),
    (b"\0\0\0\x20ftypheic\0\0\0\0", "image/heic"),
    (b"\0\0\0\x20ftypisom\0\0\0\0", "video/mp4"),
    (b"\0\0\0\x20ftypqt  \0\0\0\0", "video/quicktime"),
    (b"%PDF-1.7\n%\xe2\xe3", "application/pdf"),
    (b"{\\rtf1 plain}", "application/rtf"),
    (zipped("a.txt"), "application/zip"),
    (zipped("mimetype", "a", method=zipfile.ZIP_STORED), "application/epub+zip"),
    (zipped(), "application/zip"),
    (gzip.compress(b"plain", mtime=0), "application/gzip"),
    (b"BZh91AY&SY\0", "application/x-bzip2"),
    (b"\xfd7zXZ\0\0", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd\x04\0", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c\0", "application/x-7z-compressed"),
    (tarred(), "application/x-tar"),
    (b"SQLite format 3\0\x10\0", "application/vnd.sqlite3"),
    (b"\x7fELF\2\1\1\0", "application/x-elf"),
    (b"\xca\xfe\xba\xbe\0\0\0\x34", "application/java-vm"),
    (b"\xca\xfe\xba\xbe\0\0\0\2", "application/x-mach-binary"),
    (b"\0asm\1\0\0\0", "application/wasm"),
    (b"ID3\4\0\0\0\0", "audio/mpeg"),
    (b"\xff\xfb\x90\x44\0\0", "audio/mpeg"),
    (b"fLaC\0\0\0\x22", "audio/flac"),
    (b"OggS\0\2\0\0", "audio/ogg"),
    (b"\x1aE\xdf\xa3\x9fB\x82\x84webm", "video/webm"),
    (b"\x1aE\xdf\xa3\x9fB\x82\x88matroska", "video/x-matroska"),
    (b"\0\1\0\0\0\x11\1\0\0\4\0\x10DSIG", "font/ttf"),
    (b"OTTO\0\x0b\0\x80", "font/otf"),
    (b"wOF2\0\1\0\0", "font/woff2"),
    (b"\0\5\x16\7\0\2\0\0", "application/applefile"),
]


@pytest.mark.parametrize(("data", "expected"), SIGNED)
def test_content_decides_whatever_the_name(data: bytes, expected: str) -> None:
    """A signature outweighs the extension, and needs none."""
    assert type_of(data) == type_of(data, ".txt") == type_of(data, ".PNG") == expected


@pytest.mark.parametrize(
    ("data", "suffix", "expected"),
    [
        (b"just words\n", ".png", "text/plain"),
        (b"just words\n", ".mp4", "text/plain"),
        (b"just words\n", ".svg", "text/plain"),
        (b"just words\n", ".zip", "text/plain"),
        (b"just words\n", "", "text/plain"),
        (b"just words\n", ".unheard-of", "text/plain"),
        (b"print()\n", ".py", "text/x-python"),
        (b"print()\n", ".PY", "text/x-python"),
        (b"a,b\n", ".csv", "text/csv"),
        (b"{}\n", ".json", "application/json"),
        (b"# A\n", ".md", "text/markdown"),
        (b"let a;\n", ".js", "text/javascript"),
        (b"BM, MZ and BZh begin words\n", "", "text/plain"),
        (b"GIF89a is a format\n", ".txt", "text/plain"),
        (b"GIF89a", ".gif", "image/gif"),
    ],
)
def test_text_has_the_type_of_its_name_if_that_is_textual(
    data: bytes, suffix: str, expected: str
) -> None:
    """Text is never an image, whatever its name; a source file has its extension's type."""
    assert type_of(data, suffix) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b"<?xml version='1.0'?>\n<!-- <html> -->\n<svg:svg/>", "image/svg+xml"),
        (b"<!DOCTYPE svg PUBLIC 'a' 'b' [<!ENTITY c 'd'>]><svg/>", "image/svg+xml"),
        (b"<!doctype html><p><svg/>", "text/html"),
        (b"\xef\xbb\xbf  <html lang=en>", "text/html"),
        (b"<?xml version='1.0'?><feed/>", "text/xml"),
        (b"<3 this\n", "text/plain"),
    ],
)
def test_markup_has_the_type_of_its_first_element(data: bytes, expected: str) -> None:
    """Without an extension the root element decides the type of markup."""
    assert type_of(data) == expected


def test_hostile_markup_is_examined_in_linear_time() -> None:
    """Unclosed comments take one pass; a backtracking pattern would not return."""
    assert type_of(b"<!-- --> " * 400 + b"<!--") == "text/plain"


@pytest.mark.parametrize(
    ("data", "suffix", "expected"),
    [
        (b"\x01\x02\0", ".png", "application/octet-stream"),
        (b"\x01\x02\0", ".txt", "application/octet-stream"),
        (b"\x01\x02\0", "", "application/octet-stream"),
        (b"BM\x9a\0\0\0odd!\x36\0\0\0\x28\0\0\0", "", "application/octet-stream"),
        (b"\x01\x02\0", ".mp3", "audio/mpeg"),
        (b"\x01 a control byte", ".py", "text/x-python"),
        ("Привет".encode("koi8-r"), ".txt", "text/plain"),
        (zipped("a"), ".docx", DOCX),
        (zipped("a"), ".jar", "application/java-archive"),
        (zipped("a"), ".txt", "application/zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ".xls", "application/vnd.ms-excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ".txt", "application/x-ole-storage"),
    ],
)
def test_name_decides_where_the_content_does_not(data: bytes, suffix: str, expected: str) -> None:
    """Bytes without a signature take the name's type, unless that always has one."""
    assert type_of(data, suffix) == expected


def test_table_of_the_machine_is_ignored(tmp_path: Path) -> None:
    """Types that the machine or another part of the program adds change nothing."""
    table = tmp_path / "mime.types"
    table.write_text("application/x-odd odd py\n")
    try:
        mimetypes.init([str(table)])
        assert mimetypes.guess_type("a.odd")[0] == "application/x-odd"
        assert type_of_name(".odd") is None
        assert type_of_name(".py") == "text/x-python"
    finally:
        mimetypes.init()


@pytest.mark.parametrize(
    "claimed",
    [
        b"application/epub+zip\r\nmore",
        b"application/x\x1b[31m+zip",
        b"application/<img src=x>+zip",
        b"application/x,y+zip",
        b"application/pdf",
        b"application/+zip",
        b"application/" + b"x" * 200 + b"+zip",
        b"text/html+zip",
    ],
)
def test_type_that_a_zip_claims_is_checked(claimed: bytes) -> None:
    """A ZIP has the type that it holds only if this is a valid name of a kind of ZIP."""
    assert type_of(zip_that_claims(claimed)) == "application/zip"


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [
        (b"application/epub+zip\r\n", "application/epub+zip"),
        (b"application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
        (b"application/vnd.sun.xml.writer", "application/vnd.sun.xml.writer"),
        (b"image/openraster", "image/openraster"),
        (b"application/x-krita", "application/x-krita"),
    ],
)
def test_type_of_a_known_kind_of_zip_is_taken(claimed: bytes, expected: str) -> None:
    """EPUB, OpenDocument and the like hold their type, also behind an extra field or a line end."""
    assert type_of(zip_that_claims(claimed)) == expected
    assert type_of(zip_that_claims(claimed, extra=b"UT\1\0x")) == expected


def test_compressed_type_in_a_zip_is_ignored() -> None:
    """The type can be read from the first bytes only if it is stored uncompressed."""
    data = zip_that_claims(b"application/epub+zip", zipfile.ZIP_DEFLATED)
    assert type_of(data) == "application/zip"
