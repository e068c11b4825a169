"""
Text from inside a file, made safe to record.

Such text was written by strangers: each text is bounded, ends at its first NUL, and has no
control characters or lone surrogates. The number of texts of one file is bounded too.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

# A text of EXIF. Image generators store prompts of 10,000 characters there, and more in PNG texts.
MAX_TEXT = 64 * 1024
# All texts of a file, which leaves room for the rest of its metadata (16 Mi characters of JSON).
MAX_TEXTS = 32
MAX_TEXTS_LENGTH = 2 * 1024 * 1024
MAX_NAME = 200
MAX_KEYWORD = 1000
MAX_KEYWORDS = 500

TRUNCATED = "…"
"""The last character of a text that was truncated."""

# All control characters but tab, line feed and carriage return.
_CONTROLS = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def clean_text(value: object, limit: int = MAX_TEXT) -> str:
    """Return `value`, a str or bytes in an unknown encoding, as bounded text that ends at a NUL."""
    text = decode(value) if isinstance(value, bytes) else str(value)
    text = _CONTROLS.sub("", text.partition("\0")[0]).strip()
    # JSON cannot hold lone surrogates.
    text = text[: limit + 1].encode("utf-8", "replace").decode()
    return text if len(text) <= limit else text[: limit - 1] + TRUNCATED


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
    """Return the texts that are not empty, within `MAX_TEXTS` and `MAX_TEXTS_LENGTH`."""
    found: dict[str, str] = {}
    room = MAX_TEXTS_LENGTH
    for name, value in texts.items():
        if len(found) == MAX_TEXTS or not room:
            break
        if text := clean_text(value, room):
            found[clean_text(name, MAX_NAME)] = text
            room -= len(text)
    return found


def is_truncated(text: object, limit: int) -> bool:
    """Return whether `text` is a text that `clean_text` truncated to `limit` characters."""
    return isinstance(text, str) and len(text) == limit and text.endswith(TRUNCATED)


def truncated_fields(group: str, fields: Mapping[str, object]) -> list[str]:
    """Return `GROUP.NAME` of each field of a group that has a truncated text."""
    return [
        f"{group}.{name}"
        for name, value in fields.items()
        if any(
            is_truncated(text, MAX_TEXT) for text in (value if isinstance(value, list) else [value])
        )
    ]


def truncated_texts(texts: Mapping[str, str | bytes], cleaned: Mapping[str, str]) -> list[str]:
    """Return what `clean_texts` truncated: `text.NAME`, or `text` where it left texts out."""
    full = sum(map(len, cleaned.values())) == MAX_TEXTS_LENGTH
    if not full and len(cleaned) < MAX_TEXTS:
        return []
    names = [name for name, text in cleaned.items() if text.endswith(TRUNCATED)] if full else []
    left_out = len([text for text in texts.values() if text.strip()]) > len(cleaned)
    return [*(f"text.{name}" for name in names[-1:]), *(["text"] if left_out else [])]


def are_truncated(keywords: Sequence[str], cleaned: Sequence[str]) -> bool:
    """Return whether `clean_keywords` truncated a keyword or left some out."""
    left_out = len(cleaned) == MAX_KEYWORDS < len(set(keywords))
    return left_out or any(is_truncated(keyword, MAX_KEYWORD) for keyword in cleaned)


def split_keywords(text: str) -> Iterator[str]:
    """Return the parts of `text` between commas, semicolons and line ends."""
    return (found[0] for found in re.finditer(r"[^,;\r\n]+", text))


def decode(value: bytes) -> str:
    """Return `value` as UTF-8 text, or as Windows-1252 if it is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("windows-1252", "replace")
