"""
The encoding of text that is not UTF-8: as the text itself declares it, or as a detector finds it.

The detector is charset-normalizer, the extra `[text]`. Without it, and where its best answers
contradict each other, the encoding is not known: any bytes fit a single-byte encoding, so a guess
would be stated as a fact.
"""

import codecs
import functools
import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

HEAD = 4096
"""Bytes at the beginning of a text in which a declaration is looked for."""

SAMPLE = 16 * 1024
"""Bytes that the detector examines."""

MIN_SAMPLE = 64
"""Bytes below which the detector is not called: there is not enough to compare."""

# XML; HTML, mail and gettext; CSS; Python, Emacs and Vim in the first two lines; LaTeX.
_DECLARATIONS = (
    re.compile(rb"""\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']"""),
    re.compile(
        rb"""(?:<meta\b[^>]{0,300}?|^"?content-type:[^\r\n]{0,200}?)"""
        rb"""charset\s*=\s*\\?["']?\s*([\w.:-]{1,40})""",
        re.IGNORECASE | re.MULTILINE,
    ),
    re.compile(rb"""\A@charset\s+"([\w.:-]{1,40})";"""),
    re.compile(rb"""\A(?:[^\r\n]*\r?\n)?[^\r\n]*coding[:=]\s*([\w.-]{1,40})"""),
    re.compile(rb"""\\usepackage\[(\w{1,20})\]\{inputenc\}"""),
)
_LATEX: Mapping[str, str] = MappingProxyType({"ansinew": "cp1252", "applemac": "mac_roman"})
# Codecs of character sets that hold ASCII; not those of binary data, and not Unicode's own.
_CHARSETS = re.compile(
    r"iso8859|cp(?!65001)\d|koi8|mac|shift_jis|euc|big5|gb|hz|iso2022|johab|tis-620|kz1048|ptcp154"
)
_CONTROLS = re.compile(rb"[\x80-\x9f]")

# In the order of preference where two decode the text alike.
_CANDIDATES = (
    "cp1252", "cp1250", "cp1251", "koi8_r", "koi8_u", "cp866", "cp1253", "cp1254", "cp1255",
    "cp1256", "cp1257", "iso8859_2", "iso8859_5", "cp932", "euc_jp", "gb18030", "big5", "cp949",
    "cp850", "mac_roman",
)  # fmt: skip
_NARROWER: Mapping[str, str] = MappingProxyType({"cp932": "shift_jis", "cp949": "euc_kr"})
_WESTERN = "cp1252"
# Of the detector's measures: how much noise, and how much of a language's letters, two answers may
# differ by and still be equally good.
_NOISE, _COHERENCE = 0.02, 0.05


def declared_encoding(head: bytes, sample: bytes) -> str | None:
    """Return the encoding that a text declares, if `sample` can be read by it."""
    for declaration in _DECLARATIONS:
        found = declaration.search(head[:HEAD])
        if found is None:
            continue
        name = found[1].decode("ascii", "replace")
        codec = _codec(_LATEX.get(name, name))
        if codec is not None:
            if codec == "iso8859-1" and _CONTROLS.search(sample):
                codec = _WESTERN  # as browsers read it
            if _can_decode(codec, sample):
                return _label(codec)
    return None


def detected_encoding(sample: bytes) -> str | None:
    """Return the encoding that the detector finds for bytes that are not UTF-8, or None."""
    detector = _detector()
    if detector is None or len(sample) < MIN_SAMPLE:
        return None
    matches = list(detector(sample))
    if not matches:
        return None
    best = min(match.chaos for match in matches)
    good = [match for match in matches if match.chaos <= best + _NOISE]
    coherence = max(match.coherence for match in good)
    good = [match for match in good if match.coherence >= coherence - _COHERENCE]
    names = {name for match in good for name in (match.encoding, *match.could_be_from_charset)}
    if _WESTERN in names and coherence > 0:
        return _label(_WESTERN)
    if len(good) > 1 or (coherence == 0 and len(str(good[0])) == len(sample)):
        return None
    name = next((name for name in _CANDIDATES if name in names), None)
    if name is None:
        return None
    narrower = _NARROWER.get(name)
    return _label(narrower if narrower and _can_decode(narrower, sample) else name)


def has_escapes(data: bytes) -> bool:
    """Return whether ASCII switches to Japanese characters, as in ISO-2022-JP."""
    return b"\x1b$B" in data or b"\x1b$@" in data


def lines_of(data: bytes) -> bytes:
    """Return whole lines of `data`, or its first `SAMPLE` bytes if one line is longer."""
    if len(data) <= SAMPLE:
        return data
    return data[: data.rfind(b"\n", 0, SAMPLE) + 1 or SAMPLE]


@functools.cache
def _detector() -> Callable[[bytes], Iterable[Any]] | None:
    """Return the detector; None without the extra `[text]`."""
    try:
        from_bytes = importlib.import_module("charset_normalizer").from_bytes
    except ImportError:
        return None
    return functools.partial(from_bytes, cp_isolation=list(_CANDIDATES), preemptive_behaviour=False)


def _codec(name: str) -> str | None:
    """Return the name of Python's codec of a character set, or None."""
    try:
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return codec if _CHARSETS.match(codec) else None


def _can_decode(codec: str, sample: bytes) -> bool:
    try:
        codecs.getincrementaldecoder(codec)().decode(sample)
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def _label(codec: str) -> str:
    """Return the name by which a codec is known outside of Python, where Python knows it too."""
    name = codecs.lookup(codec).name
    name = re.sub(r"^cp(125\d)$", r"windows-\1", name)
    return re.sub(r"^iso8859-", "iso-8859-", name)
