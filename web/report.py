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


async def written(pages: AsyncIterator[list[OutcomeRecord]], kind: str) -> AsyncIterator[bytes]:
    """Write pages of records, a piece for each; `kind` is one of `MEDIA_TYPES`."""
    if kind == "csv":
        yield report.csv_header()
    async for rows in pages:
        if kind == "csv":
            yield report.csv_rows(rows)
        else:
            yield escape_line_breaks(report.ndjson(rows))
