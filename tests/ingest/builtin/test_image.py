"""Images: their metadata, and the errors of broken and hostile ones."""

import io
import re
import struct
import threading
import time
import warnings
import zlib
from typing import Any

import orjson
import pytest

from ingest.builtin import decode
from ingest.builtin import image as media
from ingest.builtin.clean_text import (
    MAX_KEYWORD,
    MAX_KEYWORDS,
    MAX_TEXTS,
    MAX_TEXTS_LENGTH,
    clean_text,
)
from ingest.builtin.decode import MAX_BYTES
from ingest.builtin.image import Examination, examine
from ingest.builtin.iptc import iptc_keywords
from ingest.builtin.xml_values import MAX_DOCUMENT
from ingest.builtin.xmp import keywords_of, read_xmp

Image = pytest.importorskip("PIL.Image")
PngInfo = pytest.importorskip("PIL.PngImagePlugin").PngInfo
TiffDirectory = pytest.importorskip("PIL.TiffImagePlugin").ImageFileDirectory_v2
IFDRational = pytest.importorskip("PIL.TiffImagePlugin").IFDRational

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"
 ><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 ><rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"
 ><dc:creator><rdf:Seq><rdf:li>nobody</rdf:li></rdf:Seq></dc:creator
 ><dc:subject><rdf:Bag><rdf:li>Stra&#223;e &amp; Weg</rdf:li><rdf:li>sea</rdf:li></rdf:Bag
 ></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"""
TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "WEBP": "image/webp",
    "ICO": "image/vnd.microsoft.icon",
}


def encoded(form: str = "PNG", size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    file = io.BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(file, form, **options)
    return file.getvalue()


def keywords_of_packet(packet: bytes) -> list[str]:
    return keywords_of(read_xmp(packet))


def examination(data: bytes, media_type: str = "image/png") -> Examination:
    found = examine(io.BytesIO(data), media_type, len(data))
    orjson.dumps(found.metadata)
    return found


def examined(data: bytes, media_type: str = "image/png") -> dict[str, Any]:
    """Return the metadata of a sound image."""
    found = examination(data, media_type)
    assert (found.error, found.warning) == (None, None)
    return found.metadata


def error_of(data: bytes, media_type: str = "image/png") -> str:
    """Return the error of a broken image."""
    found = examination(data, media_type)
    assert found.warning is None
    return found.error or ""


def warning_of(data: bytes, media_type: str = "image/png") -> str:
    """Return the warning of an image that is done all the same."""
    found = examination(data, media_type)
    assert found.error is None
    return found.warning or ""


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def png_with_text(**texts: str) -> bytes:
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    return encoded(pnginfo=info)


def jpeg_with(marker: int, data: bytes) -> bytes:
    jpeg = encoded("JPEG")
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data + jpeg[2:]


def iptc(*keywords: bytes) -> bytes:
    block = b"\x1c\x02\x00\x00\x02\x00\x04"
    for keyword in keywords:
        block += b"\x1c\x02\x19" + struct.pack(">H", len(keyword)) + keyword
    padding = b"\0" * (len(block) % 2)
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block + padding
    return b"Photoshop 3.0\0" + resource


@pytest.mark.parametrize("form", TYPES)
def test_every_format_has_its_size(form: str) -> None:
    """Each decoder is found by its type alone and needs no other."""
    found = examined(encoded(form, size=(64, 64)), TYPES[form])
    assert found == {
        "format": form,
        "width": 64,
        "height": 64,
        "display_width": 64,
        "display_height": 64,
    }


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_size_is_the_stored_one_in_every_format(form: str, orientation: int) -> None:
    """`width` and `height` are as stored; the display size follows the orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = examined(encoded(form, size=(60, 40), exif=exif), TYPES[form])
    assert (found["width"], found["height"]) == (60, 40)
    display = (40, 60) if orientation in (6, 8) else (60, 40)
    assert (found["display_width"], found["display_height"]) == display


def test_type_without_a_decoder_is_not_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged HEIC file has a type and no metadata; without pillow-heif it is not an error."""
    monkeypatch.setattr(decode, "_heif_reader", lambda: None)
    assert examined(b"anything", "image/heic") == {}
    assert not media.can_examine("image/heic")


def test_exif_has_plain_values() -> None:
    """Camera, time and exposure: text without NULs, numbers as numbers, the date in ISO 8601."""
    exif = Image.Exif()
    exif[0x010F] = "Camera Works\0\0"
    exif[0x0110] = " C-1 "
    exif[0x0112] = 6
    exif[0x8769] = {
        0x9003: "2024:05:01 12:30:00",
        0x9011: "+02:00",
        0x829A: IFDRational(1, 250),
        0x829D: IFDRational(28, 10),
        0x8827: 200,
        0x9286: b"UNICODE\0" + "Grüße".encode("utf-16-be"),
    }
    for form in ("JPEG", "PNG", "WEBP"):
        assert examined(encoded(form, exif=exif), TYPES[form])["exif"] == {
            "make": "Camera Works",
            "model": "C-1",
            "orientation": 6,
            "taken": "2024-05-01T12:30:00+02:00",
            "exposure_time": 0.004,
            "f_number": 2.8,
            "iso": 200,
            "user_comment": "Grüße",
        }


def test_exif_of_a_tiff_is_read() -> None:
    """A TIFF's own directory is its EXIF; Pillow drops the orientation when it decodes."""
    directory = TiffDirectory()
    directory[0x010F] = "Camera Works"
    directory[0x0112] = 6
    directory[0x8769] = {0x9003: "2024:05:01 12:30:00"}
    assert examined(encoded("TIFF", tiffinfo=directory), "image/tiff")["exif"] == {
        "make": "Camera Works",
        "orientation": 6,
        "taken": "2024-05-01T12:30:00",
    }


def test_exif_that_makes_no_sense_is_left_out() -> None:
    """A NaN, the year 0 and an orientation of 99 are left out."""
    exif = Image.Exif()
    exif[0x0112] = 99
    exif[0x8769] = {0x829A: IFDRational(0, 0), 0x9003: "0000:00:00 00:00:00"}
    assert "exif" not in examined(encoded("JPEG", exif=exif), "image/jpeg")


def test_damaged_exif_does_not_spoil_the_picture() -> None:
    """Many good photos have a damaged block: it is ignored, and nothing is printed."""
    data = jpeg_with(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(range(40)))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert examined(data, "image/jpeg")["width"] == 64
    assert not seen


def test_png_texts_are_read_and_bounded() -> None:
    """Texts are kept whole up to a total length; what is truncated is listed."""
    long = "x" * 900_000
    found = examined(png_with_text(Description=" A sea ", a=long, b=long, c=long, Empty=" "))
    assert found["text"]["Description"] == "A sea"
    assert found["text"]["a"] == found["text"]["b"] == long
    assert found["text"]["c"].endswith("x…")
    assert sum(map(len, found["text"].values())) == MAX_TEXTS_LENGTH
    assert set(found["text"]) == {"Description", "a", "b", "c"}
    assert found["truncated"] == ["text.c"]


def test_long_workflow_is_valid_json() -> None:
    """A workflow of 300 nodes, which image generators store, is recorded whole."""
    workflow = orjson.dumps([{"id": n, "inputs": ["model"] * 20} for n in range(300)]).decode()
    exif = Image.Exif()
    exif[0x8769] = {0x9286: b"ASCII\0\0\0" + b"prompt " * 2000}
    found = examined(png_with_text(workflow=workflow))
    assert found["text"]["workflow"] == workflow
    assert "truncated" not in found
    comment = examined(encoded("JPEG", exif=exif), "image/jpeg")["exif"]["user_comment"]
    assert len(comment) == 7 * 2000 - 1


def test_texts_are_bounded_in_number() -> None:
    """An image with a thousand texts does not fill the report."""
    texts = {f"t{number}": "x" for number in range(1000)}
    found = examined(png_with_text(**texts))
    assert len(found["text"]) == MAX_TEXTS
    assert found["truncated"] == ["text"]


def test_text_after_the_pixels_is_found() -> None:
    """PNG allows texts after the pixels, where programs append them."""
    data = encoded()
    data = data[:-12] + chunk(b"iTXt", b"Title\0\0\0\0\0" + "Grüße".encode()) + data[-12:]
    assert examined(data)["text"] == {"Title": "Grüße"}


def test_keywords_of_all_sources_are_listed_once() -> None:
    """A keyword that two blocks hold counts once, in the order found."""
    data = jpeg_with(0xED, iptc(b"beach", "Grüße".encode(), b"sea", b"caf\xe9"))
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + XMP.encode()
    data = data[:2] + struct.pack(">BBH", 0xFF, 0xE1, len(xmp) + 2) + xmp + data[2:]
    assert examined(data, "image/jpeg")["keywords"] == [
        "beach",
        "Grüße",
        "sea",
        "café",
        "Straße & Weg",
    ]


def test_keywords_of_a_png_are_split() -> None:
    """Keywords in one text are separated by commas or semicolons, with or without spaces."""
    found = examined(png_with_text(Keywords="sea, beach;sun ,, sea", Description="sea, boat"))
    assert found["keywords"] == ["sea", "beach", "sun"]


def test_keywords_of_windows_are_read() -> None:
    """Windows writes its tags in UTF-16 into EXIF."""
    exif = Image.Exif()
    exif[0x9C9E] = "Größe;sea\0".encode("utf-16-le")
    found = examined(encoded("JPEG", exif=exif), "image/jpeg")
    assert found["keywords"] == ["Größe", "sea"]


def test_keywords_are_bounded() -> None:
    """Both the number and the length of keywords are limited."""
    long = "x" * MAX_KEYWORD
    found = examined(png_with_text(Keywords=",".join(f"{n} {long}" for n in range(300))))
    assert found["truncated"] == ["keywords"]
    found = examined(png_with_text(Keywords=",".join(f"{n:04}" for n in range(1500))))
    assert found["truncated"] == ["keywords"]
    assert len(found["keywords"]) == MAX_KEYWORDS


def test_long_keyword_is_whole() -> None:
    """A keyword of 300 characters, as some catalogues write it, is recorded whole."""
    found = examined(png_with_text(Keywords="x" * 300))
    assert found["keywords"] == ["x" * 300]
    assert "truncated" not in found


def test_packets_are_not_texts() -> None:
    """XMP in a PNG is read for its keywords; the packet itself is not recorded."""
    found = examined(png_with_text(**{"XML:com.adobe.xmp": XMP, "Raw profile type iptc": "00"}))
    assert found["keywords"] == ["Straße & Weg", "sea"]
    assert "text" not in found


def test_text_that_json_refuses_is_replaced() -> None:
    """A lone surrogate is not a character: orjson would refuse the whole outcome."""
    assert clean_text("a\ud800b") == "a?b"


def test_entities_in_xmp_are_refused() -> None:
    """A packet with a document type, which an entity bomb needs, has no keywords."""
    bomb = '<!DOCTYPE a [<!ENTITY b "sea">]>' + XMP.replace("sea", "&b;")
    assert keywords_of_packet(bomb.encode()) == []
    assert keywords_of_packet(XMP.encode()) == ["Straße & Weg", "sea"]


def test_keyword_in_xmp_is_the_text_right_in_its_item() -> None:
    """Elements inside an item are ignored; an item in an item is a keyword of its own."""
    packet = XMP.replace("sea", "s<x:b>no</x:b>e<rdf:li>inner</rdf:li>a")
    assert keywords_of_packet(packet.encode()) == ["Straße & Weg", "sea", "inner"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_xmp_in_utf16_is_read(encoding: str) -> None:
    """A packet may be UTF-16, with or without a byte order mark."""
    assert keywords_of_packet((XMP + "\n ").encode(encoding)) == ["Straße & Weg", "sea"]


def test_subject_may_be_text_or_attribute() -> None:
    """Keywords right in `dc:subject`, or in an attribute of that name, are split at commas."""
    head, tail = XMP[: XMP.index("<dc:subject>")], "</rdf:Description></rdf:RDF></x:xmpmeta>"
    text = head + "<dc:subject>sea, boat</dc:subject>" + tail
    attribute = head.replace("<rdf:Description", '<rdf:Description dc:subject="sea; boat"') + tail
    assert (
        keywords_of_packet(text.encode())
        == keywords_of_packet(attribute.encode())
        == ["sea", "boat"]
    )


@pytest.mark.parametrize("depth_or_pieces", ["<rdf:li>", "a\n"])
def test_crafted_xmp_takes_no_longer_than_its_size(depth_or_pieces: str) -> None:
    """The largest packet, of elements in elements or text in pieces, is read in a moment."""
    deep = depth_or_pieces.startswith("<")
    before, after = XMP.split("nobody" if deep else "sea")
    count = (MAX_DOCUMENT - len(XMP)) // (2 * len(depth_or_pieces) + 1)
    inner = depth_or_pieces * count + ("</rdf:li>" * count if deep else "")
    begun = time.process_time()
    keywords = keywords_of_packet(f"{before}{inner}{after}".encode())
    assert time.process_time() - begun < 2.0  # quadratic, it took four and more
    assert len(keywords) == 2


@pytest.mark.parametrize("length", range(0, len(XMP), 37))
def test_damaged_xmp_is_ignored(length: int) -> None:
    """A truncated packet has no keywords and raises nothing."""
    assert keywords_of_packet(XMP[:length].encode()) == []


@pytest.mark.parametrize("length", range(16, 60))
def test_damaged_iptc_has_its_whole_keywords(length: int) -> None:
    """A truncated block has the keywords before the truncation."""
    block = iptc(b"beach", b"sea")[26:]
    assert iptc_keywords(block) == ["beach", "sea"]
    assert iptc_keywords(block[: length - 16]) in ([], ["beach"], ["beach", "sea"])


@pytest.mark.parametrize("form", TYPES)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_image_is_broken(form: str, share: float) -> None:
    """A truncated image is an error, also if its beginning is valid."""
    data = encoded(form)
    assert error_of(data[: int(len(data) * share)], TYPES[form]).startswith("broken image: ")


def test_compressed_tiff_without_its_directory_is_broken() -> None:
    """A TIFF without its directory, which is at the end, is truncated, not of an unknown kind."""
    data = encoded("TIFF", compression="tiff_lzw")
    for kept in (9, len(data) // 2, len(data) - 200):
        assert error_of(data[:kept], "image/tiff") == "broken image: its header cannot be read"


def test_tiff_of_an_unknown_kind_is_not_an_error() -> None:
    """Raw photos and measurements are valid TIFFs that Pillow does not decode: a warning."""
    entry = struct.pack("<HHII", 0x0103, 3, 1, 64999)
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + bytes(4)
    assert warning_of(data, "image/tiff").startswith("unsupported image: ")


def test_damaged_pixels_are_found() -> None:
    """A PNG whose compressed data was overwritten opens, but is broken."""
    data = bytearray(encoded())
    middle = len(data) // 2
    data[middle : middle + 50] = bytes(50)
    found = examination(bytes(data))
    assert "data stream" in str(found.error)
    assert (found.metadata["width"], found.metadata["height"]) == (64, 48)


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_000), (60_000, 60_000)])
def test_too_many_pixels_are_refused_before_they_are_decoded(width: int, height: int) -> None:
    """A small file can hold gigabytes of one colour; it is done, with a warning and its size."""
    row = bytes(1 + width // 8)
    squeezer = zlib.compressobj()
    pixels = b"".join(squeezer.compress(row) for _ in range(100)) + squeezer.flush()
    data = png_of(width, height, chunk(b"IDAT", pixels))
    assert re.match("image too large to decode: .* pixels; the limit is", warning_of(data))
    assert examination(data).metadata["width"] == width


def test_bomb_inside_an_icon_is_refused() -> None:
    """An icon that claims 64 x 64 may hold a larger PNG."""
    inner = png_of(10_000, 10_000, chunk(b"IDAT", zlib.compress(bytes(9))))
    entry = struct.pack("<BBBBHHII", 64, 64, 0, 0, 1, 32, len(inner), 22)
    icon = b"\0\0\1\0\1\0" + entry + inner
    assert warning_of(icon, "image/vnd.microsoft.icon").startswith("image too large to decode")


def test_text_that_expands_is_truncated() -> None:
    """A small compressed text of many megabytes is read up to its limit; the image is sound."""
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 70 * 1024 * 1024))
    found = examined(png_of(8, 8, bomb, chunk(b"IDAT", zlib.compress(bytes(16)))))
    assert len(found["text"]["Comment"]) == MAX_TEXTS_LENGTH
    assert found["truncated"] == ["text.Comment"]


def test_thread_of_a_host_ends_the_same_way() -> None:
    """Outside the main thread, where warnings are left alone, a bomb is refused all the same."""
    seen: list[str] = []

    def run() -> None:
        seen.append(warning_of(png_of(10_000, 10_000, chunk(b"IDAT", zlib.compress(bytes(9))))))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        filters = list(warnings.filters)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        assert warnings.filters == filters
    assert seen == ["image too large to decode: 10,000 x 10,000 pixels; the limit is 89,478,485"]


def test_error_of_the_disk_is_raised_unchanged() -> None:
    """An image on a failing disk is not broken: the system's own error is raised."""

    class Failing(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        examine(Failing(), "image/png", 100)


def test_huge_file_is_not_decoded() -> None:
    """Some decoders hold the whole file in memory: above the limit none is called."""
    found = examine(io.BytesIO(), "image/webp", MAX_BYTES + 1)
    assert str(found.warning).startswith("image too large to decode: 536,870,913 bytes")


def test_caller_keeps_the_file() -> None:
    """The file is the caller's to close, after success and after an error."""
    for data in (encoded(), encoded()[:50]):
        file = io.BytesIO(data)
        examine(file, "image/png", len(data))
        assert not file.closed
