"""What the tests of catalogues share: sessions with files and outcomes."""

from typing import Any

import orjson

from ingest.catalogue.protocol import Catalogue
from ingest.catalogue.records import SessionRecord
from ingest.outcome import OutcomeRecord
from ingest.request import IngestRequest
from ingest.session import Status

STAT = (5, 1_764_000_000_123_456_789)


async def add(
    catalogue: Catalogue, id_: str = "s", *paths: bytes, key: str | None = None
) -> SessionRecord:
    record = await catalogue.add_session(id_, IngestRequest(), b"/root", b".", 1000.0, key)
    await catalogue.add_found(record.number, 1, paths)
    return record


def outcome(n: int, status: str, **fields: Any) -> OutcomeRecord:
    """Return an outcome of file `n` with a size and a time of modification."""
    size, modified = STAT
    return OutcomeRecord(n, b"", status, **{"size": size, "modified": modified, **fields})


async def record(
    catalogue: Catalogue, session: SessionRecord, first: int, *statuses: str, **counters: int
) -> int:
    """Record outcomes of files numbered from `first`."""
    counted = orjson.dumps(counters).decode()
    rows = []
    for n, status in enumerate(statuses, first):
        fields: dict[str, Any] = {}
        if status == "done":
            fields = {"sha256": "0f", "media_type": "text/plain", "metadata": f'{{"n":{n}}}'}
            fields["counters"] = counted
        if status == "error":
            fields = {"error": f"bad {n}"}
        rows.append(outcome(n, status, **fields))
    failed = [n for n, status in enumerate(statuses, first) if status == "error"]
    return await catalogue.record(session.number, rows, failed, 1001.0)


async def finish(catalogue: Catalogue, session: SessionRecord, ended: float) -> None:
    await catalogue.finish(session.number, Status.COMPLETED, ended, "L-9", b"{}")
