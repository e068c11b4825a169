"""
Small files of many kinds, each with the values that the built-in processor must record of it.

A sample states whose word its values are: of the standard that defines the format, of the program
that wrote the file, or of exiftool, with which `test_exiftool.py` compares the samples again.
"""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.ingest.builtin import test_contents as contents
from tests.ingest.builtin import test_descriptions as descriptions
from tests.ingest.builtin import test_image_header as headers
from tests.ingest.builtin import test_media_type as types
from tests.ingest.builtin import test_text as texts
from tests.ingest.builtin.test_image import chunk, encoded, png_of, png_with_text

Image = pytest.importorskip("PIL.Image")

STANDARD = "the format's standard"
WRITER = "the program that wrote it"
EXIFTOOL = "exiftool"

JXL = bytes.fromhex(
    "ff0a984090505c080012880200f4005de5120000152aa38c1bbc9cebf9f24387c5b48deb0c6d"
    "b56d6149a2c8383649277048124b20eee65001028010f33a004e02a0420032ac656800549200"
)
"""30 x 20 pixels of one colour, by cjxl 0.7."""


@dataclass(frozen=True, slots=True)
class Sample:
    """
    A file, and what has to be recorded of it.

    `name` has the extension; the keys of `expected` are fields, with a dot for one in a group. Of
    a field that must be missing the value is None. `error` and `warning` are how these begin.
    """

    name: str
    data: bytes
    expected: Mapping[str, Any]
    word: str = STANDARD
    error: str = ""
    warning: str = ""

    def __str__(self) -> str:
        return self.name


def samples() -> Iterator[Sample]:
    """Return all samples."""
    yield from _pictures()
    yield from _problems()
    yield from _photos()
    yield from _raw_photos()
    yield from _texts()
    yield from _types()
    yield from _contents()
    yield from _mismatches()


def _size(width: int, height: int, kind: str, **more: Any) -> dict[str, Any]:
    return {"media_type": kind, "width": width, "height": height, **more}


def _pictures() -> Iterator[Sample]:
    """Return one picture of each format that a header reader knows."""
    written = (
        ("PNG", "png", "image/png"), ("JPEG", "jpg", "image/jpeg"), ("GIF", "gif", "image/gif"),
        ("TIFF", "tif", "image/tiff"), ("BMP", "bmp", "image/bmp"), ("WEBP", "webp", "image/webp"),
        ("PPM", "ppm", "image/x-portable-pixmap"), ("TGA", "tga", "image/x-tga"),
        ("PCX", "pcx", "image/vnd.zbrush.pcx"), ("DDS", "dds", "image/vnd.ms-dds"),
        ("SGI", "rgb", "image/sgi"),
    )  # fmt: skip
    for form, suffix, kind in written:
        yield Sample(f"picture.{suffix}", headers.made(form), _size(30, 20, kind), WRITER)
    for orientation, display in ((1, (60, 40)), (3, (60, 40)), (6, (40, 60)), (8, (40, 60))):
        tags = Image.Exif()
        tags[0x0112] = orientation
        for form, suffix in (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tif")):
            data = encoded(form, size=(60, 40), exif=tags)
            expected = {
                "width": 60, "height": 40, "display_width": display[0],
                "display_height": display[1], "exif.orientation": orientation,
            }  # fmt: skip
            yield Sample(f"orientation-{orientation}.{suffix}", data, expected, EXIFTOOL)
    yield Sample("bare.jxl", JXL, _size(30, 20, "image/jxl"), WRITER)
    yield Sample("plain.pgm", b"P2\n2 1\n9\n0 9\n", _size(2, 1, "image/x-portable-graymap"))
    yield Sample("comment.pbm", b"P4 # x\n3 2\n\0\1", _size(3, 2, "image/x-portable-bitmap"))
    yield Sample("float.pfm", b"Pf\n3 2\n-1.0\n" + bytes(24), _size(3, 2, _pnm("floatmap")))
    yield Sample(
        "any.pam", b"P7\nWIDTH 3\nHEIGHT 2\nENDHDR\n\0\1", _size(3, 2, _pnm("arbitrarymap"))
    )
    yield Sample("picture.qoi", headers.QOI, _size(30, 20, "image/qoi"))
    yield Sample("picture.xcf", headers.XCF, _size(30, 20, "image/x-xcf"))
    yield Sample("picture.psd", headers.PSD, _size(30, 20, "image/vnd.adobe.photoshop"))
    yield Sample("picture.jp2", headers.JP2, _size(30, 20, "image/jp2"))
    yield Sample("picture.j2k", headers.J2K, _size(30, 20, "image/j2c"))


def _pnm(kind: str) -> str:
    return f"image/x-portable-{kind}"


def _problems() -> Iterator[Sample]:
    """Return broken, unsupported and too large pictures, which keep what is known of them."""
    tags = Image.Exif()
    tags[0x010F] = "Camera Works"
    photo = encoded("JPEG", size=(600, 400), exif=tags)
    known = _size(600, 400, "image/jpeg", **{"exif.make": "Camera Works"})
    yield Sample("truncated.jpg", photo[: len(photo) // 2], known, EXIFTOOL, error="broken image: ")
    yield Sample(
        "zeros.png", bytes(500), {"media_type": "application/octet-stream", "width": None},
        error="broken image: unknown content",
    )  # fmt: skip
    phone = headers.jpeg_frame(0xC2, 8, 16320, 12240)
    yield Sample("phone.jpg", phone, _size(16320, 12240, "image/jpeg"), warning="image too large")
    pixels = chunk(b"IDAT", zlib.compress(bytes(9)))
    large = png_of(60_000, 60_000, pixels)
    yield Sample("bomb.png", large, _size(60_000, 60_000, "image/png"), warning="image too large")
    long = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 1_500_000))
    data = encoded()
    expected = _size(64, 48, "image/png", **{"text.Comment": "x" * 1_500_000})
    yield Sample("long-text.png", data[:33] + long + data[33:], expected)
    for marker, bits, name in ((0xF7, 8, "ls"), (0xC3, 8, "lossless"), (0xC1, 12, "12-bits")):
        frame = headers.jpeg_frame(marker, bits, 300, 200) + bytes(50)
        expected = _size(300, 200, "image/jpeg")
        yield Sample(f"{name}.jpg", frame, expected, warning="unsupported image: ")
    bitmaps = (
        ("os2", headers.bmp(16, 8)), ("2-bits", headers.bmp(40, 2)),
        ("bitfields", headers.bmp(56, 16, compression=3)),
    )  # fmt: skip
    for name, data in bitmaps:
        expected = _size(5, 3, "image/bmp")
        yield Sample(f"{name}.bmp", data, expected, warning="unsupported image: ")


def _photos() -> Iterator[Sample]:
    """Return photos whose metadata is in each of its blocks."""
    tags = Image.Exif()
    tags[0x010F] = "Trust.\0Gemini"
    tags[0x013B] = "Porträtt".encode()
    tags[0x8769] = {
        0x9003: "2024:05:01 12:30:00", 0x9011: "+02:00", 0x9291: "250", 0x829D: 2.8, 0x8827: 200,
        0x9286: b"UNICODE\0" + "漢字".encode("utf-16-le"),
    }  # fmt: skip
    tags[0x8825] = descriptions.position((59.0, 30.0, 0.0), (10.0, 15.0, 0.0))
    expected: dict[str, Any] = {
        "exif.make": "Trust.", "exif.artist": "Porträtt",
        "exif.taken": "2024-05-01T12:30:00.250+02:00", "exif.f_number": 2.8, "exif.iso": 200,
        "exif.latitude": 59.5, "exif.longitude": -10.25,
        "image.created": "2024-05-01T12:30:00.250+02:00",
    }  # fmt: skip
    for form, suffix in (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")):
        yield Sample(f"exif.{suffix}", encoded(form, exif=tags), expected, EXIFTOOL)
    described = {
        "image.title": "A sea", "image.creator": ["One", "Two"], "image.city": "Kiel",
        "image.rating": 4, "image.created": "2023-04-05T06:07:08.5+00:00",
    }  # fmt: skip
    yield Sample("xmp.jpg", descriptions.with_xmp(descriptions.PACKET), described, EXIFTOOL)
    caption = descriptions.with_iptc(
        descriptions.data_set(120, b"Waves"), descriptions.data_set(25, b"sea"),
        descriptions.data_set(25, b"x" * 300), descriptions.data_set(55, b"20230405"),
        descriptions.data_set(60, b"060708Z"),
    )  # fmt: skip
    expected = {
        "image.description": "Waves", "keywords": ["sea", "x" * 300],
        "image.created": "2023-04-05T06:07:08+00:00",
    }  # fmt: skip
    yield Sample("iptc.jpg", caption, expected, EXIFTOOL)
    for text, date in (
        ("2004/05/09 16:00:21", "2004-05-09T16:00:21"),
        ("2004-05-09T16:00:21.5Z", "2004-05-09T16:00:21.5+00:00"),
        ("2004-05-09T16:00:21+0200", "2004-05-09T16:00:21+02:00"),
    ):
        data = png_with_text(**{"Creation Time": text})
        yield Sample(f"date-{len(text)}.png", data, {"image.created": date})


def _raw_photos() -> Iterator[Sample]:
    for number, (data, suffix, kind) in enumerate(headers.RAW):
        yield Sample(f"raw-{number}{suffix}", data, {"media_type": kind}, EXIFTOOL)
    thumbnail = ((254, 4, 1), (256, 4, 160), (257, 4, 120), (330, 4, 200))
    photo = headers.directory((254, 4, 0), (256, 4, 6048), (257, 4, 4024), (262, 3, 32803))
    data = (b"II*\0\x08\0\0\0" + headers.directory(*thumbnail)).ljust(200, b"\0") + photo
    expected = _size(6048, 4024, "image/x-nikon-nef", extension_mismatch=None)
    yield Sample("thumbnail-first.nef", data, expected, EXIFTOOL)


def _texts() -> Iterator[Sample]:
    """Return texts in the encodings that they declare or prove."""
    for number, (text, encoding) in enumerate(texts.DECLARED):
        data = text.encode(encoding) + b" and a text of ASCII, that is long enough to be one"
        yield Sample(f"declared-{number}.txt", data, {"encoding": encoding}, WRITER)
    proved = (
        ("plain\n", "ascii"), ("Grüße\n", "utf-8"), ("Grüße\n", "utf-8-sig"),
        ("Grüße 漢字, words\n", "utf-16"), ("Grüße 漢字, words\n", "utf-16-le"),
        ("Grüße aus Köln\n", "utf-16-be"), ("Grüße\n", "utf-32"), ("日本語 words\n", "iso2022_jp"),
    )  # fmt: skip
    for number, (text, encoding) in enumerate(proved):
        expected = {"encoding": encoding, "lines": 1, "media_type": "text/plain"}
        yield Sample(f"proved-{number}.txt", text.encode(encoding), expected)
    yield Sample("unknown.txt", b"caf\xe9\n", {"encoding": None, "lines": 1, "words": 1})
    yield Sample("returns.txt", b"one\rtwo\r", {"encoding": "ascii", "lines": 2, "words": 2})
    markup = "<?xml version='1.0' encoding='utf-16'?><svg width='1'/>".encode("utf-16")
    expected = {"media_type": "image/svg+xml", "encoding": "utf-16"}
    yield Sample("drawing.svg", markup, expected)


def _types() -> Iterator[Sample]:
    """Return the beginnings of formats, of which only the type can be known."""
    for number, (data, kind) in enumerate((*types.SIGNED, *types.MORE)):
        if not kind.startswith("image/"):
            yield Sample(f"type-{number}", data, {"media_type": kind})
    office = "vnd.openxmlformats-officedocument."
    for part in (
        "wordprocessingml.document", "wordprocessingml.template", "spreadsheetml.sheet",
        "presentationml.presentation", "presentationml.slideshow",
    ):  # fmt: skip
        data = types.office(f"{office}{part}.main")
        yield Sample(f"office-{part}", data, {"media_type": f"application/{office}{part}"})
    macros = types.office("vnd.ms-excel.sheet.macroEnabled.main")
    kind = "application/vnd.ms-excel.sheet.macroenabled.12"
    yield Sample("macros.xlsx", macros, {"media_type": kind, "extension_mismatch": True})
    for claimed in (
        b"application/epub+zip\r\nmore",
        b"application/x\x1b[31m+zip",
        b"application/pdf",
    ):
        data = types.zip_that_claims(claimed)
        yield Sample(f"claims-{len(claimed)}.zip", data, {"media_type": "application/zip"})


def _contents() -> Iterator[Sample]:
    """Return documents and films that are read without an extra."""
    document = contents.archive({"word/document.xml": "<w/>", "docProps/core.xml": contents.CORE})
    expected: dict[str, Any] = {
        "document.title": "Größe",
        "keywords": ["sea", "boat"],
        "media_type": types.DOCX,
    }
    yield Sample("core.docx", document, expected)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", contents.ODT, zipfile.ZIP_STORED)
        archive.writestr("meta.xml", contents.META)
    expected = {"document.pages": 3, "document.creator": "One", "media_type": contents.ODT}
    yield Sample("meta.odt", file.getvalue(), expected)
    film = contents.movie(
        contents.track(b"vide", b"avc1", 1920, 1080), contents.track(b"soun", b"mp4a")
    )
    expected = {
        "media_type": "video/mp4", "video.duration": 12.345, "video.width": 1920,
        "video.codec": "h264", "video.created": "2024-01-01T00:00:00+00:00",
    }  # fmt: skip
    yield Sample("film.mp4", film, expected, EXIFTOOL)


def _mismatches() -> Iterator[Sample]:
    for data, suffix, kind in (
        (encoded(), "jpg", "image/png"),
        (b"just words\n", "png", "text/plain"),
        (b"%PDF-1.7\n", "docx", "application/pdf"),
        (gzip.compress(b"x", mtime=0), "txt", "application/gzip"),
        (b"\1\2\0", "csv", "application/octet-stream"),
    ):
        yield Sample(f"mismatch.{suffix}", data, {"media_type": kind, "extension_mismatch": True})
    for data, suffix in ((encoded(), "png"), (b"a,b\n", "csv"), (gzip.compress(b"x"), "tgz")):
        yield Sample(f"fits.{suffix}", data, {"extension_mismatch": None})
