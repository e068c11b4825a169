"""What an image says of itself: position, title, authors, place, date, from each of its blocks."""

import io
import struct
from typing import Any

import pytest

from ingest.builtin.icc import profile_name
from ingest.builtin.image import examine
from tests.ingest.builtin.test_image import TYPES, chunk, encoded, jpeg_with, png_with_text

Image = pytest.importorskip("PIL.Image")
ImageCms = pytest.importorskip("PIL.ImageCms")
TiffDirectory = pytest.importorskip("PIL.TiffImagePlugin").ImageFileDirectory_v2
IFDRational = pytest.importorskip("PIL.TiffImagePlugin").IFDRational

NAMESPACES = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:x="adobe:ns:meta/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
)
PACKET = f"""<x:xmpmeta {NAMESPACES}><rdf:RDF>
<rdf:Description xmp:Rating="4" photoshop:City="Kiel"
photoshop:DateCreated="2023-04-05T06:07:08.5Z">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">A sea</rdf:li>
<rdf:li xml:lang="de">Ein Meer</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>One</rdf:li><rdf:li>Two</rdf:li></rdf:Seq>
</dc:creator><photoshop:Country>Germany</photoshop:Country></rdf:Description></rdf:RDF></x:xmpmeta>"""


def described(data: bytes, kind: str = "image/jpeg") -> dict[str, Any]:
    found: dict[str, Any] = examine(io.BytesIO(data), kind, len(data)).metadata
    return found


def with_xmp(packet: str) -> bytes:
    return jpeg_with(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet.encode())


def data_set(number: int, value: bytes) -> bytes:
    return b"\x1c\2" + bytes([number]) + struct.pack(">H", len(value)) + value


def with_iptc(*sets: bytes) -> bytes:
    block = b"".join(sets)
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block + bytes(len(block) % 2)
    return jpeg_with(0xED, b"Photoshop 3.0\0" + resource)


def test_xmp_is_read() -> None:
    """Elements, lists and attributes; of a text in several languages the first."""
    assert described(with_xmp(PACKET))["image"] == {
        "title": "A sea",
        "creator": ["One", "Two"],
        "city": "Kiel",
        "country": "Germany",
        "rating": 4,
        "created": "2023-04-05T06:07:08.5+00:00",
    }


def test_iptc_is_read() -> None:
    """Title, authors, place, rights, caption, and the date with its time."""
    data = with_iptc(
        data_set(5, b"A sea"), data_set(80, b"One"), data_set(80, "Zwölf".encode()),
        data_set(90, b"Kiel"), data_set(101, b"Germany"), data_set(116, b"(c)"),
        data_set(120, b"Waves"), data_set(55, b"20230405"), data_set(60, b"060708+0200"),
    )  # fmt: skip
    assert described(data)["image"] == {
        "title": "A sea",
        "creator": ["One", "Zwölf"],
        "city": "Kiel",
        "country": "Germany",
        "rights": "(c)",
        "description": "Waves",
        "created": "2023-04-05T06:07:08+02:00",
    }


def test_xmp_is_taken_before_exif() -> None:
    """Each field is that of the first block that has it."""
    tags = Image.Exif()
    tags[0x013B] = "Three"
    tags[0x8298] = "(c) Three"
    data = encoded("JPEG", exif=tags)
    packet = b"http://ns.adobe.com/xap/1.0/\0" + PACKET.encode()
    data = data[:2] + struct.pack(">BBH", 0xFF, 0xE1, len(packet) + 2) + packet + data[2:]
    found = described(data)["image"]
    assert (found["creator"], found["rights"]) == (["One", "Two"], "(c) Three")


def test_texts_of_a_png_describe_it() -> None:
    """The keywords that the standard of PNG names are read, and its date in ISO 8601."""
    data = png_with_text(Title="A sea", Author="One", **{"Creation Time": "2004/05/09 16:00:21"})
    assert described(data, "image/png")["image"] == {
        "title": "A sea",
        "creator": ["One"],
        "created": "2004-05-09T16:00:21",
    }


def position(latitude: Any, longitude: Any, **more: Any) -> dict[int, Any]:
    return {1: "N", 2: latitude, 3: "W", 4: longitude, **{int(k[1:]): v for k, v in more.items()}}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_position_is_read_in_degrees(form: str) -> None:
    """Degrees, minutes and seconds become one number, negative in the west."""
    tags = Image.Exif()
    ninth = IFDRational(59, 1), IFDRational(56, 1), IFDRational(4206, 100)
    directory = TiffDirectory()
    for block in (tags, directory):
        block[0x8825] = position(ninth, (10.0, 30.0, 0.0), _5=b"\1", _6=IFDRational(125, 10))
    options = {"tiffinfo": directory} if form == "TIFF" else {"exif": tags}
    found = described(encoded(form, **options), TYPES[form])["exif"]
    assert found["latitude"] == pytest.approx(59.9450167, abs=1e-6)
    assert (found["longitude"], found["altitude"]) == (-10.5, -12.5)


@pytest.mark.parametrize(
    "values",
    [
        position((IFDRational(1, 0), 0.0, 0.0), (1.0, 0.0, 0.0)),
        position((91.0, 0.0, 0.0), (1.0, 0.0, 0.0)),
        position((1.0, 0.0, 0.0), (181.0, 0.0, 0.0)),
        position((1.0, 0.0, 0.0), (1.0, 0.0, 0.0), _1="X"),
        {2: (1.0, 0.0, 0.0)},
    ],
)
def test_position_that_is_impossible_is_left_out(values: dict[int, Any]) -> None:
    """A latitude above 90, no direction, or a division by zero is not a position."""
    tags = Image.Exif()
    tags[0x8825] = values
    assert "latitude" not in described(encoded("JPEG", exif=tags)).get("exif", {})


def test_colour_profile_has_its_name() -> None:
    """The description of the profile, in the form of version 2 or 4."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = described(encoded("JPEG", icc_profile=profile))["image"]["color_profile"]
    assert "sRGB" in found
    assert (
        found
        == described(encoded("PNG", icc_profile=profile), "image/png")["image"]["color_profile"]
    )


@pytest.mark.parametrize("length", range(100, 180, 7))
def test_damaged_profile_has_no_name(length: int) -> None:
    """A truncated profile, or one with a huge table, is left out."""
    profile = bytes(128) + struct.pack(">I", 2**32 - 1) + b"desc" + struct.pack(">II", 144, 2**31)
    assert profile_name(profile[:length]) == ""


@pytest.mark.parametrize("rating", ["0", "6", "nan", "x", "99999999999"])
def test_rating_that_is_none_is_left_out(rating: str) -> None:
    """0 stands for no rating, and only -1 to 5 are ratings."""
    packet = PACKET.replace('Rating="4"', f'Rating="{rating}"')
    assert "rating" not in described(with_xmp(packet))["image"]


def test_texts_are_bounded() -> None:
    """Many authors and a text of a megabyte are cut."""
    creators = "".join(f"<rdf:li>{n}</rdf:li>" for n in range(3000))
    packet = PACKET.replace("<rdf:li>Two</rdf:li>", creators)
    found = described(with_xmp(packet))["image"]
    assert len(found["creator"]) == 20


def test_xmp_of_a_png_describes_it() -> None:
    """The packet is an international text of its own name."""
    data = encoded()
    body = b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET.encode()
    found = described(data[:33] + chunk(b"iTXt", body) + data[33:], "image/png")["image"]
    assert found["title"] == "A sea"


def test_resources_of_photoshop_are_read() -> None:
    """A document of Photoshop holds XMP, IPTC, EXIF and a profile as numbered resources."""
    packet = PACKET.encode()
    resource = b"8BIM\x04\x24\0\0" + struct.pack(">I", len(packet)) + packet + b"\0"
    header = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 20, 30, 8, 3)
    data = header + bytes(4) + struct.pack(">I", len(resource)) + resource
    found = described(data, "image/vnd.adobe.photoshop")
    assert (found["width"], found["height"], found["image"]["title"]) == (30, 20, "A sea")


def test_long_exif_goes_on_in_the_next_segment() -> None:
    """A block of more than 64 KiB is in several segments of a JPEG."""
    tags = Image.Exif()
    tags[0x010E] = "x" * 1000
    block = tags.tobytes().removeprefix(b"Exif\0\0")
    segments = b"".join(
        struct.pack(">BBH", 0xFF, 0xE1, len(part) + 8) + b"Exif\0\0" + part
        for part in (block[:500], block[500:])
    )
    data = encoded("JPEG")
    assert described(data[:2] + segments + data[2:])["exif"]["description"] == "x" * 1000
