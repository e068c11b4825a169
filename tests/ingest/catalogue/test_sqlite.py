"""The catalogue: what is recorded, what a new start makes of it, and what may be forgotten."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest.catalogue import retention as pruning
from ingest.catalogue.sqlite import ROWS, Catalogue, SessionRecord
from ingest.errors import NotFoundError
from ingest.request import IngestRequest
from ingest.session import Status

STAT = (5, 1_764_000_000_123_456_789)


@asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[Catalogue]:
    catalogue = Catalogue(tmp_path / "ingest.db")
    await catalogue.open()
    try:
        yield catalogue
    finally:
        await catalogue.close()


async def add(
    catalogue: Catalogue, id_: str = "s", *paths: bytes, key: str | None = None
) -> SessionRecord:
    stored = await catalogue.add_session(id_, IngestRequest(), b"/root", b".", 1000.0, key)
    await catalogue.add_found(stored.number, 1, paths)
    return stored


async def record(
    catalogue: Catalogue, stored: SessionRecord, first: int, *what: str, **counters: int
) -> int:
    """Record outcomes of files numbered from `first`."""
    rows: list[Any] = []
    for n, status in enumerate(what, first):
        if status == "done":
            counted = orjson.dumps(counters).decode()
            rows.append((n, status, None, *STAT, "0f", "text/plain", f'{{"n":{n}}}', counted))
        else:
            message = f"bad {n}" if status == "error" else None
            rows.append((n, status, message, *STAT, None, None, None, None))
    failed = [n for n, status in enumerate(what, first) if status == "error"]
    return await catalogue.record(stored.number, rows, failed, 1001.0)


async def finish(catalogue: Catalogue, stored: SessionRecord, ended: float) -> None:
    await catalogue.finish(stored.number, Status.COMPLETED, ended, "L-9", b"{}")


async def files(catalogue: Catalogue) -> list[bytes]:
    """List every path of which there is still any record."""

    def work(sql: Any) -> list[bytes]:
        return [path for (path,) in sql.execute("SELECT path FROM found ORDER BY key")]

    return await catalogue._database.read(work)


async def steps_of(catalogue: Catalogue, path: bytes) -> int:
    """Count the steps of SQLite's machine in finding out whether a file is known."""
    reading = catalogue._database._reading
    assert reading is not None
    steps: list[None] = []
    reading.set_progress_handler(lambda: steps.append(None), 1)
    await catalogue.known([path])
    reading.set_progress_handler(None, 1)
    return len(steps)


async def test_session_is_kept_as_it_was_asked_for(tmp_path: Path) -> None:
    """Request, directory in odd bytes, start, wish to cancel and end are there after a restart."""
    request = IngestRequest(pattern="*.x", max_files=3, skip_existing=True)

    async with opened(tmp_path) as catalogue:
        stored = await catalogue.add_session("s", request, b"/r\xff", b"\xff", 1000.5, None)
        await catalogue.set_cancelled(stored.number)
    async with opened(tmp_path) as catalogue:
        (again,) = await catalogue.unfinished()
        assert (again.request, again.started) == (request, 1000.5)
        assert (again.root, again.directory) == (b"/r\xff", b"\xff")
        assert (again.status, again.cancelled, again.snapshot) == ("starting", True, None)
        await catalogue.finish(again.number, Status.CANCELLED, 1001.0, "L-7", b'{"x":1}')
        assert await catalogue.unfinished() == []
        ended = await catalogue.session("s")
        assert ended is not None
        assert (ended.last_event_id, ended.snapshot) == ("L-7", b'{"x":1}')
        assert await catalogue.session("other") is None


async def test_second_session_of_a_key_is_the_first(tmp_path: Path) -> None:
    """Sessions without a key have nothing in common."""
    async with opened(tmp_path) as catalogue:
        assert (await add(catalogue, "one", key="k")).id == "one"
        assert (await add(catalogue, "two", key="k")).id == "one"
        assert (await add(catalogue, "three")).id == "three"
        assert (await add(catalogue, "four")).id == "four"
        newest = [stored.id for stored in await catalogue.newest(2)]
        assert newest == ["four", "three"]


async def test_pending_files_are_those_without_an_outcome(tmp_path: Path) -> None:
    """In the order found, a page at a time, and of this session alone."""
    async with opened(tmp_path) as catalogue:
        one = await add(catalogue, "one", b"a", b"b", b"\xff\nc", b"d")
        await add(catalogue, "two", b"x")
        await record(catalogue, one, 2, "done")
        first = await catalogue.pending(one.number, 0, 2)
        assert [(file.n, file.path) for file in first] == [(1, b"a"), (3, b"\xff\nc")]
        rest = await catalogue.pending(one.number, 3, 2)
        assert [(file.n, file.path) for file in rest] == [(4, b"d")]
        assert await catalogue.unknown(one.number, [b"a", b"x"]) == [b"x"]


async def test_restored_session_has_the_counts_and_the_newest_errors(tmp_path: Path) -> None:
    """What is rebuilt is what the last snapshot before the kill could have said."""
    async with opened(tmp_path) as catalogue:
        stored = await add(catalogue, "s", *(b"%d" % n for n in range(40)))
        await record(catalogue, stored, 1, "done", "done", "skipped", bytes=5, pages=2)
        await record(catalogue, stored, 4, *["error"] * 12)
    async with opened(tmp_path) as catalogue:
        (stored,) = await catalogue.unfinished()
        session = await catalogue.restore(stored)
        assert (session.total, session.done, session.skipped, session.errors) == (40, 2, 1, 12)
        assert session.counters == {
            "bytes": 10, "pages": 4, "metadata_extracted": 0, "keywords_added": 0,
        }  # fmt: skip
        assert [(error.n, error.file) for error in session.recent] == [
            (n, str(n + 2)) for n in range(3, 13)
        ]


async def test_sums_beyond_64_bits_do_not_keep_a_session_from_going_on(tmp_path: Path) -> None:
    """A processor's astronomical counters are cut, and the store opens."""
    async with opened(tmp_path) as catalogue:
        stored = await add(catalogue, "s", *(b"%d" % n for n in range(2000)))
        await record(catalogue, stored, 1, *["done"] * 2000, huge=2**53 - 1, low=1 - 2**53)
        counters = (await catalogue.restore(stored)).counters
        assert (counters["huge"], counters["low"]) == (2**53 - 1, 1 - 2**53)


async def test_file_is_recorded_once(tmp_path: Path) -> None:
    """A second outcome of a file is refused, and its whole batch with it."""
    async with opened(tmp_path) as catalogue:
        stored = await add(catalogue, "s", b"a", b"b")
        await record(catalogue, stored, 1, "done")
        with pytest.raises(Exception, match="UNIQUE"):
            await record(catalogue, stored, 1, "error", "error")
        assert [row.n for row in await catalogue.outcomes(stored.number, 0, 9)] == [1]
        assert await catalogue.errors_after(stored.number, 0, 9) == ([], 0)


async def test_errors_are_numbered_from_1_in_each_session(tmp_path: Path) -> None:
    """Numbers go on from batch to batch, pages begin above a number, and the total is of all."""
    async with opened(tmp_path) as catalogue:
        one = await add(catalogue, "one", b"a", b"b", b"c", b"d")
        two = await add(catalogue, "two", b"a")
        assert await record(catalogue, one, 1, "error", "done", "error") == 1
        assert await record(catalogue, two, 1, "error") == 1
        assert await record(catalogue, one, 4, "error") == 3
        errors, total = await catalogue.errors_after(one.number, 1, 1)
        assert ([(error.n, error.file, error.message) for error in errors], total) == (
            [(2, "c", "bad 3")], 3,
        )  # fmt: skip
        assert await catalogue.errors_after(one.number, 10**15, 9) == ([], 3)


async def test_outcomes_come_in_the_order_found_with_all_that_was_recorded(tmp_path: Path) -> None:
    """Whatever the order in which batches ended; a page begins after a number."""
    async with opened(tmp_path) as catalogue:
        stored = await add(catalogue, "s", b"a", b"\xff", b"c")
        await record(catalogue, stored, 3, "error")
        await record(catalogue, stored, 1, "done", "skipped", bytes=5)
        rows = await catalogue.outcomes(stored.number, 0, 9)
        assert rows[0] == (
            1, b"a", "done", None, *STAT, "0f", "text/plain", '{"n":1}', '{"bytes":5}',
        )  # fmt: skip
        assert [(row.path, row.status) for row in rows[1:]] == [
            (b"\xff", "skipped"), (b"c", "error"),
        ]  # fmt: skip
        assert await catalogue.outcomes(stored.number, 1, 1) == [rows[1]]


@pytest.mark.parametrize("files", [1, ROWS - 1, ROWS, ROWS + 1, 4 * ROWS])
async def test_batch_of_any_length_is_recorded_whole(tmp_path: Path, files: int) -> None:
    """However many statements it takes, each file has the outcome that is its own."""
    async with opened(tmp_path) as catalogue:
        stored = await add(catalogue, "s", *(b"%d" % n for n in range(1, files + 1)))
        await record(catalogue, stored, 1, *["done"] * files)
        rows = await catalogue.outcomes(stored.number, 0, 9 * ROWS)
        assert [(row.n, row.path, row.metadata) for row in rows] == [
            (n, b"%d" % n, f'{{"n":{n}}}') for n in range(1, files + 1)
        ]


async def test_nul_does_not_end_a_text(tmp_path: Path) -> None:
    """What a processor tells for a hash and a type is recorded to its last character."""
    async with opened(tmp_path) as catalogue:
        stored = await add(catalogue, "s", b"a")
        outcome = (1, "done", None, *STAT, "0\0f", "text/\0plain", "{}", "{}")
        await catalogue.record(stored.number, [outcome], [], 1001.0)
        (row,) = await catalogue.outcomes(stored.number, 0, 9)
        assert (row.sha256, row.media_type) == ("0\0f", "text/\0plain")


async def test_failed_files_of_another_session_are_found_as_they_failed(tmp_path: Path) -> None:
    """Only those, once each, or the first few; a session that is forgotten cannot be retried."""
    async with opened(tmp_path) as catalogue:
        old = await add(catalogue, "old", b"a", b"b", b"c", b"d")
        await record(catalogue, old, 1, "error", "done", "error")
        new = await add(catalogue, "new")
        assert await catalogue.add_failed_of(new.number, "old", 0, None) == 2
        assert await catalogue.add_failed_of(new.number, "old", 2, None) == 0
        found = await catalogue.pending(new.number, 0, 9)
        assert [(file.n, file.path) for file in found] == [(1, b"a"), (2, b"c")]
        few = await add(catalogue, "few")
        assert await catalogue.add_failed_of(few.number, "old", 0, 1) == 1
        assert await catalogue.add_failed_of(few.number, "old", 1, 1) == 0
        assert [file.path for file in await catalogue.pending(few.number, 0, 9)] == [b"a"]
        with pytest.raises(NotFoundError):
            await catalogue.add_failed_of(new.number, "forgotten", 0, None)


async def test_file_is_known_by_what_it_was_done_as_last(tmp_path: Path) -> None:
    """An error makes no file known, and none that was known unknown; odd bytes do not hinder."""
    async with opened(tmp_path) as catalogue:
        for id_, size, first in (("old", 4, "done"), ("new", 5, "done"), ("last", 6, "error")):
            stored = await add(catalogue, id_, b"\xff", b"b")
            rest = (None, size, 7, None, None, None, None)
            rows = [(1, first, *rest), (2, "error", *rest)]
            await catalogue.record(stored.number, rows, [], 1001.0)
        assert await catalogue.known([b"\xff", b"b", b"new"]) == {
            b"\xff": {(5, 7)}, b"b": set(), b"new": set(),
        }  # fmt: skip


async def test_file_that_was_often_skipped_is_known_at_one_look(tmp_path: Path) -> None:
    """What is read of a file does not grow with the number of its ingests."""
    async with opened(tmp_path) as catalogue:
        first = await add(catalogue, "0", b"a")
        await record(catalogue, first, 1, "done")
        steps = []
        for n in range(1, 200):
            stored = await add(catalogue, str(n), b"a")
            await record(catalogue, stored, 1, "skipped")
            if n in (1, 199):
                steps.append(await steps_of(catalogue, b"a"))
        assert steps[0] == steps[1]
        assert await catalogue.known([b"a"]) == {b"a": {STAT}}


@pytest.mark.parametrize("piece", [1, 2, 5000])
async def test_prune_keeps_the_newest_record_of_each_file_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    """Old sessions go with their errors and skips; what makes a file known stays, once."""
    monkeypatch.setattr(pruning, "PIECE", piece)

    async with opened(tmp_path) as catalogue:
        one = await add(catalogue, "one", b"a", b"b", b"c", b"never begun", key="k")
        await record(catalogue, one, 1, "done", "done", "error")
        two = await add(catalogue, "two", b"a", b"b", b"d")
        await record(catalogue, two, 1, "done", "skipped", "done")
        running = await add(catalogue, "running", b"a", b"e")
        await record(catalogue, running, 1, "error")
        await finish(catalogue, one, 2000.0)
        await finish(catalogue, two, 3000.0)
        assert await catalogue.prune(2000.0) == []
        assert await catalogue.prune(2000.5) == ["one"]
        assert await files(catalogue) == [b"b", b"a", b"b", b"d", b"a", b"e"]
        assert await catalogue.prune(9999.0) == ["two"]
        assert await files(catalogue) == [b"b", b"a", b"d", b"a", b"e"]
        known = await catalogue.known([b"a", b"b", b"c", b"d"])
        assert [path for path, stats in known.items() if stats] == [b"a", b"b", b"d"]
        assert await catalogue.session("one") is None
        assert len(await catalogue.outcomes(running.number, 0, 9)) == 1
        assert (await add(catalogue, "new", key="k")).number > running.number


async def test_forgotten_session_is_nowhere_while_it_is_pruned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No list, report or retry has a part of it; and what a kill left, the next look takes."""
    monkeypatch.setattr(pruning, "PIECE", 1)
    pieces: list[int] = []
    prune_piece = pruning.prune_piece

    def fail_at_the_second(connection: Any, after: int, high: int) -> int | None:
        pieces.append(after)
        if len(pieces) == 2:
            raise OSError(28, "No space left on device")
        return prune_piece(connection, after, high)

    monkeypatch.setattr(pruning, "prune_piece", fail_at_the_second)

    async with opened(tmp_path) as catalogue:
        stored = await add(catalogue, "s", b"a", b"b", b"c", key="k")
        await record(catalogue, stored, 1, "error", "error", "done")
        await finish(catalogue, stored, 2000.0)
        with pytest.raises(Exception, match="No space"):
            await catalogue.prune(3000.0)
        assert await files(catalogue) == [b"b", b"c"]
        assert await catalogue.newest(9) == []
        new = await add(catalogue, "new", key="k")
        for reading in (
            catalogue.errors_after(stored.number, 0, 9),
            catalogue.outcomes(stored.number, 0, 9),
            catalogue.add_failed_of(new.number, "s", 0, None),
        ):
            with pytest.raises(NotFoundError, match="forgotten"):
                await reading
    async with opened(tmp_path) as catalogue:
        assert await catalogue.prune(3000.0) == []
        assert await files(catalogue) == [b"c"]
        left = "SELECT (SELECT count(*) FROM forgotten) + (SELECT count(*) FROM errors)"
        assert await catalogue._database.read(lambda sql: sql.execute(left).fetchone()) == (0,)


async def test_many_old_sessions_are_forgotten_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest first, found by their end and without what they held."""
    monkeypatch.setattr(pruning, "FORGOTTEN", 2)

    async with opened(tmp_path) as catalogue:
        for n in range(5):
            await finish(catalogue, await add(catalogue, str(n)), 2000.0 - n)
        assert await catalogue.prune(1999.5) == ["4", "3"]
        assert await catalogue.prune(1999.5) == ["2", "1"]
        assert await catalogue.prune(1999.5) == []
        plan = "EXPLAIN QUERY PLAN SELECT number, id FROM sessions WHERE ended < 1 ORDER BY ended"
        (row,) = await catalogue._database.read(lambda sql: sql.execute(plan).fetchall())
        assert "USING INDEX sessions_by_end" in row[3]
