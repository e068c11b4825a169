"""Exiftool agrees with the samples whose values are its word, but for what is listed here."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.corpus.samples import EXIFTOOL, Sample, samples
from tests.support.tools import need

TAGS = {
    "media_type": "MIMEType",
    "width": "ImageWidth",
    "height": "ImageHeight",
    "exif.make": "Make",
    "exif.artist": "Artist",
    "exif.iso": "ISO",
    "exif.f_number": "FNumber",
    "exif.latitude": "GPSLatitude",
    "exif.longitude": "GPSLongitude",
    "exif.orientation": "Orientation",
    "image.title": "Title",
    "image.city": "City",
    "image.rating": "Rating",
    "video.duration": "Duration",
    "video.width": "ImageWidth",
}

BY_NAME = "exiftool distinguishes this kind of raw photo from a TIFF by the name alone"

DIFFERENT = {
    **dict.fromkeys(("raw-1", "raw-2", "raw-3", "raw-8", "raw-11", "raw-12.nef"), BY_NAME),
    "thumbnail-first.nef": "exiftool states the thumbnail's size first, and the photo's as SubIFD",
}
"""Samples of which exiftool states something else, each with the reason."""


@pytest.fixture(scope="module")
def stated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return what exiftool states of each sample, by name."""
    folder = tmp_path_factory.mktemp("samples")
    for sample in samples():
        if sample.word == EXIFTOOL:
            (folder / sample.name).write_bytes(sample.data)
    command = [need("exiftool"), "-j", "-n", "-ext", "*", "-charset", "exif=utf8", str(folder)]
    printed = subprocess.run(command, capture_output=True, check=False).stdout
    return {Path(each["SourceFile"]).name: each for each in json.loads(printed)}


@pytest.mark.parametrize("sample", [each for each in samples() if each.word == EXIFTOOL], ids=str)
def test_exiftool_states_the_same(sample: Sample, stated: dict[str, dict[str, Any]]) -> None:
    """Sizes, texts, positions and numbers are those of exiftool, where it states them."""
    if sample.name in DIFFERENT:
        pytest.skip(DIFFERENT[sample.name])
    values = stated[sample.name]
    for field, value in sample.expected.items():
        tag = TAGS.get(field)
        if tag in values:
            assert values[tag] == (pytest.approx(value) if isinstance(value, float) else value)
