"""What every catalogue does: each test runs on each implementation."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from ingest.catalogue import sqlite
from ingest.catalogue.protocol import Catalogue
from ingest.catalogue.records import SessionFilter
from ingest.catalogue.sqlite import SQLiteCatalogue
from ingest.errors import CatalogueError, NotFoundError
from ingest.outcome import PAGE_CHARACTERS, OutcomeRecord
from ingest.request import IngestRequest
from ingest.session import Status
from tests.support.catalogues import STAT, add, finish, outcome, record
from tests.support.memory_catalogue import MemoryCatalogue

Make: TypeAlias = Callable[[], Catalogue]


@pytest.fixture(params=["sqlite", "memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Return what makes a catalogue; each one made has what was recorded before."""
    if request.param == "sqlite":
        return lambda: SQLiteCatalogue(tmp_path / "ingest.db")
    kept = MemoryCatalogue()
    return lambda: kept


@asynccontextmanager
async def opened(make: Make) -> AsyncIterator[Catalogue]:
    catalogue = make()
    await catalogue.open()
    try:
        yield catalogue
    finally:
        await catalogue.close()


async def test_session_is_kept_as_it_was_asked_for(make: Make) -> None:
    """Request, directory in odd bytes, start, wish to cancel and end are there after a restart."""
    request = IngestRequest(pattern="*.x", max_files=3, skip_existing=True)

    async with opened(make) as catalogue:
        stored = await catalogue.add_session("s", request, b"/r\xff", b"\xff", 1000.5, None)
        await catalogue.set_cancelled(stored.number)
    async with opened(make) as catalogue:
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


async def test_second_session_of_a_key_is_the_first(make: Make) -> None:
    """Sessions without a key have nothing in common."""
    async with opened(make) as catalogue:
        assert (await add(catalogue, "one", key="k")).id == "one"
        assert (await add(catalogue, "two", key="k")).id == "one"
        assert (await add(catalogue, "three")).id == "three"
        assert (await add(catalogue, "four")).id == "four"
        newest = [stored.id for stored in await catalogue.newest(2)]
        assert newest == ["four", "three"]


async def test_sessions_are_listed_by_page_text_and_status(make: Make) -> None:
    """The text may be in the name or the directory, in any case and script."""
    async with opened(make) as catalogue:
        for n, request in enumerate(
            (
                IngestRequest(name="LISBON"),
                IngestRequest(directory="lisbon/\u00c4"),
                IngestRequest(),
            )
        ):
            await catalogue.add_session(str(n), request, b"/root", b".", 1000.0, None)
        first, second, third = reversed(await catalogue.newest(9))
        await finish(catalogue, second, 2000.0)

        async def found(wanted: SessionFilter, limit: int = 9) -> list[str]:
            return [record.id for record in await catalogue.newest(limit, wanted)]

        assert await found(SessionFilter(before=third.number), 1) == ["1"]
        assert await found(SessionFilter(before=first.number)) == []
        assert await found(SessionFilter(text="Lisbon")) == ["1", "0"]
        assert await found(SessionFilter(text="\u00e4")) == ["1"]
        assert await found(SessionFilter(statuses=frozenset({Status.STARTING}))) == ["2", "0"]
        completed = SessionFilter(text="lis", statuses=frozenset({Status.COMPLETED}))
        assert await found(completed) == ["1"]


async def test_pending_files_are_those_without_an_outcome(make: Make) -> None:
    """In the order found, a page at a time, and of this session alone."""
    async with opened(make) as catalogue:
        one = await add(catalogue, "one", b"a", b"b", b"\xff\nc", b"d")
        await add(catalogue, "two", b"x")
        await record(catalogue, one, 2, "done")
        first = await catalogue.pending(one.number, 0, 2)
        assert [(file.n, file.path) for file in first] == [(1, b"a"), (3, b"\xff\nc")]
        rest = await catalogue.pending(one.number, 3, 2)
        assert [(file.n, file.path) for file in rest] == [(4, b"d")]
        assert await catalogue.new_paths(one.number, [b"a", b"x"]) == [b"x"]


async def test_restored_session_has_the_counts_and_the_newest_errors(make: Make) -> None:
    """What is rebuilt is what the last snapshot before the kill could have said."""
    async with opened(make) as catalogue:
        stored = await add(catalogue, "s", *(b"%d" % n for n in range(40)))
        await record(catalogue, stored, 1, "done", "done", "skipped", bytes=5, pages=2)
        await record(catalogue, stored, 4, *["error"] * 12)
    async with opened(make) as catalogue:
        (stored,) = await catalogue.unfinished()
        session = await catalogue.restore(stored)
        assert (session.total, session.done, session.skipped, session.errors) == (40, 2, 1, 12)
        assert session.counters == {
            "bytes": 10, "pages": 4, "metadata_extracted": 0, "keywords_added": 0,
        }  # fmt: skip
        assert [(error.n, error.file) for error in session.recent] == [
            (n, str(n + 2)) for n in range(3, 13)
        ]


async def test_sums_beyond_64_bits_do_not_keep_a_session_from_going_on(make: Make) -> None:
    """A processor's astronomical counters are cut, and the store opens."""
    async with opened(make) as catalogue:
        stored = await add(catalogue, "s", *(b"%d" % n for n in range(2000)))
        await record(catalogue, stored, 1, *["done"] * 2000, huge=2**53 - 1, low=1 - 2**53)
        counters = (await catalogue.restore(stored)).counters
        assert (counters["huge"], counters["low"]) == (2**53 - 1, 1 - 2**53)


async def test_file_is_recorded_once(make: Make) -> None:
    """A second outcome of a file is refused, and its whole batch with it."""
    async with opened(make) as catalogue:
        stored = await add(catalogue, "s", b"a", b"b")
        await record(catalogue, stored, 1, "done")
        with pytest.raises(CatalogueError):
            await record(catalogue, stored, 1, "error", "error")
        assert [row.n for row in await catalogue.outcomes(stored.number, 0, 9)] == [1]
        assert await catalogue.errors_after(stored.number, 0, 9) == ([], 0)


async def test_errors_are_numbered_from_1_in_each_session(make: Make) -> None:
    """Numbers go on from batch to batch, pages begin above a number, and the total is of all."""
    async with opened(make) as catalogue:
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


async def test_outcomes_come_in_the_order_found_with_all_that_was_recorded(make: Make) -> None:
    """Whatever the order in which batches ended; a page begins after a number."""
    async with opened(make) as catalogue:
        stored = await add(catalogue, "s", b"a", b"\xff", b"c")
        await record(catalogue, stored, 3, "error")
        await record(catalogue, stored, 1, "done", "skipped", bytes=5)
        rows = await catalogue.outcomes(stored.number, 0, 9)
        assert rows[0] == OutcomeRecord(
            1, b"a", "done", None, *STAT, "0f", "text/plain", '{"n":1}', '{"bytes":5}'
        )
        assert [(row.path, row.status) for row in rows[1:]] == [
            (b"\xff", "skipped"), (b"c", "error"),
        ]  # fmt: skip
        assert await catalogue.outcomes(stored.number, 1, 1) == [rows[1]]


async def test_page_of_outcomes_is_bounded_by_their_metadata(make: Make) -> None:
    """A page ends with the record that exceeds the bound; the next one goes on behind it."""
    async with opened(make) as catalogue:
        stored = await add(catalogue, "s", b"a", b"b", b"c", b"d")
        large = f'{{"text":"{"x" * PAGE_CHARACTERS}"}}'
        rows = [outcome(1, "done"), *(outcome(n, "done", metadata=large) for n in (2, 3, 4))]
        await catalogue.record(stored.number, rows, [], 1001.0)
        pages, after = [], 0
        while page := await catalogue.outcomes(stored.number, after, 9):
            pages.append([row.n for row in page])
            after = page[-1].n
        assert pages == [[1, 2], [3], [4]]


async def test_warning_is_recorded_beside_an_outcome(make: Make) -> None:
    """A file that is done may have a warning, and an error may have a hash and metadata."""
    async with opened(make) as catalogue:
        stored = await add(catalogue, "s", b"a", b"b")
        done = outcome(1, "done", warning="unsupported")
        failed = outcome(2, "error", error="broken", sha256="0f", metadata='{"width":3}')
        await catalogue.record(stored.number, [done, failed], [2], 1001.0)
        first, second = await catalogue.outcomes(stored.number, 0, 9)
        assert (first.warning, second.warning) == ("unsupported", None)
        assert (second.sha256, second.metadata) == ("0f", '{"width":3}')


async def test_nul_does_not_end_a_text(make: Make) -> None:
    """What a processor tells for a hash and a type is recorded to its last character."""
    async with opened(make) as catalogue:
        stored = await add(catalogue, "s", b"a")
        row = outcome(1, "done", sha256="0\0f", media_type="text/\0plain")
        await catalogue.record(stored.number, [row], [], 1001.0)
        (row,) = await catalogue.outcomes(stored.number, 0, 9)
        assert (row.sha256, row.media_type) == ("0\0f", "text/\0plain")


async def test_failed_files_of_another_session_are_found_as_they_failed(make: Make) -> None:
    """Only those, once each, or the first few; a session that is forgotten cannot be retried."""
    async with opened(make) as catalogue:
        old = await add(catalogue, "old")
        await catalogue.add_found(old.number, 1, [b"a", b"b", b"c", b"d"], [5, 7, 3])
        await record(catalogue, old, 1, "error", "done", "error")
        new = await add(catalogue, "new")
        assert await catalogue.add_failed_files(new.number, "old", 0, None) == (2, 8)
        assert await catalogue.add_failed_files(new.number, "old", 2, None) == (0, 0)
        found = await catalogue.pending(new.number, 0, 9)
        assert [(file.n, file.path, file.size) for file in found] == [(1, b"a", 5), (2, b"c", 3)]
        few = await add(catalogue, "few")
        assert await catalogue.add_failed_files(few.number, "old", 0, 1) == (1, 5)
        assert await catalogue.add_failed_files(few.number, "old", 1, 1) == (0, 0)
        assert [file.path for file in await catalogue.pending(few.number, 0, 9)] == [b"a"]
        with pytest.raises(NotFoundError):
            await catalogue.add_failed_files(new.number, "forgotten", 0, None)


@pytest.mark.parametrize("failed_too", [False, True])
async def test_unfinished_files_of_another_session_are_found_in_order(
    make: Make, failed_too: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pieces, each once, with those that failed or without, up to a limit."""
    monkeypatch.setattr(sqlite, "PIECE", 2)
    async with opened(make) as catalogue:
        await add(catalogue, "before", b"e", b"d", b"c", b"b", b"a")
        old = await add(catalogue, "old", b"e", b"d", b"c", b"b", b"a", b"f")
        await record(catalogue, old, 2, "error", "done")
        wanted = [b"e", b"d", b"b", b"a", b"f"] if failed_too else [b"e", b"b", b"a", b"f"]
        for limit in (None, 3):
            new = await add(catalogue, f"new {limit}")
            total, added = 0, -1
            while added:
                added, _ = await catalogue.add_unfinished_files(
                    new.number, "old", total, limit, failed_too
                )
                total += added
            files = await catalogue.pending(new.number, 0, 9)
            assert [file.path for file in files] == wanted[:limit]
            assert [file.n for file in files] == [*range(1, len(files) + 1)]
        with pytest.raises(NotFoundError):
            await catalogue.add_unfinished_files(new.number, "gone", 0, None, failed_too)


async def test_file_of_another_root_is_not_known(make: Make) -> None:
    """Two disks may have files of one name, size and time; each is read once."""
    async with opened(make) as catalogue:
        stored = await add(catalogue, "s", b"a")
        await record(catalogue, stored, 1, "done")
        assert await catalogue.fingerprints([b"a"], b"/root") == {b"a": {STAT}}
        assert await catalogue.fingerprints([b"a"], b"/other") == {b"a": set()}


async def test_file_is_known_by_what_it_was_done_as_last(make: Make) -> None:
    """An error makes no file known, and none that was known unknown; odd bytes do not hinder."""
    async with opened(make) as catalogue:
        for id_, size, first in (("old", 4, "done"), ("new", 5, "done"), ("last", 6, "error")):
            stored = await add(catalogue, id_, b"\xff", b"b")
            rows = [
                outcome(n, what, size=size, modified=7) for n, what in ((1, first), (2, "error"))
            ]
            await catalogue.record(stored.number, rows, [], 1001.0)
        assert await catalogue.fingerprints([b"\xff", b"b", b"new"]) == {
            b"\xff": {(5, 7)}, b"b": set(), b"new": set(),
        }  # fmt: skip


async def test_bare_tuples_are_recorded_as_outcomes(make: Make) -> None:
    """A worker returns its records as bare tuples, which are pickled faster."""
    async with opened(make) as catalogue:
        stored = await add(catalogue, "s", b"a")
        bare: OutcomeRecord = tuple(outcome(1, "done", sha256="0f"))  # type: ignore[assignment]
        await catalogue.record(stored.number, [bare], [], 1001.0)
        (recorded,) = await catalogue.outcomes(stored.number, 0, 9)
        assert (recorded.path, recorded.sha256) == (b"a", "0f")


async def test_closed_catalogue_raises_catalogue_error(make: Make) -> None:
    """A request that comes during the shutdown is answered with 503, not with a traceback."""
    async with opened(make) as catalogue:
        await catalogue.check()
    with pytest.raises(CatalogueError, match="closed"):
        await catalogue.check()
    with pytest.raises(CatalogueError, match="closed"):
        await catalogue.newest(1)


async def test_pruned_session_is_not_found_and_its_key_is_free(make: Make) -> None:
    """A file that it did stays known; sessions that did not end stay."""
    async with opened(make) as catalogue:
        old = await add(catalogue, "old", b"a", b"b", key="k")
        await record(catalogue, old, 1, "done", "error")
        await finish(catalogue, old, 2000.0)
        running = await add(catalogue, "running")
        assert await catalogue.prune(2000.0) == []
        assert await catalogue.prune(2000.5) == ["old"]
        assert await catalogue.session("old") is None
        for reading in (
            catalogue.errors_after(old.number, 0, 9),
            catalogue.outcomes(old.number, 0, 9),
        ):
            with pytest.raises(NotFoundError):
                await reading
        assert await catalogue.fingerprints([b"a", b"b"]) == {b"a": {STAT}, b"b": set()}
        assert [session.id for session in await catalogue.unfinished()] == ["running"]
        assert (await add(catalogue, "new", key="k")).number > running.number


async def test_bytes_found_and_finished_are_restored(make: Make) -> None:
    """An interrupted session knows how much is left; files without a size count for none."""
    async with opened(make) as catalogue:
        stored = await add(catalogue, "s")
        await catalogue.add_found(stored.number, 1, [b"a", b"b", b"c"], [5, 70])
        await record(catalogue, stored, 1, "done")
        session = await catalogue.restore(stored)
        assert (session.total, session.total_bytes) == (3, 75)
        assert session.finished_bytes == 5
