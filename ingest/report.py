"""The report of a session: one record a file, as NDJSON or CSV. Pure."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

import orjson

from ingest.outcome import OutcomeRecord
from ingest.paths import display_path
from ingest.session import iso

FIELDS = (
    "file",
    "status",
    "error",
    "size",
    "modified",
    "sha256",
    "media_type",
    "metadata",
    "counters",
    "warning",
)

FORMULA = re.compile(
    r"[\t\r\n]"
    r"|[\s;\ufeff\x00-\x1f\x7f-\x9f\u200b-\u200f\u2060]*[=+\-@\uff1d\uff0b\uff0d\uff20]"
)
"""
The start of a cell that a spreadsheet takes for a formula.

The last four characters are the four before them in full width. Spaces, `;` and invisible
characters in front are stripped by a spreadsheet, or taken for a separator.
https://owasp.org/www-community/attacks/CSV_Injection
"""

CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Control characters that a terminal may act on: all but tab and line ends."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""What makes a spreadsheet read a CSV file as UTF-8."""

STATUSES = ("done", "skipped", "error")
"""What may have become of a file."""


def ndjson(rows: Sequence[OutcomeRecord]) -> bytes:
    """Write rows as lines of JSON, https://github.com/ndjson/ndjson-spec."""
    return b"".join(orjson.dumps(record(row), option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def csv_header() -> bytes:
    """Write the line of column names."""
    return _csv([FIELDS])


def csv_rows(rows: Sequence[OutcomeRecord]) -> bytes:
    """Write rows as CSV (RFC 4180), metadata and counters as JSON, no cell a formula."""
    return _csv(
        [
            (
                _cell(display_path(row.path)),
                row.status,
                _cell(row.error),
                row.size,
                _modified(row),
                _cell(row.sha256),
                _cell(row.media_type),
                row.metadata or "{}",
                row.counters or "{}",
                _cell(row.warning),
            )
            for row in rows
        ]
    )


def record(row: OutcomeRecord) -> dict[str, Any]:
    """Return a row's fields by name, for orjson."""
    return {
        "file": display_path(row.path),
        "status": row.status,
        "error": row.error,
        "size": row.size,
        "modified": _modified(row),
        "sha256": row.sha256,
        "media_type": row.media_type,
        "metadata": _json(row.metadata),
        "counters": _json(row.counters),
        "warning": row.warning,
    }


def _json(text: str | None) -> orjson.Fragment:
    return orjson.Fragment(text or "{}")


def _modified(row: OutcomeRecord) -> str | None:
    return None if row.modified is None else iso(row.modified / 1e9)


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cell(text: str | None) -> str | None:
    """Return the cell with an apostrophe before what a spreadsheet would run, and no controls."""
    if not text:
        return text
    clean = CONTROLS.sub("\ufffd", text)
    return f"'{clean}" if FORMULA.match(text) else clean
