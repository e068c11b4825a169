"""What the header of an image holds, in each format, and of images that cannot be decoded."""

import io
import os
import random
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from ingest.builtin import decode
from ingest.builtin.blocks import MAX_BLOCK
from ingest.builtin.image import Examination, _read_header, examine
from ingest.builtin.media_type import media_type
from ingest.builtin.options import Options, Verify
from tests.ingest.builtin.test_image import TYPES, chunk, encoded, iptc

Image = pytest.importorskip("PIL.Image")

HEADER = Options(Verify.HEADER)


def directory(*entries: tuple[int, int, int], after: int = 0) -> bytes:
    """Return a TIFF directory of entries with a tag, a type and a value, and what is next."""
    packed = [struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", v) for tag, kind, v in entries]
    return struct.pack("<H", len(entries)) + b"".join(packed) + struct.pack("<I", after)


def size_of(data: bytes, kind: str) -> tuple[int, int] | None:
    found = examine(io.BytesIO(data), kind, len(data), HEADER).metadata
    return (found["width"], found["height"]) if "width" in found else None


def examination(data: bytes, kind: str) -> Examination:
    return examine(io.BytesIO(data), kind, len(data))


def test_raw_photo_has_the_size_of_its_largest_full_image() -> None:
    """The first directory of a NEF is a thumbnail; the photo is in a subdirectory."""
    thumbnail = ((254, 4, 1), (256, 4, 160), (257, 4, 120), (330, 4, 200))
    photo = directory((254, 4, 0), (256, 4, 6048), (257, 4, 4024), (262, 3, 32803))
    data = (b"II*\0\x08\0\0\0" + directory(*thumbnail)).ljust(200, b"\0") + photo
    assert size_of(data, "image/x-nikon-nef") == (6048, 4024)
    assert size_of(data, "image/tiff") == (6048, 4024)


def test_tiff_of_reduced_images_alone_has_no_size() -> None:
    """A thumbnail's size is not stated as the photo's."""
    thumbnail = directory((254, 4, 1), (256, 4, 160), (257, 4, 120))
    assert size_of(b"II*\0\x08\0\0\0" + thumbnail, "image/x-nikon-nef") is None


def test_pages_of_a_tiff_have_the_size_of_the_first() -> None:
    """A later page may be larger."""
    first = directory((256, 4, 30), (257, 4, 20), after=100)
    second = directory((256, 4, 300), (257, 4, 200))
    data = (b"II*\0\x08\0\0\0" + first).ljust(100, b"\0") + second
    assert size_of(data, "image/tiff") == (30, 20)


def test_directories_that_lead_back_end() -> None:
    """A chain of directories, or a subdirectory, may not lead to one that was read."""
    loop = directory((256, 4, 30), (257, 4, 20), (330, 4, 8), after=8)
    assert size_of(b"II*\0\x08\0\0\0" + loop, "image/tiff") == (30, 20)


@pytest.mark.parametrize("kind", [3, 4, 5, 7, 12, 16])
def test_value_of_a_huge_count_is_bounded(kind: int) -> None:
    """Four thousand million numbers are announced; some are read, none makes memory grow."""
    entry = struct.pack("<HHII", 33434, kind, 2**32 - 1, 8)
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + bytes(100_000)
    examine(io.BytesIO(data), "image/tiff", len(data), HEADER)


def tiff_of(make: bytes, *extra: tuple[int, int, int]) -> bytes:
    entries = [(271, 2, len(make), 200), (262, 3, 1, 32803), *((t, k, 1, v) for t, k, v in extra)]
    packed = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4)
    return head.ljust(200, b"\0") + make


RAW = [
    (b"II*\0\x10\0\0\0CR\2\0" + bytes(40), "", "image/x-canon-cr2"),
    (tiff_of(b"NIKON CORPORATION\0"), "", "image/x-nikon-nef"),
    (tiff_of(b"SONY\0"), "", "image/x-sony-arw"),
    (tiff_of(b"PENTAX Corporation\0"), "", "image/x-pentax-pef"),
    (tiff_of(b"SAMSUNG\0"), ".srw", "image/x-samsung-srw"),
    (tiff_of(b"LEICA\0", (50706, 1, 0x0401)), "", "image/x-adobe-dng"),
    (b"IIRO\x08\0\0\0" + bytes(40), "", "image/x-olympus-orf"),
    (b"FUJIFILMCCD-RAW 0201" + bytes(40), "", "image/x-fujifilm-raf"),
    (b"IIU\0\x18\0\0\0" + bytes(40), "", "image/x-panasonic-rw2"),
    (b"II\x1a\0\0\0HEAPCCDR" + bytes(40), "", "image/x-canon-crw"),
    (b"FOVb\2\0\2\0" + bytes(40), "", "image/x-sigma-x3f"),
    (b"II*\0\x08\0\0\0IIII" + bytes(40), "", "image/x-phaseone-iiq"),
    (tiff_of(b"NIKON\0")[:8] + directory((256, 4, 3)) + bytes(90), ".nef", "image/tiff"),
]


@pytest.mark.parametrize(("data", "suffix", "kind"), RAW)
def test_raw_photo_has_its_type(data: bytes, suffix: str, kind: str) -> None:
    """A raw photo is recognised by its content; a scan with a camera's name is a TIFF."""
    assert media_type(data, suffix, text=False) == kind


def jpeg_frame(marker: int, bits: int, width: int, height: int) -> bytes:
    frame = struct.pack(">BHHB", bits, height, width, 1) + b"\1\x11\0"
    scan = b"\xff\xda\0\x08\1\1\0\0\x3f\0"
    return b"\xff\xd8\xff" + bytes([marker]) + struct.pack(">H", len(frame) + 2) + frame + scan


@pytest.mark.parametrize(("marker", "bits"), [(0xF7, 8), (0xC3, 8), (0xC1, 12)])
def test_jpeg_of_a_rare_kind_is_not_broken(marker: int, bits: int) -> None:
    """JPEG-LS, lossless JPEG and samples of 12 bits are done, with a warning and the size."""
    found = examination(jpeg_frame(marker, bits, 300, 200) + bytes(50), "image/jpeg")
    assert found.error is None
    assert str(found.warning).startswith("unsupported image: ")
    assert (found.metadata["width"], found.metadata["height"]) == (300, 200)


def bmp(header: int, bits: int, *, compression: int = 0) -> bytes:
    fields = struct.pack("<IiiHHIIiiII", header, 5, -3, 1, bits, compression, 0, 0, 0, 0, 0)
    body = fields[:header].ljust(header, b"\0") + bytes(100)
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, 14 + header) + body


@pytest.mark.parametrize("data", [bmp(16, 8), bmp(40, 2), bmp(56, 16, compression=3)])
def test_bitmap_of_a_rare_kind_is_not_broken(data: bytes) -> None:
    """A header of OS/2, 2 bits a pixel, and masks of bits are done with a warning."""
    assert media_type(data, "", text=False) == "image/bmp"
    found = examination(data, "image/bmp")
    assert found.error is None
    assert str(found.warning).startswith("unsupported image: ")
    assert (found.metadata["width"], found.metadata["height"]) == (5, 3)


def test_tiff_of_a_rare_compression_is_not_broken(capfd: pytest.CaptureFixture[str]) -> None:
    """WebP in a TIFF, which few libraries have, is a warning; libtiff prints nothing."""
    entries = (
        (256, 4, 8), (257, 4, 8), (258, 3, 8), (259, 3, 50001), (262, 3, 1), (273, 4, 200),
        (277, 3, 1), (278, 4, 8), (279, 4, 64),
    )  # fmt: skip
    data = (b"II*\0\x08\0\0\0" + directory(*entries)).ljust(200, b"\0") + bytes(64)
    found = examination(data, "image/tiff")
    assert found.error is None
    assert str(found.warning).startswith("unsupported image: ")
    assert capfd.readouterr().err == ""


def test_damaged_tiff_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """What libtiff writes to the standard error would be lines that are no log of the service."""
    data = bytearray(encoded("TIFF", compression="tiff_lzw"))
    data[100:200] = bytes(100)
    found = examination(bytes(data), "image/tiff")
    assert str(found.error).startswith("broken image: ")
    assert capfd.readouterr().err == ""


def test_text_of_more_than_a_mebibyte_is_sound() -> None:
    """Pillow refuses a long compressed text; the pixels are checked without it."""
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 1_500_000))
    data = encoded()
    found = examination(data[:33] + text + data[33:], "image/png")
    assert (found.error, found.warning) == (None, None)
    assert len(found.metadata["text"]["Comment"]) == 1_500_000
    damaged = bytearray(data[:33] + text + data[33:])
    damaged[-400:-300] = bytes(100)
    assert str(examination(bytes(damaged), "image/png").error).startswith("broken image: ")


def test_photo_of_a_phone_is_decoded() -> None:
    """A JPEG above the limit is decoded at an eighth; a progressive one would hold it all."""
    data = encoded("JPEG", size=(64, 64))
    progressive = encoded("JPEG", size=(64, 64), progressive=True)
    for image, warning in ((data, None), (progressive, "image too large to decode: 64 x 64")):
        found = examine(io.BytesIO(image), "image/jpeg", len(image), Options(max_pixels=100))
        assert found.error is None
        assert str(found.warning).startswith(str(warning))


def test_header_of_a_large_photo_is_read() -> None:
    """A photo of 200 megapixels has its size, though Pillow would not open it."""
    data = jpeg_frame(0xC2, 8, 16320, 12240)
    found = examination(data, "image/jpeg")
    assert found.metadata["width"] == 16320
    assert str(found.warning).startswith("image too large to decode: 16,320 x 12,240 pixels")


def made(form: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (30, 20)).save(file, form, **options)
    return file.getvalue()


QOI = b"qoif" + struct.pack(">II", 30, 20) + b"\3\0" + bytes(8)
XCF = b"gimp xcf v011\0" + struct.pack(">III", 30, 20, 0)
PSD = b"8BPS\0\1" + bytes(6) + struct.pack(">HII", 3, 20, 30) + bytes(20)
J2K = b"\xff\x4f\xff\x51\0\x2f\0\0" + struct.pack(">IIII", 32, 21, 2, 1) + bytes(30)
JP2 = (
    b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 "
    + struct.pack(">I", 30) + b"jp2h"
    + struct.pack(">I4sIIHBBBB", 22, b"ihdr", 20, 30, 3, 7, 7, 0, 0)
)  # fmt: skip


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (made("PPM"), "image/x-portable-pixmap"),
        (b"P5 # a comment\n30 20 255\n" + bytes(600), "image/x-portable-graymap"),
        (b"P7\nWIDTH 30\nHEIGHT 20\nDEPTH 1\nENDHDR\n", "image/x-portable-arbitrarymap"),
        (made("TGA"), "image/x-tga"),
        (made("SGI"), "image/sgi"),
        (b"Pf\n30 20\n-1.0\n" + bytes(2400), "image/x-portable-floatmap"),
        (b"\x59\xa6\x6a\x95" + struct.pack(">II", 30, 20), "image/x-sun-raster"),
        (made("PCX"), "image/vnd.zbrush.pcx"),
        (made("DDS"), "image/vnd.ms-dds"),
        (made("ICO", sizes=[(30, 20)]), "image/vnd.microsoft.icon"),
        (QOI, "image/qoi"),
        (XCF, "image/x-xcf"),
        (PSD, "image/vnd.adobe.photoshop"),
        (J2K, "image/j2c"),
        (JP2, "image/jp2"),
    ],
)
def test_size_is_read_without_a_decoder(data: bytes, kind: str) -> None:
    """The header of each format holds width and height."""
    assert size_of(data, kind) == (30, 20)


def test_avif_has_the_size_of_its_primary_item() -> None:
    """HEIF and AVIF hold the size as a property of an item, and EXIF as another item."""
    if not decode.can_decode("image/avif"):
        pytest.skip("Pillow was built without AVIF")
    tags = Image.Exif()
    tags[0x010F] = "Camera Works"
    data = made("AVIF", exif=tags)
    found = examine(io.BytesIO(data), "image/avif", len(data)).metadata
    assert (found["width"], found["height"]) == (30, 20)
    assert found["exif"] == {"make": "Camera Works"}


@pytest.mark.parametrize(
    ("header", "size"),
    [(0b1_11111_1, (256, 256)), (19 << 3 | 29 << 17, (30, 20)), (19 << 3 | 6 << 12, (25, 20))],
)
def test_bare_codestream_of_jpeg_xl_has_its_size(header: int, size: tuple[int, int]) -> None:
    """The size is in the first bits: in eighths, as two numbers, or as a height and a ratio."""
    assert size_of(b"\xff\x0a" + header.to_bytes(10, "little"), "image/jxl") == size


def test_profiles_of_imagemagick_are_read() -> None:
    """EXIF and IPTC that ImageMagick stores as hexadecimal texts of a PNG are read."""
    block = iptc(b"beach")[26 - 12 :]
    text = f"\niptc\n{len(block)}\n{block.hex()}\n".encode()
    data = encoded()
    profile = chunk(b"tEXt", b"Raw profile type iptc\0" + text)
    found = examination(data[:33] + profile + data[33:], "image/png")
    assert found.metadata["keywords"] == ["beach"]


def test_xmp_of_a_gif_is_read() -> None:
    """The packet lies in an extension, without the lengths of sub-blocks."""
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-'
        b'syntax-ns#"><r:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject>'
        b"<r:Bag><r:li>sea</r:li></r:Bag></dc:subject></r:Description></r:RDF></x:xmpmeta>"
    )
    trailer = bytes([1, *range(255, -1, -1), 0])
    data = encoded("GIF")
    extension = b"\x21\xff\x0bXMP DataXMP" + packet + trailer
    found = examination(data[:-1] + extension + b"\x3b", "image/gif")
    assert found.metadata["keywords"] == ["sea"]


@pytest.mark.parametrize("seed", range(20))
def test_damaged_headers_raise_nothing(seed: int) -> None:
    """Whatever bytes follow a signature, the readers return what they can."""
    chance = random.Random(seed)
    kinds = [*TYPES.items(), ("AVIF", "image/avif")]
    for form, kind in kinds:
        if form == "AVIF" and not decode.can_decode(kind):
            continue
        data = bytearray(encoded(form, size=(16, 16)))
        for _ in range(chance.randrange(1, 30)):
            data[chance.randrange(4, min(len(data), 400))] = chance.randrange(256)
        end = chance.randrange(8, len(data))
        for damaged in (bytes(data), bytes(data[:end])):
            examine(io.BytesIO(damaged), kind, len(damaged), HEADER)
    noise = chance.randbytes(4000)
    for sound, kind in ((QOI, "image/qoi"), (JP2, "image/jp2"), (b"\xff\x0a", "image/jxl")):
        for damaged in (sound[:12] + noise, sound[: chance.randrange(2, len(sound) + 1)]):
            _read_header(io.BytesIO(damaged), kind, len(damaged))


def test_texts_of_a_png_are_bounded_together() -> None:
    """Many texts that expand take no more memory than one."""
    text = zlib.compress(bytes(4_000_000) + b"x" * 4_000_000)
    texts = b"".join(chunk(b"zTXt", b"%d\0\0" % number + text) for number in range(100))
    data = encoded()
    blocks = _read_header(io.BytesIO(data[:33] + texts), "image/png", 10**7).blocks
    assert sum(map(len, blocks.texts.values())) <= 2 * MAX_BLOCK


def test_jpeg_without_a_frame_is_broken_at_once() -> None:
    """Noise behind the signature is not searched to its end, which takes a second a megabyte."""
    for data in (b"\xff\xd8" + b"\xff" * 10**7, b"\xff\xd8\xff" + bytes(10**7)):
        begun = time.process_time()
        assert examination(data, "image/jpeg").error == "broken image: its header cannot be read"
        assert time.process_time() - begun < 1.0


def test_descriptors_are_closed(tmp_path: Path) -> None:
    """The capture of the standard error leaves no descriptor open."""
    data = encoded("TIFF")
    examination(data, "image/tiff")
    before = os.listdir("/dev/fd")
    for _ in range(5):
        examination(data[:500], "image/tiff")
    assert os.listdir("/dev/fd") == before
