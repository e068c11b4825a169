"""Text: its encoding, and how much there is of it."""

# ruff: noqa: RUF001 - texts in other scripts

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from ingest.builtin import charsets
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
        ("Grüße 漢字\r\n".encode("utf-16-le"), "utf-16-le"),
        ("Grüße aus Köln, \u0100\n".encode("utf-16-be"), "utf-16-be"),
        ("日本語 and ASCII\n".encode("iso2022_jp"), "iso2022_jp"),
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
        b"\1\0\2\0\3\0\4\0",
        b"n\0o\0 \0h\0a\0l\0f",
    ],
)
def test_undecidable_data_is_not_text(data: bytes) -> None:
    """Data with NULs, control bytes or mostly high bytes is not text."""
    assert not scanned(data).is_text


DECLARED = [
    ('<?xml version="1.0" encoding="windows-1251"?>\n<a>Привет</a>', "windows-1251"),
    ("<!doctype html><html><meta charset='koi8-r'><p>Привет", "koi8-r"),
    ('<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">日本', "shift_jis"),
    ('@charset "iso-8859-2";\n/* Łódź */', "iso-8859-2"),
    ("#!/usr/bin/python\n# -*- coding: iso-8859-15 -*-\n# 5 €", "iso-8859-15"),
    ("# vim: set fileencoding=cp1250 :\n# Zażółć", "windows-1250"),
    ("\\documentclass{article}\n\\usepackage[latin1]{inputenc}\nGrüße", "iso-8859-1"),
    ('msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=EUC-JP\\n"\n日本語', "euc_jp"),
]


@pytest.mark.parametrize(("text", "encoding"), DECLARED)
def test_declared_encoding_is_taken(
    text: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XML, HTML, CSS, Python, editors, LaTeX, gettext and mail state their encoding."""
    monkeypatch.setattr(charsets, "_detector", lambda: None)
    data = text.encode(encoding) + b" and a text of ASCII, that is long enough to be one"
    scan = scanned(data)
    assert (scan.is_text, scan.encoding) == (True, encoding)


@pytest.mark.parametrize(
    "declared",
    ["utf-8", "rot13", "base64", "utf-16", "unicode_escape", "no-such", "x" * 50, "shift_jis"],
)
def test_declaration_that_the_bytes_contradict_is_ignored(
    declared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A codec that is not a character set, or cannot read the text, is not its encoding."""
    monkeypatch.setattr(charsets, "_detector", lambda: None)
    data = f'<?xml version="1.0" encoding="{declared}"?><a>'.encode() + b"Gr\xfc\xdfe\xfd</a>"
    assert scanned(data).encoding is None
    assert "encoding" not in scanned(data).found()


def test_latin_1_with_characters_of_windows_is_windows_1252() -> None:
    """Browsers read the declaration of ISO-8859-1 so, and the euro sign proves it."""
    data = b'<meta charset="iso-8859-1"><p>5 \x80, and words of ASCII that make it a text'
    assert scanned(data).encoding == "windows-1252"


def test_without_a_detector_the_encoding_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any bytes fit a single-byte encoding: nothing is recorded rather than a guess."""
    monkeypatch.setattr(charsets, "_detector", lambda: None)
    scan = scanned("Grüße aus Köln\n".encode("latin-1"))
    assert scan.found() == {"lines": 1, "words": 3}


WRITTEN = [
    (("Zażółć gęślą jaźń. W Szczebrzeszynie chrząszcz brzmi w trzcinie i z tego słynie. "
     "Wół go pyta: panie chrząszczu, po cóż pan tak brzęczy w gąszczu?"), "windows-1250"),
    (("Die süße Königin fährt über die Straße nach München und trinkt heiße Schokolade. "
     "Größere Bäume stehen schräg gegenüber der Kirche."), "windows-1252"),
    (("Où êtes-vous allés hier après-midi ? Les élèves ont été très étonnés par la leçon de "
     "français donnée à l'école."), "windows-1252"),
    (("Привет, мир! Сегодня хорошая погода, и все люди счастливы, потому что могут выйти на "
     "улицу. Москва является столицей России."), "windows-1251"),
    (("Привет, мир! Сегодня хорошая погода, и все люди счастливы, потому что могут выйти на "
     "улицу. Москва является столицей России."), "koi8-r"),
    ("Καλημέρα κόσμε! Σήμερα ο καιρός είναι καλός και όλοι οι άνθρωποι είναι ευτυχισμένοι.",
     "windows-1253"),
    ("こんにちは世界。今日は天気が良いので、みんな外に出て楽しんでいます。東京は日本の首都です。",
     "shift_jis"),
    ("你好，世界！今天天气很好，所有人都很高兴，因为他们可以出去玩。北京是中国的首都。", "gb18030"),
    ("안녕하세요 세계! 오늘은 날씨가 좋아서 모두가 밖에 나가 즐기고 있습니다.", "euc_kr"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "encoding"), WRITTEN)
def test_encoding_is_detected(text: str, encoding: str) -> None:
    """With the extra `[text]` a text in a common language has its encoding."""
    pytest.importorskip("charset_normalizer")
    scan = scanned((text + "\n").encode(encoding) * 4)
    assert (scan.is_text, scan.encoding) == (True, encoding)


def test_ambiguous_encoding_is_unknown() -> None:
    """Czech in ISO-8859-2 reads as Windows-1250 too, as other letters: neither is recorded."""
    pytest.importorskip("charset_normalizer")
    text = "Příliš žluťoučký kůň úpěl ďábelské ódy. Dnes je krásné počasí a všichni jsou šťastní. "
    assert scanned(text.encode("iso8859-2") * 4).encoding in (None, "iso-8859-2")


def test_long_text_of_high_bytes_is_text() -> None:
    """Cyrillic in KOI8-R is text; noise of the same length holds control characters."""
    assert scanned("Привет, мир! ".encode("koi8-r") * 30).is_text
    assert not scanned(random.Random(1).randbytes(400)).is_text


@pytest.mark.parametrize(("data", "lines"), [(b"a\rb\rc\r", 3), (b"a\r\nb\r\n", 2), (b"a\rb\n", 1)])
def test_lines_may_end_in_carriage_returns(data: bytes, lines: int) -> None:
    """Old texts of a Macintosh have no line feed; a carriage return beside one is not counted."""
    assert scanned(data).lines == lines


def test_text_that_turns_binary_is_not_text() -> None:
    """A later piece can show that a file is not text."""
    scan = TextScan()
    assert scan.feed(b"good\n", final=False)
    assert not scan.feed(b"\0bad")
    assert not scan.is_text


def test_utf8_truncated_in_a_character_is_not_utf8() -> None:
    """A file that ends amid a character is not well-formed UTF-8."""
    assert scanned("plain words, and one über".encode()[:-4]).encoding != "utf-8"


def test_character_split_between_pieces_must_be_complete() -> None:
    """A piece of pure ASCII after half a character means that the text is not UTF-8."""
    assert scanned(b"plain words, half a \xc3", b"character").encoding is None


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
    assert scan.lines == (text.count("\n") or text.count("\r"))


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
