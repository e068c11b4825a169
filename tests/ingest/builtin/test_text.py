"""Text: its encoding, and how much there is of it."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from ingest.builtin.text import TextScan


def scanned(*pieces: bytes) -> TextScan:
    scan = TextScan()
    for number, piece in enumerate(pieces, 1):
        scan.feed(piece, final=number == len(pieces))
    return scan


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"plain\n", "ascii"),
        ("Grüße\n".encode(), "utf-8"),
        ("Grüße\n".encode("utf-8-sig"), "utf-8-sig"),
        (b"\xef\xbb\xbfplain\n", "utf-8-sig"),
        ("Grüße 漢字\n".encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + "Grüße\n".encode("utf-16-be"), "utf-16"),
        ("Grüße\n".encode("utf-32"), "utf-32"),
        ("Grüße, 5 €\n".encode("windows-1252"), "windows-1252"),
        ("Grüße aus Köln\n".encode("latin-1"), "windows-1252"),
        (b"\xef\xbb\xbfa mark, then a caf\xe9\n", "windows-1252"),
    ],
)
def test_encoding_is_a_codec_that_reads_the_file(data: bytes, encoding: str) -> None:
    """The name found is one that Python decodes the whole file by."""
    scan = scanned(data)
    assert scan.is_text
    assert scan.encoding == encoding
    data.decode(encoding)


@pytest.mark.parametrize(
    "data",
    [
        b"a\0b",
        b"\x01\x02 plain",
        "Привет, мир".encode("koi8-r"),
        "日本語".encode("shift-jis"),
        b"no letter \x81 in Windows-1252",
        b"\xff\xfe\x00\xd8odd",
        "no mark".encode("utf-16-le"),
    ],
)
def test_undecidable_data_is_not_text(data: bytes) -> None:
    """Data with NULs, control bytes or mostly high bytes is not text."""
    assert not scanned(data).is_text


def test_text_that_turns_binary_is_not_text() -> None:
    """A later piece can show that a file is not text."""
    scan = TextScan()
    assert scan.feed(b"good\n", final=False)
    assert not scan.feed(b"\0bad")
    assert not scan.is_text


def test_utf8_truncated_in_a_character_is_not_utf8() -> None:
    """A file that ends amid a character is not well-formed UTF-8."""
    assert scanned("plain words, and one über".encode()[:-4]).encoding == "windows-1252"


def test_character_split_between_pieces_must_be_complete() -> None:
    """A piece of pure ASCII after half a character means that the text is not UTF-8."""
    assert scanned(b"plain words, half a \xc3", b"character").encoding == "windows-1252"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_pieces_make_no_difference(encoding: str) -> None:
    """The result does not depend on where the pieces end."""
    whole = "aé  漢字 \n\nb\u2028c 𝄞\n".encode(encoding)
    expected = scanned(whole).found()
    # The first piece holds the whole mark: of a file it is 256 KiB.
    for first in range(4, len(whole)):
        for second in range(first, len(whole)):
            pieces = whole[:first], whole[first:second], whole[second:]
            assert scanned(*pieces).found() == expected


@pytest.mark.parametrize("seed", range(20))
def test_words_are_what_split_counts(seed: int) -> None:
    """A word is a run of bytes that are not ASCII white space."""
    text = "".join(random.Random(seed).choices("abc \n\t\r\v\f", k=seed * 3))
    scan = scanned(text.encode())
    assert scan.words == len(text.encode().split())
    assert scan.lines == text.count("\n")


@pytest.mark.skipif(shutil.which("wc") is None, reason="needs wc")
def test_counts_are_those_of_wc(tmp_path: Path) -> None:
    """Lines and words are what `wc` prints: a last line without its end is not counted."""
    path = tmp_path / "text"
    path.write_text("one two\n\n  three\tfour\nfive\vsix  \nseven, no end")
    printed = subprocess.check_output(["wc", "-lw", path], env={"LC_ALL": "C"}, text=True)
    scan = scanned(path.read_bytes())
    assert [scan.lines, scan.words] == [int(count) for count in printed.split()[:2]]


def test_utf16_is_counted_as_its_text() -> None:
    """UTF-16 is decoded before it is counted: its bytes contain false newlines and spaces."""
    text = "\u0a20 \u200a\u2020 x\n"
    assert scanned(text.encode("utf-16")).found() == scanned(text.encode()).found() | {
        "encoding": "utf-16"
    }
