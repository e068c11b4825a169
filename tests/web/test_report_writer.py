"""Reports in turns: what they hold, and what they leave to others."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from ingest.outcome import OutcomeRecord
from tests.support.running import settle
from web import report
from web.errors import UnavailableError
from web.report import PAUSE_SHARE, PIECE_BYTES, ReportWriter


async def pages(
    count: int, characters: int = 0, read: list[int] | None = None
) -> AsyncIterator[list[OutcomeRecord]]:
    """Yield pages of one record each, and note those that were read."""
    for n in range(1, count + 1):
        if read is not None:
            read.append(n)
        metadata = orjson.dumps({"text": "x" * characters}).decode()
        yield [OutcomeRecord(n, b"a", "done", metadata=metadata)]


async def test_page_is_sent_in_pieces() -> None:
    """A client that reads slowly takes a large page piece by piece, and nothing of it is lost."""
    writer = ReportWriter(lambda: False)
    pieces = [piece async for piece in writer.write(pages(2, 3 * PIECE_BYTES), "ndjson")]
    assert max(map(len, pieces)) == PIECE_BYTES
    records = [orjson.loads(line) for line in b"".join(pieces).splitlines()]
    assert [len(record["metadata"]["text"]) for record in records] == [3 * PIECE_BYTES] * 2
    writer.close()


async def test_pages_that_are_not_sent_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are read as long as there is room for them; one goes on when another was sent."""
    monkeypatch.setattr(report, "HELD_BYTES", 5000)
    writer = ReportWriter(lambda: False)
    read: list[int] = []
    downloads = [writer.write(pages(9, 3000, read), "ndjson") for _ in range(4)]
    tasks = [asyncio.ensure_future(anext(download)) for download in downloads]
    await asyncio.wait(tasks[:2])
    await settle()
    assert (len(read), tasks[2].done()) == (2, False)
    await downloads[0].aclose()
    await asyncio.wait(tasks[2:3])
    assert (len(read), tasks[3].done()) == (3, False)
    tasks[3].cancel()
    await asyncio.wait(tasks)
    for download in downloads:
        await download.aclose()
    writer.close()


async def test_downloads_take_turns() -> None:
    """A report that begins while a long one is written does not wait for its end."""
    writer = ReportWriter(lambda: False)
    order: list[str] = []

    async def download(name: str) -> None:
        async for piece in writer.write(pages(20), "ndjson"):
            order.extend(name for _ in piece.splitlines())

    await asyncio.gather(download("a"), download("b"))
    assert order[:20].count("b") == 10
    writer.close()


async def test_pages_pause_while_sessions_run() -> None:
    """Beside a session the pause after a page is longer than the page took."""
    for is_busy in (False, True):
        seconds = iter(range(100))
        pauses: list[float] = []

        async def sleep(pause: float, pauses: list[float] = pauses) -> None:
            pauses.append(pause)

        writer = ReportWriter(
            lambda is_busy=is_busy: is_busy,  # type: ignore[misc]
            lambda seconds=seconds: next(seconds),  # type: ignore[misc]
            sleep,
        )
        assert [piece async for piece in writer.write(pages(3), "ndjson")]
        assert pauses == ([PAUSE_SHARE] * 3 if is_busy else [])
        writer.close()


async def test_one_report_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that has ended, or whose client has left, makes room for another."""
    monkeypatch.setattr(report, "MAX_REPORTS", 1)
    writer = ReportWriter(lambda: False)
    download = writer.write(pages(2), "ndjson")
    writer.check_room()
    await anext(download)
    with pytest.raises(UnavailableError, match="limit 1"):
        writer.check_room()
    await download.aclose()
    writer.check_room()
    writer.close()
