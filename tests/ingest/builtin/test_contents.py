"""Documents, sound and films: what they say of themselves, and what damaged or hostile ones do."""

import io
import random
import struct
import time
import wave
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ingest.builtin import decode
from ingest.builtin.contents import read_contents
from ingest.builtin.documents import MAX_ENTRIES
from ingest.builtin.image import examine
from ingest.builtin.process_file import process_file

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
ODT = "application/vnd.oasis.opendocument.text"
EPUB = "application/epub+zip"

CORE = """<cp:coreProperties xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"
 xmlns:dcterms="http://purl.org/dc/terms/"><dc:title>Größe</dc:title><dc:creator>One</dc:creator>
 <cp:keywords>sea, boat</cp:keywords><dcterms:created>2024-01-02T03:04:05Z</dcterms:created>
 </cp:coreProperties>"""
APP = """<Properties
 xmlns="http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"
 ><Application>Writer</Application><Pages>7</Pages><Words>1200</Words></Properties>"""
META = """<office:document-meta xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><office:meta><dc:title>A sea</dc:title>
 <meta:initial-creator>One</meta:initial-creator><dc:creator>Two</dc:creator>
 <meta:keyword>sea</meta:keyword><meta:keyword>boat</meta:keyword>
 <dc:date>2024-02-03T04:05:06.123456789</dc:date><meta:generator>Writer/7</meta:generator>
 <meta:document-statistic meta:page-count="3" meta:word-count="400"/></office:meta>
 </office:document-meta>"""
CONTAINER = """<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
 <rootfile full-path="OPS/book.opf"/></rootfiles></container>"""
BOOK = """<package xmlns="http://www.idpf.org/2007/opf"><metadata
 xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>A book</dc:title>
 <dc:language>de</dc:language><dc:creator>One</dc:creator><dc:publisher>House</dc:publisher></metadata></package>"""


def archive(entries: dict[str, str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as opened:
        for name, text in entries.items():
            opened.writestr(name, text)
    return file.getvalue()


def office(core: str = CORE, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    return archive({"docProps/core.xml": core, "docProps/app.xml": APP}, method)


def contents(data: bytes, kind: str) -> dict[str, Any]:
    """Return the metadata of a file whose reader does not fail."""
    found, warning = read_contents(io.BytesIO(data), kind, len(data))
    assert warning is None
    return found


def test_office_document_is_read() -> None:
    """The core and extended properties of Office Open XML, as LibreOffice and Word write them."""
    data = office()
    assert contents(data, DOCX) == {
        "document": {
            "title": "Größe",
            "creator": "One",
            "created": "2024-01-02T03:04:05+00:00",
            "software": "Writer",
            "pages": 7,
            "words": 1200,
        },
        "keywords": ["sea", "boat"],
    }


def test_open_document_is_read() -> None:
    """`meta.xml` has the first author, the last change, and counts as attributes."""
    assert contents(archive({"meta.xml": META}), ODT) == {
        "document": {
            "title": "A sea",
            "creator": "One",
            "created": "2024-02-03T04:05:06.123456",
            "modified": "2024-02-03T04:05:06.123456",
            "software": "Writer/7",
            "pages": 3,
            "words": 400,
        },
        "keywords": ["sea", "boat"],
    }


def test_book_is_read() -> None:
    """The container of an EPUB names the file that describes it."""
    data = archive({"META-INF/container.xml": CONTAINER, "OPS/book.opf": BOOK})
    assert contents(data, EPUB)["document"] == {
        "title": "A book",
        "creator": "One",
        "publisher": "House",
        "language": "de",
    }


def test_document_through_the_processor_has_its_fields(tmp_path: Path) -> None:
    """The type of the content leads to the reader; keywords are counted."""
    path = tmp_path / "a.docx"
    path.write_bytes(archive({"word/document.xml": "<w/>", "docProps/core.xml": CORE}))
    outcome = process_file(path)
    assert outcome.metadata["media_type"] == DOCX
    assert outcome.metadata["document"]["title"] == "Größe"
    assert outcome.counters["keywords_added"] == 2


BOMB = '<!DOCTYPE a [<!ENTITY b "sea">]>' + CORE.replace("Größe", "&b;")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\5\6" + bytes(18),
        archive({"docProps/core.xml": BOMB}),
        archive({"docProps/core.xml": CORE[:200]}),
        archive({"docProps/core.xml": CORE.replace("Größe", "x" * 2_000_000)}),
        office(method=zipfile.ZIP_LZMA),
        office()[:-30],
        office().replace(b"PK\1\2", b"PK\1\3"),
    ],
)
def test_hostile_document_has_no_fields(data: bytes) -> None:
    """Entities, damage, other compressions and entries that expand are refused in a moment."""
    begun = time.process_time()
    assert contents(data, DOCX) == {}
    assert time.process_time() - begun < 2.0


def test_archive_of_many_entries_is_not_opened() -> None:
    """The list of entries is held in memory: it is bounded before it is read."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("docProps/core.xml", CORE)
        for number in range(MAX_ENTRIES):
            opened.writestr(f"{number}", b"")
    assert contents(file.getvalue(), DOCX) == {}


@pytest.mark.parametrize("seed", range(20))
def test_damaged_document_raises_nothing(seed: int) -> None:
    """Whatever bytes are overwritten, the reader returns what it can."""
    chance = random.Random(seed)
    data = bytearray(office())
    for _ in range(20):
        data[chance.randrange(len(data))] = chance.randrange(256)
    contents(bytes(data), DOCX)


def box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + name + body


def track(kind: bytes, codec: bytes, width: int = 0, height: int = 0) -> bytes:
    header = box(b"tkhd", bytes(76), struct.pack(">II", width << 16, height << 16))
    samples = box(b"stsd", bytes(8), box(codec, bytes(20)))
    handler = box(b"hdlr", bytes(8), kind, bytes(12))
    return box(b"trak", header, box(b"mdia", handler, box(b"minf", box(b"stbl", samples))))


def movie(*tracks: bytes, created: int = 3_786_912_000, scale: int = 1000) -> bytes:
    header = box(b"mvhd", struct.pack(">IIIII", 0, created, 0, scale, 12_345), bytes(80))
    return (
        box(b"ftyp", b"isom\0\0\2\0isom") + box(b"mdat", bytes(50)) + box(b"moov", header, *tracks)
    )


def test_film_has_duration_size_codecs_and_date() -> None:
    """The boxes of MP4 and QuickTime hold them, without another program."""
    data = movie(track(b"vide", b"avc1", 1920, 1080), track(b"soun", b"mp4a"))
    assert contents(data, "video/mp4") == {
        "video": {
            "duration": 12.345,
            "created": "2024-01-01T00:00:00+00:00",
            "width": 1920,
            "height": 1080,
            "codec": "h264",
            "audio_codec": "aac",
        }
    }


def test_clock_that_was_not_set_is_no_date() -> None:
    """Many films state 1904 or 1970 as their date; with a scale of 0 the duration is unknown."""
    data = movie(track(b"vide", b"hvc1", 4, 2), created=0, scale=0)
    assert contents(data, "video/mp4")["video"] == {"width": 4, "height": 2, "codec": "hevc"}


@pytest.mark.parametrize("seed", range(30))
def test_damaged_film_raises_nothing(seed: int) -> None:
    """Boxes of any size, in any order, end."""
    chance = random.Random(seed)
    data = bytearray(movie(track(b"vide", b"avc1", 1920, 1080), track(b"soun", b"mp4a")))
    for _ in range(10):
        data[chance.randrange(20, len(data))] = chance.randrange(256)
    contents(bytes(data), "video/mp4")
    contents(bytes(data[: chance.randrange(len(data))]), "video/mp4")


def test_film_of_many_boxes_ends() -> None:
    """A million empty boxes are not all read."""
    data = movie() + struct.pack(">I", 8) + b"free"
    begun = time.process_time()
    contents(box(b"free") * 1_000_000 + data, "video/mp4")
    assert time.process_time() - begun < 2.0


def waves() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((2, 2, 8000, 8000, "NONE", ""))
        sound.writeframes(bytes(32_000))
    return file.getvalue()


def frame(name: bytes, text: str) -> bytes:
    body = b"\3" + text.encode()
    return name + struct.pack(">IH", len(body), 0) + body


def mp3() -> bytes:
    tag = frame(b"TIT2", "Größe") + frame(b"TPE1", "One") + frame(b"TRCK", "3/9")
    sound = (b"\xff\xfb\x90\x44" + bytes(413)) * 40
    return b"ID3\4\0\0\0\0" + bytes([len(tag) >> 7, len(tag) & 127]) + tag + sound


def test_sound_is_read() -> None:
    """With the extra `[audio]` a WAV has its duration, and an MP3 its tags."""
    pytest.importorskip("tinytag")
    assert contents(waves(), "audio/x-wav")["audio"] == {
        "duration": 1.0, "bitrate": 256.0, "sample_rate": 8000, "channels": 2,
    }  # fmt: skip
    found = contents(mp3(), "audio/mpeg")["audio"]
    assert (found["title"], found["artist"], found["track"]) == ("Größe", "One", 3)
    assert found["duration"] == pytest.approx(1.04, abs=0.1)


def pdf(**options: Any) -> bytes:
    pikepdf = pytest.importorskip("pikepdf")
    document = pikepdf.new()
    document.add_blank_page()
    document.add_blank_page()
    document.docinfo["/Title"] = "Größe"
    document.docinfo["/Keywords"] = "sea; boat"
    document.docinfo["/CreationDate"] = "D:20240102030405+01'00'"
    document.docinfo["/ModDate"] = "no date"
    file = io.BytesIO()
    document.save(file, **options)
    return file.getvalue()


def test_pdf_is_read() -> None:
    """With the extra `[pdf]` pages, title, keywords and date; an invalid date is left out."""
    assert contents(pdf(), "application/pdf") == {
        "document": {"title": "Größe", "created": "2024-01-02T03:04:05+01:00", "pages": 2},
        "keywords": ["sea", "boat"],
    }


def test_pdf_with_a_password_is_encrypted() -> None:
    """Nothing can be read without the password, and that is what is recorded."""
    pikepdf = pytest.importorskip("pikepdf")
    data = pdf(encryption=pikepdf.Encryption(owner="x", user="y"))
    assert contents(data, "application/pdf") == {"document": {"is_encrypted": True}}


def test_damaged_pdf_is_a_warning() -> None:
    """Its record has hash and type, and the reason in words that name no object of the program."""
    pytest.importorskip("pikepdf")
    data = b"%PDF-1.4\n" + bytes(range(256)) * 20
    found, warning = read_contents(io.BytesIO(data), "application/pdf", len(data))
    assert found == {}
    assert str(warning).startswith("metadata cannot be read: ")
    assert "0x" not in str(warning)


def film(form: str, codec: str) -> bytes:
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format=form) as opened:
        stream = opened.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 176, 144, "yuv420p"
        for number in range(25):
            picture = av.VideoFrame(176, 144, "yuv420p")
            picture.pts = number
            opened.mux(stream.encode(picture))
        opened.mux(stream.encode(None))
    return file.getvalue()


FILMS = [
    ("matroska", "mpeg4", "video/x-matroska"), ("avi", "mpeg4", "video/x-msvideo"),
    ("flv", "flv", "video/x-flv"), ("mpegts", "mpeg2video", "video/mp2t"),
    ("asf", "wmv2", "video/x-ms-wmv"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "codec", "kind"), FILMS)
def test_film_is_read_by_its_demuxer(form: str, codec: str, kind: str, tmp_path: Path) -> None:
    """With the extra `[video]` duration, size, codec and rate; the content alone has the type."""
    path = tmp_path / "film"
    path.write_bytes(film(form, codec))
    outcome = process_file(path)
    assert (outcome.metadata["media_type"], outcome.warning) == (kind, None)
    found = outcome.metadata["video"]
    assert found["duration"] == pytest.approx(1.0, abs=0.1)
    assert (found["width"], found["height"], found["codec"]) == (176, 144, codec)
    assert found["frame_rate"] == 25


def test_playlist_opens_no_other_file(tmp_path: Path) -> None:
    """FFmpeg would follow a list of parts; the demuxer of a film's type reads a damaged film."""
    pytest.importorskip("av")
    other = tmp_path / "other.avi"
    other.write_bytes(film("avi", "mpeg4"))
    playlist = f"ffconcat version 1.0\nfile '{other}'\n".encode()
    for kind in ("video/x-matroska", "video/mp2t"):
        found, _ = read_contents(io.BytesIO(playlist), kind, len(playlist))
        assert "width" not in found.get("video", {})


@pytest.mark.parametrize(("form", "codec", "kind"), FILMS)
def test_damaged_film_is_done(form: str, codec: str, kind: str) -> None:
    """Noise behind a film's beginning raises nothing."""
    data = film(form, codec)[:300] + random.Random(1).randbytes(5000)
    read_contents(io.BytesIO(data), kind, len(data))


def test_header_of_a_heif_is_read_and_checked() -> None:
    """Size, rotation and EXIF are read without it; the extra `[heif]` finds a damaged header."""
    heif = pytest.importorskip("pillow_heif")
    image = pytest.importorskip("PIL.Image")
    tags = image.Exif()
    tags[0x010F] = "Camera Works"
    file = io.BytesIO()
    heif.from_pillow(image.new("RGB", (64, 48))).save(file, exif=tags.tobytes())
    data = file.getvalue()
    found = examine(io.BytesIO(data), "image/heic", len(data))
    assert (found.error, found.warning) == (None, None)
    assert (found.metadata["display_width"], found.metadata["display_height"]) == (64, 48)
    assert found.metadata["exif"]["make"] == "Camera Works"
    damaged = data[:40] + bytes(20) + data[60:]
    assert decode.find_problem(io.BytesIO(damaged), "image/heic", len(damaged)) is not None
