"""
Text from inside a file, made safe to record.

Such text was written by strangers: each text is bounded, ends at its first NUL, and has no
control characters or lone surrogates. The number of texts of one file is bounded too.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

# Generous for what people write; each outcome is kept in the catalogue, a million of them.
MAX_TEXT = 4000
MAX_TEXTS = 32
MAX_KEYWORD = 200
MAX_KEYWORDS = 100

# All control characters but tab, line feed and carriage return.
_CONTROLS = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def clean_text(value: object, limit: int = MAX_TEXT) -> str:
    """Return `value`, a str or bytes in an unknown encoding, as bounded text that ends at a NUL."""
    text = decode(value) if isinstance(value, bytes) else str(value)
    text = _CONTROLS.sub("", text.partition("\0")[0]).strip()
    # JSON cannot hold lone surrogates.
    text = text[: limit + 1].encode("utf-8", "replace").decode()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clean_keywords(keywords: Iterable[str]) -> list[str]:
    """Return each keyword once, in the order found."""
    found: dict[str, None] = {}
    for keyword in keywords:
        text = clean_text(" ".join(keyword.split()), MAX_KEYWORD)
        if text:
            found[text] = None
        if len(found) == MAX_KEYWORDS:
            break
    return list(found)


def clean_texts(texts: Mapping[str, str | bytes]) -> dict[str, str]:
    """Return the texts that are not empty, `MAX_TEXTS` of them at most."""
    cleaned = ((clean_text(name, MAX_KEYWORD), clean_text(text)) for name, text in texts.items())
    return dict(islice(((name, text) for name, text in cleaned if text), MAX_TEXTS))


def split_keywords(text: str) -> Iterator[str]:
    """Return the parts of `text` between commas, semicolons and line ends."""
    return (found[0] for found in re.finditer(r"[^,;\r\n]+", text))


def decode(value: bytes) -> str:
    """Return `value` as UTF-8 text, or as Windows-1252 if it is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("windows-1252", "replace")
