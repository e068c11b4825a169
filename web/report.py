"""A session's report as bytes, in the formats that clients and hosts can ask for."""

from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

from ingest import report
from ingest.outcome import OutcomeRecord
from sse import escape_line_breaks

MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
)
"""The formats, and what each is called in an answer."""


async def written(
    pages: AsyncIterator[list[OutcomeRecord]],
    kind: str,
    *,
    status: str | None = None,
    byte_order_mark: bool = True,
) -> AsyncIterator[bytes]:
    """
    Write pages of records, a piece for each; `kind` is one of `MEDIA_TYPES`.

    With `status` only records of this status are written. CSV begins with a byte order mark, unless
    `byte_order_mark` is false.
    """
    if kind == "csv":
        yield (report.BYTE_ORDER_MARK if byte_order_mark else b"") + report.csv_header()
    async for page in pages:
        rows = [row for row in page if status is None or row.status == status]
        if not rows:
            continue
        if kind == "csv":
            yield report.csv_rows(rows)
        else:
            yield escape_line_breaks(report.ndjson(rows))
