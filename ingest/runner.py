"""Running a session: find its files, have them processed, record, count, announce."""

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from ingest.catalogue.sqlite import Catalogue, SessionRecord
from ingest.discovery import Chunk, discover, identities
from ingest.errors import CatalogueError, ExecutorError, IngestError
from ingest.execution.backends import Backend, BatchError, consume_result
from ingest.execution.batch import BUDGET, BatchFile, BatchResult, failure
from ingest.paths import display_path
from ingest.publisher import SnapshotPublisher
from ingest.session import FileError, Session, Status

logger = logging.getLogger("ingest")

PAGE = 500
"""Files read from the catalogue at a time, so that a million of them are never in memory."""

FIRST_BATCH = 8
"""Files in a session's first batch, when nothing is known of how long they take."""

UNRECORDED = 16
"""Batches that wait to be recorded at most: where the disk is slow, the workers wait for it."""

CANCEL_GRACE = 1.0
"""Seconds that batches under way are given to be recorded after a cancellation."""


@dataclass(slots=True)
class Totals:
    """What the sessions of one application have done since its start."""

    done: int = 0
    skipped: int = 0
    errors: int = 0
    bytes: int = 0
    ended: Counter[Status] = field(default_factory=Counter)

    def count(self, report: BatchResult) -> None:
        """Add what a batch came to."""
        self.done += report.done
        self.skipped += report.skipped
        self.errors += len(report.failed)
        self.bytes += report.counters.get("bytes", 0)


@dataclass(frozen=True, slots=True)
class RunnerContext:
    """What the sessions of one application share."""

    root: Path
    catalogue: Catalogue
    work: Backend
    turns: asyncio.Semaphore
    """
    One for each batch that may be under way. A session asks for one turn at a time and the
    semaphore is first come, first served: so sessions take turns, however large they are.
    """
    threads: ThreadPoolExecutor
    """For what blocks on the file system."""
    totals: Totals = field(default_factory=Totals)


class Runner:
    """
    Runs one session to its end.

    A file's outcome is recorded before it is counted, and counted before it is announced: what
    was shown is never lost. Cancelling the task of `run` stops the session without ending it;
    another `run`, after a restart, goes on from what was recorded.
    """

    def __init__(
        self,
        session: Session,
        stored: SessionRecord,
        announcer: SnapshotPublisher,
        around: RunnerContext,
    ) -> None:
        self._session = session
        self._stored = stored
        self._announcer = announcer
        self._around = around
        self._catalogue = around.catalogue
        self._root = str(Path(around.root).resolve())
        self._cancelled = asyncio.Event()
        if stored.cancelled:
            self._cancelled.set()
        self._resumed = session.total > 0
        self._page: deque[BatchFile] = deque()
        self._suspects: deque[BatchFile] = deque()
        self._after = 0
        self._exhausted = False
        self._batch_files = FIRST_BATCH
        self._under_way: set[asyncio.Task[None]] = set()
        self._recording: set[asyncio.Task[None]] = set()
        self._failed: Exception | None = None

    def cancel(self) -> None:
        """End the session as cancelled, once the batches under way are recorded."""
        self._cancelled.set()

    async def run(self) -> bool:
        """Find, process, and end; False if the catalogue failed: the session is not at its end."""
        logger.info("session %s: %s", self._session.id, self._session.status)
        try:
            if self._session.status is Status.STARTING:
                await self._find()
            self._session.begin_processing(time.time())
            self._announcer.changed()
            await self._process()
            status = Status.CANCELLED if self._cancelled.is_set() else Status.COMPLETED
            return await self._finish(status)
        except CatalogueError as error:
            return await self._break_off(error)
        except IngestError as error:
            return await self._finish(Status.ERROR, str(error))
        except Exception as error:
            logger.exception("session %s failed", self._session.id)
            return await self._finish(Status.ERROR, f"internal error: {type(error).__name__}")
        finally:
            self._announcer.stop()
            await self._drop_batches()

    async def _find(self) -> None:
        retry_of = self._stored.request.retry_of
        if retry_of is None:
            await self._find_in_tree()
        else:
            await self._find_failed(retry_of)
        # If cancelled, too: a watcher that saw it processing must not see it back at the start.
        await self._catalogue.set_status(self._stored.number, Status.PROCESSING)

    async def _find_failed(self, session_id: str) -> None:
        number, limit = self._stored.number, self._stored.request.max_files
        while not self._cancelled.is_set():
            before = self._session.total
            added = await self._catalogue.add_failed_of(number, session_id, before, limit)
            if not added:
                break
            self._session.found(added, time.time())
            self._announcer.changed()

    async def _find_in_tree(self) -> None:
        if self._cancelled.is_set():
            return
        request = self._stored.request
        chunks = discover(
            self._around.root,
            self._stored.directory,
            matches=request.matcher(),
            recursive=request.recursive,
            limit=request.max_files,
            leave_out=identities(self._catalogue.files),
        )
        cancellation = asyncio.create_task(self._cancelled.wait())
        try:
            listing = self._list(chunks)
            while (chunk := await self._listed(listing, cancellation)) is not None:
                listing = self._list(chunks)  # while this chunk is written
                await self._add(chunk)
        finally:
            cancellation.cancel()

    def _list(self, chunks: Iterator[Chunk]) -> asyncio.Future[Chunk | None]:
        """Look for the next chunk, in a thread; None if there is none."""
        loop = asyncio.get_running_loop()
        listing = loop.run_in_executor(self._around.threads, next, chunks, None)
        # A disk that answers no more holds its thread, and must not hold up a cancellation.
        listing.add_done_callback(consume_result)
        return listing

    async def _listed(
        self, listing: asyncio.Future[Chunk | None], cancellation: asyncio.Task[bool]
    ) -> Chunk | None:
        """Wait for a chunk; None if there is none, or the session is cancelled first."""
        await _first([listing, cancellation])
        return listing.result() if listing.done() and not self._cancelled.is_set() else None

    async def _add(self, chunk: Chunk) -> None:
        number = self._stored.number
        reasons = dict(chunk.unreadable)
        paths: Sequence[bytes] = [*chunk.files, *reasons]
        if self._resumed:
            paths = self._within_limit(await self._catalogue.unknown(number, paths), reasons)
        if not paths:
            return
        first = self._session.total + 1
        await self._catalogue.add_found(number, first, paths)
        self._session.found(len(paths), time.time())
        self._announcer.changed()
        for n, path in enumerate(paths, first):
            if path in reasons:
                item = BatchFile(n, path)
                await self._record([item], failure(item, reasons[path]))

    def _within_limit(self, paths: Sequence[bytes], folders: Container[bytes]) -> Sequence[bytes]:
        # A folder is not listed in the same order twice, so the limit is kept over both times.
        limit = self._stored.request.max_files
        if limit is None:
            return paths
        room = limit - (self._session.total - self._session.errors)
        files = islice((path for path in paths if path not in folders), max(0, room))
        return [*files, *(path for path in paths if path in folders)]

    async def _process(self) -> None:
        cancellation = asyncio.create_task(self._cancelled.wait())
        try:
            while not self._cancelled.is_set() and self._failed is None:
                if len(self._recording) >= UNRECORDED:
                    await _first([*self._recording, cancellation])
                    continue
                batch = await self._next_batch()
                if batch:
                    if await self._take_turn(cancellation):
                        self._begin(batch)
                elif self._under_way:
                    # What is under way may come back unfinished, or to be tried one by one.
                    await _first([*self._under_way, cancellation])
                else:
                    break
        finally:
            cancellation.cancel()
        if self._failed is not None:
            raise self._failed
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=CANCEL_GRACE)
        if not self._cancelled.is_set() and self._session.processed != self._session.total:
            missing = self._session.total - self._session.processed
            raise ExecutorError(f"{missing} files were taken and never heard of again")

    async def _take_turn(self, cancellation: asyncio.Task[bool]) -> bool:
        """Wait for a turn, unless the session is cancelled first."""
        turns = self._around.turns
        if not turns.locked():
            return await turns.acquire()
        turn = asyncio.create_task(turns.acquire())
        try:
            await _first([turn, cancellation])
        finally:
            if not turn.done():
                turn.cancel()
        return turn.done() and not turn.cancelled()

    async def _next_batch(self) -> list[BatchFile]:
        if not self._suspects and not self._page and not self._exhausted:
            await self._read_page()
        if self._suspects:
            return [self._suspects.popleft()]
        size = min(self._batch_files, self._around.work.batch_files, len(self._page))
        return [self._page.popleft() for _ in range(size)]

    async def _read_page(self) -> None:
        found = await self._catalogue.pending(self._stored.number, self._after, PAGE)
        self._exhausted = len(found) < PAGE
        if found:
            self._after = found[-1].n
        known = {}
        if self._stored.request.skip_existing:
            known = await self._catalogue.known([file.path for file in found])
        self._page.extend(
            BatchFile(file.n, file.path, known.get(file.path, frozenset())) for file in found
        )

    def _begin(self, batch: list[BatchFile]) -> None:
        turn = contextlib.ExitStack()
        turn.callback(self._around.turns.release)
        task = asyncio.create_task(self._do(batch, turn))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        # A task that is cancelled before its first step gives nothing back itself.
        task.add_done_callback(lambda _: turn.close())
        self._session.begun(display_path(batch[0].path), time.time())
        self._announcer.changed()

    async def _do(self, batch: list[BatchFile], turn: contextlib.ExitStack) -> None:
        try:
            with turn:
                report = await self._around.work.do(self._root, batch)
            rest = batch[report.finished :]
            self._page.extendleft(reversed(rest))
            self._size_batches(report, whole=not rest)
            await self._record_whole(batch, report)
        except BatchError as error:
            if len(batch) == 1:
                await self._fail(batch[0], str(error))
            else:
                # One of them did it. Alone, each is judged by what it does itself.
                self._suspects.extend(batch)
        except Exception as error:  # noqa: BLE001 - the session's task raises it
            self._failed = error

    async def _record_whole(self, batch: list[BatchFile], report: BatchResult) -> None:
        # Dropped between the disk and the count, it would leave an outcome that no snapshot has.
        task = asyncio.current_task()
        assert task is not None
        self._recording.add(task)
        try:
            await self._record(batch, report)
        finally:
            self._recording.discard(task)

    async def _fail(self, item: BatchFile, message: str) -> None:
        try:
            await self._record_whole([item], failure(item, message))
        except Exception as error:  # noqa: BLE001 - the session's task raises it
            self._failed = error

    def _size_batches(self, report: BatchResult, *, whole: bool) -> None:
        if not whole:
            self._batch_files = max(1, report.finished)
        elif report.seconds < BUDGET / 2 and report.finished == self._batch_files:
            self._batch_files = min(2 * self._batch_files, self._around.work.batch_files)

    async def _record(self, batch: Sequence[BatchFile], report: BatchResult) -> None:
        now = time.time()
        first = await self._catalogue.record(
            self._stored.number, report.outcomes, [file for file, _ in report.failed], now
        )
        paths = {item.n: item.path for item in batch[: report.finished]}
        errors = [
            FileError(n, display_path(paths[file]), message, now)
            for n, (file, message) in enumerate(report.failed, first)
        ]
        self._session.record(
            done=report.done,
            skipped=report.skipped,
            errors=errors,
            counters=report.counters,
            last=display_path(batch[report.finished - 1].path),
            now=now,
        )
        self._around.totals.count(report)
        self._announcer.changed()

    async def _finish(self, status: Status, error: str | None = None) -> bool:
        await self._drop_batches()
        now = time.time()
        self._session.finish(status, now, error)
        event_id, snapshot = self._announcer.final()
        try:
            await self._catalogue.finish(self._stored.number, status, now, event_id, snapshot)
        except CatalogueError as failure_:
            return await self._break_off(failure_)
        self._around.totals.ended[status] += 1
        await self._tell_end(event_id, snapshot)
        return True

    async def _break_off(self, error: CatalogueError) -> bool:
        """
        Tell that the catalogue fails.

        On disk the session is unfinished, whether or not that could be changed now: the same
        call, once the catalogue works, or the next start goes on with it.
        """
        await self._drop_batches()
        self._session.finish(Status.ERROR, time.time(), str(error))
        await self._tell_end(*self._announcer.final())
        return False

    async def _tell_end(self, event_id: str, snapshot: bytes) -> None:
        await self._announcer.announce_final(event_id, snapshot)
        session = self._session
        logger.info(
            "session %s: %s after %.1f s, %d done, %d skipped, %d errors",
            session.id,
            session.status,
            (session.end_time or 0) - session.start_time,
            session.done,
            session.skipped,
            session.errors,
        )

    async def _drop_batches(self) -> None:
        for task in self._under_way - self._recording:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way)


async def _first(futures: Iterable[asyncio.Future[Any]]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
