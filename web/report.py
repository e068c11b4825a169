"""
Writing the reports of sessions, so that downloads do not starve the service.

A report is read and encoded page by page. Each page takes a turn: a client that asks for a large
report waits behind those that ask for others. In its turn a page is read by the catalogue, encoded
in a thread and counted; the turn ends after a pause, while sessions run, so that reports take less
than half of the processor time of one thread, however many are downloaded.

Callers: the report's route and the Python API, which iterate over `write`. The route asks
`check_room` first.

Guarantees:

- at most MAX_REPORTS reports are written at once, and one page is read or encoded at a time;
- pages that wait for their clients hold at most HELD_BYTES, and one page more;
- a piece has at most PIECE_BYTES, so a slow client shows progress often.
"""

import asyncio
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

from ingest import report
from ingest.outcome import OutcomeRecord
from sse import escape_line_breaks
from web.errors import UnavailableError

MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
)
"""The formats, and what each is called in an answer."""

MAX_REPORTS = 32
"""Reports that are written at once; one more gets 503."""

HELD_BYTES = 8 * 1024 * 1024
"""Bytes of encoded pages that wait for their clients; the next page is read when there is room."""

PIECE_BYTES = 65_536
"""Bytes handed to the server at once: its high-water mark."""

PAUSE_SHARE = 1.5
"""Length of the pause after a page, relative to the page, while sessions run."""


class ReportWriter:
    """
    Writes reports in turns.

    `is_busy` returns whether sessions run, which reports must not slow down.
    """

    def __init__(
        self,
        is_busy: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._is_busy = is_busy
        self._clock = clock
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._held = 0
        self._open = 0
        self._encoder = ThreadPoolExecutor(1, "ingest-report")

    def check_room(self) -> None:
        """
        Reject one report too many.

        Raises:
            UnavailableError: MAX_REPORTS are being written.
        """
        if self._open >= MAX_REPORTS:
            raise UnavailableError(
                f"too many reports are downloaded (limit {MAX_REPORTS}); retry when one has ended"
            )

    def close(self) -> None:
        """Encode nothing more; a report that is being written ends with an error."""
        self._encoder.shutdown(wait=False, cancel_futures=True)

    async def write(
        self,
        pages: AsyncIterator[Sequence[OutcomeRecord]],
        kind: str,
        *,
        byte_order_mark: bool = True,
    ) -> AsyncGenerator[bytes, None]:
        """
        Write pages of records, in pieces; `kind` is one of `MEDIA_TYPES`.

        CSV begins with a byte order mark, unless `byte_order_mark` is false.
        """
        self._open += 1
        try:
            if kind == "csv":
                mark = report.BYTE_ORDER_MARK if byte_order_mark else b""
                yield mark + report.csv_header()
            while (data := await self._next_page(pages, kind)) is not None:
                try:
                    for start in range(0, len(data), PIECE_BYTES):
                        yield data[start : start + PIECE_BYTES]
                finally:
                    self._hold(-len(data))
        finally:
            self._open -= 1

    async def _next_page(
        self, pages: AsyncIterator[Sequence[OutcomeRecord]], kind: str
    ) -> bytes | None:
        """Return the next page encoded, which then counts as held; None after the last."""
        async with self._turn:
            await self._has_room.wait()
            begun = self._clock()
            page = await anext(pages, None)
            if page is None:
                return None
            loop = asyncio.get_running_loop()
            data = await loop.run_in_executor(self._encoder, _encoded, page, kind)
            if self._is_busy():
                await self._sleep(PAUSE_SHARE * (self._clock() - begun))
            self._hold(len(data))
            return data

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held < HELD_BYTES:
            self._has_room.set()
        else:
            self._has_room.clear()


def _encoded(rows: Sequence[OutcomeRecord], kind: str) -> bytes:
    return report.csv_rows(rows) if kind == "csv" else escape_line_breaks(report.ndjson(rows))
