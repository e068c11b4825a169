"""The media type: content before name, and the same on every machine."""

import gzip
import io
import mimetypes
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from ingest.builtin.extensions import _pairs, types_by_extension
from ingest.builtin.media_type import identify, media_type, type_of_name
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


FLAC_BEHIND_ID3 = b"ID3\4\0\0\0\0\0\5" + bytes(5) + b"fLaC\0\0\0\x22"
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(14)
ASF_AUDIO = ASF + bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b")
ASF_VIDEO = ASF_AUDIO + bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")

MORE = [
    (b"\xff\x0a\xfa\x1f\x81\x91\x08\x06\x01\0\0\0\0", "image/jxl"),
    (ASF_AUDIO, "audio/x-ms-wma"),
    (ASF_VIDEO, "video/x-ms-wmv"),
    (b"FLV\1\5\0\0\0\x09", "video/x-flv"),
    ((bytes(4) + b"G" + bytes(187)) * 3, "video/mp2t"),
    ((b"G" + bytes(187)) * 3, "video/mp2t"),
    (b"\x0b\x77\x12\x34\x1e\x40\0", "audio/ac3"),
    (b"\x0b\x77\x12\x34\x3f\x87\0", "audio/eac3"),
    (b"caff\0\1\0\0desc", "audio/x-caf"),
    (b"MAC \x96\x0f\0\0", "audio/x-ape"),
    (b"wvpk\x40\0\0\0\2\4", "audio/x-wavpack"),
    (b"#!AMR\n\x3c\0\1", "audio/amr"),
    (b"\xff\xf1\x50\x80\x01\x1f\xfc\0", "audio/aac"),
    (FLAC_BEHIND_ID3, "audio/flac"),
    (b"P6\n3 2\n255\n" + bytes(18), "image/x-portable-pixmap"),
    (b"P4 3 2\n\0\1", "image/x-portable-bitmap"),
    (b"\x0a\5\1\x08" + bytes(60), "image/vnd.zbrush.pcx"),
    (b"DDS |\0\0\0" + bytes(60), "image/vnd.ms-dds"),
    (b"v/1\1\2\0\0\0", "image/x-exr"),
    (b"gimp xcf v011\0", "image/x-xcf"),
    (b"icns\0\0\0\x08", "image/x-icns"),
    (b"qoif\0\0\0\1\0\0\0\1\3\0", "image/qoi"),
    (b"AT&TFORM\0\0\0\x10DJVU", "image/vnd.djvu"),
    (b"\xff\x4f\xff\x51\0\x29", "image/j2c"),
    (b"ARROW1\0\0\xff", "application/vnd.apache.arrow.file"),
    (b"FEA1\0\0", "application/x-feather"),
    (b"ORC\x08\0\3", "application/vnd.apache.orc"),
    (b"\x93NUMPY\1\0", "application/x-npy"),
    (b"glTF\2\0\0\0", "model/gltf-binary"),
    (b"\xd4\xc3\xb2\xa1\2\0\4\0", "application/vnd.tcpdump.pcap"),
    (b"\x04\x22\x4d\x18\x64", "application/x-lz4"),
    (b"]\0\0\x80\0" + b"\xff" * 8 + b"\0\x34", "application/x-lzma"),
    (b"\x1f\x9d\x90\x61", "application/x-compress"),
    (b"AC1032\0\0", "image/vnd.dwg"),
    (b"a book".ljust(60, b"\0") + b"BOOKMOBI", "application/x-mobipocket-ebook"),
    (b"\0\0\0\x1cftypmp42\0\0\0\0M4A mp42isom", "audio/mp4"),
    (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "image/avif"),
    (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "image/heic"),
    (b"\0\0\0\x14ftypM4B \0\0\0\0M4B ", "audio/mp4"),
    (b"\0\0\0\x14ftypM4V \0\0\0\0isom", "video/x-m4v"),
]


@pytest.mark.parametrize(("data", "expected"), MORE)
def test_format_of_today_has_its_type(data: bytes, expected: str) -> None:
    """Images, audio, video, data and archives are recognised by their content alone."""
    assert type_of(data) == type_of(data, ".txt") == expected


@pytest.mark.parametrize(
    ("data", "suffix", "expected"),
    [
        (b"\0\0\x02" + bytes(9) + b"\3\0\2\0\x18\0" + bytes(40), ".tga", "image/x-tga"),
        (b"\0\0\0\x14ftypisom\0\0\0\0isom", ".m4a", "audio/mp4"),
        (ASF, ".wma", "audio/x-ms-wma"),
        (b"P3\n1 1\n255\n0 0 0\n", ".ppm", "image/x-portable-pixmap"),
        (b"{}", ".ipynb", "application/x-ipynb+json"),
        (b"{}", ".geojson", "application/geo+json"),
        (b"{}\n{}\n", ".jsonl", "application/x-ndjson"),
        (b"BEGIN:VCALENDAR\n", ".ics", "text/calendar"),
        (b"1\n00:00:01,0 --> 00:00:02,0\nx\n", ".srt", "application/x-subrip"),
        (b"From a Mon\n\nx\n", ".mbox", "application/mbox"),
        (b"{}", ".gltf", "model/gltf+json"),
        (b"<html/>", ".xhtml", "application/xhtml+xml"),
        (b"fn main() {}\n", ".rs", "text/x-rust"),
        (b"package a\n", ".go", "text/x-go"),
        (b"let a: number;\n", ".ts", "application/typescript"),
        (b"int a;\n", ".cpp", "text/x-c++"),
        (b"export {};\n", ".mts", "application/typescript"),
        ((b"\0\0\0\0G" + bytes(187)) * 3, ".mts", "video/mp2t"),
        (b"digraph { a -> b }\n", ".dot", "text/vnd.graphviz"),
        (b"v 1 2 3\n", ".obj", "model/obj"),
        (b"\x64\x86\2\0\1\2", ".obj", "application/octet-stream"),
    ],
)
def test_name_and_content_decide_together(data: bytes, suffix: str, expected: str) -> None:
    """A format with a weak signature, or none, has its type with the name."""
    assert type_of(data, suffix) == expected


def office(main: str, *, method: int = zipfile.ZIP_DEFLATED, last: bool = False) -> bytes:
    file = io.BytesIO()
    types = f'<Types><Override PartName="/m.xml" ContentType="application/{main}+xml"/></Types>'
    with zipfile.ZipFile(file, "w", method) as archive:
        entries = [("[Content_Types].xml", types), ("x/m.xml", "<x/>" * 50)]
        for name, data in reversed(entries) if last else entries:
            archive.writestr(name, data)
    return file.getvalue()


WORD = "vnd.openxmlformats-officedocument.wordprocessingml."


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("suffix", ["", ".zip", ".docx"])
@pytest.mark.parametrize(
    ("main", "expected"),
    [
        (WORD + "document.main", DOCX),
        (WORD + "template.main", "application/" + WORD + "template"),
        ("vnd.ms-word.document.macroEnabled.main",
         "application/vnd.ms-word.document.macroenabled.12"),
        ("vnd.ms-excel.sheet.macroEnabled.main", "application/vnd.ms-excel.sheet.macroenabled.12"),
        ("vnd.ms-powerpoint.slideshow.macroEnabled.main",
         "application/vnd.ms-powerpoint.slideshow.macroenabled.12"),
    ],
)  # fmt: skip
def test_office_document_has_the_type_of_its_parts(
    main: str, expected: str, suffix: str, method: int
) -> None:
    """The list of content types decides, wherever it stands, over the name."""
    assert type_of(office(main, method=method), suffix) == expected
    assert type_of(office(main, method=method, last=True), suffix) == expected


def test_archive_has_the_type_of_its_entries() -> None:
    """Names of entries show what a ZIP is; the name of the file may be more exact."""
    assert type_of(zipped("word/document.xml")) == DOCX
    assert type_of(zipped("META-INF/MANIFEST.MF")) == "application/java-archive"
    assert type_of(zipped("AndroidManifest.xml")) == "application/vnd.android.package-archive"
    assert type_of(zipped("META-INF/MANIFEST.MF"), ".xpi") == "application/x-xpinstall"
    assert type_of(zipped("a.npy"), ".npz") == "application/x-npz"


def compound(stream: str) -> bytes:
    return (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(504)
        + stream.encode("utf-16-le").ljust(64, b"\0")
    )


def test_compound_file_has_the_type_of_its_streams() -> None:
    """Without a known name the streams decide; an encrypted document has the type of its name."""
    assert type_of(compound("WordDocument")) == "application/msword"
    assert type_of(compound("Workbook")) == "application/vnd.ms-excel"
    assert type_of(compound("EncryptedPackage"), ".docx") == DOCX
    assert type_of(compound("EncryptedPackage")) == "application/x-ole-storage"


def test_no_extension_stands_for_two_types() -> None:
    """The table is well-formed: valid names, extensions in lower case, each once."""
    pairs = list(_pairs())
    assert len(pairs) == len(types_by_extension()) > 450
    for suffix, kind in pairs:
        assert re.fullmatch(r"\.[a-z0-9_+-]+", suffix)
        assert re.fullmatch(r"[a-z]+/[a-z0-9][a-z0-9!#$&^_.+-]*", kind)


def mismatch(data: bytes, suffix: str) -> bool:
    scan = TextScan()
    scan.feed(data)
    return identify(data, suffix, text=scan.is_text).is_mismatch


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (PNG, ".jpg"),
        (PNG, ".txt"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0", ".heic"),
        (b"just words\n", ".png"),
        (b"just words\n", ".svg"),
        (b"<html>\n", ".xls"),
        (b"{\\rtf1 plain}", ".doc"),
        (b"\x01\x02\0", ".txt"),
        (b"\x01\x02\0", ".png"),
        (b"MZ\0\0", ".pdf"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ".pdf"),
        (zipped("a"), ".pdf"),
        (office("vnd.ms-word.document.macroEnabled.main"), ".docx"),
        (b"%PDF-1.7\n", ".docx"),
    ],
)
def test_name_that_the_content_contradicts_is_a_mismatch(data: bytes, suffix: str) -> None:
    """The extension stands for another type than the content has."""
    assert mismatch(data, suffix)


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (PNG, ".png"),
        (PNG, ""),
        (PNG, ".unheard-of"),
        (PNG, ".bak"),
        (b"export {};\n", ".mts"),
        (b"\x64\x86\2\0\1\2", ".obj"),
        (b"%!PS-AdobeFont-1.0\n", ".pfa"),
        (b"just words\n", ".md"),
        (b"<svg/>", ".svg"),
        (b"<svg/>", ".xml"),
        (b"-----BEGIN PRIVATE KEY-----\n", ".key"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", ".mp4"),
        (b"\xff\xfb\x90\x44\0\0", ".mp3"),
        (tiff := b"II*\0\x08\0\0\0\0\0", ".tif"),
        (tiff, ".nef"),
        (zipped("word/document.xml"), ".zip"),
        (zipped("a"), ".jar"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ".doc"),
        (compound("EncryptedPackage"), ".xlsx"),
        (b"%PDF-1.7\n", ".ai"),
        (b"P6\n3 2\n255\n" + bytes(18), ".pnm"),
        (gzip.compress(b"x", mtime=0), ".tgz"),
    ],
)
def test_name_that_fits_the_content_is_no_mismatch(data: bytes, suffix: str) -> None:
    """A name without a known extension, or with a related type, is not contradicted."""
    assert not mismatch(data, suffix)


def test_markup_in_utf_16_has_its_type() -> None:
    """The root element of UTF-16 is found as that of UTF-8 is."""
    markup = "<?xml version='1.0' encoding='utf-16'?><svg width='1'/>"
    assert type_of(markup.encode("utf-16")) == type_of(markup.encode("utf-16-be"))
    assert type_of(markup.encode("utf-16-le")) == "image/svg+xml"


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
