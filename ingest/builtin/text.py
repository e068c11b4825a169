"""
The encoding of a text, and its lines and words as `wc` counts them.

The encodings that its bytes prove, by their Python names: `ascii`, `utf-8`, `utf-8-sig`, `utf-16`
and `utf-32` with a byte order mark, `utf-16-le` and `utf-16-be` without. The encoding of
other text may be known to `charsets.py`. Short data of mostly bytes above 127 that is not UTF-8 is
not taken for text.
"""

import codecs
from typing import Any

from ingest.builtin.charsets import (
    HEAD,
    declared_encoding,
    detected_encoding,
    has_escapes,
    lines_of,
)

# A larger text is not counted: counting processes some hundred MiB a second, hashing a thousand and
# more.
MAX_COUNTED = 16 * 1024 * 1024

# Bytes that occur in text, as the `file` command defines it: the space and above but DEL, and
# BEL, BS, TAB, LF, VT, FF, CR and ESC.
_IN_TEXT = bytes({7, 8, 9, 10, 11, 12, 13, 27} | (set(range(0x20, 0x100)) - {0x7F}))
_ASCII = bytes(range(0x80))
_UNDEFINED_IN_1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")
_IN_1252 = bytes(set(range(0x100)) - _UNDEFINED_IN_1252)
# One pass that maps bytes to spaces and non-spaces and one that counts the borders create no object
# for each word: about five times as fast as `split`.
_SPACES = bytes(0x20 if byte in b" \t\n\v\f\r" else 0x78 for byte in range(0x100))

# Western text has a smaller share of bytes above 127. In data of this size that is not text some
# bytes are control characters, so there the share does not matter.
_MOST_HIGH = 0.3
_SHORT = 256

# The share of the bytes at every other place that are zero in UTF-16 without a mark; at the places
# between them there are none, but for some of a character such as U+0100.
_ZEROS = 0.3
_FEW_ZEROS = 0.01
_MIN_WIDE = 16

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MARK_BYTES = tuple(mark for mark, _ in _MARKS)


class TextScan:
    """
    The scan of a file, piece by piece: whether it is text, its encoding, lines and words.

    `is_text` may turn from true to false with a later piece, but not back. Memory does not grow
    with the file. UTF-16 and UTF-32 are counted as the same text would be in UTF-8.
    """

    __slots__ = (
        "_escapes",
        "_first",
        "_high",
        "_lines",
        "_marked",
        "_returns",
        "_sample",
        "_size",
        "_utf8",
        "_wide",
        "_word_open",
        "is_text",
        "words",
    )

    def __init__(self) -> None:
        self.is_text = True
        self.words = 0
        self._lines = 0
        self._returns = 0
        self._marked: str | None = None
        self._wide: codecs.IncrementalDecoder | None = None
        # None: all ASCII so far; False: not UTF-8.
        self._utf8: codecs.IncrementalDecoder | bool | None = None
        self._size = 0
        self._high = 0
        self._first = b""
        self._sample = b""
        self._escapes = False
        self._word_open = False

    def feed(self, data: bytes, *, final: bool = True) -> bool:
        """Scan the next piece; return whether the file may still be text."""
        if not self._size:
            self._first = data[:HEAD]
            self._take_mark(data)
        self._size += len(data)
        if self._wide is not None:
            try:
                data = self._wide.decode(data, final).encode()
            except UnicodeError:
                self.is_text = False
                return False
        if data.translate(None, _IN_TEXT):
            self.is_text = False
        elif self._wide is None and (self._utf8 is not None or not data.isascii()):
            self._weigh(data, final=final)
        if self.is_text and data:
            self._count(data)
        return self.is_text

    @property
    def lines(self) -> int:
        """Return the number of line feeds, or of carriage returns in a text without line feeds."""
        return self._lines or self._returns

    @property
    def encoding(self) -> str | None:
        """Return the name of the Python codec that decodes the text, or None."""
        if self._marked is not None and self._utf8 is not False:
            return self._marked
        if self._utf8 is None:
            return "iso2022_jp" if self._escapes else "ascii"
        if self._utf8 is not False:
            return "utf-8"
        return declared_encoding(self._first, self._sample) or detected_encoding(self._sample)

    def found(self) -> dict[str, Any]:
        """Return the metadata of a text."""
        encoding = self.encoding
        counts = {"lines": self.lines, "words": self.words}
        return {"encoding": encoding, **counts} if encoding else counts

    def _take_mark(self, data: bytes) -> None:
        if data.startswith(_MARK_BYTES):
            self._marked = next(name for mark, name in _MARKS if data.startswith(mark))
        wide = _unmarked_utf16(data) if self._marked is None else self._marked
        if wide is not None and wide != "utf-8-sig":
            self._marked = wide
            self._wide = codecs.getincrementaldecoder(wide)()

    def _weigh(self, data: bytes, *, final: bool) -> None:
        """Check whether these bytes, not all of them ASCII, are UTF-8 or could be Windows-1252."""
        if self._utf8 is None:
            self._utf8 = codecs.getincrementaldecoder("utf-8")()
        if not isinstance(self._utf8, bool):
            try:
                self._utf8.decode(data, final)
            except UnicodeDecodeError:
                self._utf8 = False
            else:
                return
        if not self._sample:
            # From the beginning of the first line that is not ASCII.
            high = len(data) - len(data.lstrip(_ASCII))
            self._sample = lines_of(data[data.rfind(b"\n", 0, high) + 1 :])
        if self._size < _SHORT:
            self._high += len(data.translate(None, _ASCII))
            if self._high > _MOST_HIGH * self._size or data.translate(None, _IN_1252):
                self.is_text = False

    def _count(self, data: bytes) -> None:
        self._lines += data.count(b"\n")
        if not self._lines:
            self._returns += data.count(b"\r")
        if b"\x1b" in data:
            self._escapes = self._escapes or has_escapes(data)
        spaced = data.translate(_SPACES)
        self.words += spaced.count(b" x")
        if spaced[:1] == b"x" and not self._word_open:
            self.words += 1
        self._word_open = spaced[-1:] == b"x"


def _unmarked_utf16(data: bytes) -> str | None:
    """Return the codec of UTF-16 without a byte order mark, by where its zeros are."""
    if b"\0" not in data or len(data) < _MIN_WIDE:
        return None
    even, odd = data[::2].count(0), data[1::2].count(0)
    enough = _ZEROS * (len(data) // 2)
    few = 1 + _FEW_ZEROS * max(even, odd)
    if odd > enough and even <= few:
        return "utf-16-le"
    return "utf-16-be" if even > enough and odd <= few else None
