"""
Scheduling a session's files: which files form a batch, and when the backend runs it.

States of a file: pending in the catalogue, read into the queue, in a batch that runs, recorded. A
file that the backend did not begin returns to the queue. If a batch is lost as a whole, its files
are run alone, one by one; a file that is lost alone is recorded as failed, once it is clear that
the cause is the file (see `BatchQueue`).

One BatchScheduler is used by one session's runner: `run` once, then `stop`. `run` owns one task
for each batch that runs; each task holds one of the application's slots and returns it as soon as
the backend answers, before the result is recorded.

Guarantees:

- each file is in at most one batch at a time, and its outcome is recorded once;
- at most UNRECORDED batches wait for the catalogue, however slow the disk is;
- after a cancellation no batch is started, and batches that run get CANCEL_GRACE seconds;
- `stop` returns when no task is left, and interrupts no recording: an outcome that was written is
  also counted;
- a failure of the backend or the catalogue is raised by `run`, not lost in a batch's task.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ingest.absence import RootGuard
from ingest.catalogue.records import SessionRecord
from ingest.clock import read_clocks
from ingest.context import SessionInfo
from ingest.errors import ExecutorError
from ingest.execution.batch import BatchFile, BatchResult, FileProgress
from ingest.execution.batch_queue import BatchQueue
from ingest.execution.protocol import BatchError, ReportingBackend
from ingest.paths import display_path
from ingest.progress import UnderWay
from ingest.publisher import SnapshotPublisher
from ingest.recorder import OutcomeRecorder
from ingest.resources import SharedResources
from ingest.session import Session

PAGE = 500
"""Files read from the catalogue at a time, so that a million of them are never in memory."""

UNRECORDED = 16
"""The most batches that wait to be recorded; with a slow disk, the workers wait."""

CANCEL_GRACE = 1.0
"""Seconds after a cancellation in which batches that run can still be recorded."""


class BatchScheduler:
    """Runs the files of one session in batches."""

    def __init__(
        self,
        session: Session,
        record: SessionRecord,
        resources: SharedResources,
        recorder: OutcomeRecorder,
        publisher: SnapshotPublisher,
        cancelled: asyncio.Event,
        root: RootGuard,
    ) -> None:
        self._guard = root
        self._session = session
        self._record = record
        self._resources = resources
        self._recorder = recorder
        self._publisher = publisher
        self._cancelled = cancelled
        self._root = str(Path(resources.root).resolve())
        request = record.request
        self._info = SessionInfo(record.id, request.name, request.params)
        self._queue = BatchQueue(resources.backend)
        self._after = 0
        self._exhausted = False
        self._started = 0
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._recording: set[int] = set()
        self._failed: Exception | None = None

    async def run(self) -> None:
        """
        Process all pending files, or those that were begun before the session was cancelled.

        Raises:
            CatalogueError: the catalogue cannot be read or written.
            ExecutorError: the backend cannot run any batch, or returned too few results.
        """
        cancellation = asyncio.create_task(self._cancelled.wait())
        try:
            await self._run_batches(cancellation)
        finally:
            cancellation.cancel()
        if self._failed is not None:
            raise self._failed
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=CANCEL_GRACE)
        missing = self._session.total - self._session.processed
        if missing and not self._cancelled.is_set():
            raise ExecutorError(f"no result was returned for {missing} files")

    async def stop(self) -> None:
        """Cancel the batches that run, and wait for those that are being recorded."""
        for key, task in self._tasks.items():
            if key not in self._recording:
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _run_batches(self, cancellation: asyncio.Task[bool]) -> None:
        while not self._cancelled.is_set() and self._failed is None:
            if len(self._recording) >= UNRECORDED:
                await _first([*(self._tasks[key] for key in self._recording), cancellation])
                continue
            if self._guard.absent:
                await self._guard.wait()
                continue
            if self._queue.is_last_try and self._tasks:
                await _first([*self._tasks.values(), cancellation])
                continue
            is_last_try = self._queue.is_last_try
            batch = await self._next_batch()
            if batch:
                if await self._acquire_slot(cancellation):
                    self._begin(batch)
                    if is_last_try:
                        await _first([self._tasks[self._started], cancellation])
            elif self._tasks:
                # Files of a batch that runs may return, to be run again or alone.
                await _first([*self._tasks.values(), cancellation])
            else:
                break

    async def _acquire_slot(self, cancellation: asyncio.Task[bool]) -> bool:
        """Wait for a slot; return False if the session is cancelled first."""
        slots = self._resources.slots
        if not slots.locked():
            return await slots.acquire()
        acquiring = asyncio.create_task(slots.acquire())
        try:
            await _first([acquiring, cancellation])
        finally:
            if not acquiring.done():
                acquiring.cancel()
        return acquiring.done() and not acquiring.cancelled()

    async def _next_batch(self) -> list[BatchFile]:
        if not self._queue and not self._exhausted:
            await self._read_page()
        return self._queue.next_batch()

    async def _read_page(self) -> None:
        catalogue = self._resources.catalogue
        pending = await catalogue.pending(self._record.number, self._after, PAGE)
        self._exhausted = len(pending) < PAGE
        if pending:
            self._after = pending[-1].n
        known: Mapping[bytes, frozenset[tuple[int, int]]] = {}
        if self._record.request.skip_existing:
            known = await catalogue.fingerprints([file.path for file in pending], self._record.root)
        self._queue.extend(
            BatchFile(file.n, file.path, known.get(file.path, frozenset()), file.size)
            for file in pending
        )

    def _begin(self, batch: list[BatchFile]) -> None:
        slot = contextlib.ExitStack()
        slot.callback(self._resources.slots.release)
        self._started += 1
        task = asyncio.create_task(self._run_batch(self._started, batch, slot))
        self._tasks[self._started] = task
        task.add_done_callback(partial(self._ended, self._started, batch, slot))
        self._session.begun(display_path(batch[0].path), read_clocks())
        self._publisher.changed()

    def _ended(
        self, key: int, batch: list[BatchFile], slot: contextlib.ExitStack, _: asyncio.Task[None]
    ) -> None:
        del self._tasks[key]
        self._session.stop_work(file.n for file in batch)
        slot.close()  # a task that is cancelled before its first step does not release it

    async def _run_batch(
        self, key: int, batch: list[BatchFile], slot: contextlib.ExitStack
    ) -> None:
        try:
            with slot:
                result = await self._run(key, batch)
            self._queue.take_result(batch, result)
            again, kept, result = await self._guard.split(batch, result)
            self._queue.put_back(again)
            if not kept:
                return
            with self._uninterrupted(key):
                await self._recorder.record(kept, result)
        except BatchError as error:
            await self._run_alone(key, batch, error)
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._failed = error

    async def _run(self, key: int, batch: list[BatchFile]) -> BatchResult:
        backend = self._resources.backend
        if isinstance(backend, ReportingBackend):
            report = partial(self._show_progress, key, batch)
            return await backend.run_reporting(self._root, batch, report, self._info)
        return await backend.run(self._root, batch, self._info)

    def _show_progress(self, key: int, batch: list[BatchFile], progress: FileProgress) -> None:
        """Show a file that takes long, unless its batch has ended meanwhile."""
        file = next((file for file in batch if file.n == progress.n), None)
        if file is None or key not in self._tasks or key in self._recording:
            return
        now = read_clocks()
        earlier = self._session.under_way.get(file.n)
        since = earlier.since if earlier else now.before(progress.seconds)
        name = display_path(file.path)
        self._session.work_on(file.n, UnderWay(name, since, file.size, progress.bytes), now)
        self._publisher.changed()

    async def _run_alone(self, key: int, batch: list[BatchFile], lost: BatchError) -> None:
        """Queue each file of a lost batch to run alone; record a file that is proved to fail."""
        if self._queue.run_alone(batch, may_pass=lost.may_pass):
            return
        try:
            with self._uninterrupted(key):
                await self._recorder.record_failure(batch[0], str(lost))
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._failed = error

    @contextlib.contextmanager
    def _uninterrupted(self, key: int) -> Iterator[None]:
        # Cancelled between the write and the count, an outcome would be in no snapshot.
        self._recording.add(key)
        try:
            yield
        finally:
            self._recording.discard(key)


async def _first(futures: Iterable[asyncio.Future[Any]]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
