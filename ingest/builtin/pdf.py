"""Pages, title, author and dates of PDF, by pikepdf: the extra `[pdf]`."""

import functools
import importlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, BinaryIO

from ingest.builtin.clean_text import clean_keywords, split_keywords
from ingest.builtin.documents import document_fields

# To recover the objects of a damaged file all of it is read, by their thousands.
_MAX_RECOVERED = 32 * 1024 * 1024
_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "/Title": "title",
        "/Author": "creator",
        "/Subject": "subject",
        "/Creator": "software",
        "/CreationDate": "created",
        "/ModDate": "modified",
    }
)
_DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:([+-]\d\d)'?(\d\d)?'?|(Z).*)?")


def can_read() -> bool:
    """Return whether pikepdf is installed."""
    return _module() is not None


def read_pdf(file: BinaryIO, size: int) -> dict[str, Any]:
    """
    Return `document` and `keywords` of a PDF; one with a password only `document.is_encrypted`.

    Raises:
        Exception: any that pikepdf raises on a damaged file.
    """
    pikepdf = _module()
    if pikepdf is None:
        return {}
    file.seek(0)
    try:
        opened = pikepdf.open(file, attempt_recovery=size <= _MAX_RECOVERED)
    except pikepdf.PasswordError:
        return {"document": {"is_encrypted": True}}
    with opened as pdf:
        info = pdf.trailer.get("/Info")
        info = info if isinstance(info, pikepdf.Dictionary) else {}
        texts = {field: [_text(info.get(name))] for name, field in _FIELDS.items()}
        texts["pages"] = [str(len(pdf.pages))]
        keywords = clean_keywords(split_keywords(_text(info.get("/Keywords"))))
        fields = document_fields(texts)
        if pdf.is_encrypted:
            fields["is_encrypted"] = True
    found = {"document": fields, "keywords": keywords}
    return {name: group for name, group in found.items() if group}


def _text(value: Any) -> str:
    """Return a text string; a date in the form that other dates have."""
    pikepdf = _module()
    if not isinstance(value, pikepdf.String):
        return ""
    text = str(value)
    date = _DATE.fullmatch(text.strip())
    if date is None:
        return text
    year, month, day, hour, minute, second, offset, minutes, utc = date.groups()
    zone = f"{offset}:{minutes or '00'}" if offset else "Z" if utc else ""
    return f"{year}-{month}-{day} {hour}:{minute}:{second or '00'}{zone}"


@functools.cache
def _module() -> Any:
    try:
        return importlib.import_module("pikepdf")
    except ImportError:
        return None
