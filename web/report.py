"""A session's report as bytes, in the formats that clients and hosts can ask for."""

from collections.abc import AsyncIterator, Mapping, Sequence
from types import MappingProxyType

from ingest import report
from ingest.outcome import OutcomeRecord
from sse import escape_line_breaks

MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
)
"""The formats, and what each is called in an answer."""


async def written(
    pages: AsyncIterator[Sequence[OutcomeRecord]], kind: str, *, byte_order_mark: bool = True
) -> AsyncIterator[bytes]:
    """
    Write pages of records, a piece for each; `kind` is one of `MEDIA_TYPES`.

    CSV begins with a byte order mark, unless `byte_order_mark` is false.
    """
    if kind == "csv":
        yield (report.BYTE_ORDER_MARK if byte_order_mark else b"") + report.csv_header()
    async for rows in pages:
        if kind == "csv":
            yield report.csv_rows(rows)
        else:
            yield escape_line_breaks(report.ndjson(rows))
