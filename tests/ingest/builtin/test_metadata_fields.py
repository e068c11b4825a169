"""The table of metadata fields in docs/metadata.md names each field that is recorded."""

import io
import re
from pathlib import Path
from typing import Any

import pytest

from ingest.builtin import audio, clean_text, descriptions, documents, exif, video
from ingest.builtin.image import examine
from ingest.builtin.text import TextScan

Image = pytest.importorskip("PIL.Image")

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "metadata.md"


def documented() -> set[str]:
    table = DOCUMENT.read_text("utf-8").partition("| field | type |")[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE))


def jpeg_with_everything() -> dict[str, Any]:
    """Return the metadata of an image that has each group of fields."""
    tags = Image.Exif()
    tags[0x010F] = "Camera Works"
    tags[0x9C9E] = ("x" * 2000).encode("utf-16-le")
    tags[0x013B] = "Somebody"
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG", exif=tags, comment=b"A comment")
    return examine(file, "image/jpeg", len(file.getvalue())).metadata


def test_recorded_fields_are_documented_and_no_others() -> None:
    """Each field of a text, an image and its EXIF has a row, and each row is a field."""
    scan = TextScan()
    scan.feed(b"text\n")
    image = jpeg_with_everything()
    fields = {*scan.found(), *image} - {"exif", "image"}
    assert documented() == fields | {"extension_mismatch"} | {
        f"exif.{name}" for name in exif.FIELDS
    } | {
        f"{group}.{name}"
        for group, names in (
            ("image", descriptions.FIELDS),
            ("audio", audio.FIELDS),
            ("video", video.FIELDS),
            ("document", documents.FIELDS),
        )
        for name in names
    }


def test_limits_are_documented() -> None:
    """The document states the limits that the code has."""
    text = DOCUMENT.read_text("utf-8")
    limits = (clean_text.MAX_TEXT, clean_text.MAX_TEXTS_LENGTH, clean_text.MAX_KEYWORD)
    assert all(f"{limit:,}" in text for limit in limits)
    assert f"{clean_text.MAX_KEYWORDS} keywords" in text
