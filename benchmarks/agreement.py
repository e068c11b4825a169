"""
Agreement with exiftool and `file`: `python -m benchmarks.agreement FOLDER`.

For each field that exiftool states of a file in the folder: is it recorded, and is it the same? For
each type that `file` states: is it the same? And what CPU time does each take for a file?
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.table import Cell, render
from ingest.builtin.image import ImageError
from ingest.builtin.options import Options, Verify
from ingest.builtin.process_file import process_file

FIELDS: Mapping[str, tuple[str, ...]] = {
    "width": ("ImageWidth",),
    "height": ("ImageHeight",),
    "exif.make": ("IFD0:Make",),
    "exif.model": ("IFD0:Model",),
    "exif.artist": ("IFD0:Artist",),
    "exif.copyright": ("IFD0:Copyright",),
    "exif.description": ("IFD0:ImageDescription",),
    "exif.software": ("IFD0:Software",),
    "exif.lens": ("ExifIFD:LensModel",),
    "exif.taken": ("ExifIFD:DateTimeOriginal",),
    "exif.exposure_time": ("ExifIFD:ExposureTime",),
    "exif.f_number": ("ExifIFD:FNumber",),
    "exif.iso": ("ExifIFD:ISO",),
    "exif.focal_length": ("ExifIFD:FocalLength",),
    "exif.orientation": ("IFD0:Orientation",),
    "exif.latitude": ("Composite:GPSLatitude",),
    "exif.longitude": ("Composite:GPSLongitude",),
    "image.title": ("XMP-dc:Title",),
    "image.description": ("XMP-dc:Description",),
    "image.creator": ("XMP-dc:Creator",),
    "image.color_profile": ("ICC_Profile:ProfileDescription",),
    "keywords": ("IPTC:Keywords", "XMP-dc:Subject"),
}
"""The fields that are compared, with the tags that exiftool has for them, with or without group."""

KINDS = ("agrees", "missing", "contradicts")

TOLERANCE = 1e-4


def verdict(value: Any, stated: Any) -> str:
    """Return whether a recorded value agrees with a stated one, is missing, or contradicts it."""
    if value is None or value == []:
        return "missing"
    if isinstance(value, list):
        listed = stated if isinstance(stated, list) else [stated]
        return "agrees" if {str(each).strip() for each in listed} <= set(value) else "contradicts"
    if isinstance(value, int | float) and isinstance(stated, int | float):
        close = abs(value - stated) <= TOLERANCE * max(1.0, abs(stated))
        return "agrees" if close else "contradicts"
    mine, other = str(value).strip(), str(stated).strip()
    if mine[4:5] == "-" and mine[10:11] == "T":  # a date, which exiftool writes with colons
        mine, other = mine[:19].replace("-", ":").replace("T", " "), other[:19]
    return "agrees" if mine == other else "contradicts"


def comparisons(
    recorded: Mapping[str, Any], stated: dict[str, Any]
) -> Iterator[tuple[str, str, Any, Any]]:
    """Return the field, the verdict and both values, of each field that exiftool states."""
    # Of a tag in several groups the first is that of the file itself.
    plain = {tag.rpartition(":")[2]: value for tag, value in reversed(stated.items())}
    for field, tags in FIELDS.items():
        group, _, name = field.partition(".")
        value = recorded.get(group, {}).get(name) if name else recorded.get(group)
        for tag in tags:
            found = stated.get(tag) if ":" in tag else plain.get(tag)
            if found not in (None, "", []):
                yield field, verdict(value, found), value, found


def main() -> int:
    """Compare the files below a folder; print the tables and each contradiction."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    full, header = (_recorded(paths, Options(verify)) for verify in (Verify.FULL, Verify.HEADER))
    command = ["exiftool", "-j", "-n", "-r", "-G1", "-ext", "*", str(folder)]
    printed, exiftool_time = _run(command)
    stated = {each["SourceFile"]: each for each in json.loads(printed)}
    lines, file_time = _run(["file", "--mime-type", "--brief", *map(str, paths)])
    types = dict(zip(map(str, paths), lines.decode().splitlines(), strict=True))
    counts: dict[str, Counter[str]] = {}
    for path, recorded in full[0].items():
        for field, found, value, other in comparisons(recorded, stated.get(path, {})):
            counts.setdefault(field, Counter())[found] += 1
            if found == "contradicts":
                print(f"{path}: {field} is {value!r:.60}; exiftool states {other!r:.60}")
    _print(counts, full[0], types)
    for name, seconds in (
        ("ingest-stream, full", full[1]), ("ingest-stream, header", header[1]),
        ("exiftool", exiftool_time), ("file", file_time),
    ):  # fmt: skip
        print(f"{name}: {seconds * 1000 / len(paths):.2f} ms of CPU a file")
    return 0


def _print(
    counts: Mapping[str, Counter[str]], recorded: Mapping[str, Any], types: Mapping[str, str]
) -> None:
    rows: list[dict[str, Cell]] = []
    for field, found in counts.items():
        row: dict[str, Cell] = {"field": field, "stated": str(found.total())}
        rows.append(row | {kind: str(found[kind]) for kind in KINDS})
    print(render(("field", "stated", *KINDS), rows))
    same = sum(found["media_type"] == types[path] for path, found in recorded.items())
    unknown = sum(found["media_type"] == "application/octet-stream" for found in recorded.values())
    print(f"{len(recorded)} files; `file` states the same type for {same}; {unknown} have no type")


def _recorded(paths: list[Path], options: Options) -> tuple[dict[str, Any], float]:
    """Return the metadata of each file, and the CPU time that it took."""
    found: dict[str, Any] = {}
    begun = time.process_time()
    for path in paths:
        try:
            found[str(path)] = process_file(path, options).metadata
        except ImageError as error:
            found[str(path)] = error.outcome.metadata
    return found, time.process_time() - begun


def _run(command: list[str]) -> tuple[bytes, float]:
    """Return what a command prints, and its CPU time."""
    before = _children()
    printed = subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout
    return printed, _children() - before


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
