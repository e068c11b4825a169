"""The built-in processor, on real files."""

import hashlib
import os
import pickle
import random
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from ingest.builtin import decode
from ingest.builtin import image as media
from ingest.builtin.options import Options, Verify
from ingest.builtin.process_file import PIECE, BuiltinProcessor, process_file
from ingest.builtin.text import MAX_COUNTED
from ingest.execution.batch import BatchFile, run_batch
from ingest.outcome import Outcome

NOISE = random.Random(1).randbytes(2 * PIECE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.fixture
def no_pillow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    decode._opener.cache_clear()
    yield
    decode._opener.cache_clear()


def processed(path: Path, data: bytes) -> Outcome:
    path.write_bytes(data)
    return process_file(path)


@pytest.mark.parametrize("size", [0, 1, 500, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE])
def test_hash_is_that_of_all_bytes(path: Path, size: int) -> None:
    """Whether read whole or in pieces, a file's SHA-256 is its own and `bytes` its length."""
    outcome = processed(path, NOISE[:size])
    assert outcome.metadata["sha256"] == hashlib.sha256(NOISE[:size]).hexdigest()
    assert outcome.counters["bytes"] == size


def test_path_may_be_text(path: Path) -> None:
    """A path as text leads to the same outcome as a Path."""
    named = path.with_suffix(".csv")
    assert processed(named, b"a,b\n") == process_file(str(named))


def test_text_has_its_encoding_lines_and_words(path: Path) -> None:
    """A text's outcome is its hash, its type, and what was counted."""
    outcome = processed(path.with_suffix(".py"), "# Größe\nprint(1)\n".encode())
    assert dict(outcome.metadata) == {
        "sha256": hashlib.sha256("# Größe\nprint(1)\n".encode()).hexdigest(),
        "media_type": "text/x-python",
        "encoding": "utf-8",
        "lines": 2,
        "words": 3,
    }
    assert outcome.counters == {"bytes": 19, "metadata_extracted": 1, "keywords_added": 0}


def test_empty_file_is_no_error(path: Path) -> None:
    """An empty file has a hash and a type of its own, and nothing extracted."""
    outcome = processed(path.with_suffix(".png"), b"")
    assert outcome.metadata["media_type"] == "inode/x-empty"
    assert outcome.metadata["sha256"] == hashlib.sha256().hexdigest()
    assert outcome.counters == {"bytes": 0, "metadata_extracted": 0, "keywords_added": 0}


def test_binary_file_has_nothing_extracted(path: Path) -> None:
    """Unknown bytes have a hash and a type, and no metadata."""
    outcome = processed(path, b"\0\1\2")
    assert set(outcome.metadata) == {"sha256", "media_type"}
    assert outcome.counters["metadata_extracted"] == 0


def test_text_in_pieces_is_counted_to_its_end(path: Path) -> None:
    """A text of many pieces counts each word once, also one that two pieces share."""
    outcome = processed(path, b"seven letters \n" * PIECE)
    assert outcome.metadata["lines"] == PIECE
    assert outcome.metadata["words"] == 2 * PIECE


def test_character_that_two_pieces_share_is_whole(path: Path) -> None:
    """UTF-8 is UTF-8 wherever the pieces end."""
    outcome = processed(path, b"x" + "é".encode() * PIECE)
    assert outcome.metadata["encoding"] == "utf-8"


def test_source_with_a_control_byte_is_not_counted(path: Path) -> None:
    """A file whose name claims text is not counted if its content is not text."""
    outcome = processed(path.with_suffix(".py"), b"\x01 = 1\n")
    assert outcome.metadata["media_type"] == "text/x-python"
    assert set(outcome.metadata) == {"sha256", "media_type"}


def test_text_that_turns_binary_late_is_not_text(path: Path) -> None:
    """The pieces after the first decide too."""
    outcome = processed(path, b"plain text \n" * PIECE + b"\0")
    assert set(outcome.metadata) == {"sha256", "media_type"}


def test_longest_text_has_a_type_and_no_counts(path: Path) -> None:
    """Above the limit a text is hashed at full speed: a type, no counts."""
    with path.open("wb") as file:
        for _ in range(MAX_COUNTED // PIECE + 1):
            file.write(b"seven!\n " * (PIECE // 8))
    metadata = process_file(path).metadata
    assert metadata["media_type"] == "text/plain"
    assert set(metadata) == {"sha256", "media_type"}


@pytest.mark.parametrize("name", ["a b", "Grüße.txt", "🎈.txt", "new\nline.txt", "\udcff.txt"])
def test_any_name_is_processed(tmp_path: Path, name: str) -> None:
    """Spaces, newlines and bytes that are not UTF-8 are as good in a name as letters."""
    try:
        outcome = processed(tmp_path / name, b"text\n")
    except OSError as error:  # pragma: no cover
        pytest.skip(f"the file system refuses this name: {error.strerror}")
    assert outcome.metadata["media_type"] == "text/plain"


def test_fifo_is_an_error_not_a_hang(path: Path) -> None:
    """A file replaced by a FIFO is refused at once, without a wait for a writer."""
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file"):
        process_file(path)


def test_symbolic_link_is_not_followed(path: Path) -> None:
    """A file replaced by a link could lead out of the root."""
    target = path.with_name("target")
    target.write_bytes(b"secret")
    path.symlink_to(target)
    with pytest.raises(OSError, match="a symbolic link"):
        process_file(path)


def test_folder_is_refused(tmp_path: Path) -> None:
    """A folder can be opened, but is not a regular file."""
    with pytest.raises(OSError, match="not a regular file"):
        process_file(tmp_path)


def test_missing_file_is_the_systems_error(path: Path) -> None:
    """The system's error is raised unchanged."""
    with pytest.raises(FileNotFoundError):
        process_file(path)


@pytest.mark.parametrize("size", [100, 2 * PIECE])
def test_file_truncated_while_read_is_an_error(
    path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hash of fewer bytes than the file's size would be the hash of no file."""
    path.write_bytes(NOISE[:size])
    take_status = os.fstat

    def fstat_and_truncate(fd: int) -> os.stat_result:
        status = take_status(fd)
        os.truncate(path, size - 10)
        return status

    monkeypatch.setattr(os, "fstat", fstat_and_truncate)
    with pytest.raises(OSError, match=f"truncated while it was read: {size - 10:,} of {size:,}"):
        process_file(path)


@pytest.mark.parametrize("size", [0, 100, PIECE + 100])
def test_growing_file_is_taken_as_it_was_opened(
    path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that grows while it is read is hashed up to its size at the start."""
    path.write_bytes(NOISE[:size])
    take_status = os.fstat

    def fstat_and_grow(fd: int) -> os.stat_result:
        status = take_status(fd)
        with path.open("ab") as file:
            file.write(b"more")
        return status

    monkeypatch.setattr(os, "fstat", fstat_and_grow)
    outcome = process_file(path)
    assert outcome.counters["bytes"] == size
    assert outcome.metadata["sha256"] == hashlib.sha256(NOISE[:size]).hexdigest()


def test_short_reads_are_continued(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system may return fewer bytes than requested before the file ends."""
    path.write_bytes(NOISE[:1000])
    read = os.read
    monkeypatch.setattr(os, "read", lambda fd, size: read(fd, min(size, 300)))
    assert process_file(path).metadata["sha256"] == hashlib.sha256(NOISE[:1000]).hexdigest()


def test_nothing_stays_open(path: Path) -> None:
    """Neither success nor an error leaves a descriptor open."""
    path.write_bytes(NOISE)
    broken = path.with_suffix(".png")
    broken.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    before = os.listdir("/dev/fd")
    for _ in range(5):
        process_file(path)
        for refused in (broken, path.parent):
            try:
                process_file(refused)
            except (OSError, media.ImageError):
                continue
    assert os.listdir("/dev/fd") == before


def test_memory_does_not_grow_with_the_file(path: Path) -> None:
    """A file of 200 MiB takes no more memory than its pieces."""
    path.write_bytes(b"")
    os.truncate(path, 200 * 1024 * 1024)  # a hole: it takes no room on the disk either
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    process_file(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".jpg", b"\xff\xd8\xff\xe0 and then nothing but words"),
        (".gif", b"GIF89a and then nothing but words"),
        (".png", bytes(1000)),
        (".JPG", NOISE),
        ("", b"\x89PNG\r\n\x1a\n\0"),
        ("", b"\x89PNG\r\n\x1a\n\0" + NOISE),
    ],
)
def test_broken_image_is_an_error(path: Path, suffix: str, data: bytes) -> None:
    """An image's signature or name, without an image behind it, is an error."""
    pytest.importorskip("PIL")
    with pytest.raises(media.ImageError, match="broken image"):
        processed(path.with_suffix(suffix), data)


def test_broken_image_keeps_what_is_known_of_it(path: Path) -> None:
    """The error of a truncated photo holds its hash, type, size and camera."""
    image = pytest.importorskip("PIL.Image")
    tags = image.Exif()
    tags[0x010F] = "Camera Works"
    image.frombytes("L", (600, 400), NOISE[:240_000]).save(path, "JPEG", exif=tags)
    data = path.read_bytes()
    for kept in (data[: len(data) // 2], data[:400]):
        with pytest.raises(media.ImageError, match="broken image: ") as caught:
            processed(path.with_suffix(".jpg"), kept)
        known = caught.value.outcome.metadata
        assert known["sha256"] == hashlib.sha256(kept).hexdigest()
        assert known["media_type"] == "image/jpeg"
        assert (known["width"], known["height"]) == (600, 400)
        assert known["exif"] == {"make": "Camera Works"}


def test_options_state_how_far_an_image_is_verified(path: Path) -> None:
    """`header` reads what there is without decoding; `none` records hash and type alone."""
    image = pytest.importorskip("PIL.Image")
    image.frombytes("L", (600, 400), NOISE[:240_000]).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:5000])
    header = process_file(path, Options(Verify.HEADER))
    assert (header.metadata["width"], header.warning) == (600, None)
    none = process_file(path, Options(Verify.NONE))
    assert set(none.metadata) == {"sha256", "media_type"}
    limited = process_file(path, Options(max_pixels=10))
    assert str(limited.warning).startswith("image too large to decode: ")
    with pytest.raises(media.ImageError):
        process_file(path, Options())


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a"])
def test_header_that_cannot_be_read_is_broken_without_decoding(path: Path, data: bytes) -> None:
    """A signature without a header is an error with `header` too, and none with `none`."""
    path.write_bytes(data + b"\0")
    with pytest.raises(media.ImageError, match="broken image: its header cannot be read"):
        process_file(path, Options(Verify.HEADER))
    assert process_file(path, Options(Verify.NONE)).warning is None


def test_processor_with_options_can_travel_to_a_worker(path: Path) -> None:
    """It is a value that is pickled, and its record is the same as that of `process_file`."""
    path.write_bytes(b"text")
    processor = pickle.loads(pickle.dumps(BuiltinProcessor(Options(Verify.HEADER))))
    files = [BatchFile(1, os.fsencode(path.name))]
    one = run_batch(processor, str(path.parent), files, 9.0)
    assert one.outcomes == run_batch(process_file, str(path.parent), files, 9.0).outcomes


@pytest.mark.parametrize(("height", "in_pieces"), [(10, False), (800, True)])
def test_image_is_examined_whatever_its_size_and_name(
    path: Path, height: int, *, in_pieces: bool
) -> None:
    """An image read whole or in pieces, with any name, has its size and keywords recorded."""
    image = pytest.importorskip("PIL.Image")
    info = pytest.importorskip("PIL.PngImagePlugin").PngInfo()
    info.add_text("Keywords", "sea, boat")
    noise = image.frombytes("L", (600, height), NOISE[: 600 * height])
    noise.save(path, "PNG", pnginfo=info)
    outcome = process_file(path)
    size = path.stat().st_size
    assert (size > PIECE) == in_pieces
    assert outcome.metadata["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert outcome.metadata["height"] == height
    assert outcome.metadata["keywords"] == ["sea", "boat"]
    assert outcome.counters == {"bytes": size, "metadata_extracted": 1, "keywords_added": 2}


def test_pdf_that_reads_as_text_is_not_counted(path: Path) -> None:
    """Lines and words are counted only for types that are meant to be read as text."""
    outcome = processed(path, b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\n")
    assert outcome.metadata["media_type"] == "application/pdf"
    assert set(outcome.metadata) == {"sha256", "media_type"}


@pytest.mark.usefixtures("no_pillow")
def test_image_without_pillow_has_what_its_header_holds(path: Path) -> None:
    """Pillow is an extra: without it an image is not decoded, and is not an error if broken."""
    broken = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    outcome = processed(path, broken)
    assert outcome.metadata["media_type"] == "image/png"
    assert set(outcome.metadata) == {"sha256", "media_type"}
    outcome = processed(path, broken + b"\0\0\0\3\0\0\0\2\1\0\0\0\0crc!")
    assert (outcome.metadata["width"], outcome.metadata["height"]) == (3, 2)
    assert processed(path.with_suffix(".png"), b"\0\1").counters["metadata_extracted"] == 0


def test_text_that_is_cut_is_listed(path: Path) -> None:
    """A title of more than 65,536 characters ends in an ellipsis, and is named in `truncated`."""
    info = pytest.importorskip("PIL.PngImagePlugin").PngInfo()
    info.add_text("Title", "x" * 70_000)
    info.add_text("Author", "One")
    pytest.importorskip("PIL.Image").new("L", (8, 8)).save(path, "PNG", pnginfo=info)
    metadata = process_file(path).metadata
    assert len(metadata["image"]["title"]) == 65_536
    assert metadata["truncated"] == ["image.title"]
    assert len(metadata["text"]["Title"]) == 70_000


def test_map_of_text_is_an_image_and_a_text(path: Path) -> None:
    """A portable map written in digits has a size, and lines."""
    metadata = processed(path.with_suffix(".pgm"), b"P2\n2 1\n255\n0 9\n").metadata
    assert metadata["media_type"] == "image/x-portable-graymap"
    assert (metadata["width"], metadata["height"], metadata["lines"]) == (2, 1, 4)


def test_outcome_and_error_can_leave_the_worker(path: Path) -> None:
    """Outcomes are pickled to the server and written as JSON; errors are pickled."""
    outcome = processed(path, b"text")
    assert pickle.loads(pickle.dumps(outcome)) == outcome
    orjson.dumps([outcome.metadata, outcome.counters])
    error = pickle.loads(pickle.dumps(media.ImageError("broken image")))
    assert str(error) == "broken image"
