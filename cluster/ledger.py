"""
The ledger: every change of a session after its start. No process owns a session.

Whoever did a batch calls `record`, which writes its outcomes and moves the session on in one
transaction (`cluster.change`). So:

- an outcome is recorded once, by its primary key (session, n). One that is there already, because
  a worker that was taken for dead came back, is not counted again;
- a session that has ended (completed, cancelled, error) accepts no change: SessionEndedError;
- each start of finding raises `find_epoch`, and an earlier finder that wakes is refused:
  StaleFinderError;
- the next range is handed out in the same transaction, whether the outcomes were new or not. If it
  were handed out for new outcomes only, two workers with the same files could each leave it to
  the other.

Every method can be repeated, and raises CatalogueError while the database cannot be reached.
`announce` gets each frame after its transaction was committed.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Protocol

from cluster import outcomes as rows
from cluster.change import (
    Change,
    FileRange,
    SessionEndedError,
    StaleFinderError,
    StoredFrame,
    change,
)
from cluster.database import Connection, Database
from ingest.execution.batch import BatchFile, FileProgress, failure
from ingest.outcome import OutcomeRecord
from ingest.paths import display_path
from ingest.progress import UnderWay
from ingest.session import Status

NOTHING: Mapping[BatchFile, FileProgress] = MappingProxyType({})

FIRST_RANGE = 256
"""The most files of a session's first ranges, when it is not known how long a file takes."""


class Jobs(Protocol):
    """The queue of work; each method adds a job in the transaction of `connection`."""

    async def add_find(self, connection: Connection, session: int, root_key: str) -> None:
        """Add the job that finds a session's files."""

    async def add_range(self, connection: Connection, files: FileRange) -> None:
        """Add a job that processes files."""


class Ledger:
    """The changes of sessions, for any process."""

    def __init__(
        self, database: Database, jobs: Jobs, announce: Callable[[StoredFrame], None]
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._announce = announce

    async def begin_finding(self, number: int) -> int:
        """
        Return the epoch of a new finder; earlier finders are refused from now on.

        Raises:
            StaleFinderError: all files are found already.
        """
        async with self._change(number) as made:
            if made.session.status is not Status.STARTING:
                raise StaleFinderError("all files of the session are found already")
            made.find_epoch += 1
            made.session.wait(None, made.now)
        return made.find_epoch

    async def add_found(
        self,
        number: int,
        epoch: int,
        files: Mapping[bytes, int],
        *,
        unreadable: Mapping[bytes, str] | None = None,
        limit: int | None = None,
    ) -> None:
        """
        Record files as found, each with its size; those that the session has are left out.

        `unreadable` are folders, each recorded as an error with its message. At most `limit`
        files are taken in all, the folders not counted. After a CatalogueError, only a finder
        with a new epoch can add the same files again.
        """
        reasons = unreadable or {}
        async with self._change(number, epoch) as made:
            new = await _unknown(made, [*files, *reasons])
            taken = [path for path in new if path not in reasons]
            if limit is not None:
                del taken[max(0, limit - (made.session.total - made.session.errors)) :]
            folders = [path for path in new if path in reasons]
            first = made.session.total + 1
            await _copy_found(made, first, {path: files.get(path, 0) for path in taken + folders})
            size = sum(files[path] for path in taken)
            made.session.found(len(taken) + len(folders), size, made.now)
            failed = [
                OutcomeRecord(n, path, "error", reasons[path])
                for n, path in enumerate(folders, first + len(taken))
            ]
            await rows.record(made, failed)

    async def begin_processing(self, number: int, epoch: int, ranges: int) -> None:
        """
        Record that all files are found, and hand out the first `ranges`.

        The session's turns begin at those of the running session that had fewest: a new session
        waits for no other, and does not hold up all others until it had as many.
        """
        async with self._change(number, epoch) as made:
            made.session.begin_processing(made.now)
            made.ranges = await _fewest_ranges(made)
            size = -(-made.session.total // ranges)  # rounded up
            await self._hand_out(made, ranges, min(size, FIRST_RANGE))

    async def record(
        self,
        number: int,
        outcomes: Sequence[OutcomeRecord],
        *,
        sizes: Mapping[int, int] = rows.NO_SIZES,
        seconds: float = 0.0,
        under_way: Mapping[BatchFile, FileProgress] = NOTHING,
        rest: tuple[int, int] | None = None,
        next_files: int | None = None,
    ) -> int:
        """
        Record outcomes, move the session on, and return how many were new.

        `sizes` and `seconds` are as for `outcomes.record`; `under_way` are files that take long.
        `rest` are the first and last number of files to return to the queue. Otherwise a next
        range of `next_files` is handed out, unless it is None.
        """
        async with self._change(number) as made:
            made.session.wait(None, made.now)
            new = await rows.record(made, outcomes, sizes, seconds)
            for file, progress in under_way.items():
                _show_progress(made, file, progress)
            if rest:
                low, high = rest
                made.session.stop_work([n for n in made.session.under_way if low <= n <= high])
                await self._jobs.add_range(made.connection, made.turn(low, high))
            elif next_files:
                await self._hand_out(made, 1, next_files)
        return new

    async def record_failure(self, number: int, file: BatchFile, message: str) -> None:
        """Record one file as failed, without a result from a processor."""
        await self.record(number, [OutcomeRecord._make(*failure(file, message).outcomes)])

    async def split(self, number: int, ranges: Sequence[tuple[int, int]]) -> None:
        """Return files to the queue in smaller ranges, one job each."""
        async with self._change(number) as made:
            for low, high in ranges:
                await self._jobs.add_range(made.connection, made.turn(low, high))

    async def wait(self, number: int, reason: str) -> None:
        """Show why a session does not go on, until a worker finds or records files of it."""
        async with self._change(number) as made:
            made.session.wait(reason, made.now)

    async def widen(self, number: int, ranges: int) -> None:
        """Queue further ranges, for workers that find none."""
        async with self._change(number) as made:
            left = made.session.total - made.handed_out
            await self._hand_out(made, ranges, min(-(-left // ranges), FIRST_RANGE))

    async def revive(
        self, number: int, jobs_of: Callable[[Connection], Awaitable[dict[int, int]]]
    ) -> bool:
        """Queue the jobs of a session that has none; return False if it has one."""
        async with self._change(number) as made:
            if number in await jobs_of(made.connection):
                return False
            if made.session.status is Status.STARTING:
                await self._jobs.add_find(made.connection, number, made.root_key)
            else:
                if made.handed_out:
                    await self._jobs.add_range(made.connection, made.turn(1, made.handed_out))
                await self._hand_out(made, 1, FIRST_RANGE)
        return True

    async def cancel(self, number: int) -> bool:
        """End a session as cancelled; return False if it has ended already."""
        return await self._finish(number, Status.CANCELLED)

    async def fail(self, number: int, message: str) -> bool:
        """End a session as one that could not go on; return False if it has ended already."""
        return await self._finish(number, Status.ERROR, message)

    async def _finish(self, number: int, status: Status, error: str | None = None) -> bool:
        try:
            async with self._change(number) as made:
                made.session.finish(status, made.now, error)
        except SessionEndedError:
            return False
        return True

    async def _hand_out(self, made: Change, ranges: int, size: int) -> None:
        for _ in range(ranges):
            if (files := made.next_range(size)) is None:
                return
            await self._jobs.add_range(made.connection, files)

    @asynccontextmanager
    async def _change(self, number: int, epoch: int | None = None) -> AsyncIterator[Change]:
        async with change(self._database, number, epoch) as made:
            yield made
        if made.stored:
            self._announce(made.stored)


def _show_progress(made: Change, file: BatchFile, progress: FileProgress) -> None:
    """Show a file that takes long, since its first report."""
    earlier = made.session.under_way.get(file.n)
    since = earlier.since if earlier else made.now.before(progress.seconds)
    name = display_path(file.path)
    made.session.current_file = name
    made.session.work_on(file.n, UnderWay(name, since, file.size, progress.bytes), made.now)


async def _unknown(made: Change, paths: Sequence[bytes]) -> list[bytes]:
    """
    Return the paths that the session has not found yet, each once.

    The first finder has found none of them: it never adds a chunk twice.
    """
    distinct = list(dict.fromkeys(paths))
    if made.find_epoch <= 1:
        return distinct
    cursor = await made.connection.execute(
        "SELECT path FROM found WHERE session = %s AND path = ANY(%s)", (made.number, distinct)
    )
    known = {path for (path,) in await cursor.fetchall()}
    return [path for path in distinct if path not in known]


async def _copy_found(made: Change, first: int, files: Mapping[bytes, int]) -> None:
    copying = "COPY found (session, n, path, size) FROM STDIN (FORMAT BINARY)"
    async with made.connection.cursor() as cursor, cursor.copy(copying) as copy:
        copy.set_types(["int8", "int8", "bytea", "int8"])
        for n, (path, size) in enumerate(files.items(), first):
            await copy.write_row((made.number, n, path, size))


async def _fewest_ranges(made: Change) -> int:
    cursor = await made.connection.execute(
        "SELECT coalesce(min(ranges), 0) FROM progress"
        " WHERE NOT terminal AND status = 'processing' AND session != %s",
        (made.number,),
    )
    (fewest,) = await cursor.fetchone() or (0,)
    return int(fewest)
