"""
Write a small tree of varied files, to try the service on.

    python examples/sample_files.py DIRECTORY

Photos, texts in several encodings, documents, odd names, an empty file, and broken images that
end as errors. Every run writes the same. The standard library is enough; with Pillow some photos
are JPEGs with EXIF, else all are PNGs.
"""

import csv
import errno
import gzip
import io
import json
import os
import random
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

try:
    from PIL import Image
except ImportError:  # an extra; see above
    Image = None  # type: ignore[assignment]

Sample = tuple[str | bytes, bytes]

PLACES = ("harbour", "lighthouse", "meadow", "old town", "pier", "forest path")
FOLDERS = ("2023 Lisbon", "2024 Norway/fjords", "2024 Norway/Tromsø", "2025 home")
WORDS = ("wind", "sea", "light", "stone", "bird", "cloud", "boat", "morning", "rain", "path")
PHOTOS_IN_FOLDER = 12
BROKEN_EVERY = 17  # so that one photo in some is cut short


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python examples/sample_files.py DIRECTORY", file=sys.stderr)
        return 2
    root = Path(arguments[0])
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        print(f"{root}: files are there already")
        return 0
    count, size = write(root)
    print(f"{count} files, {size:,} bytes, in {root}")
    return 0


def write(root: Path) -> tuple[int, int]:
    """Write all samples below `root`; how many there are, and their bytes."""
    count = size = 0
    for name, data in samples():
        path = os.path.join(os.fsencode(root), name if isinstance(name, bytes) else name.encode())
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            Path(os.fsdecode(path)).write_bytes(data)
        except OSError as error:
            if error.errno in (errno.EILSEQ, errno.EINVAL):
                continue  # some file systems refuse a name that is not UTF-8, or with a newline
            raise
        count += 1
        size += len(data)
    return count, size


def samples() -> Iterator[Sample]:
    chance = random.Random(20240501)  # noqa: S311  # the same files each time
    yield from photos(chance)
    yield from texts(chance)
    yield from documents()
    yield from oddities(chance)


def photos(chance: random.Random) -> Iterator[Sample]:
    number = 0
    for folder in FOLDERS:
        for place in range(PHOTOS_IN_FOLDER):
            number += 1
            name = f"{PLACES[place % len(PLACES)]} {place + 1:02}"
            words = chance.sample(WORDS, 3)
            extension, data = photo(number, name, words)
            if number % BROKEN_EVERY == 0:
                data = data[: len(data) * 2 // 3]
            yield f"photos/{folder}/{name}{extension}", data


def photo(number: int, title: str, keywords: list[str]) -> tuple[str, bytes]:
    pixels = picture(240, 160, number)
    if Image is not None and number % 2:
        return ".jpg", jpeg(240, 160, pixels, number, title, keywords)
    texts = {"Title": title, "Description": f"Near the {title}", "Keywords": ", ".join(keywords)}
    return ".png", png(240, 160, pixels, texts)


def picture(width: int, height: int, number: int) -> bytes:
    """A sky that grows lighter downwards and a hill, in RGB; every `number` has its own colours."""
    sky = (40 * number % 200, 60 * number % 200, 80 + 9 * number % 120)
    ground = (30 * number % 160, 90 + 7 * number % 120, 20 * number % 100)
    rows = bytearray()
    for y in range(height):
        shade = y * 55 // height
        hill = max(0, y - height // 2) * width // height
        start = (number * 37) % (width // 2)
        end = min(width, start + hill)
        light = bytes(part + shade for part in sky)
        rows += light * min(start, end) + bytes(ground) * (end - start) + light * (width - end)
    return bytes(rows)


def png(width: int, height: int, pixels: bytes, texts: dict[str, str]) -> bytes:
    """An RGB image with its texts: `tEXt` where Latin-1 will do, else `iTXt`."""
    row = width * 3
    filtered = b"".join(b"\0" + pixels[at : at + row] for at in range(0, height * row, row))
    chunks = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    for name, text in texts.items():
        try:
            chunks += png_chunk(b"tEXt", name.encode() + b"\0" + text.encode("latin-1"))
        except UnicodeEncodeError:
            chunks += png_chunk(b"iTXt", name.encode() + b"\0\0\0\0\0" + text.encode())
    chunks += png_chunk(b"IDAT", zlib.compress(filtered, 6)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def jpeg(
    width: int, height: int, pixels: bytes, number: int, title: str, words: list[str]
) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = title
    exif[0x010F] = "Example Cameras"
    exif[0x0110] = f"Model {number % 3 + 1}"
    exif[0x0112] = 1
    exif[0x8769] = {0x9003: f"2024:05:{number % 28 + 1:02} 12:{number % 60:02}:00", 0x8827: 200}
    file = io.BytesIO()
    Image.frombytes("RGB", (width, height), pixels).save(file, "JPEG", quality=85, exif=exif)
    data = file.getvalue()
    return data[:2] + iptc_segment(words) + data[2:]


def iptc_segment(keywords: list[str]) -> bytes:
    """The JPEG segment that photo programs keep keywords in (IPTC-IIM, data set 2:25)."""
    block = b"\x1c\x01\x5a\0\x03\x1b%G"  # the rest is UTF-8
    for keyword in keywords:
        block += b"\x1c\x02\x19" + struct.pack(">H", len(keyword.encode())) + keyword.encode()
    resource = (
        b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block + b"\0" * (len(block) % 2)
    )
    payload = b"Photoshop 3.0\0" + resource
    return struct.pack(">BBH", 0xFF, 0xED, len(payload) + 2) + payload


def texts(chance: random.Random) -> Iterator[Sample]:
    for number in range(1, 25):
        lines = (" ".join(chance.choices(WORDS, k=9)) for _ in range(chance.randint(3, 60)))
        yield f"notes/2025/note {number:02}.txt", "\n".join(lines).encode() + b"\n"
    letter = "Grüße aus Köln\nund ein schönes Wochenende!\n"
    for encoding in ("utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-32"):
        yield f"notes/encodings/{encoding}.txt", letter.encode(encoding)
    yield "notes/encodings/windows-1252.txt", "20 € for a “café”\n".encode("windows-1252")
    yield "notes/encodings/ascii.txt", b"nothing but ASCII\r\nwith CR and LF\r\n"
    yield "notes/readme.md", b"# Samples\n\nMade by `examples/sample_files.py`.\n"
    yield "notes/script.py", b'print("a script, not run")\n'
    yield "notes/page.html", b"<!doctype html>\n<title>Sample</title>\n<p>Hello\n"
    yield "notes/drawing.svg", SVG


def documents() -> Iterator[Sample]:
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["place", "visitors"])
    writer.writerows((place, 100 + 7 * number) for number, place in enumerate(PLACES))
    yield "documents/visitors.csv", table.getvalue().encode()
    places = [{"name": place, "tags": list(WORDS[:3])} for place in PLACES]
    yield "documents/places.json", json.dumps(places, indent=2).encode()
    yield "documents/letter.pdf", pdf("A letter made by hand")
    yield "documents/archive.zip", archive({"a.txt": b"one\n", "folder/b.txt": b"two\n"})
    yield "documents/log.gz", gzip.compress(b"started\nstopped\n" * 500, mtime=0)
    yield "documents/sound.wav", wav()


def oddities(chance: random.Random) -> Iterator[Sample]:
    image = png(16, 16, picture(16, 16, 5), {"Keywords": "Straße, 海"})
    yield "odd/empty.dat", b""
    yield "odd/only zeros.bin", bytes(4096)
    yield "odd/noise.bin", chance.randbytes(300_000)
    yield "odd/text called an image.png", b"This is text, whatever the name says.\n"
    yield "odd/image called a text.txt", image
    yield "odd/without extension", image
    yield "odd/cut short.png", image[:60]
    yield "odd/too large.png", BOMB
    yield "odd/Ümläute, Straße.txt", b"a name with umlauts\n"
    yield "odd/party 🎉.txt", b"a name with an emoji\n"
    yield "odd/two\nlines.txt", b"a name with a newline\n"
    yield b"odd/latin-1 caf\xe9.txt", b"a name that is not UTF-8\n"
    yield "odd/<b>markup & 'quotes'.txt", b"a name that a page must not take for HTML\n"
    yield "odd/.hidden", b"a name that begins with a dot\n"
    yield "odd/" + "/".join("abcdefghij") + "/deep.txt", b"ten folders down\n"


def pdf(text: str) -> bytes:
    """One page with a line of text, its objects and their table of offsets written out."""
    stream = f"BT /F1 24 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 6 0 R >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Font << /F1 5 0 R >> >>",
    )
    data = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    table = b"xref\n0 7\n0000000000 65535 f \n"
    for number, body in enumerate(objects, 1):
        table += b"%010d 00000 n \n" % len(data)
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    return (
        data + table + b"trailer\n<< /Size 7 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(data)
    )


def archive(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in files.items():
            opened.writestr(zipfile.ZipInfo(name, (2024, 5, 1, 12, 0, 0)), data)
    return file.getvalue()


def wav() -> bytes:
    """Half a second of a square wave, 8 bits, 8 kHz."""
    wave = (b"\x60" * 10 + b"\xa0" * 10) * 200
    form = struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(wave)) + wave
    return b"RIFF" + struct.pack("<I", len(body)) + body


SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10">
  <circle cx="5" cy="5" r="4" fill="teal"/>
</svg>
"""
# A header that promises ten thousand million pixels.
BOMB = b"\x89PNG\r\n\x1a\n" + b"".join(
    (
        png_chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)),
        png_chunk(b"IDAT", zlib.compress(bytes(1000))),
        png_chunk(b"IEND", b""),
    )
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
