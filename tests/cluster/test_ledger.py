"""The ledger: each file is recorded and counted once, whoever records it, and however often."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import orjson
import pytest

from cluster.change import FileRange, SessionEndedError, StaleFinderError, StoredFrame
from cluster.database import Connection, Database
from cluster.ledger import FIRST_RANGE, Ledger
from cluster.opening import open_database
from cluster.reader import LedgerReader
from cluster.starter import Place, SessionStarter
from ingest.errors import (
    InvalidRequestError,
    NotFoundError,
    TooManySessionsError,
)
from ingest.outcome import OutcomeRecord
from ingest.request import IngestRequest

LIMIT = 16
ROOT = Place(b"/srv", 5, b".")


class RecordedJobs:
    """A queue that keeps what is put into it."""

    def __init__(self) -> None:
        self.finds: list[int] = []
        self.ranges: list[FileRange] = []

    async def add_find(self, connection: Connection, session: int, root_key: str) -> None:
        self.finds.append(session)

    async def add_range(self, connection: Connection, files: FileRange) -> None:
        self.ranges.append(files)

    async def with_jobs(self, connection: Connection) -> dict[int, int]:
        return {each.session: 1 for each in self.ranges}

    @property
    def handed_out(self) -> list[tuple[int, int]]:
        return [(each.low, each.high) for each in self.ranges]


class Cluster:
    """One process's access to the sessions of a database, with a queue that runs nothing."""

    def __init__(self, database: Database, jobs: RecordedJobs) -> None:
        self.announced: list[StoredFrame] = []
        self.reader = LedgerReader(database)
        self.ledger = Ledger(database, jobs, self.announced.append)
        self._database = database
        self._jobs = jobs

    async def start(
        self,
        key: str | None = None,
        limit: int = LIMIT,
        request: IngestRequest | None = None,
        place: Place = ROOT,
    ) -> str:
        starter = SessionStarter(self._database, self._jobs, self.announced.append, limit)
        return await starter.start(request or IngestRequest(), place, key)

    async def number(self, session_id: str) -> int:
        return (await self.reader.frame(session_id)).session

    async def processing(self, files: int, ranges: int = 1) -> tuple[str, int]:
        """Start a session, find its files and hand out the first ranges."""
        session_id = await self.start()
        number = await self.number(session_id)
        epoch = await self.ledger.begin_finding(number)
        await self.ledger.add_found(number, epoch, sized(*paths(files).values()))
        await self.ledger.begin_processing(number, epoch, ranges)
        return session_id, number

    async def snapshot(self, session_id: str) -> dict[str, Any]:
        loaded: dict[str, Any] = orjson.loads((await self.reader.frame(session_id)).json)
        return loaded

    async def pending(self, number: int, high: int) -> list[bytes]:
        return [file.path for file in (await self.reader.pending(number, 1, high, 1000)).files]


@asynccontextmanager
async def cluster_in(url: str, jobs: RecordedJobs) -> AsyncIterator[Cluster]:
    database = Database(url, 4)
    async with AsyncExitStack() as stack:
        await open_database(database, stack)
        yield Cluster(database, jobs)


def paths(files: int) -> dict[int, bytes]:
    return {n: b"%d.txt" % n for n in range(1, files + 1)}


def sized(*paths: bytes) -> dict[bytes, int]:
    """Return files of five bytes."""
    return dict.fromkeys(paths, 5)


def done(numbers: Iterable[int]) -> list[OutcomeRecord]:
    return [
        OutcomeRecord(n, b"%d.txt" % n, "done", None, 5, 1, "ab", "text/plain", "{}", '{"bytes":5}')
        for n in numbers
    ]


def failed(n: int, message: str) -> OutcomeRecord:
    return OutcomeRecord(n, b"%d.txt" % n, "error", message)


async def test_recorded_files_complete_a_session(database: str) -> None:
    """The last outcome ends the session in its own transaction."""
    jobs = RecordedJobs()
    async with cluster_in(database, jobs) as one:
        session_id, number = await one.processing(3)
        assert jobs.finds == [number]
        assert await one.ledger.record(number, done([2, 1])) == 2
        assert (await one.snapshot(session_id))["status"] == "processing"
        assert await one.pending(number, 3) == [b"3.txt"]
        await one.ledger.record(number, [failed(3, "bad\0name")])
        frame = await one.reader.frame(session_id)
        ended = orjson.loads(frame.json)
    assert (frame.terminal, ended["status"], ended["progress"]) == (True, "completed", 100)
    assert (ended["stats"]["done"], ended["stats"]["errors"], ended["stats"]["bytes"]) == (2, 1, 10)
    assert [(error["n"], error["file"]) for error in ended["errors"]] == [(1, "3.txt")]


async def test_session_without_files_is_completed(database: str) -> None:
    """0 of 0 files is the end, with no job of processing."""
    jobs = RecordedJobs()
    async with cluster_in(database, jobs) as one:
        session_id, _ = await one.processing(0)
        assert (await one.snapshot(session_id))["status"] == "completed"
    assert jobs.ranges == []


async def test_outcome_recorded_twice_counts_once(database: str) -> None:
    """Of a batch that another worker recorded in part, the new outcomes alone are counted."""
    async with cluster_in(database, RecordedJobs()) as one:
        session_id, number = await one.processing(9)
        await one.ledger.record(number, [*done([1, 2]), failed(3, "bad")])
        again = [failed(3, "worse"), failed(4, "bad"), *done([1, 2, 5])]
        assert await one.ledger.record(number, again) == 2
        stats = (await one.snapshot(session_id))["stats"]
        errors = (await one.snapshot(session_id))["errors"]
    assert (stats["done"], stats["errors"], stats["bytes"]) == (3, 2, 15)
    assert [(error["n"], error["message"]) for error in errors] == [(1, "bad"), (2, "bad")]


async def test_concurrent_workers_count_each_file_once(database: str) -> None:
    """Four workers that record the same files at once leave the counters of one."""
    async with cluster_in(database, RecordedJobs()) as one:
        session_id, number = await one.processing(100)
        batches = [done(range(first, first + 10)) for first in range(1, 101, 10)]
        work = [one.ledger.record(number, rows) for rows in batches[:-1] * 4]
        assert sum(await asyncio.gather(*work)) == 90
        seen = await one.snapshot(session_id)
    assert (seen["processed_files"], seen["stats"]["bytes"]) == (90, 450)


async def test_next_range_is_handed_out_though_nothing_was_new(database: str) -> None:
    """Two workers with the same files may not each leave the next range to the other."""
    jobs = RecordedJobs()
    async with cluster_in(database, jobs) as one:
        _, number = await one.processing(FIRST_RANGE + 25)
        await one.ledger.record(number, done(range(1, 11)))
        assert await one.ledger.record(number, done(range(1, 11)), next_files=10) == 0
        assert await one.ledger.record(number, done(range(1, 6)), rest=(6, 10), next_files=10) == 0
        await one.ledger.record(number, [], next_files=10)
        await one.ledger.record(number, [], next_files=10)
        await one.ledger.record(number, [], next_files=10)
    first, last = FIRST_RANGE, FIRST_RANGE + 25
    rest = [(6, 10)]
    assert jobs.handed_out == [
        (1, first), (first + 1, first + 10), *rest, (first + 11, first + 20), (first + 21, last),
    ]  # fmt: skip
    assert [each.turn for each in jobs.ranges] == [1, 2, 3, 4, 5]


async def test_new_session_begins_with_the_turns_of_the_others(database: str) -> None:
    """It gets its first turn as soon as they do, and does not hold them up until it had as many."""
    jobs = RecordedJobs()
    async with cluster_in(database, jobs) as one:
        _, number = await one.processing(1000, ranges=100)
        await one.processing(10, ranges=2)
    assert [each.turn for each in jobs.ranges if each.session != number] == [101, 102]


async def test_session_without_a_job_gets_its_jobs_again(database: str) -> None:
    """The range that was handed out is run again, with the next one; a job is left alone."""
    jobs = RecordedJobs()
    async with cluster_in(database, jobs) as one:
        _, number = await one.processing(FIRST_RANGE + 5)
        assert not await one.ledger.revive(number, jobs.with_jobs)
        jobs.ranges.clear()
        assert await one.ledger.revive(number, jobs.with_jobs)
    assert jobs.handed_out == [(1, FIRST_RANGE), (FIRST_RANGE + 1, FIRST_RANGE + 5)]


async def test_folder_that_cannot_be_read_is_an_error_beside_the_limit(database: str) -> None:
    """A limit counts files alone, over all finders of the session."""
    async with cluster_in(database, RecordedJobs()) as one:
        session_id = await one.start()
        number = await one.number(session_id)
        epoch = await one.ledger.begin_finding(number)
        unreadable = {b"locked": "the folder cannot be read"}
        await one.ledger.add_found(number, epoch, sized(b"a"), unreadable=unreadable, limit=2)
        epoch = await one.ledger.begin_finding(number)
        await one.ledger.add_found(number, epoch, sized(b"b", b"c"), unreadable=unreadable, limit=2)
        await one.ledger.begin_processing(number, epoch, 1)
        seen = await one.snapshot(session_id)
        assert await one.pending(number, 9) == [b"a", b"b"]
    assert (seen["total_files"], seen["stats"]["errors"]) == (3, 1)
    assert seen["errors"][0]["file"] == "locked"


async def test_replaced_finder_is_refused(database: str) -> None:
    """A finder that was frozen and wakes adds no files and begins nothing."""
    async with cluster_in(database, RecordedJobs()) as one:
        session_id = await one.start()
        number = (await one.reader.frame(session_id)).session
        frozen = await one.ledger.begin_finding(number)
        await one.ledger.add_found(number, frozen, sized(b"a", b"b"))
        epoch = await one.ledger.begin_finding(number)
        with pytest.raises(StaleFinderError):
            await one.ledger.add_found(number, frozen, sized(b"c"))
        with pytest.raises(StaleFinderError):
            await one.ledger.begin_processing(number, frozen, 1)
        await one.ledger.add_found(number, epoch, sized(b"a", b"b", b"\xff", b"\xff", b"x" * 4096))
        assert (await one.snapshot(session_id))["total_files"] == 4
        found = await one.pending(number, 9)
    assert found == [b"a", b"b", b"\xff", b"x" * 4096]


async def test_cancelled_session_accepts_nothing(database: str) -> None:
    """Cancelling is the end at once; a worker that records later is refused, and counts nothing."""
    async with cluster_in(database, RecordedJobs()) as one:
        session_id, number = await one.processing(5)
        assert await one.ledger.cancel(number)
        before = await one.reader.frame(session_id)
        with pytest.raises(SessionEndedError):
            await one.ledger.record(number, done([1]))
        assert not await one.ledger.cancel(number)
        assert await one.reader.frame(session_id) == before
        assert len(await one.pending(number, 5)) == 5
    assert orjson.loads(before.json)["status"] == "cancelled"


async def test_idempotency_key_starts_one_session(database: str) -> None:
    """Concurrent starts with one key return one id; another request with the key is refused."""
    jobs = RecordedJobs()
    async with cluster_in(database, jobs) as one:
        ids = await asyncio.gather(*(one.start("key", limit=1) for _ in range(6)))
        assert (len(set(ids)), len(jobs.finds)) == (1, 1)
        with pytest.raises(InvalidRequestError, match="Idempotency-Key"):
            await one.start("key", request=IngestRequest(pattern="*.png"))
        with pytest.raises(InvalidRequestError, match="Idempotency-Key"):
            await one.start("key", place=Place(b"/other", 5, b"."))


async def test_limit_of_sessions_holds_for_all_processes(database: str) -> None:
    """Of concurrent starts in two processes, as many succeed as may run; an end frees a place."""
    jobs = RecordedJobs()
    async with cluster_in(database, jobs) as first, cluster_in(database, jobs) as second:
        starts = [each.start(limit=2) for each in (first, second) for _ in range(3)]
        results = await asyncio.gather(*starts, return_exceptions=True)
        started = [each for each in results if isinstance(each, str)]
        refused = [each for each in results if isinstance(each, TooManySessionsError)]
        assert (len(started), len(refused)) == (2, 4)
        await second.ledger.cancel(await second.number(started[0]))
        assert await first.start(limit=2)


async def test_replicas_read_the_same_frame(database: str) -> None:
    """One version has one event id and the same bytes everywhere, and each change another id."""
    jobs = RecordedJobs()
    async with cluster_in(database, jobs) as first, cluster_in(database, jobs) as second:
        session_id, number = await first.processing(5)
        before = await second.reader.frame(session_id)
        assert before == await first.reader.frame(session_id)
        await second.ledger.record(number, done([1]))
        after = await first.reader.frame(session_id)
    assert after.version == before.version + 1
    assert after.event_id != before.event_id
    assert after.event_id.partition("-")[0] == before.event_id.partition("-")[0]


async def test_failed_job_takes_the_outcomes_back(database: str) -> None:
    """Outcomes and the next range are one transaction: neither is there without the other."""

    class FailingJobs(RecordedJobs):
        async def add_range(self, connection: Connection, files: FileRange) -> None:
            if files.turn > 1:
                raise ConnectionError("the queue is gone")

    async with cluster_in(database, FailingJobs()) as one:
        session_id, number = await one.processing(20)
        before = await one.reader.frame(session_id)
        with pytest.raises(ConnectionError):
            await one.ledger.record(number, done([1]), rest=(2, 20))
        assert await one.reader.frame(session_id) == before
        assert len(await one.pending(number, 20)) == 20


async def test_unknown_session_is_not_found(database: str) -> None:
    """Reading a session that does not exist raises NotFoundError; changing it finds no session."""
    async with cluster_in(database, RecordedJobs()) as one:
        with pytest.raises(NotFoundError):
            await one.reader.frame("missing")
        assert not await one.ledger.cancel(99)


async def test_frames_are_announced_in_the_order_of_their_versions(database: str) -> None:
    """Each is announced after it was stored; the last one says that it is."""
    async with cluster_in(database, RecordedJobs()) as one:
        session_id, number = await one.processing(1)
        await one.ledger.record(number, done([1]))
        last = await one.reader.frame(session_id)
    assert [frame.version for frame in one.announced] == [1, 2, 3, 4, 5]
    assert one.announced[-1] == last
    assert [frame.terminal for frame in one.announced] == [False] * 4 + [True]


async def test_session_waits_until_a_worker_records_files_of_it(database: str) -> None:
    """Watchers see why nothing happens, and that it goes on."""
    async with cluster_in(database, RecordedJobs()) as one:
        session_id, number = await one.processing(3)
        await one.ledger.wait(number, "no worker is alive")
        assert (await one.snapshot(session_id))["waiting"] == "no worker is alive"
        await one.ledger.record(number, done([1]))
        assert (await one.snapshot(session_id))["waiting"] is None
